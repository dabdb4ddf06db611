//! Two answers beside each other.

use std::collections::BTreeMap;

use serde_json::Value;

/// Sums are made in another order since 2.42: by how much of the larger values may differ …
const RELATIVE: f64 = 1e-7;
/// … and where nearly everything has cancelled out, by how much of the data's own size.
const ABSOLUTE: f64 = 1e-5;

type Points = Vec<(u64, String)>;

/// What is different, if anything is. The texts of errors and the order of series don't count.
pub(crate) fn difference(want: &(u16, Value), got: &(u16, Value)) -> Option<String> {
    let head = |answer: &(u16, Value)| (answer.0, answer.1["status"].clone(), answer.1["errorType"].clone());
    if head(want) != head(got) {
        return Some(format!(
            "theirs: {} {:.300}\n  ours:   {} {:.300}",
            want.0,
            want.1.to_string(),
            got.0,
            got.1.to_string()
        ));
    }
    let (want, got) = (series(&want.1["data"]["result"]), series(&got.1["data"]["result"]));
    if let Some(only) = want.keys().find(|name| !got.contains_key(*name)) {
        return Some(format!("only theirs has {only}"));
    }
    if let Some(only) = got.keys().find(|name| !want.contains_key(*name)) {
        return Some(format!("only ours has {only}"));
    }
    let unequal = want.iter().find(|(name, points)| !same(points, &got[*name]));
    unequal.map(|(name, points)| {
        let (at, other) =
            (points.iter().zip(&got[name]).find(|(a, b)| !same(&[(*a).clone()], &[(*b).clone()])), &got[name]);
        format!("{name}: {} points and {}, first different: {at:?}", points.len(), other.len())
    })
}

fn series(result: &Value) -> BTreeMap<String, Points> {
    let list = result.as_array().map(Vec::as_slice).unwrap_or_default();
    let point = |value: &Value| {
        let ms = (value[0].as_f64().unwrap_or(f64::NAN) * 1000.0).round() as u64;
        (ms, value[1].as_str().unwrap_or_default().to_owned())
    };
    let points = |one: &Value| match one["values"].as_array() {
        Some(values) => values.iter().map(point).collect(),
        None => vec![point(&one["value"])],
    };
    list.iter().map(|one| (one["metric"].to_string(), points(one))).collect()
}

fn same(want: &[(u64, String)], got: &[(u64, String)]) -> bool {
    let close = |a: &str, b: &str| {
        let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
        a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= RELATIVE * a.abs().max(b.abs()) + ABSOLUTE
    };
    want.len() == got.len() && want.iter().zip(got).all(|(a, b)| a.0 == b.0 && (a.1 == b.1 || close(&a.1, &b.1)))
}

//! `watershed tsdb dump`: every sample as text, series by series.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use model::{Labels, TimeRange, Timestamp, format_float, is_valid_label_name, is_valid_metric_name, quote};
use serde_json::json;
use storage::Series;
use storage::chunk::{Chunk, Value};
use tsdb::inspect::{Inspection, Silent};

use super::histogram_text::histogram_text;
use super::selector::matchers;
use crate::tsdb_arguments::{Dump, DumpFormat};

pub(super) fn run(flags: &Dump) -> Result<ExitCode> {
    let inspection = Inspection::open(&flags.path)?;
    let range = TimeRange::new(Timestamp::from_ms(flags.min_time), Timestamp::from_ms(flags.max_time));
    let mut any_of = flags.selectors.iter().map(|selector| matchers(selector)).collect::<Result<Vec<_>>>()?;
    if any_of.is_empty() {
        any_of.push(Vec::new());
    }
    let head = if inspection.has_head() { Some(inspection.head(&mut Silent)?) } else { None };
    let mut out = BufWriter::with_capacity(1 << 18, io::stdout().lock());
    for series in inspection.select(&any_of, range, head.as_ref())? {
        let series = series.map_err(tsdb::inspect::InspectError::from)?;
        if flags.json {
            print_json(&mut out, &series, range)?;
        } else if flags.format == DumpFormat::Openmetrics {
            print_openmetrics(&mut out, &series, range)?;
        } else {
            print_text(&mut out, &series, range)?;
        }
    }
    if !flags.json && flags.format == DumpFormat::Openmetrics {
        out.write_all(b"# EOF\n")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Hands the samples of a series within a range to `take`, in order of time, one for each time.
fn for_each_sample(series: &Series, range: TimeRange, mut take: impl FnMut(i64, &Value) -> Result<()>) -> Result<()> {
    let overlap = |pair: &[Chunk]| pair[1].min_time <= pair[0].max_time;
    let unreadable = || format!("series {}", series.labels);
    let mut together: Vec<(i64, Value)> = Vec::new();
    let is_disjoint = !series.chunks.windows(2).any(overlap);
    for chunk in &series.chunks {
        let mut values = chunk.values();
        while let Some((time, value)) = values.next().with_context(unreadable)? {
            if !range.contains(Timestamp::from_ms(time)) {
                continue;
            }
            if is_disjoint {
                take(time, &value)?;
            } else {
                together.push((time, value));
            }
        }
    }
    together.sort_by_key(|(time, _)| *time);
    together.dedup_by_key(|(time, _)| *time);
    together.iter().try_for_each(|(time, value)| take(*time, value))
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Float(value) => format_float(*value),
        Value::Histogram(histogram) => histogram_text(histogram),
    }
}

fn print_text(out: &mut impl Write, series: &Series, range: TimeRange) -> Result<()> {
    let labels = label_text(&series.labels);
    for_each_sample(series, range, |time, value| Ok(writeln!(out, "{labels} {} {time}", value_text(value))?))
}

/// `{__name__="up", job="a"}`
fn label_text(labels: &Labels) -> String {
    let name = |name: &str| if is_valid_label_name(name) { name.to_owned() } else { quote(name) };
    let pairs: Vec<String> = labels.iter().map(|(n, v)| format!("{}={}", name(n), quote(v))).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn print_openmetrics(out: &mut impl Write, series: &Series, range: TimeRange) -> Result<()> {
    let name = openmetrics_name(&series.labels);
    for_each_sample(series, range, |time, value| {
        if let Value::Float(value) = value {
            let sign = if time < 0 { "-" } else { "" };
            let ms = time.unsigned_abs();
            writeln!(out, "{name} {} {sign}{}.{:03}", format_float(*value), ms / 1000, ms % 1000)?;
        }
        Ok(())
    })
}

/// `up{job="a"}`, or with the name in the braces where it has to be quoted.
fn openmetrics_name(labels: &Labels) -> String {
    let metric = labels.metric_name();
    let legacy = is_valid_metric_name(metric);
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
    let mut inside = Vec::new();
    if !legacy && !metric.is_empty() {
        inside.push(format!("\"{}\"", escaped(metric)));
    }
    for (name, value) in labels.iter().filter(|(name, _)| *name != model::METRIC_NAME) {
        let name = if is_valid_label_name(name) { name.to_owned() } else { format!("\"{}\"", escaped(name)) };
        inside.push(format!("{name}=\"{}\"", escaped(value)));
    }
    format!("{}{{{}}}", if legacy { metric } else { "" }, inside.join(","))
}

/// In the form of the query API's matrix.
fn print_json(out: &mut impl Write, series: &Series, range: TimeRange) -> Result<()> {
    let (mut values, mut histograms) = (Vec::new(), Vec::new());
    for_each_sample(series, range, |time, value| {
        let point = json!([time as f64 / 1000.0, value_text(value)]);
        match value {
            Value::Float(_) => values.push(point),
            Value::Histogram(_) => histograms.push(point),
        }
        Ok(())
    })?;
    if values.is_empty() && histograms.is_empty() {
        return Ok(());
    }
    let mut object = json!({"metric": series.labels});
    for (key, points) in [("values", values), ("histograms", histograms)] {
        if !points.is_empty() {
            object[key] = points.into();
        }
    }
    writeln!(out, "{object}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_series_as_promtool_does() {
        let check = |pairs: &[(&str, &str)], text: &str, openmetrics: &str| {
            let labels = Labels::from_pairs(pairs.iter().copied());
            assert_eq!((label_text(&labels).as_str(), openmetrics_name(&labels).as_str()), (text, openmetrics));
        };
        check(&[("__name__", "up")], "{__name__=\"up\"}", "up{}");
        check(
            &[("__name__", "up"), ("a", "x\"\\\n"), ("b", "2")],
            "{__name__=\"up\", a=\"x\\\"\\\\\\n\", b=\"2\"}",
            "up{a=\"x\\\"\\\\\\n\",b=\"2\"}",
        );
        check(&[("__name__", "a.b"), ("c.d", "1")], "{__name__=\"a.b\", \"c.d\"=\"1\"}", "{\"a.b\",\"c.d\"=\"1\"}");
    }
}

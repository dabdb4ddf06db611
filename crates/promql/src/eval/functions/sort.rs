//! `sort`, `sort_desc`, `sort_by_label`, `sort_by_label_desc`, for one step.

use std::cmp::Ordering;

use crate::eval::quantile::nan_first;
use crate::eval::series::StepSeries;

/// By value, NaN last.
pub(crate) fn by_value(series: &mut [StepSeries], descending: bool) {
    let value = |series: &StepSeries| series.column.get(0).unwrap_or(f64::NAN);
    series.sort_by(|a, b| match (value(a), value(b)) {
        (a, b) if a.is_nan() || b.is_nan() => nan_first(b, a),
        (a, b) if descending => nan_first(b, a),
        (a, b) => nan_first(a, b),
    });
}

/// By the values of labels in the order given, numbers within them by size; then by all labels.
pub(crate) fn by_label(series: &mut [StepSeries], names: &[&str], descending: bool) {
    series.sort_by(|a, b| {
        let by_names = names.iter().map(|name| natural(a.labels.value(name), b.labels.value(name)));
        let order = by_names.fold(Ordering::Equal, Ordering::then).then_with(|| a.labels.cmp(&b.labels));
        if descending { order.reverse() } else { order }
    });
}

/// Texts part by part, a part being digits or anything else; parts of digits by their number.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        match (a.is_empty(), b.is_empty()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        let ((part_a, rest_a), (part_b, rest_b)) = (split_part(a), split_part(b));
        let order = match (number(part_a), number(part_b)) {
            // Of equal numbers the one with more leading zeros is the longer text.
            (Some(x), Some(y)) => x.len().cmp(&y.len()).then(x.cmp(y)).then(part_a.len().cmp(&part_b.len())),
            _ => part_a.cmp(part_b),
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

fn split_part(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    text.split_at(text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len()))
}

/// The digits without leading zeros, of a part that is digits.
fn number(part: &str) -> Option<&str> {
    part.starts_with(|c: char| c.is_ascii_digit()).then(|| part.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_texts_sort_by_size() {
        let check = |a: &str, b: &str, want: Ordering| assert_eq!(natural(a, b), want, "{a} {b}");
        check("cpu2", "cpu10", Ordering::Less);
        check("a", "b", Ordering::Less);
        check("1.10", "1.9", Ordering::Greater);
        check("", "a", Ordering::Less);
        check("x", "x", Ordering::Equal);
        check("2x", "2", Ordering::Greater);
    }
}

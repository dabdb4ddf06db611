//! Native histograms in short: `{{schema:1 sum:-0.3 count:3.1 z_bucket:7.1 buckets:[5 10 7] offset:-3}}`.

use model::{CounterReset, FloatHistogram, Span, format_float, is_known_schema};

/// The words for what is known of a counter reset.
const COUNTER_RESETS: [(&str, CounterReset); 4] = [
    ("unknown", CounterReset::Unknown),
    ("reset", CounterReset::Reset),
    ("not_reset", CounterReset::NotReset),
    ("gauge", CounterReset::Gauge),
];

/// A native histogram as it is written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistogramLiteral {
    /// The histogram.
    pub histogram: FloatHistogram,
    /// Whether it says something of counter resets; else nothing is to be expected of what is known of them.
    pub says_counter_reset: bool,
}

/// Reads what stands between the braces.
pub(crate) fn read(text: &str) -> Result<HistogramLiteral, String> {
    let mut literal = HistogramLiteral::default();
    let (mut offset, mut negative_offset) = (0, 0);
    let mut seen: Vec<&str> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, behind) = rest.split_once(':').ok_or_else(|| format!("expected a colon in {rest:?}"))?;
        if seen.contains(&key) {
            return Err(format!("duplicate key {key:?} in histogram"));
        }
        seen.push(key);
        let (value, behind) = split_value(behind)?;
        rest = behind.trim_start();
        let histogram = &mut literal.histogram;
        match key {
            "schema" => histogram.buckets.schema = schema(value)?,
            "sum" => histogram.sum = number(value)?,
            "count" => histogram.count = number(value)?,
            "z_bucket" => histogram.zero_count = number(value)?,
            "z_bucket_w" => histogram.buckets.zero_threshold = number(value)?,
            "custom_values" => histogram.buckets.custom_values = list(value)?,
            "buckets" => histogram.positive = list(value)?,
            "n_buckets" => histogram.negative = list(value)?,
            "offset" => offset = whole(value)?,
            "n_offset" => negative_offset = whole(value)?,
            "counter_reset_hint" => {
                literal.says_counter_reset = true;
                histogram.counter_reset = counter_reset(value)?;
            }
            _ => return Err(format!("unknown key {key:?} in histogram")),
        }
    }
    let FloatHistogram { buckets, positive, negative, .. } = &mut literal.histogram;
    buckets.positive_spans = spans(offset, positive.len());
    buckets.negative_spans = spans(negative_offset, negative.len());
    Ok(literal)
}

fn spans(offset: i32, buckets: usize) -> Vec<Span> {
    let length = u32::try_from(buckets).unwrap_or(u32::MAX);
    if length == 0 { Vec::new() } else { vec![Span { offset, length }] }
}

/// The value at the beginning, and what stands behind it.
fn split_value(text: &str) -> Result<(&str, &str), String> {
    let end = if text.starts_with('[') {
        text.find(']').map(|end| end + 1).ok_or_else(|| format!("unclosed list {text:?}"))?
    } else {
        text.find(char::is_whitespace).unwrap_or(text.len())
    };
    Ok(text.split_at(end))
}

fn number(text: &str) -> Result<f64, String> {
    model::parse_float(text).ok_or_else(|| format!("{text:?} is no number"))
}

fn whole(text: &str) -> Result<i32, String> {
    text.parse().map_err(|_| format!("{text:?} is no whole number"))
}

fn schema(text: &str) -> Result<i32, String> {
    let schema = whole(text)?;
    if is_known_schema(schema) { Ok(schema) } else { Err(format!("there is no schema {schema}")) }
}

fn list(text: &str) -> Result<Vec<f64>, String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let inner = inner.ok_or_else(|| format!("expected a list instead of {text:?}"))?;
    inner.split_whitespace().map(number).collect()
}

fn counter_reset(text: &str) -> Result<CounterReset, String> {
    let known = COUNTER_RESETS.iter().find(|(word, _)| *word == text);
    known.map(|(_, hint)| *hint).ok_or_else(|| format!("unknown counter_reset_hint {text:?}"))
}

/// The histogram as it would be written. Empty buckets between others are written, so that there is one list a side.
pub fn written(histogram: &FloatHistogram) -> String {
    let mut items: Vec<String> = Vec::new();
    let shape = &histogram.buckets;
    if shape.schema != 0 {
        items.push(format!("schema:{}", shape.schema));
    }
    let numbers = [
        ("count", histogram.count),
        ("sum", histogram.sum),
        ("z_bucket", histogram.zero_count),
        ("z_bucket_w", shape.zero_threshold),
    ];
    let numbers = numbers.iter().filter(|(_, number)| *number != 0.0);
    items.extend(numbers.map(|(key, number)| format!("{key}:{}", format_float(*number))));
    if shape.are_custom() {
        items.push(format!("custom_values:{}", written_list(&shape.custom_values)));
    }
    if histogram.counter_reset != CounterReset::Unknown {
        let word = COUNTER_RESETS.iter().find(|(_, hint)| *hint == histogram.counter_reset);
        items.extend(word.map(|(word, _)| format!("counter_reset_hint:{word}")));
    }
    for (spans, counts, offset_key, key) in [
        (&shape.positive_spans, &histogram.positive, "offset", "buckets"),
        (&shape.negative_spans, &histogram.negative, "n_offset", "n_buckets"),
    ] {
        let filled = model::bucket_indexes(spans).zip(counts).filter(|(_, count)| **count != 0.0);
        let filled: Vec<(i64, f64)> = filled.map(|(index, count)| (index, *count)).collect();
        let (Some((first, _)), Some((last, _))) = (filled.first(), filled.last()) else { continue };
        if *first != 0 {
            items.push(format!("{offset_key}:{first}"));
        }
        const WRITTEN_MAX: i64 = 1000;
        let mut list = Vec::new();
        for index in *first..=*last.min(&(first + WRITTEN_MAX)) {
            let at = filled.binary_search_by_key(&index, |(index, _)| *index);
            list.push(at.map_or(0.0, |at| filled[at].1));
        }
        let left_out = last - first - WRITTEN_MAX;
        let left_out = if left_out > 0 { format!("… and {left_out} more") } else { String::new() };
        items.push(format!("{key}:{}{left_out}", written_list(&list)));
    }
    format!("{{{{{}}}}}", items.join(" "))
}

fn written_list(numbers: &[f64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(|number| format_float(*number)).collect();
    format!("[{}]", numbers.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        for text in [
            "",
            "schema:1 count:3.5 sum:-0.3 z_bucket:7.1 z_bucket_w:0.05 offset:-3 buckets:[5 10 7] n_offset:-5 n_buckets:[4 5]",
            "schema:-53 count:3 custom_values:[1 2.5] buckets:[1 0 2]",
            "count:1 counter_reset_hint:gauge",
            "count:NaN sum:+Inf",
        ] {
            let literal = read(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(written(&literal.histogram), format!("{{{{{text}}}}}"));
            assert_eq!(literal.says_counter_reset, text.contains("hint"));
        }
        for bad in [
            "schema",
            "schema:x",
            "schema:99",
            "count:1 count:2",
            "buckets:5",
            "buckets:[1",
            "what:1",
            "counter_reset_hint:no",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}

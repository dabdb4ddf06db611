//! Samples as they are compared: what a source was told that it stored, and what a database has.

use std::collections::BTreeMap;

use model::{Labels, METRIC_NAME, MatchOp, Matcher, NativeHistogram, Span, TimeRange, bucket_indexes, is_stale};
use storage::chunk::Value;
use storage::{Queryable, SelectRequest, SeriesSet};

/// A sample's value in a form that equals itself, however it is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stored {
    /// The bits of a float.
    Float(u64),
    /// The end of a series, of floats or of histograms.
    Stale,
    /// A histogram without empty buckets and hints.
    Histogram(String),
}

/// Series with their samples by time.
pub(crate) type Ledger = BTreeMap<Labels, BTreeMap<i64, Stored>>;

impl Stored {
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Float(value) if is_stale(*value) => Stored::Stale,
            Value::Float(value) => Stored::Float(value.to_bits()),
            Value::Histogram(histogram) if histogram.is_stale() => Stored::Stale,
            Value::Histogram(histogram) => Stored::Histogram(text(histogram)),
        }
    }
}

fn text(histogram: &NativeHistogram) -> String {
    let kind = match histogram {
        NativeHistogram::Int(_) => "int",
        NativeHistogram::Float(_) => "float",
    };
    let float = histogram.to_float();
    let filled = |spans: &[Span], counts: &[f64]| -> Vec<(i64, f64)> {
        bucket_indexes(spans).zip(counts.iter().copied()).filter(|(_, count)| *count != 0.0).collect()
    };
    let positive = filled(&float.buckets.positive_spans, &float.positive);
    let negative = filled(&float.buckets.negative_spans, &float.negative);
    format!(
        "{kind} schema {} zero {} count {} sum {} {positive:?} {negative:?}",
        float.buckets.schema, float.zero_count, float.count, float.sum
    )
}

/// Everything that matches, or why it can't be read.
pub(crate) fn read(storage: &dyn Queryable, matchers: Vec<Matcher>, range: TimeRange) -> Result<Ledger, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|e| e.to_string())?;
    let set = runtime.block_on(storage.select(&SelectRequest::new(matchers, range))).map_err(|e| e.to_string())?;
    decode(set, range)
}

fn decode(set: SeriesSet, range: TimeRange) -> Result<Ledger, String> {
    let mut found = Ledger::new();
    for series in set.series {
        let series = series.map_err(|error| error.to_string())?;
        let mut samples = BTreeMap::new();
        for chunk in &series.chunks {
            let mut values = chunk.values();
            let mut last = i64::MIN;
            while let Some((time, value)) = values.next().map_err(|error| error.to_string())? {
                if time <= last {
                    return Err(format!("{}: {time} behind {last} in a chunk", series.labels));
                }
                last = time;
                if (range.min.as_ms()..=range.max.as_ms()).contains(&time) {
                    // Of two at a time a reader sees the first; two that differ are a mistake wherever they come from.
                    let value = Stored::of(&value);
                    if let Some(other) = samples.insert(time, value.clone()).filter(|other| *other != value) {
                        return Err(format!("{} has two samples at {time}: {other:?}, {value:?}", series.labels));
                    }
                }
            }
        }
        if !samples.is_empty() && found.insert(series.labels.clone(), samples).is_some() {
            return Err(format!("{} is there twice", series.labels));
        }
    }
    Ok(found)
}

/// A matcher that takes every series.
pub(crate) fn everything() -> Vec<Matcher> {
    vec![Matcher::new(MatchOp::NotEqual, METRIC_NAME, "").expect("no regular expression")]
}

/// The first series in which the two differ, told; `None` where they are the same.
pub(crate) fn difference(expected: &Ledger, found: &Ledger) -> Option<String> {
    let empty = BTreeMap::new();
    for labels in expected.keys().chain(found.keys()) {
        let [expected, found] = [expected, found].map(|ledger| ledger.get(labels).unwrap_or(&empty));
        if expected == found {
            continue;
        }
        let only = |these: &BTreeMap<i64, Stored>, those: &BTreeMap<i64, Stored>| -> Vec<(i64, Stored)> {
            these.iter().filter(|(time, value)| those.get(time) != Some(value)).map(|(t, v)| (*t, v.clone())).collect()
        };
        let (missing, more) = (only(expected, found), only(found, expected));
        return Some(format!(
            "{labels}: {} samples expected, {} found; {} missing or others: {:?}; {} more or others: {:?}",
            expected.len(),
            found.len(),
            missing.len(),
            &missing[..missing.len().min(4)],
            more.len(),
            &more[..more.len().min(4)]
        ));
    }
    None
}

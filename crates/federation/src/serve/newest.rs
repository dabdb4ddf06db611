//! The newest sample of a series.

use model::{FloatHistogram, Labels, TimeRange, Timestamp, is_stale};
use storage::{QueryError, Samples, Series, SeriesSet};

use crate::serve::format::Kind;
use crate::serve::page::Value;

/// A series with its newest sample.
#[derive(Debug, Clone)]
pub(super) struct Newest {
    pub(super) labels: Labels,
    pub(super) time: Timestamp,
    pub(super) value: Found,
}

/// A sample that was found.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Float(f64),
    Histogram(Box<FloatHistogram>),
}

impl Found {
    /// What is written of it.
    pub(super) fn as_value(&self) -> Value<'_> {
        match self {
            Found::Float(value) => Value::Float(*value),
            Found::Histogram(histogram) => Value::Histogram(histogram),
        }
    }

    fn is_stale(&self) -> bool {
        match self {
            Found::Float(value) => is_stale(*value),
            Found::Histogram(histogram) => histogram.is_stale(),
        }
    }
}

/// What a set of series is now.
#[derive(Debug, Default)]
pub(super) struct Current {
    /// Sorted by the metric's name.
    pub(super) samples: Vec<Newest>,
    /// How many series were left out because the format has no room for their native histograms.
    pub(super) left_out: usize,
}

/// The newest sample within `range` of every series that the format can tell; series that have ended, that have nothing in the range, or
/// that have no name, are left out. Walks chunks, so it belongs on a thread that may block.
pub(super) fn newest_samples(set: SeriesSet, range: TimeRange, kind: Kind) -> Result<Current, QueryError> {
    let mut current = Current::default();
    let mut scratch = Samples::default();
    for series in set.series {
        let series = series?;
        let Some((time, value)) = newest_sample(&series, range, &mut scratch)? else { continue };
        if value.is_stale() {
            continue;
        }
        if kind != Kind::Protobuf && !value.as_value().fits_into_lines() {
            current.left_out += 1;
            continue;
        }
        if series.labels.metric_name().is_empty() {
            tracing::debug!(series = %series.labels, "series without a name is not federated");
            continue;
        }
        current.samples.push(Newest { labels: series.labels, time, value });
    }
    current.samples.sort_by(|a, b| a.labels.metric_name().cmp(b.labels.metric_name()));
    Ok(current)
}

/// Decodes from the last chunk backwards, and only those that may hold something newer than what was found.
fn newest_sample(
    series: &Series,
    range: TimeRange,
    scratch: &mut Samples,
) -> Result<Option<(Timestamp, Found)>, QueryError> {
    let mut newest: Option<(Timestamp, Found)> = None;
    for chunk in series.chunks.iter().rev() {
        let span = TimeRange::new(chunk.min_time, chunk.max_time);
        if !range.overlaps(span) || newest.as_ref().is_some_and(|(time, _)| chunk.max_time <= *time) {
            continue;
        }
        scratch.clear();
        chunk.decode(range, scratch)?;
        // A chunk has one kind of samples.
        let float = scratch.iter().last().map(|last| (last.time, Found::Float(last.value)));
        let histogram = scratch.histograms.pop();
        let last =
            histogram.map(|last| (Timestamp::from_ms(last.time), Found::Histogram(Box::new(last.histogram)))).or(float);
        if let Some((time, value)) = last
            && newest.as_ref().is_none_or(|(found, _)| *found < time)
        {
            newest = Some((time, value));
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use model::{Histogram, STALE_NAN};
    use storage::chunk::{Chunk, Recoder, xor};

    use super::*;

    fn chunk(samples: &[(i64, f64)]) -> Chunk {
        let mut writer = xor::Writer::default();
        for (time, value) in samples {
            writer.push(*time, *value);
        }
        writer.finish().expect("not empty")
    }

    #[test]
    fn finds_the_newest_within_the_range() {
        let check = |chunks: Vec<Chunk>, want: Option<(i64, f64)>| {
            let labels = Labels::from_pairs([("__name__", "a")]);
            let range = TimeRange::new(Timestamp::from_ms(10), Timestamp::from_ms(20));
            let set = SeriesSet::from_sorted(vec![Series { labels, chunks }]);
            let found = newest_samples(set, range, Kind::Text).expect("valid chunks");
            let float = |value: &Found| if let Found::Float(value) = value { *value } else { f64::NAN };
            let found: Vec<_> = found.samples.iter().map(|n| (n.time.as_ms(), float(&n.value))).collect();
            assert_eq!(found, want.into_iter().collect::<Vec<_>>());
        };
        check(vec![], None);
        check(vec![chunk(&[(1, 1.0), (9, 2.0)])], None);
        check(vec![chunk(&[(21, 1.0)])], None);
        check(vec![chunk(&[(9, 1.0), (10, 2.0), (20, 3.0), (21, 4.0)])], Some((20, 3.0)));
        check(vec![chunk(&[(9, 1.0), (30, 2.0)])], None);
        check(vec![chunk(&[(11, 1.0)]), chunk(&[(15, 2.0)])], Some((15, 2.0)));
        check(vec![chunk(&[(11, 1.0), (18, 9.0)]), chunk(&[(15, 2.0)])], Some((18, 9.0)));
        check(vec![chunk(&[(11, 1.0), (15, STALE_NAN)])], None);
        check(vec![chunk(&[(11, 1.0), (15, STALE_NAN), (16, 5.0)])], Some((16, 5.0)));
    }

    #[test]
    fn a_series_that_is_a_histogram_now_is_told_where_there_is_room() {
        let one = |histogram: Histogram| {
            let mut recoder = Recoder::default();
            recoder.push(16, histogram.into());
            recoder.finish().remove(0)
        };
        let (histogram, ended) = (one(Histogram { count: 3, ..Histogram::default() }), one(Histogram::stale()));
        let check = |chunks: Vec<Chunk>, kind: Kind, samples: usize, left_out: usize| {
            let labels = Labels::from_pairs([("__name__", "a")]);
            let set = SeriesSet::from_sorted(vec![Series { labels, chunks }]);
            let found = newest_samples(set, TimeRange::ALL, kind).expect("valid chunks");
            assert_eq!((found.samples.len(), found.left_out), (samples, left_out));
            found.samples
        };
        let openmetrics = Kind::OpenMetrics { version: "1.0.0" };
        check(vec![chunk(&[(15, 1.0)]), histogram.clone()], Kind::Text, 0, 1);
        check(vec![chunk(&[(15, 1.0)]), histogram.clone()], openmetrics, 0, 1);
        let told = check(vec![chunk(&[(15, 1.0)]), histogram.clone()], Kind::Protobuf, 1, 0);
        assert!(matches!(&told[0].value, Found::Histogram(told) if told.count == 3.0), "{told:?}");
        check(vec![chunk(&[(15, 1.0)]), ended], Kind::Protobuf, 0, 0);
        check(vec![histogram, chunk(&[(17, 1.0)])], Kind::Text, 1, 0);
    }

    #[test]
    fn sorts_by_name_and_leaves_out_the_nameless() {
        let series = |pairs: &[(&str, &str)]| Series {
            labels: Labels::from_pairs(pairs.iter().copied()),
            chunks: vec![chunk(&[(15, 1.0)])],
        };
        let set = SeriesSet::from_sorted(vec![
            series(&[("A", "1"), ("__name__", "z")]),
            series(&[("__name__", "b"), ("x", "1")]),
            series(&[("__name__", "b"), ("x", "2")]),
            series(&[("job", "nameless")]),
        ]);
        let found = newest_samples(set, TimeRange::ALL, Kind::Text).expect("valid chunks");
        let found: Vec<_> = found.samples.iter().map(|n| n.labels.to_string()).collect();
        assert_eq!(found, [r#"b{x="1"}"#, r#"b{x="2"}"#, r#"z{A="1"}"#]);
    }
}

//! The newest sample of a series.

use std::collections::BTreeSet;

use model::{Labels, Sample, TimeRange, Timestamp, is_stale};
use storage::{NewestSamples, QueryError, Samples, Series, SeriesSet, VisitNewest};

/// A series with its newest sample.
#[derive(Debug, Clone)]
pub(super) struct Newest {
    pub(super) labels: Labels,
    pub(super) sample: Sample,
}

/// Newest samples that were found in chunks.
pub(super) struct Collected {
    samples: std::vec::IntoIter<Newest>,
}

impl Collected {
    pub(super) fn new(samples: Vec<Newest>) -> Self {
        Collected { samples: samples.into_iter() }
    }
}

impl NewestSamples for Collected {
    fn next(&mut self, visit: &mut VisitNewest<'_>) -> bool {
        for Newest { labels, sample } in self.samples.by_ref().take(64) {
            visit(&labels.iter().collect::<Vec<_>>(), sample);
        }
        self.samples.len() > 0
    }
}

/// What a set of series is now.
#[derive(Debug, Default)]
pub(super) struct Current {
    /// Sorted by the metric's name.
    pub(super) samples: Vec<Newest>,
    /// The metrics of which a series was left out because its newest sample is a native histogram.
    pub(super) histograms: BTreeSet<String>,
}

/// The newest float within `range` of every series; series that have ended, that have nothing in the range, or that have no
/// name, are left out. Walks chunks, so it belongs on a thread that may block.
pub(super) fn newest_samples(set: SeriesSet, range: TimeRange) -> Result<Current, QueryError> {
    let mut current = Current::default();
    let all = &mut current.samples;
    let mut scratch = Samples::default();
    for series in set.series {
        let series = series?;
        let sample = match newest_sample(&series, range, &mut scratch)? {
            Some(Last::Float(sample)) => sample,
            Some(Last::Histogram(_, stale)) if stale => continue,
            Some(Last::Histogram(..)) => {
                current.histograms.insert(series.labels.metric_name().to_owned());
                continue;
            }
            None => continue,
        };
        if is_stale(sample.value) {
            continue;
        }
        if series.labels.metric_name().is_empty() {
            tracing::debug!(series = %series.labels, "series without a name is not federated");
            continue;
        }
        all.push(Newest { labels: series.labels, sample });
    }
    all.sort_by(|a, b| a.labels.metric_name().cmp(b.labels.metric_name()));
    Ok(current)
}

/// The last sample of a series.
#[derive(Debug, Clone, Copy)]
enum Last {
    Float(Sample),
    /// When, and whether it is a stale marker.
    Histogram(Timestamp, bool),
}

impl Last {
    fn time(self) -> Timestamp {
        match self {
            Last::Float(sample) => sample.time,
            Last::Histogram(time, _) => time,
        }
    }
}

/// Decodes from the last chunk backwards, and only those that may hold something newer than what was found.
fn newest_sample(series: &Series, range: TimeRange, scratch: &mut Samples) -> Result<Option<Last>, QueryError> {
    let mut newest: Option<Last> = None;
    for chunk in series.chunks.iter().rev() {
        let span = TimeRange::new(chunk.min_time, chunk.max_time);
        if !range.overlaps(span) || newest.is_some_and(|found| chunk.max_time <= found.time()) {
            continue;
        }
        scratch.clear();
        chunk.decode(range, scratch)?;
        // A chunk has one kind of samples.
        let float = scratch.iter().last().map(Last::Float);
        let last = scratch.histograms.last();
        let last = last.map(|last| Last::Histogram(Timestamp::from_ms(last.time), last.histogram.is_stale())).or(float);
        if last.is_some_and(|last| newest.is_none_or(|found| found.time() < last.time())) {
            newest = last;
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
            let found = newest_samples(set, range).expect("valid chunks");
            let found: Vec<_> = found.samples.iter().map(|n| (n.sample.time.as_ms(), n.sample.value)).collect();
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
    fn a_series_that_is_a_histogram_now_is_left_out() {
        let one = |histogram: Histogram| {
            let mut recoder = Recoder::default();
            recoder.push(16, histogram.into());
            recoder.finish().remove(0)
        };
        let (histogram, ended) = (one(Histogram::default()), one(Histogram::stale()));
        let check = |chunks: Vec<Chunk>, samples: usize, histograms: usize| {
            let labels = Labels::from_pairs([("__name__", "a")]);
            let set = SeriesSet::from_sorted(vec![Series { labels, chunks }]);
            let found = newest_samples(set, TimeRange::ALL).expect("valid chunks");
            assert_eq!((found.samples.len(), found.histograms.len()), (samples, histograms));
        };
        check(vec![chunk(&[(15, 1.0)]), histogram.clone()], 0, 1);
        check(vec![chunk(&[(15, 1.0)]), ended], 0, 0);
        check(vec![histogram, chunk(&[(17, 1.0)])], 1, 0);
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
        let found = newest_samples(set, TimeRange::ALL).expect("valid chunks");
        let found: Vec<_> = found.samples.iter().map(|n| n.labels.to_string()).collect();
        assert_eq!(found, [r#"b{x="1"}"#, r#"b{x="2"}"#, r#"z{A="1"}"#]);
    }
}

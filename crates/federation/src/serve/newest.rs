//! The newest sample of a series.

use model::{Labels, Sample, TimeRange, is_stale};
use storage::{QueryError, Samples, Series, SeriesSet};

/// A series with its newest sample.
#[derive(Debug, Clone)]
pub(super) struct Newest {
    pub(super) labels: Labels,
    pub(super) sample: Sample,
}

/// The newest sample within `range` of every series, sorted by the metric's name; series that have ended, that have nothing
/// in the range, or that have no name, are left out. Walks chunks, so it belongs on a thread that may block.
pub(super) fn newest_samples(set: SeriesSet, range: TimeRange) -> Result<Vec<Newest>, QueryError> {
    let mut all = Vec::new();
    let mut scratch = Samples::default();
    for series in set.series {
        let series = series?;
        let Some(sample) = newest_sample(&series, range, &mut scratch)? else { continue };
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
    Ok(all)
}

/// Decodes from the last chunk backwards, and only those that may hold something newer than what was found.
fn newest_sample(series: &Series, range: TimeRange, scratch: &mut Samples) -> Result<Option<Sample>, QueryError> {
    let mut newest: Option<Sample> = None;
    for chunk in series.chunks.iter().rev() {
        let span = TimeRange::new(chunk.min_time, chunk.max_time);
        if !range.overlaps(span) || newest.is_some_and(|found| chunk.max_time <= found.time) {
            continue;
        }
        scratch.clear();
        chunk.decode(range, scratch)?;
        let last = scratch.iter().last();
        if last.is_some_and(|last| newest.is_none_or(|found| found.time < last.time)) {
            newest = last;
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use model::{STALE_NAN, Timestamp};
    use storage::chunk::{Chunk, xor};

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
            let found: Vec<_> = found.iter().map(|n| (n.sample.time.as_ms(), n.sample.value)).collect();
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
        let found: Vec<_> = found.iter().map(|n| n.labels.to_string()).collect();
        assert_eq!(found, [r#"b{x="1"}"#, r#"b{x="2"}"#, r#"z{A="1"}"#]);
    }
}

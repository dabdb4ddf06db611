//! A series on its way to a reader: labels and encoded chunks.

use model::{Labels, TimeRange};

use crate::chunk::{Chunk, ChunkError};
use crate::samples::Samples;

/// A series with the chunks that were asked for, in order of their first samples. Chunks of different sources may overlap;
/// reading merges them and keeps one sample per time.
#[derive(Debug, Clone)]
pub struct Series {
    /// What it is.
    pub labels: Labels,
    /// Its samples, sorted by `min_time`.
    pub chunks: Vec<Chunk>,
}

impl Series {
    /// Decodes the samples within `range`, stale markers included, into `out`, which is cleared first. Where chunks overlap,
    /// the samples are merged, and of two at the same time that of the chunk that comes first is kept.
    pub fn decode(&self, range: TimeRange, out: &mut Samples) -> Result<(), ChunkError> {
        out.clear();
        for chunk in &self.chunks {
            if !range.overlaps(TimeRange::new(chunk.min_time, chunk.max_time)) {
                continue;
            }
            let from = out.len();
            let last = out.times.last().copied();
            chunk.decode(range, out)?;
            if let Some(last) = last
                && out.times.get(from).is_some_and(|first| *first <= last)
            {
                merge_tail(out, from);
            }
        }
        Ok(())
    }
}

/// Merges the two ascending runs `..from` and `from..`; of equal times the sample of the first run is kept.
fn merge_tail(samples: &mut Samples, from: usize) {
    let (late_times, late_values) = (samples.times.split_off(from), samples.values.split_off(from));
    let start = samples.times.partition_point(|t| *t < late_times[0]);
    let (early_times, early_values) = (samples.times.split_off(start), samples.values.split_off(start));
    let (mut early, mut late) = (0, 0);
    while early < early_times.len() || late < late_times.len() {
        let take_early = match (early_times.get(early), late_times.get(late)) {
            (Some(e), Some(l)) => {
                late += usize::from(e == l);
                e <= l
            }
            (e, _) => e.is_some(),
        };
        if take_early {
            samples.push(early_times[early], early_values[early]);
            early += 1;
        } else {
            samples.push(late_times[late], late_values[late]);
            late += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;
    use crate::chunk::xor;

    fn chunk(times: &[i64], value: f64) -> Chunk {
        let mut writer = xor::Writer::default();
        for t in times {
            writer.push(*t, value);
        }
        writer.finish().expect("not empty")
    }

    #[test]
    fn merges_overlapping_chunks_and_keeps_one_sample_per_time() {
        let check = |chunks: Vec<Chunk>, range: (i64, i64), want: &[(i64, f64)]| {
            let series = Series { labels: Labels::empty(), chunks };
            let mut out = Samples::default();
            series
                .decode(TimeRange::new(Timestamp::from_ms(range.0), Timestamp::from_ms(range.1)), &mut out)
                .expect("valid chunks");
            let got: Vec<_> = out.times.iter().copied().zip(out.values.iter().copied()).collect();
            assert_eq!(got, want);
        };
        let all = (i64::MIN, i64::MAX);
        check(vec![], all, &[]);
        check(vec![chunk(&[1, 2], 1.0), chunk(&[3], 2.0)], all, &[(1, 1.0), (2, 1.0), (3, 2.0)]);
        check(
            vec![chunk(&[1, 3, 5], 1.0), chunk(&[2, 3, 4, 9], 2.0)],
            all,
            &[(1, 1.0), (2, 2.0), (3, 1.0), (4, 2.0), (5, 1.0), (9, 2.0)],
        );
        check(vec![chunk(&[1, 2, 3], 1.0), chunk(&[1, 2, 3], 2.0)], all, &[(1, 1.0), (2, 1.0), (3, 1.0)]);
        check(vec![chunk(&[1, 2, 3, 4], 1.0)], (2, 3), &[(2, 1.0), (3, 1.0)]);
        check(
            vec![chunk(&[1, 9], 1.0), chunk(&[2, 3], 2.0), chunk(&[2, 5], 3.0)],
            all,
            &[(1, 1.0), (2, 2.0), (3, 2.0), (5, 3.0), (9, 1.0)],
        );
    }
}

//! A series on its way to a reader: labels and encoded chunks.

use model::{CounterReset, Labels, TimeRange};

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
            let (floats, histograms) = (out.times.len(), out.histograms.len());
            chunk.decode(range, out)?;
            if out.histograms.len() > histograms {
                settle_histograms(out, histograms);
            } else {
                settle_floats(out, floats);
            }
        }
        Ok(())
    }
}

/// Brings the floats `from..`, ascending as they are, to their places between the others.
fn settle_floats(samples: &mut Samples, from: usize) {
    if !samples.histograms.is_empty() {
        drop_taken_floats(samples, from);
    }
    let (before, after) = samples.times.split_at(from);
    if let (Some(last), Some(first)) = (before.last(), after.first())
        && first <= last
    {
        merge_floats(samples, from);
    }
}

/// Drops the floats `from..` at whose time there is a histogram already.
fn drop_taken_floats(samples: &mut Samples, from: usize) {
    let late = samples.split_off_floats(from);
    for (at, time) in late.times.iter().enumerate() {
        if samples.histograms.binary_search_by_key(time, |sample| sample.time).is_err() {
            samples.push_started(*time, late.start(at), late.values[at]);
        }
    }
}

/// Merges the two ascending runs `..from` and `from..`; of equal times the sample of the first run is kept.
fn merge_floats(samples: &mut Samples, from: usize) {
    let second = samples.split_off_floats(from);
    let first = samples.split_off_floats(samples.times.partition_point(|t| *t < second.times[0]));
    let (mut early, mut late) = (0, 0);
    while early < first.times.len() || late < second.times.len() {
        let take_early = match (first.times.get(early), second.times.get(late)) {
            (Some(e), Some(l)) => {
                late += usize::from(e == l);
                e <= l
            }
            (e, _) => e.is_some(),
        };
        let (run, next) = if take_early { (&first, &mut early) } else { (&second, &mut late) };
        samples.push_started(run.times[*next], run.start(*next), run.values[*next]);
        *next += 1;
    }
}

/// Brings the histograms `from..`, ascending as they are, to their places between the others. Where a sample comes to stand
/// behind one of another chunk, it is no longer known that there was no reset between them.
fn settle_histograms(samples: &mut Samples, from: usize) {
    let late = samples.histograms.split_off(from);
    let Some(first) = late.first() else { return };
    let start = samples.histograms.partition_point(|sample| sample.time < first.time);
    let mut early = samples.histograms.split_off(start).into_iter().peekable();
    let times = &samples.times;
    let mut late = late.into_iter().filter(|sample| times.binary_search(&sample.time).is_err()).peekable();
    // Of the first sample of all it stays known: its chunk has the one before it, which isn't asked for.
    let mut last_was_early = (start > 0).then_some(true);
    loop {
        let take_early = match (early.peek(), late.peek()) {
            (Some(e), Some(l)) => e.time <= l.time,
            (e, _) => e.is_some(),
        };
        let Some(mut sample) = (if take_early { early.next() } else { late.next() }) else { break };
        if take_early {
            late.next_if(|late| late.time == sample.time);
        }
        if last_was_early.is_some_and(|last| last != take_early)
            && sample.histogram.counter_reset == CounterReset::NotReset
        {
            sample.histogram.counter_reset = CounterReset::Unknown;
        }
        last_was_early = Some(take_early);
        samples.histograms.push(sample);
    }
}

#[cfg(test)]
mod tests {
    use model::{Histogram, Timestamp};

    use super::*;
    use crate::chunk::{Recoder, TimedValue, Value, xor};

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

    /// A chunk of histograms with these counts.
    fn histograms(times: &[i64], count: u64) -> Chunk {
        let mut recoder = Recoder::default();
        for t in times {
            recoder.push(*t, Histogram { count, zero_count: count, ..Histogram::default() }.into());
        }
        recoder.finish().remove(0)
    }

    #[test]
    fn merges_histograms_and_floats() {
        use CounterReset::{NotReset, Unknown};
        let check = |chunks: Vec<Chunk>, floats: &[(i64, f64)], want: &[(i64, f64, CounterReset)]| {
            let mut out = Samples::default();
            Series { labels: Labels::empty(), chunks }.decode(TimeRange::ALL, &mut out).expect("valid chunks");
            let got: Vec<_> = out.iter().map(|sample| (sample.time.as_ms(), sample.value)).collect();
            assert_eq!(got, floats);
            let got: Vec<_> =
                out.histograms.iter().map(|s| (s.time, s.histogram.count, s.histogram.counter_reset)).collect();
            assert_eq!(got, want);
            assert_eq!(out.len(), floats.len() + want.len());
        };
        check(
            vec![histograms(&[1, 2, 3], 1), histograms(&[4, 5], 2)],
            &[],
            &[(1, 1.0, Unknown), (2, 1.0, NotReset), (3, 1.0, NotReset), (4, 2.0, Unknown), (5, 2.0, NotReset)],
        );
        // The late chunk's samples go between the others, and nothing is known of resets around them.
        check(
            vec![histograms(&[1, 4, 5, 9], 1), histograms(&[2, 3, 4, 10, 11], 2)],
            &[],
            &[
                (1, 1.0, Unknown),
                (2, 2.0, Unknown),
                (3, 2.0, NotReset),
                (4, 1.0, Unknown),
                (5, 1.0, NotReset),
                (9, 1.0, NotReset),
                (10, 2.0, Unknown),
                (11, 2.0, NotReset),
            ],
        );
        // Of a float and a histogram at one time the chunk that comes first counts.
        check(
            vec![chunk(&[1, 3], 1.0), histograms(&[2, 3, 4], 2)],
            &[(1, 1.0), (3, 1.0)],
            &[(2, 2.0, Unknown), (4, 2.0, NotReset)],
        );
        check(
            vec![histograms(&[2, 3, 4], 2), chunk(&[2, 3, 5], 1.0), chunk(&[1, 4], 3.0)],
            &[(1, 3.0), (5, 1.0)],
            &[(2, 2.0, Unknown), (3, 2.0, NotReset), (4, 2.0, NotReset)],
        );
    }
    #[test]
    fn starts_stay_with_their_samples() {
        let chunk = |value: &dyn Fn(i64) -> Value, times: &[(i64, i64)]| {
            let mut recoder = Recoder::default();
            times.iter().for_each(|(time, start)| {
                recoder.push_timed(TimedValue { time: *time, start: *start, value: value(*time) });
            });
            recoder.finish().remove(0)
        };
        let float = |time: i64| Value::Float(time as f64);
        let native = |_: i64| Value::from(Histogram { count: 1, zero_count: 1, ..Histogram::default() });
        let check = |chunks: Vec<Chunk>, floats: &[(i64, i64)], natives: &[(i64, i64)]| {
            let mut out = Samples::default();
            Series { labels: Labels::empty(), chunks }.decode(TimeRange::ALL, &mut out).expect("valid chunks");
            let got: Vec<_> = (0..out.times.len()).map(|at| (out.times[at], out.start(at))).collect();
            assert_eq!(got, floats);
            assert!(out.times.iter().zip(&out.values).all(|(time, value)| *time as f64 == *value));
            let got: Vec<_> = out.histograms.iter().map(|sample| (sample.time, sample.start)).collect();
            assert_eq!(got, natives);
            assert!(out.starts.len() <= out.times.len());
        };
        check(vec![chunk(&float, &[(1, 0), (2, 0)])], &[(1, 0), (2, 0)], &[]);
        check(
            vec![
                chunk(&float, &[(1, 9), (4, 8), (9, 7)]),
                chunk(&float, &[(2, 6), (3, 0), (4, 5)]),
                chunk(&float, &[(10, 0)]),
            ],
            &[(1, 9), (2, 6), (3, 0), (4, 8), (9, 7), (10, 0)],
            &[],
        );
        check(vec![chunk(&float, &[(1, 0), (3, 0)]), chunk(&float, &[(2, 6)])], &[(1, 0), (2, 6), (3, 0)], &[]);
        check(
            vec![
                chunk(&native, &[(2, 5), (5, 4)]),
                chunk(&float, &[(1, 3), (2, 3), (6, 2)]),
                chunk(&native, &[(3, 1), (6, 1)]),
            ],
            &[(1, 3), (6, 2)],
            &[(2, 5), (3, 1), (5, 4)],
        );
    }
}

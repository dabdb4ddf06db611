//! The samples of chunks in order of time, each time once.

use model::{NativeHistogram, TimeRange, Timestamp, is_stale};

use crate::chunk::{Chunk, ChunkError, TimedValue, Value, Values};

/// Whether chunks are in order of time and none reaches into another.
pub fn are_apart(chunks: &[Chunk]) -> bool {
    chunks.windows(2).all(|two| two[0].max_time < two[1].min_time)
}

/// Walks the samples within `range` in order of time, each time once. Of different values at one time a histogram is taken before a
/// float, then the larger one, a stale marker last, and of the same value that with the later start: the same one whichever came first.
///
/// # Errors
/// A chunk can't be read.
pub fn walk(chunks: &[Chunk], range: TimeRange, mut take: impl FnMut(TimedValue)) -> Result<(), ChunkError> {
    let (min, max) = (range.min.as_ms(), range.max.as_ms());
    let touched = chunks.iter().filter(|chunk| range.overlaps(chunk.range()));
    if !are_apart(chunks) {
        return merge(touched.collect(), |sample| {
            if (min..=max).contains(&sample.time) {
                take(sample);
            }
        });
    }
    for chunk in touched {
        let mut values = chunk.values();
        while let Some(sample) = values.next_timed()? {
            if sample.time > max {
                break;
            }
            if sample.time >= min {
                take(sample);
            }
        }
    }
    Ok(())
}

/// How many samples there are within `range`, each time once. Costs little where chunks don't overlap.
///
/// # Errors
/// A chunk can't be read.
pub fn count(chunks: &[Chunk], range: TimeRange) -> Result<u64, ChunkError> {
    let mut count = 0;
    if !are_apart(chunks) {
        walk(chunks, range, |_| count += 1)?;
        return Ok(count);
    }
    for chunk in chunks.iter().filter(|chunk| range.overlaps(chunk.range())) {
        if range.contains(chunk.min_time) && range.contains(chunk.max_time) {
            count += chunk.sample_count() as u64;
            continue;
        }
        let mut values = chunk.values();
        while let Some((time, _)) = values.next()? {
            count += u64::from(range.contains(Timestamp::from_ms(time)));
        }
    }
    Ok(count)
}

/// One chunk's samples, with the next of them.
struct Head<'a> {
    values: Values<'a>,
    next: TimedValue,
}

impl<'a> Head<'a> {
    fn begin(chunk: &'a Chunk) -> Result<Option<Self>, ChunkError> {
        let mut values = chunk.values();
        Ok(values.next_timed()?.map(|next| Head { values, next }))
    }

    /// The next sample; whether there is another behind it.
    fn take(&mut self) -> Result<(TimedValue, bool), ChunkError> {
        const NONE: TimedValue = TimedValue { time: i64::MAX, start: 0, value: Value::Float(0.0) };
        let next = self.values.next_timed()?;
        let more = next.is_some();
        Ok((std::mem::replace(&mut self.next, next.unwrap_or(NONE)), more))
    }
}

/// Walks all samples of chunks that may overlap.
fn merge(mut chunks: Vec<&Chunk>, mut take: impl FnMut(TimedValue)) -> Result<(), ChunkError> {
    chunks.sort_by_key(|chunk| chunk.min_time);
    let mut later = chunks.into_iter().peekable();
    let mut open: Vec<Head<'_>> = Vec::new();
    loop {
        let first = open.iter().map(|head| head.next.time).min();
        if let Some(chunk) = later.next_if(|chunk| first.is_none_or(|first| chunk.min_time.as_ms() <= first)) {
            open.extend(Head::begin(chunk)?);
            continue;
        }
        let Some(time) = first else { return Ok(()) };
        let mut chosen: Option<TimedValue> = None;
        let mut at = 0;
        while at < open.len() {
            if open[at].next.time != time {
                at += 1;
                continue;
            }
            let (sample, more) = open[at].take()?;
            if chosen.as_ref().is_none_or(|chosen| rank(chosen) < rank(&sample)) {
                chosen = Some(sample);
            }
            if more {
                at += 1;
            } else {
                open.remove(at);
            }
        }
        chosen.into_iter().for_each(&mut take);
    }
}

/// Of two different samples at one time the one with the higher rank stays: no matter which of them came first, and a stale
/// marker never. A start that isn't known ranks below all others.
fn rank(TimedValue { start, value, .. }: &TimedValue) -> (bool, u8, u64, u64, Option<i64>) {
    let start = Some(*start).filter(|start| *start != 0);
    match value {
        Value::Float(value) => (!is_stale(*value), 0, value.to_bits(), 0, start),
        Value::Histogram(NativeHistogram::Int(h)) => (!h.is_stale(), 1, h.count, h.sum.to_bits(), start),
        Value::Histogram(NativeHistogram::Float(h)) => (!h.is_stale(), 2, h.count.to_bits(), h.sum.to_bits(), start),
    }
}

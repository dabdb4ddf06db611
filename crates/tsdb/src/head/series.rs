//! The samples of one series in the head: full chunks and the one that is written to.

use bytes::Bytes;
use model::{TimeRange, Timestamp};
use storage::chunk::{Chunk, Encoding, xor};

/// So many samples make a chunk, as in Prometheus: more compress hardly better, and a reader decodes whole chunks.
const SAMPLES_PER_CHUNK: usize = 120;

/// What an append comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fits,
    /// The same sample is here already.
    Repeated,
    OutOfOrder,
    /// Another value at the same time is here.
    Conflict,
}

/// A chunk that won't change.
#[derive(Debug, Clone)]
pub(super) struct FullChunk {
    min_time: i64,
    max_time: i64,
    data: Bytes,
}

impl FullChunk {
    fn range(&self) -> TimeRange {
        TimeRange::new(Timestamp::from_ms(self.min_time), Timestamp::from_ms(self.max_time))
    }

    fn chunk(&self) -> Chunk {
        Chunk {
            min_time: Timestamp::from_ms(self.min_time),
            max_time: Timestamp::from_ms(self.max_time),
            encoding: Encoding::Xor,
            data: self.data.clone(),
        }
    }
}

/// What changes of a series. There are millions of these: see the size in the tests.
#[derive(Debug, Default)]
pub(super) struct SeriesState {
    /// The series' number in the log; 0 where the slot is free.
    pub(super) reference: u64,
    /// Samples of transactions that are not at their end yet; a series with any is not removed.
    pub(super) pending: u32,
    /// Whether the log knows the series.
    pub(super) logged: bool,
    /// Oldest first, never overlapping, all before the open chunk.
    full: Box<[FullChunk]>,
    open_bytes: Vec<u8>,
    open: xor::State,
    /// The open chunk ends before this time.
    next_cut: i64,
}

/// Where the range of `width` that holds `time` ends.
fn range_end(time: i64, width: i64) -> i64 {
    time.div_euclid(width).saturating_add(1).saturating_mul(width)
}

/// Foresees, from the rate of the first quarter, where to end a chunk so that all chunks up to `end` become alike.
fn predicted_cut(start: i64, now: i64, end: i64) -> i64 {
    let chunks = (end - start) / ((now - start + 1) * 4);
    if chunks <= 1 { end } else { start + (end - start) / chunks }
}

impl SeriesState {
    pub(super) fn new(reference: u64) -> Self {
        SeriesState { reference, ..SeriesState::default() }
    }

    /// A series that the log knows.
    pub(super) fn restored(reference: u64) -> Self {
        SeriesState { reference, logged: true, ..SeriesState::default() }
    }

    /// Whether a sample can be appended now.
    pub(super) fn verdict(&self, time: i64, value: f64) -> Verdict {
        if self.open.is_empty() || time > self.open.last_time() {
            Verdict::Fits
        } else if time < self.open.last_time() {
            Verdict::OutOfOrder
        } else if value.to_bits() == self.open.last_value().to_bits() {
            Verdict::Repeated
        } else {
            Verdict::Conflict
        }
    }

    /// Appends a sample that fits; tells whether it began a new chunk.
    pub(super) fn push(&mut self, time: i64, value: f64, chunk_range_ms: i64) -> bool {
        let samples = self.open.len();
        if samples == SAMPLES_PER_CHUNK / 4 {
            let start = xor::first_time(&self.open_bytes).unwrap_or(time);
            self.next_cut = predicted_cut(start, self.open.last_time(), self.next_cut);
        }
        // Twice the aim: the prediction was wrong, for example because the series became denser.
        if samples > 0 && (time >= self.next_cut || samples >= SAMPLES_PER_CHUNK * 2) {
            self.cut();
        }
        let begins = self.open.is_empty();
        if begins {
            self.next_cut = range_end(time, chunk_range_ms);
        }
        if self.open_bytes.capacity() - self.open_bytes.len() < xor::State::SAMPLE_BYTES_MAX {
            // A quarter at a time, not double: most of the head's memory is these buffers.
            self.open_bytes.reserve_exact(xor::State::SAMPLE_BYTES_MAX + self.open_bytes.len() / 4);
        }
        self.open.push(&mut self.open_bytes, time, value);
        begins
    }

    /// Makes the open chunk a full one.
    fn cut(&mut self) {
        let Some(chunk) = self.open_range() else { return };
        let mut full = std::mem::take(&mut self.full).into_vec();
        full.reserve_exact(1);
        full.push(FullChunk {
            min_time: chunk.min.as_ms(),
            max_time: chunk.max.as_ms(),
            data: Bytes::copy_from_slice(&self.open_bytes),
        });
        self.full = full.into();
        self.open_bytes.clear();
        self.open = xor::State::default();
    }

    /// The times of the open chunk, if there is one.
    fn open_range(&self) -> Option<TimeRange> {
        let first = xor::first_time(&self.open_bytes)?;
        Some(TimeRange::new(Timestamp::from_ms(first), Timestamp::from_ms(self.open.last_time())))
    }

    /// The full chunks that touch `range`, and the bytes of the open one if it does.
    pub(super) fn chunks(&self, range: TimeRange) -> (impl Iterator<Item = Chunk>, Option<OpenChunk<'_>>) {
        let full = self.full.iter().filter(move |chunk| chunk.range().overlaps(range)).map(FullChunk::chunk);
        let open = self.open_range().filter(|open| open.overlaps(range));
        (full, open.map(|range| OpenChunk { range, bytes: &self.open_bytes }))
    }

    /// Whether there is a sample that may lie in `range`.
    pub(super) fn touches(&self, range: TimeRange) -> bool {
        self.full.iter().any(|chunk| chunk.range().overlaps(range))
            || self.open_range().is_some_and(|open| open.overlaps(range))
    }

    /// How many chunks there are.
    pub(super) fn chunk_count(&self) -> usize {
        self.full.len() + usize::from(!self.open.is_empty())
    }

    /// The time of the first sample.
    pub(super) fn first_time(&self) -> Option<i64> {
        self.full.first().map(|chunk| chunk.min_time).or_else(|| xor::first_time(&self.open_bytes))
    }

    /// Drops chunks that end before `time`; tells how many.
    pub(super) fn truncate(&mut self, time: i64) -> usize {
        let gone = self.full.iter().take_while(|chunk| chunk.max_time < time).count();
        if gone > 0 {
            self.full = self.full[gone..].into();
        }
        if !self.open.is_empty() && self.open.last_time() < time {
            self.open = xor::State::default();
            self.open_bytes = Vec::new();
            return gone + 1;
        }
        gone
    }
}

/// The chunk that is written to, borrowed from the head.
pub(super) struct OpenChunk<'a> {
    pub(super) range: TimeRange,
    pub(super) bytes: &'a [u8],
}

impl OpenChunk<'_> {
    /// The chunk with `data`, which must be a copy of `bytes`.
    pub(super) fn with_data(range: TimeRange, data: Bytes) -> Chunk {
        Chunk { min_time: range.min, max_time: range.max, encoding: Encoding::Xor, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn a_series_state_is_small() {
        assert_eq!(size_of::<SeriesState>(), 96);
        assert_eq!(size_of::<FullChunk>(), 48);
    }

    #[test]
    fn chunks_are_cut_as_prometheus_cuts_them() {
        let check = |interval: i64, count: i64, want: &[usize]| {
            let mut series = SeriesState::new(1);
            for i in 0..count {
                series.push(i * interval, 1.0, 2 * HOUR_MS);
            }
            let (full, open) = series.chunks(TimeRange::ALL);
            let mut got: Vec<usize> = full.map(|chunk| chunk.sample_count()).collect();
            got.extend(open.map(|open| xor::sample_count(open.bytes)));
            assert_eq!(got, want, "every {interval} ms");
        };
        // Each 15 s: 480 samples in two hours make four chunks of 120.
        check(15_000, 481, &[120, 120, 120, 120, 1]);
        // Each 60 s: one chunk of 120 in two hours.
        check(60_000, 121, &[120, 1]);
        // Each 10 min: the range's end cuts.
        check(600_000, 13, &[12, 1]);
    }

    #[test]
    fn tells_repeats_from_conflicts() {
        let mut series = SeriesState::new(1);
        assert_eq!(series.verdict(0, 1.0), Verdict::Fits);
        series.push(10, 1.0, HOUR_MS);
        assert_eq!(series.verdict(10, 1.0), Verdict::Repeated);
        assert_eq!(series.verdict(10, 2.0), Verdict::Conflict);
        assert_eq!(series.verdict(9, 1.0), Verdict::OutOfOrder);
        assert_eq!(series.truncate(11), 1);
        assert_eq!(series.chunk_count(), 0);
    }
}

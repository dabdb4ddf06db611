//! The samples of one series in the head: where its full chunks are, and the one that is written to.

mod restore;
mod snapshot;

use model::{NativeHistogram, TimeRange, Timestamp};
use storage::chunk::{Chunk, Encoding, Value, xor};

use super::cutting::{Cutting, predicted_cut, range_end};
use super::full::FullChunk;
use super::late::samples::Late;
use super::native::OpenHistogram;
use crate::head_chunks::{HeadChunks, NewChunk};

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
    /// Older than the newest, and taken as a late sample.
    Late,
    /// A late sample that is too old for the window.
    BeyondWindow,
}

/// The log knows the series.
const LOGGED: u8 = 1;
/// The open chunk lies before a full one: only while the log is read.
const IN_GAP: u8 = 2;

/// What changes of a series. There are millions of these: see the size in the tests.
#[derive(Debug, Default)]
pub(super) struct SeriesState {
    /// The series' number in the log; 0 where the slot is free.
    pub(super) reference: u64,
    /// Samples of transactions that are not at their end yet; a series with any is not removed.
    pub(super) pending: u32,
    /// How much of `open_body` is written to.
    open_len: u16,
    /// `LOGGED` and `IN_GAP`.
    flags: u8,
    /// Who follows the series: a bit for each, see `feed`.
    pub(super) followed: u8,
    /// Oldest first, never overlapping, all before the open chunk.
    full: Box<[FullChunk]>,
    open_body: Box<[u8]>,
    open: xor::State,
    /// The open chunk ends before this time.
    next_cut: i64,
    /// What most series never have.
    rare: Option<Box<Rare>>,
}

/// What few series have, so that the others pay a pointer for it.
#[derive(Debug, Default)]
struct Rare {
    late: Late,
    /// The open chunk, if the newest sample is a native histogram; the one of floats is empty then.
    histogram: Option<OpenHistogram>,
}

impl SeriesState {
    pub(super) fn new(reference: u64) -> Self {
        SeriesState { reference, ..SeriesState::default() }
    }

    /// A series that the log knows.
    pub(super) fn restored(reference: u64) -> Self {
        SeriesState { reference, flags: LOGGED, ..SeriesState::default() }
    }

    /// Whether the log knows the series.
    pub(super) fn is_logged(&self) -> bool {
        self.flags & LOGGED != 0
    }

    /// The log knows the series now.
    pub(super) fn set_logged(&mut self) {
        self.flags |= LOGGED;
    }

    /// The time of the newest sample that came in order.
    pub(super) fn newest(&self) -> Option<i64> {
        if !self.open.is_empty() {
            return Some(self.open.last_time());
        }
        let histogram = self.open_histogram().map(OpenHistogram::last_time);
        histogram.or_else(|| self.full.last().map(|chunk| chunk.max_time))
    }

    /// The newest float that came in order; `None` where the newest sample is a histogram or lies in a full chunk.
    pub(super) fn newest_float(&self) -> Option<f64> {
        (!self.open.is_empty()).then(|| self.open.last_value())
    }

    /// Whether a sample can be appended now.
    pub(super) fn verdict(&self, time: i64, value: f64) -> Verdict {
        let Some(newest) = self.newest() else { return Verdict::Fits };
        if time > newest {
            Verdict::Fits
        } else if time < newest {
            Verdict::OutOfOrder
        } else if self.has_no_open_chunk()
            || !self.open.is_empty() && value.to_bits() == self.open.last_value().to_bits()
        {
            // After a start the newest sample may be in a full chunk. It was taken once and is not looked up again.
            Verdict::Repeated
        } else {
            Verdict::Conflict
        }
    }

    /// Whether a histogram can be appended now.
    pub(super) fn verdict_histogram(&self, time: i64, histogram: &NativeHistogram) -> Verdict {
        let Some(newest) = self.newest() else { return Verdict::Fits };
        if time > newest {
            Verdict::Fits
        } else if time < newest {
            Verdict::OutOfOrder
        } else if self.has_no_open_chunk() || self.open_histogram().is_some_and(|open| open.ends_with(histogram)) {
            Verdict::Repeated
        } else {
            Verdict::Conflict
        }
    }

    fn has_no_open_chunk(&self) -> bool {
        self.open.is_empty() && self.open_histogram().is_none()
    }

    fn open_histogram(&self) -> Option<&OpenHistogram> {
        self.rare.as_ref().and_then(|rare| rare.histogram.as_ref())
    }

    /// How the open chunk is encoded, which tells what kind the newest sample is; `None` where there is no open chunk.
    pub(super) fn open_encoding(&self) -> Option<Encoding> {
        if self.open.is_empty() { self.open_histogram().map(OpenHistogram::encoding) } else { Some(Encoding::Xor) }
    }

    /// Appends a histogram that fits and is valid; tells whether it began a new chunk.
    pub(super) fn push_histogram(&mut self, time: i64, histogram: &NativeHistogram, cutting: &Cutting<'_>) -> bool {
        if !self.open.is_empty() {
            self.cut(cutting);
        }
        let range_ms = cutting.chunk_range_ms;
        let open = &mut self.rare.get_or_insert_default().histogram;
        let next = match open {
            Some(open) => open.push(time, histogram, range_ms),
            None => Some(OpenHistogram::new(None, time, histogram, range_ms)),
        };
        let Some(next) = next else { return false };
        let full = open.replace(next);
        self.add_full_histogram(full, cutting);
        true
    }

    fn add_full_histogram(&mut self, full: Option<OpenHistogram>, cutting: &Cutting<'_>) {
        let Some(full) = full else { return };
        let (min_time, max_time) = (full.first_time(), full.last_time());
        let (series, encoding, data) = (self.reference, full.encoding(), full.bytes());
        let chunk = NewChunk { series, range: (min_time, max_time), encoding, late: false, data };
        let place = cutting.chunks.append(chunk);
        self.add_full(FullChunk { place, min_time, max_time });
    }

    /// Appends a sample that fits; tells whether it began a new chunk.
    pub(super) fn push(&mut self, time: i64, value: f64, cutting: &Cutting<'_>) -> bool {
        if let Some(rare) = &mut self.rare {
            let histogram = rare.histogram.take();
            self.add_full_histogram(histogram, cutting);
        }
        let samples = self.open.len();
        if samples == SAMPLES_PER_CHUNK / 4 {
            let start = xor::first_time(self.open_body()).unwrap_or(time);
            self.next_cut = predicted_cut(start, self.open.last_time(), self.next_cut, 4.0);
        }
        // Twice the aim: the prediction was wrong, for example because the series became denser.
        if samples > 0 && (time >= self.next_cut || samples >= SAMPLES_PER_CHUNK * 2) {
            self.cut(cutting);
        }
        let begins = self.open.is_empty();
        if begins {
            self.next_cut = range_end(time, cutting.chunk_range_ms);
        }
        if let Some(addition) = self.open.push(time, value) {
            let at = usize::from(self.open_len) - usize::from(addition.replaces_last());
            self.write_open(at, addition.bytes());
        }
        begins
    }

    fn write_open(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if end > self.open_body.len() {
            let mut longer = std::mem::take(&mut self.open_body).into_vec();
            let len = allocated(end);
            longer.reserve_exact(len - longer.len());
            longer.resize(len, 0);
            self.open_body = longer.into(); // of that length already: nothing is moved
        }
        self.open_body[at..end].copy_from_slice(bytes);
        self.open_len = end as u16; // 240 samples of at most 19 bytes
    }

    /// Reads what the next sample is written to, so that it is in the processor's cache by then: appending to a hundred thousand
    /// buffers in turn would wait for memory each time, while reads that nothing depends on wait together.
    #[inline]
    pub(super) fn touch(&self) -> u8 {
        self.open_body.get(usize::from(self.open_len)).copied().unwrap_or_default()
    }

    fn open_body(&self) -> &[u8] {
        &self.open_body[..self.open_len.into()]
    }

    /// Makes the open chunk of floats a full one, if there is one.
    fn cut(&mut self, cutting: &Cutting<'_>) {
        let Some(min_time) = xor::first_time(self.open_body()) else { return };
        let max_time = self.open.last_time();
        let data = [&self.open.header()[..], self.open_body()].concat();
        let place = cutting.chunks.append(NewChunk {
            series: self.reference,
            range: (min_time, max_time),
            encoding: Encoding::Xor,
            late: false,
            data: &data,
        });
        self.add_full(FullChunk { place, min_time, max_time });
        self.drop_open();
    }

    /// Adds a full chunk where it belongs, which is the end unless the log fills a gap.
    fn add_full(&mut self, chunk: FullChunk) {
        let mut full = std::mem::take(&mut self.full).into_vec();
        full.reserve_exact(1);
        full.insert(full.partition_point(|other| other.min_time < chunk.min_time), chunk);
        self.full = full.into();
    }

    fn drop_open(&mut self) {
        self.open = xor::State::default();
        self.open_len = 0;
        self.open_body = Box::default(); // the next chunk begins small, too
    }

    /// The times of the open chunk, if there is one.
    fn open_range(&self) -> Option<TimeRange> {
        let (first, last) = match self.open_histogram() {
            Some(open) => (open.first_time(), open.last_time()),
            None => (xor::first_time(self.open_body())?, self.open.last_time()),
        };
        Some(TimeRange::new(Timestamp::from_ms(first), Timestamp::from_ms(last)))
    }

    /// The full chunks that touch `range` and came in order, oldest first.
    pub(super) fn full_chunks(&self, range: TimeRange) -> impl Iterator<Item = FullChunk> {
        self.full.iter().filter(move |chunk| chunk.range().overlaps(range)).copied()
    }

    /// The chunk that is written to, if it touches `range`.
    pub(super) fn open_chunk(&self, range: TimeRange) -> Option<OpenChunk<'_>> {
        let range = self.open_range().filter(|open| open.overlaps(range))?;
        let Some(histogram) = self.open_histogram() else {
            return Some(OpenChunk {
                range,
                encoding: Encoding::Xor,
                header: self.open.header(),
                body: self.open_body(),
            });
        };
        let (header, body) = histogram.bytes().split_first_chunk()?;
        Some(OpenChunk { range, encoding: histogram.encoding(), header: *header, body })
    }

    /// Whether a sample that came in order may lie in `range`.
    pub(super) fn touches_in_order(&self, range: TimeRange) -> bool {
        self.full.iter().any(|chunk| chunk.range().overlaps(range))
            || self.open_range().is_some_and(|open| open.overlaps(range))
    }

    /// Whether there is a sample that may lie in `range`.
    pub(super) fn touches(&self, range: TimeRange) -> bool {
        self.touches_in_order(range) || self.late().is_some_and(|late| late.touches(range))
    }

    /// How many chunks there are.
    pub(super) fn chunk_count(&self) -> usize {
        self.full.len() + usize::from(!self.has_no_open_chunk()) + self.late().map_or(0, Late::chunk_count)
    }

    /// The time of the first sample that came in order.
    pub(super) fn first_time(&self) -> Option<i64> {
        let open = || self.open_range().map(|open| open.min.as_ms());
        self.full.first().map(|chunk| chunk.min_time).or_else(open)
    }

    /// The lowest number of a file that holds a chunk of this series.
    pub(super) fn first_file(&self) -> Option<u32> {
        let late = self.late().map_or(&[][..], Late::full);
        self.full.iter().chain(late).map(|chunk| chunk.place.file()).min()
    }

    /// Drops chunks that came in order and end before `time`; tells how many.
    pub(super) fn truncate(&mut self, time: i64) -> usize {
        let gone = self.full.iter().take_while(|chunk| chunk.max_time < time).count();
        if gone > 0 {
            self.full = self.full[gone..].into();
        }
        if self.open_range().is_some_and(|open| open.max.as_ms() < time) {
            self.drop_open();
            if let Some(rare) = &mut self.rare {
                rare.histogram = None;
            }
            return gone + 1;
        }
        gone
    }

    /// Whether a sample that came late is new. Looks into the chunks that reach over its time; one that can't be read knows of
    /// nothing.
    pub(super) fn late_verdict(&self, time: i64, value: &Value, chunks: &HeadChunks) -> Verdict {
        let at = Timestamp::from_ms(time);
        let range = TimeRange::new(at, at);
        if let Some(found) = self.late().and_then(|late| late.get(time)) {
            return if same(found, value) { Verdict::Repeated } else { Verdict::Conflict };
        }
        let late = self.late().map_or(&[][..], Late::full).iter().filter(|chunk| chunk.range().overlaps(range));
        let reader = chunks.reader();
        let full = self.full_chunks(range).chain(late.copied()).filter_map(|full| reader.read(full.place).ok());
        for chunk in full.chain(self.open_chunk(range).map(|open| open.to_chunk())) {
            let mut values = chunk.values();
            while let Ok(Some((other, found))) = values.next() {
                if other == time {
                    return if same(&found, value) { Verdict::Repeated } else { Verdict::Conflict };
                }
            }
        }
        Verdict::Fits
    }

    /// The late samples, if there ever were any.
    pub(super) fn late(&self) -> Option<&Late> {
        self.rare.as_ref().map(|rare| &rare.late)
    }

    /// Gives the memory back of what is there no more.
    pub(super) fn drop_rare_if_empty(&mut self) {
        self.rare.take_if(|rare| rare.late.chunk_count() == 0 && rare.histogram.is_none());
    }

    /// The late samples.
    pub(super) fn late_mut(&mut self) -> &mut Late {
        &mut self.rare.get_or_insert_default().late
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Histogram(a), Value::Histogram(b)) => a.same_as(b),
        _ => false,
    }
}

/// How long a buffer is that `bytes` must fit into: a length that allocators have, so that none of it lies idle, and not the
/// next one of 16 bytes more, because each growth costs as much as some appends.
fn allocated(bytes: usize) -> usize {
    bytes.next_multiple_of((bytes.next_power_of_two() / 8).max(32))
}

/// The chunk that is written to, borrowed from the head.
pub(super) struct OpenChunk<'a> {
    pub(super) range: TimeRange,
    pub(super) encoding: Encoding,
    header: [u8; 2],
    body: &'a [u8],
}

impl OpenChunk<'_> {
    /// Appends the chunk's bytes.
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header);
        out.extend_from_slice(self.body);
    }

    /// A copy.
    pub(super) fn to_chunk(&self) -> Chunk {
        let mut data = Vec::with_capacity(self.header.len() + self.body.len());
        self.write_to(&mut data);
        Chunk { min_time: self.range.min, max_time: self.range.max, encoding: self.encoding, data: data.into() }
    }
}

#[cfg(test)]
mod tests;

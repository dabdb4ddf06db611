//! The open chunk of a series whose newest sample is a native histogram.

use model::NativeHistogram;
use storage::chunk::{Encoding, float_histogram, histogram};

use super::cutting::{predicted_cut, range_end};

/// Histogram chunks aim at so many bytes, as in Prometheus: their samples differ too much for a count to say anything.
const BYTES_PER_CHUNK: usize = 1024;
/// A chunk gets at least so many samples, however long they are, unless its range of time ends.
const SAMPLES_PER_CHUNK_MIN: usize = 10;

/// Writes the open chunk.
#[derive(Debug)]
enum Writer {
    Int(histogram::Writer),
    Float(float_histogram::Writer),
}

/// A chunk of native histograms that is written to.
#[derive(Debug)]
pub(super) struct OpenHistogram {
    writer: Writer,
    /// Where the chunk's range of time ends.
    range_end: i64,
    /// The chunk ends before this time, as far as can be told.
    next_cut: i64,
    /// Whether `next_cut` was foreseen from the first quarter.
    is_foreseen: bool,
}

impl OpenHistogram {
    /// Begins a chunk of `range_ms`; `before` is the one that it follows.
    pub(super) fn new(before: Option<&Self>, time: i64, histogram: &NativeHistogram, range_ms: i64) -> Self {
        let writer = match (histogram, before.map(|before| &before.writer)) {
            (NativeHistogram::Int(histogram), Some(Writer::Int(before))) => {
                Writer::Int(histogram::Writer::new(Some(before), time, histogram))
            }
            (NativeHistogram::Int(histogram), _) => Writer::Int(histogram::Writer::new(None, time, histogram)),
            (NativeHistogram::Float(histogram), Some(Writer::Float(before))) => {
                Writer::Float(float_histogram::Writer::new(Some(before), time, histogram))
            }
            (NativeHistogram::Float(histogram), _) => {
                Writer::Float(float_histogram::Writer::new(None, time, histogram))
            }
        };
        OpenHistogram::with(writer, time, range_ms)
    }

    fn with(writer: Writer, time: i64, range_ms: i64) -> Self {
        let end = range_end(time, range_ms);
        OpenHistogram { writer, range_end: end, next_cut: end, is_foreseen: false }
    }

    /// Appends a sample that comes after the last one. Where the chunk can't or should not take it, the answer is the next
    /// chunk, begun with the sample.
    #[must_use = "the sample may be in a new chunk"]
    pub(super) fn push(&mut self, time: i64, histogram: &NativeHistogram, range_ms: i64) -> Option<Self> {
        if self.is_over(time) {
            return Some(OpenHistogram::new(Some(self), time, histogram, range_ms));
        }
        let next = match (&mut self.writer, histogram) {
            (Writer::Int(writer), NativeHistogram::Int(histogram)) => writer.push(time, histogram).map(Writer::Int),
            (Writer::Float(writer), NativeHistogram::Float(histogram)) => {
                writer.push(time, histogram).map(Writer::Float)
            }
            (_, histogram) => return Some(OpenHistogram::new(None, time, histogram, range_ms)),
        };
        next.map(|writer| OpenHistogram::with(writer, time, range_ms))
    }

    fn is_over(&mut self, time: i64) -> bool {
        let (len, bytes) = (self.len(), self.bytes().len());
        if !self.is_foreseen && bytes >= BYTES_PER_CHUNK / 4 {
            let full = BYTES_PER_CHUNK as f64 / bytes as f64;
            self.next_cut = predicted_cut(self.first_time(), self.last_time(), self.next_cut, full);
            self.is_foreseen = true;
        }
        (time >= self.next_cut || bytes >= BYTES_PER_CHUNK * 2)
            && (len >= SAMPLES_PER_CHUNK_MIN || time >= self.range_end)
    }

    fn len(&self) -> usize {
        match &self.writer {
            Writer::Int(writer) => writer.len(),
            Writer::Float(writer) => writer.len(),
        }
    }

    /// The time of the first sample.
    pub(super) fn first_time(&self) -> i64 {
        match &self.writer {
            Writer::Int(writer) => writer.first_time(),
            Writer::Float(writer) => writer.first_time(),
        }
    }

    /// The time of the last sample.
    pub(super) fn last_time(&self) -> i64 {
        match &self.writer {
            Writer::Int(writer) => writer.last_time(),
            Writer::Float(writer) => writer.last_time(),
        }
    }

    /// Whether the last sample is this one.
    pub(super) fn ends_with(&self, histogram: &NativeHistogram) -> bool {
        match (&self.writer, histogram) {
            (Writer::Int(writer), NativeHistogram::Int(histogram)) => writer.ends_with(histogram),
            (Writer::Float(writer), NativeHistogram::Float(histogram)) => writer.ends_with(histogram),
            _ => false,
        }
    }

    /// How the chunk is encoded.
    pub(super) fn encoding(&self) -> Encoding {
        match &self.writer {
            Writer::Int(_) => Encoding::Histogram,
            Writer::Float(_) => Encoding::FloatHistogram,
        }
    }

    /// The encoded bytes so far.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.writer {
            Writer::Int(writer) => writer.bytes(),
            Writer::Float(writer) => writer.bytes(),
        }
    }
}

//! Reading histogram chunks.

use model::{CounterReset, EXPONENTIAL_SCHEMA_MAX, TimeRange};

use super::layout::{Header, take_layout};
use super::numbers::Numbers;
use crate::chunk::bits::BitReader;
use crate::chunk::error::ChunkError;
use crate::chunk::starts::{Place, Starts};
use crate::chunk::varbit::take_int;
use crate::samples::Samples;

/// Reads one chunk sample by sample.
#[derive(Debug)]
pub struct Reader<'a, H: Numbers> {
    bits: BitReader<'a>,
    left: usize,
    read: usize,
    gauge: bool,
    time: i64,
    delta: i64,
    /// The numbers of the last sample; `None` before the first.
    last: Option<(H, H::Read)>,
    stale: H,
    /// In a chunk with start timestamps.
    starts: Option<Starts>,
}

impl<'a, H: Numbers> Reader<'a, H> {
    /// Begins to read.
    pub fn new(data: &'a [u8]) -> Result<Self, ChunkError> {
        Self::begin(data, false)
    }

    /// Begins to read a chunk with start timestamps.
    pub fn with_starts(data: &'a [u8]) -> Result<Self, ChunkError> {
        Self::begin(data, true)
    }

    pub(super) fn begin(data: &'a [u8], with_starts: bool) -> Result<Self, ChunkError> {
        let (header, body) = data.split_first_chunk().ok_or(ChunkError::Corrupt("shorter than its header"))?;
        let header = Header::decode(*header, with_starts);
        Ok(Reader {
            bits: BitReader::new(body),
            left: usize::from(header.count),
            read: 0,
            gauge: header.known == CounterReset::Gauge,
            time: 0,
            delta: 0,
            last: None,
            stale: H::stale(),
            starts: header.starts.map(Starts::of_header),
        })
    }

    /// The start of the sample that was read last, 0 where it has none.
    pub fn start(&self) -> i64 {
        self.starts.as_ref().map_or(0, Starts::last)
    }

    /// The next sample, or `None` at the end. What is known of counter resets is what the chunk can promise: a gauge is one,
    /// and a counter's samples follow each other without a reset; of the first nothing is known, because what was before it
    /// may have changed since.
    pub fn next(&mut self) -> Result<Option<(i64, &H)>, ChunkError> {
        if self.left == 0 {
            return Ok(None);
        }
        const SHORT: ChunkError = ChunkError::Corrupt("ends in the middle of a sample");
        let before = self.time;
        let (last, _) = match &mut self.last {
            Some((last, read)) => {
                self.delta = self.delta.wrapping_add(take_int(&mut self.bits).ok_or(SHORT)?);
                self.time = self.time.wrapping_add(self.delta);
                last.take_next(read, &mut self.bits).ok_or(SHORT)?;
                last.set_counter_reset(if self.gauge { CounterReset::Gauge } else { CounterReset::NotReset });
                (last, read)
            }
            none => {
                let shape = take_layout(&mut self.bits)?;
                self.time = take_int(&mut self.bits).ok_or(SHORT)?;
                let (mut first, read) = H::take_first(shape, &mut self.bits).ok_or(SHORT)?;
                first.set_counter_reset(if self.gauge { CounterReset::Gauge } else { CounterReset::Unknown });
                let (first, read) = none.insert((first, read));
                (first, read)
            }
        };
        if let Some(starts) = &mut self.starts {
            starts.take(&mut self.bits, Place { number: self.read, time: self.time, before })?;
        }
        self.left -= 1;
        self.read += 1;
        Ok(Some((self.time, if last.is_stale() { &self.stale } else { last })))
    }
}

/// So many spans and bounds the samples of a chunk may have together. They take bits once in a chunk and memory once in each
/// sample; real chunks stay far below, and no bytes make a reader run out of memory.
const SHAPES_MAX: usize = 1 << 22;
const TOO_MANY: ChunkError = ChunkError::Corrupt("its histograms have more than 4194304 spans and bounds together");

/// Appends the samples of a chunk that lie in `range` to `out`, as floats and in no finer schema than is worked with. Memory
/// is bounded by the number of bytes: a bucket takes at least a bit.
pub(in crate::chunk) fn decode<H: Numbers>(
    mut reader: Reader<'_, H>,
    range: TimeRange,
    out: &mut Samples,
) -> Result<(), ChunkError> {
    let (min, max) = (range.min.as_ms(), range.max.as_ms());
    let mut shapes = 0;
    while let Some((time, histogram)) = reader.next()? {
        if time > max {
            break;
        }
        if time >= min {
            let shape = histogram.shape();
            shapes += shape.positive_spans.len() + shape.negative_spans.len() + shape.custom_values.len();
            if shapes > SHAPES_MAX {
                return Err(TOO_MANY);
            }
            let mut histogram = histogram.to_float();
            histogram.reduce_resolution(EXPONENTIAL_SCHEMA_MAX);
            out.push_started_histogram(time, reader.start(), histogram);
        }
    }
    Ok(())
}

//! What stands once in a histogram chunk: the header and the shape of its samples.

use model::{Buckets, CounterReset, Span, bucket_count, is_known_schema};

use crate::chunk::bits::{BitReader, BitWriter};
use crate::chunk::error::ChunkError;
use crate::chunk::starts::HISTOGRAMS_MAX;
use crate::chunk::varbit::{push_int, push_uint, take_int, take_uint};
use crate::chunk::xor::SAMPLES_MAX;

/// The bytes of a header.
pub(super) const HEADER_BYTES: usize = 3;

/// What stands in front of a chunk's layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// How many samples there are.
    pub(super) count: u16,
    /// What is known of a counter reset before the chunk.
    pub(super) known: CounterReset,
    /// Which starts are written, in a chunk that may have some.
    pub(super) starts: Option<u8>,
}

impl Header {
    /// The most samples that a header can tell.
    pub(super) fn samples_max(with_starts: bool) -> usize {
        if with_starts { usize::from(HISTOGRAMS_MAX) } else { SAMPLES_MAX }
    }

    /// The header as it is written: what is known takes the upper bits of the byte that has room for it.
    pub(super) fn encode(self) -> [u8; HEADER_BYTES] {
        let [high, low] = self.count.to_be_bytes();
        let known = flags(self.known);
        match self.starts {
            None => [high, low, known],
            Some(starts) => [known | high, low, starts],
        }
    }

    /// Reads the header of a chunk that is as long as one at least.
    pub(super) fn decode([high, low, third]: [u8; HEADER_BYTES], with_starts: bool) -> Self {
        let count = u16::from_be_bytes([high, low]);
        if !with_starts {
            return Header { count, known: counter_reset(third), starts: None };
        }
        Header { count: count & HISTOGRAMS_MAX, known: counter_reset(high), starts: Some(third) }
    }
}

/// The bits for what is known of a counter reset before the chunk.
fn flags(counter_reset: CounterReset) -> u8 {
    match counter_reset {
        CounterReset::Unknown => 0b0000_0000,
        CounterReset::NotReset => 0b0100_0000,
        CounterReset::Reset => 0b1000_0000,
        CounterReset::Gauge => 0b1100_0000,
    }
}

/// What the upper two bits say.
fn counter_reset(flags: u8) -> CounterReset {
    match flags >> 6 {
        0b00 => CounterReset::Unknown,
        0b01 => CounterReset::NotReset,
        0b10 => CounterReset::Reset,
        _ => CounterReset::Gauge,
    }
}

/// Writes a shape.
pub(super) fn push_layout(out: &mut BitWriter, shape: &Buckets) {
    push_zero_threshold(out, shape.zero_threshold);
    push_int(out, i64::from(shape.schema));
    push_spans(out, &shape.positive_spans);
    push_spans(out, &shape.negative_spans);
    if shape.are_custom() {
        push_uint(out, shape.custom_values.len() as u64);
        shape.custom_values.iter().for_each(|bound| push_bound(out, *bound));
    }
}

/// Reads a shape. Its buckets are at most as many as there are bits left, so that they may be made room for.
pub(super) fn take_layout(bits: &mut BitReader<'_>) -> Result<Buckets, ChunkError> {
    const SHORT: ChunkError = ChunkError::Corrupt("ends in the middle of the histograms' layout");
    let zero_threshold = take_zero_threshold(bits).ok_or(SHORT)?;
    let schema = take_int(bits).ok_or(SHORT)?;
    let schema = i32::try_from(schema)
        .ok()
        .filter(|schema| is_known_schema(*schema))
        .ok_or(ChunkError::UnknownSchema(schema))?;
    let mut shape = Buckets { schema, zero_threshold, ..Buckets::default() };
    shape.positive_spans = take_spans(bits, SHORT)?;
    shape.negative_spans = take_spans(bits, SHORT)?;
    if shape.are_custom() {
        // Each bound takes bits, so a wrong number comes to the end soon.
        for _ in 0..take_uint(bits).ok_or(SHORT)? {
            shape.custom_values.push(take_bound(bits).ok_or(SHORT)?);
        }
    }
    if bucket_count(&shape.positive_spans) + bucket_count(&shape.negative_spans) > bits.bits_left() {
        return Err(ChunkError::Corrupt("more buckets than bits"));
    }
    Ok(shape)
}

fn push_spans(out: &mut BitWriter, spans: &[Span]) {
    push_uint(out, spans.len() as u64);
    for span in spans {
        push_uint(out, u64::from(span.length));
        push_int(out, i64::from(span.offset));
    }
}

fn take_spans(bits: &mut BitReader<'_>, short: ChunkError) -> Result<Vec<Span>, ChunkError> {
    const BROKEN: ChunkError = ChunkError::Corrupt("a span of buckets that can't be");
    let Some(count) = take_uint(bits) else { return Err(short) };
    let mut spans = Vec::new(); // grows with the bits that are read
    for _ in 0..count {
        let (Some(length), Some(offset)) = (take_uint(bits), take_int(bits)) else { return Err(short) };
        let length = u32::try_from(length).map_err(|_| BROKEN)?;
        let offset = i32::try_from(offset).map_err(|_| BROKEN)?;
        if offset < 0 && !spans.is_empty() {
            return Err(BROKEN);
        }
        spans.push(Span { offset, length });
    }
    Ok(spans)
}

/// How a threshold that is a power of two from 2^-243 to 2^10 becomes a byte from 1 to 254: its exponent in IEEE 754, which
/// counts from a half, plus 243.
const EXPONENT_TO_BYTE: i64 = 243 - 1022;

/// Zero is a zero byte, a usual power of two one byte, everything else the byte 255 and 64 bits.
fn push_zero_threshold(out: &mut BitWriter, threshold: f64) {
    const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = threshold.to_bits();
    let byte = (bits >> MANTISSA_BITS) as i64 + EXPONENT_TO_BYTE;
    if threshold == 0.0 {
        out.push(0, 8);
    } else if bits.trailing_zeros() >= MANTISSA_BITS && (1..=254).contains(&byte) {
        out.push(byte as u64, 8);
    } else {
        out.push(255, 8);
        out.push(bits, 64);
    }
}

fn take_zero_threshold(bits: &mut BitReader<'_>) -> Option<f64> {
    Some(match bits.take(8)? {
        0 => 0.0,
        255 => f64::from_bits(bits.take(64)?),
        byte => f64::from_bits(((byte as i64 - EXPONENT_TO_BYTE) as u64) << (f64::MANTISSA_DIGITS - 1)),
    })
}

/// The largest bound, in thousandths, that is written as a number of thousandths.
const THOUSANDTHS_MAX: f64 = 33_554_430.0;

/// A bound that is a whole number of thousandths is written as that number plus one; others as 0 and 64 bits.
fn push_bound(out: &mut BitWriter, bound: f64) {
    let thousandths = (bound * 1000.0).round();
    let exact = thousandths / 1000.0 == bound;
    if exact && bound * 1000.0 >= 0.0 && bound * 1000.0 <= THOUSANDTHS_MAX {
        push_uint(out, thousandths as u64 + 1);
    } else {
        out.push(0, 1);
        out.push(bound.to_bits(), 64);
    }
}

fn take_bound(bits: &mut BitReader<'_>) -> Option<f64> {
    Some(match take_uint(bits)? {
        0 => f64::from_bits(bits.take(64)?),
        thousandths => (thousandths - 1) as f64 / 1000.0,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn usual_thresholds_take_a_byte() {
        let check = |threshold: f64, want: &[u8]| {
            let mut out = BitWriter::default();
            push_zero_threshold(&mut out, threshold);
            assert_eq!(&out.bytes()[..want.len()], want, "{threshold}");
            assert_eq!(out.bytes().len(), if want[0] == 255 { 9 } else { 1 }, "{threshold}");
            assert_eq!(take_zero_threshold(&mut BitReader::new(out.bytes())), Some(threshold));
        };
        check(0.0, &[0]);
        check(2_f64.powi(-128), &[116]);
        check(2_f64.powi(-243), &[1]);
        check(2_f64.powi(10), &[254]);
        check(1.0, &[244]);
        check(2_f64.powi(-244), &[255]);
        check(2_f64.powi(11), &[255]);
        check(0.001, &[255]);
        check(f64::INFINITY, &[255]);
        check(-1.0, &[255, 0xbf, 0xf0]);
        check(f64::from_bits(1), &[255]);
    }

    #[test]
    fn usual_bounds_take_few_bits() {
        let check = |bound: f64, bytes: usize| {
            let mut out = BitWriter::default();
            push_bound(&mut out, bound);
            assert_eq!(out.bytes().len(), bytes, "{bound}");
            let read = take_bound(&mut BitReader::new(out.bytes())).expect("complete");
            assert!(read.to_bits() == bound.to_bits() || read == bound, "{bound} became {read}");
        };
        check(0.0, 1);
        check(0.005, 1);
        check(0.25, 2);
        check(10.0, 3);
        check(33_554.43, 4);
        check(33_554.431, 9);
        check(0.0001, 9);
        check(-1.0, 9);
        check(f64::NAN, 9);
        check(f64::NEG_INFINITY, 9);
    }

    #[test]
    fn headers_come_back() {
        for known in [CounterReset::Unknown, CounterReset::NotReset, CounterReset::Reset, CounterReset::Gauge] {
            for (starts, count) in [(None, 0xffff), (Some(0xff), 0x3fff), (Some(0), 1)] {
                let header = Header { count, known, starts };
                assert_eq!(Header::decode(header.encode(), starts.is_some()), header);
                assert!(usize::from(count) <= Header::samples_max(starts.is_some()));
            }
            assert_eq!(Header::decode([0, 1, flags(known) | 0x3f], false).known, known);
        }
    }

    proptest! {
        #[test]
        fn layouts_come_back(
            schema in prop_oneof![-4..=8, Just(-53)],
            positive in proptest::collection::vec((0..70_000, 0..4_u32), 0..9),
            negative in proptest::collection::vec((0..9, 0..4_u32), 0..9),
            thousandths in proptest::collection::vec(any::<u32>(), 0..9),
            threshold in any::<f64>(),
        ) {
            let spans = |spans: Vec<(i32, u32)>| -> Vec<Span> {
                spans.into_iter().map(|(offset, length)| Span { offset, length }).collect()
            };
            let mut shape = Buckets {
                schema, zero_threshold: threshold, positive_spans: spans(positive), negative_spans: spans(negative),
                custom_values: Vec::new(),
            };
            if schema == -53 {
                shape.custom_values = thousandths.into_iter().map(|t| f64::from(t) / 7.0).collect();
            }
            let mut out = BitWriter::default();
            push_layout(&mut out, &shape);
            out.push(0, 64);
            prop_assert_eq!(take_layout(&mut BitReader::new(out.bytes())), Ok(shape));
        }
    }
}

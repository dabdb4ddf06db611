//! A whole XOR chunk into columns, for those who compute with it.
//!
//! It reads what [`xor::Reader`] reads, in another way: a sample's bits are looked at in one word, whether the chunk has ended is asked once a
//! sample, and samples that repeat the distance and the value before them, two zero bits each, are taken many at a time.
//! `benches/decode.rs` compares the two.

use std::iter::repeat_n;

use model::TimeRange;

use super::error::ChunkError;
use super::gorilla::Window;
use super::xor::{HEADER_BYTES, Reader};
use crate::samples::Samples;

/// So many bits at least of a word that was looked up are the chunk's; behind its end they are 0.
const VALID: u32 = 57;
/// A value that brings a window of its own: two bits of control, five of leading zeros, six of width.
const HEADER_BITS: u32 = 13;
const SHORT: ChunkError = ChunkError::Corrupt("ends in the middle of a sample");

/// Appends the samples of a chunk that lie within `range`.
pub(super) fn decode(data: &[u8], range: TimeRange, out: &mut Samples) -> Result<(), ChunkError> {
    let from = out.times.len();
    let decoded = decode_until(data, range.max.as_ms(), out);
    let early = out.times[from..].partition_point(|time| *time < range.min.as_ms());
    out.times.drain(from..from + early);
    out.values.drain(from..from + early);
    decoded
}

fn decode_until(data: &[u8], max: i64, out: &mut Samples) -> Result<(), ChunkError> {
    let mut reader = Reader::new(data)?;
    for _ in 0..2 {
        match reader.next()? {
            Some((time, value)) if time <= max => out.push(time, value),
            _ => return Ok(()),
        }
    }
    let mut decoder = Decoder::after(&reader, &data[HEADER_BYTES..]);
    // A sample takes two bits at least, so the header can't ask for more memory than the chunk justifies.
    let room = decoder.left.min(data.len() * 4);
    out.times.reserve(room);
    out.values.reserve(room);
    while decoder.left > 0 && decoder.time <= max {
        decoder.step(out)?;
    }
    while out.times.last().is_some_and(|time| *time > max) {
        out.times.pop();
        out.values.pop();
    }
    Ok(())
}

struct Decoder<'a> {
    body: &'a [u8],
    /// The next bit of the body.
    at: usize,
    left: usize,
    time: i64,
    delta: i64,
    value: u64,
    window: Window,
}

impl<'a> Decoder<'a> {
    /// Goes on where `reader` of this body stands, behind its second sample.
    fn after(reader: &Reader<'_>, body: &'a [u8]) -> Self {
        let (time, delta, value, window) = reader.last();
        Decoder { body, at: body.len() * 8 - reader.bits_left(), left: reader.left(), time, delta, value, window }
    }

    /// The bits from `at` on.
    #[inline(always)]
    fn peek(&self, at: usize) -> u64 {
        let rest = self.body.get(at / 8..).unwrap_or_default();
        let word = rest.first_chunk::<8>().map_or_else(|| last_word(rest), |bytes| u64::from_be_bytes(*bytes));
        word << (at % 8)
    }

    /// `width` bits, 1 to 64.
    #[inline]
    fn peek_wide(&self, at: usize, width: u32) -> u64 {
        match width.checked_sub(32) {
            Some(low) if width > VALID => (self.peek(at) >> 32) << low | self.peek(at + 32) >> (64 - low),
            _ => self.peek(at) >> (64 - width),
        }
    }

    /// The next sample, or the next ones if they repeat the one before.
    #[inline(always)]
    fn step(&mut self, out: &mut Samples) -> Result<(), ChunkError> {
        let word = self.peek(self.at);
        let repeated = (word.leading_zeros().min(VALID) / 2) as usize;
        if repeated > 0 {
            return self.repeat(repeated.min(self.left), out);
        }
        let (delta_of_delta, mut used) = match word.leading_ones() {
            0 => (0, 1),
            1 => signed(word, 2, 14),
            2 => signed(word, 3, 17),
            3 => signed(word, 4, 20),
            _ => (self.peek_wide(self.at + 4, 64) as i64, 68),
        };
        let mut rest = word.unbounded_shl(used);
        if used > VALID - HEADER_BITS {
            (self.at, used) = (self.at + used as usize, 0);
            rest = self.peek(self.at);
        }
        used += match rest >> 62 {
            0b00 | 0b01 => 1,
            control => {
                let header = if control == 0b11 { HEADER_BITS } else { 2 };
                if control == 0b11 {
                    self.window = Window::from_header((rest >> 51) as u16 & 0x7ff).ok_or(SHORT)?;
                }
                let width = self.window.width();
                let bits = if used + header + width <= VALID {
                    rest << header >> (64 - width)
                } else {
                    self.peek_wide(self.at + (used + header) as usize, width)
                };
                self.value ^= bits << self.window.trailing();
                header + width
            }
        };
        self.advance(used as usize)?;
        self.left -= 1;
        self.delta = self.delta.wrapping_add(delta_of_delta);
        self.time = self.time.wrapping_add(self.delta);
        out.push(self.time, f64::from_bits(self.value));
        Ok(())
    }

    #[inline]
    fn repeat(&mut self, count: usize, out: &mut Samples) -> Result<(), ChunkError> {
        self.advance(2 * count)?;
        self.left -= count;
        let (time, delta) = (self.time, self.delta);
        out.times.extend((1..=count as i64).map(|k| time.wrapping_add(k.wrapping_mul(delta))));
        out.values.extend(repeat_n(f64::from_bits(self.value), count));
        self.time = time.wrapping_add((count as i64).wrapping_mul(delta));
        Ok(())
    }

    fn advance(&mut self, bits: usize) -> Result<(), ChunkError> {
        self.at += bits;
        if self.at > self.body.len() * 8 { Err(SHORT) } else { Ok(()) }
    }
}

/// The number of `width` bits behind the first `control` bits of `word`, and how many bits that is together.
#[inline(always)]
fn signed(word: u64, control: u32, width: u32) -> (i64, u32) {
    let raw = (word << control >> (64 - width)) as i64;
    (if raw > 1 << (width - 1) { raw - (1 << width) } else { raw }, control + width)
}

/// The last bytes as the beginning of a word.
#[cold]
fn last_word(rest: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..rest.len()].copy_from_slice(rest);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::chunk::xor::Writer;

    /// What the reader gives that goes sample by sample.
    fn read(data: &[u8], min: i64, max: i64) -> Result<Vec<(i64, u64)>, ChunkError> {
        let mut reader = Reader::new(data)?;
        let mut all = Vec::new();
        while let Some((time, value)) = reader.next()? {
            if time > max {
                break;
            }
            all.push((time, value.to_bits()));
        }
        all.retain(|(time, _)| *time >= min);
        Ok(all)
    }

    fn decoded(data: &[u8], min: i64, max: i64) -> Result<Vec<(i64, u64)>, ChunkError> {
        let mut out = Samples::of_floats(vec![i64::MIN], vec![0.0]);
        decode(data, TimeRange::new(Timestamp::from_ms(min), Timestamp::from_ms(max)), &mut out)?;
        assert_eq!((out.times.remove(0), out.values.remove(0)), (i64::MIN, 0.0), "what was there stays");
        Ok(out.times.iter().zip(&out.values).map(|(time, value)| (*time, value.to_bits())).collect())
    }

    /// Runs of regular samples and of equal values, and what breaks them: every form of both is among them.
    fn samples() -> impl Strategy<Value = Vec<(i64, u64)>> {
        let step = prop_oneof![
            5 => Just(15_000_i64), 1 => 14_990..15_010_i64, 1 => 7000..30_000_i64, 1 => 1..2_000_000_i64, 1 => 1..1_i64 << 40
        ];
        let value = prop_oneof![
            3 => (0..50_u32).prop_map(|v| f64::from(v).to_bits()), 1 => any::<f64>().prop_map(f64::to_bits), 1 => any::<u64>()
        ];
        proptest::collection::vec((step, value, 1..40_usize), 0..40).prop_map(|runs| {
            let (mut time, mut all) = (1_700_000_000_000, Vec::new());
            for (step, value, count) in runs {
                for _ in 0..count {
                    time += step;
                    all.push((time, value));
                }
            }
            all
        })
    }

    proptest! {
        #[test]
        fn it_reads_what_the_reader_reads(samples in samples(), from in 0..1600_usize, to in 0..1600_usize, cut in 0..40_usize) {
            let mut writer = Writer::default();
            for (time, value) in &samples {
                prop_assert!(writer.push(*time, f64::from_bits(*value)));
            }
            let data = writer.bytes();
            let time = |at: usize, none: i64| samples.get(at).map_or(none, |(time, _)| *time);
            let (min, max) = (time(from, i64::MIN), time(to, i64::MAX));
            if !samples.is_empty() {
                prop_assert_eq!(decoded(data, i64::MIN, i64::MAX), Ok(samples.clone()));
                prop_assert_eq!(decoded(data, min, max), read(data, min, max));
            }
            let short = &data[..data.len() - cut.min(data.len())];
            prop_assert_eq!(decoded(short, i64::MIN, i64::MAX).ok(), read(short, i64::MIN, i64::MAX).ok());
        }

        #[test]
        fn any_bytes_are_read_alike_or_refused(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let decoded = decoded(&data, i64::MIN, i64::MAX).ok();
            prop_assert!(decoded.iter().all(|samples| samples.len() <= data.len() * 4));
            prop_assert_eq!(decoded, read(&data, i64::MIN, i64::MAX).ok());
        }
    }
}

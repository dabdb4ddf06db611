//! Prometheus's XOR chunk: times as delta of deltas, values XORed with the one before (Gorilla, VLDB 2015).
//!
//! Two bytes hold the number of samples, big-endian. The first sample is a signed varint of its time and 64 bits of its
//! value; the second an unsigned varint of its delta and a XOR value; from then on there is a delta of deltas in 1, 16, 20,
//! 24 or 68 bits and a XOR value.

use model::TimeRange;

use super::bits::{BitEnd, BitReader};
use super::error::ChunkError;
use super::gorilla::Window;
use crate::samples::Samples;

/// The most samples that the two bytes of the count can tell.
pub const SAMPLES_MAX: usize = u16::MAX as usize;

const HEADER_BYTES: usize = 2;

/// Where an open chunk stands: all that is needed to append to its bytes, which the caller keeps. A database that holds
/// millions of open chunks keeps one of these (32 bytes) and a byte buffer for each; everybody else uses [`Writer`].
#[derive(Debug, Clone, Copy)]
pub struct State {
    time: i64,
    delta: u64,
    value: f64,
    count: u16,
    window: Window,
    end: BitEnd,
}

impl Default for State {
    fn default() -> Self {
        State { time: 0, delta: 0, value: 0.0, count: 0, window: Window::WRITE, end: BitEnd::default() }
    }
}

impl State {
    /// The most bytes that one sample adds, the header included.
    pub const SAMPLE_BYTES_MAX: usize = 20;

    /// How many samples have been written.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The time of the last sample; 0 where there is none.
    pub fn last_time(&self) -> i64 {
        self.time
    }

    /// The value of the last sample; 0 where there is none.
    pub fn last_value(&self) -> f64 {
        self.value
    }

    /// Appends a sample to `bytes`, which must be what this state was used with so far (empty at first). The time must be
    /// after the last one's. At [`SAMPLES_MAX`] samples a chunk is full and further ones are refused with `false`.
    #[inline]
    pub fn push(&mut self, bytes: &mut Vec<u8>, time: i64, value: f64) -> bool {
        match self.count {
            0 => {
                bytes.extend_from_slice(&[0; HEADER_BYTES]);
                push_varint(bytes, time);
                bytes.extend_from_slice(&value.to_bits().to_be_bytes());
            }
            1 => {
                self.delta = time.wrapping_sub(self.time) as u64;
                push_uvarint(bytes, self.delta);
                let (bits, count) = self.window.bits(self.value, value);
                self.end.push(bytes, bits, count);
            }
            u16::MAX => return false,
            _ => {
                let delta = time.wrapping_sub(self.time) as u64;
                let dod = delta.wrapping_sub(self.delta) as i64;
                self.delta = delta;
                self.push_sample(bytes, dod, value);
            }
        }
        self.time = time;
        self.value = value;
        self.count += 1;
        bytes[..HEADER_BYTES].copy_from_slice(&self.count.to_be_bytes());
        true
    }

    #[inline]
    fn push_sample(&mut self, bytes: &mut Vec<u8>, dod: i64, value: f64) {
        let fits = |bits: u32| -((1_i64 << (bits - 1)) - 1) <= dod && dod <= 1 << (bits - 1);
        let (time, time_count) = if dod == 0 {
            (0, 1)
        } else if fits(14) {
            (0b10 << 14 | dod & 0x3fff, 16)
        } else if fits(17) {
            (0b110 << 17 | dod & 0x1_ffff, 20)
        } else if fits(20) {
            (0b1110 << 20 | dod & 0xf_ffff, 24)
        } else {
            self.end.push(bytes, 0b1111 << 64 | u128::from(dod as u64), 68);
            (0, 0)
        };
        let (bits, count) = self.window.bits(self.value, value);
        self.end.push(bytes, (time as u128) << count | bits, time_count + count);
    }
}

/// The time of the first sample of an encoded chunk, `None` where there is none.
pub fn first_time(data: &[u8]) -> Option<i64> {
    Reader::new(data).ok()?.next().ok()?.map(|(time, _)| time)
}

/// Writes one chunk.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    state: State,
    first_time: i64,
}

impl Writer {
    /// How many samples have been written.
    pub fn len(&self) -> usize {
        self.state.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.state.is_empty()
    }

    /// The time of the first sample; 0 where there is none.
    pub fn first_time(&self) -> i64 {
        self.first_time
    }

    /// The time of the last sample; 0 where there is none.
    pub fn last_time(&self) -> i64 {
        self.state.time
    }

    /// The value of the last sample; 0 where there is none.
    pub fn last_value(&self) -> f64 {
        self.state.value
    }

    /// How many bytes the chunk takes so far.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The encoded bytes so far, a valid chunk as soon as there is a sample.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends a sample, whose time must be after the last one's. At [`SAMPLES_MAX`] samples a chunk is full and further
    /// ones are refused with `false`.
    pub fn push(&mut self, time: i64, value: f64) -> bool {
        if self.is_empty() {
            self.first_time = time;
        }
        self.state.push(&mut self.bytes, time, value)
    }

    /// The encoded bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

fn push_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn push_varint(out: &mut Vec<u8>, value: i64) {
    push_uvarint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// How many samples a chunk says it holds.
pub fn sample_count(data: &[u8]) -> usize {
    data.first_chunk::<HEADER_BYTES>().map_or(0, |head| usize::from(u16::from_be_bytes(*head)))
}

/// Appends the samples of a chunk that lie in `range` to `out`. Memory is bounded by the number of bytes: a sample takes at
/// least two bits.
pub fn decode(data: &[u8], range: TimeRange, out: &mut Samples) -> Result<(), ChunkError> {
    let mut reader = Reader::new(data)?;
    let (min, max) = (range.min.as_ms(), range.max.as_ms());
    while let Some((time, value)) = reader.next()? {
        if time > max {
            break;
        }
        if time >= min {
            out.push(time, value);
        }
    }
    Ok(())
}

/// Reads one chunk sample by sample.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bits: BitReader<'a>,
    left: usize,
    read: usize,
    time: i64,
    delta: u64,
    value: u64,
    window: Window,
}

impl<'a> Reader<'a> {
    /// Begins to read.
    pub fn new(data: &'a [u8]) -> Result<Self, ChunkError> {
        let body = data.get(HEADER_BYTES..).ok_or(ChunkError::Corrupt("shorter than its header"))?;
        let bits = BitReader::new(body);
        Ok(Reader { bits, left: sample_count(data), read: 0, time: 0, delta: 0, value: 0, window: Window::READ })
    }

    /// The next sample, or `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "it can fail, and an iterator of results decodes slower")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<(i64, f64)>, ChunkError> {
        if self.left == 0 {
            return Ok(None);
        }
        const SHORT: ChunkError = ChunkError::Corrupt("ends in the middle of a sample");
        match self.read {
            0 => {
                let raw = self.uvarint()?;
                self.time = (raw >> 1) as i64 ^ -((raw & 1) as i64);
                self.value = self.bits.take(64).ok_or(SHORT)?;
            }
            1 => {
                self.delta = self.uvarint()?;
                self.time = self.time.wrapping_add(self.delta as i64);
                self.value = self.window.take(&mut self.bits, self.value).ok_or(SHORT)?;
            }
            _ => {
                let dod = self.delta_of_delta().ok_or(SHORT)?;
                self.delta = self.delta.wrapping_add(dod as u64);
                self.time = self.time.wrapping_add(self.delta as i64);
                self.value = self.window.take(&mut self.bits, self.value).ok_or(SHORT)?;
            }
        }
        self.left -= 1;
        self.read += 1;
        Ok(Some((self.time, f64::from_bits(self.value))))
    }

    fn uvarint(&mut self) -> Result<u64, ChunkError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.bits.take(8).ok_or(ChunkError::Corrupt("ends in the middle of a varint"))?;
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ChunkError::Corrupt("varint of more than 64 bits"))
    }

    #[inline]
    fn delta_of_delta(&mut self) -> Option<i64> {
        if !self.bits.take_bit()? {
            return Some(0);
        }
        let width = if !self.bits.take_bit()? {
            14
        } else if !self.bits.take_bit()? {
            17
        } else if !self.bits.take_bit()? {
            20
        } else {
            return self.bits.take(64).map(|raw| raw as i64);
        };
        let raw = self.bits.take(width)? as i64;
        Some(if raw > 1 << (width - 1) { raw - (1 << width) } else { raw })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(samples: &[(i64, f64)]) {
        let mut writer = Writer::default();
        for (t, v) in samples {
            assert!(writer.push(*t, *v));
        }
        if samples.is_empty() {
            assert!(writer.finish().is_none());
            return;
        }
        let mut reader = Reader::new(writer.bytes()).expect("has a header");
        for (t, v) in samples {
            let (time, value) = reader.next().expect("valid").expect("not at the end");
            assert_eq!((time, value.to_bits()), (*t, v.to_bits()));
        }
        assert_eq!(reader.next(), Ok(None));
    }

    #[test]
    fn every_width_of_delta_comes_back() {
        let deltas = [0, 1, 8191, 8192, -8191, 65_536, -65_535, 524_288, -524_287, 524_289, 1 << 40];
        let mut samples = vec![(1_700_000_000_000, 1.0), (1_700_000_010_000, 2.0)];
        let mut delta = 10_000 << 20;
        for dod in deltas {
            delta += dod;
            samples.push((samples[samples.len() - 1].0 + delta, f64::from_bits(dod as u64)));
        }
        round_trip(&samples);
    }

    #[test]
    fn a_full_chunk_refuses_more() {
        let mut writer = Writer::default();
        assert!((0..SAMPLES_MAX as i64).all(|t| writer.push(t, 0.0)));
        assert!(!writer.push(SAMPLES_MAX as i64, 0.0));
        assert_eq!(sample_count(writer.bytes()), SAMPLES_MAX);
    }

    /// The bytes that Prometheus writes for these samples (worked out by hand from the format's definition).
    #[test]
    fn bytes_are_prometheus_s() {
        let mut writer = Writer::default();
        for i in 0..3 {
            writer.push(1000 + i * 15, 1.5);
        }
        // count 3, varint 2000, 1.5, uvarint 15, then the bits 0 (same value), 0 (same delta), 0 (same value)
        assert_eq!(writer.bytes(), [0, 3, 0xd0, 0x0f, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 15, 0]);
    }

    proptest! {
        #[test]
        fn any_samples_come_back(start in any::<i32>(), steps in proptest::collection::vec((1..1_i64 << 34, any::<u64>()), 0..300)) {
            let mut time = i64::from(start);
            let samples: Vec<_> = steps.iter().map(|(step, bits)| { time += step; (time, f64::from_bits(*bits)) }).collect();
            round_trip(&samples);
        }

        #[test]
        fn any_bytes_are_refused_or_read_within_bounds(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Samples::default();
            let _ = decode(&data, TimeRange::ALL, &mut out);
            prop_assert!(out.len() <= data.len() * 4);
        }
    }
}

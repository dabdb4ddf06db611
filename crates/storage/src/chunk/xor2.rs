//! Prometheus's XOR2 chunk: floats that may have start timestamps.
//!
//! Two bytes hold the number of samples, big-endian, the third which start timestamps are written. The first two samples are those of
//! a [XOR chunk](super::xor), the second value with a control of its own. From the third on one control tells of time and value together:
//! most samples of a steady series are one bit. Stale markers are part of the controls, and values are XORed with the last one that was none.

use model::{STALE_NAN, TimeRange, Timestamp, is_stale};

use super::bits::{BitReader, BitWriter};
use super::encoded::{Chunk, Encoding};
use super::error::ChunkError;
use super::gorilla::Window;
use super::starts::{Place, Starts};
use super::varint;
use super::xor::{SAMPLES_MAX, sample_count};
use crate::samples::Samples;

/// The bytes of the header: two with the count of samples, one for the starts.
const HEADER_BYTES: usize = 3;
const STARTS: usize = 2;
const SHORT: ChunkError = ChunkError::Corrupt("ends in the middle of a sample");

/// Writes one chunk.
#[derive(Debug, Clone)]
pub struct Writer {
    out: BitWriter,
    count: u16,
    first_time: i64,
    time: i64,
    delta: i64,
    /// The last value that was no stale marker.
    value: f64,
    window: Window,
    starts: Starts,
}

impl Default for Writer {
    fn default() -> Self {
        let out = BitWriter::new(vec![0; HEADER_BYTES]);
        let (window, starts) = (Window::WRITE, Starts::default());
        Writer { out, count: 0, first_time: 0, time: 0, delta: 0, value: 0.0, window, starts }
    }
}

impl Writer {
    /// How many samples have been written.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends a sample, whose time must be after the last one's, and its start, 0 for none. At [`SAMPLES_MAX`] samples a chunk is full
    /// and further ones are refused with `false`.
    pub fn push(&mut self, time: i64, start: i64, value: f64) -> bool {
        if self.len() == SAMPLES_MAX {
            return false;
        }
        let delta = time.wrapping_sub(self.time);
        match self.count {
            0 => {
                self.first_time = time;
                varint::push_int(&mut self.out, time);
                self.out.push(value.to_bits(), 64);
            }
            1 => {
                self.delta = delta;
                varint::push_uint(&mut self.out, delta as u64);
                self.push_value(value);
            }
            _ => {
                self.push_sample(delta.wrapping_sub(self.delta), value);
                self.delta = delta;
            }
        }
        let place = Place { number: self.len(), time, before: self.time };
        self.starts.push(&mut self.out, place, start);
        self.time = time;
        if !is_stale(value) {
            self.value = value;
        }
        self.count += 1;
        let [high, low] = self.count.to_be_bytes();
        self.out.bytes_mut()[..HEADER_BYTES].copy_from_slice(&[high, low, self.starts.header()]);
        true
    }

    /// A sample from the third on: by how much its distance changed, and its value.
    fn push_sample(&mut self, dod: i64, value: f64) {
        let fits = |bits: u32| (-(1_i64 << (bits - 1))..1 << (bits - 1)).contains(&dod);
        let xor = value.to_bits() ^ self.value.to_bits();
        if dod != 0 {
            let (control, width) = if fits(13) {
                (0b110, 13)
            } else if fits(20) {
                (0b1110, 20)
            } else {
                (0b11110, 64)
            };
            self.out.push(control, control.count_ones() + 1);
            self.out.push(dod as u64, width);
            self.push_value(value);
        } else if is_stale(value) {
            self.out.push(0b11111, 5);
        } else if xor == 0 {
            self.out.push(0, 1);
        } else {
            let (is_new, bits, count) = self.window.changed_bits(xor);
            self.out.push_word((0b100 | u128::from(is_new)) << count | bits, 3 + count);
        }
    }

    /// A value whose control stands alone.
    fn push_value(&mut self, value: f64) {
        let xor = value.to_bits() ^ self.value.to_bits();
        if is_stale(value) {
            return self.out.push(0b111, 3);
        }
        if xor == 0 {
            return self.out.push(0, 1);
        }
        match self.window.changed_bits(xor) {
            (false, bits, count) => self.out.push_word(0b10 << count | bits, 2 + count),
            (true, bits, count) => self.out.push_word(0b110 << count | bits, 3 + count),
        }
    }

    /// The encoded bytes so far, a valid chunk as soon as there is a sample.
    pub fn bytes(&self) -> &[u8] {
        self.out.bytes()
    }

    /// The chunk, or `None` where nothing was written.
    pub fn finish(self) -> Option<Chunk> {
        (!self.is_empty()).then(|| Chunk {
            min_time: Timestamp::from_ms(self.first_time),
            max_time: Timestamp::from_ms(self.time),
            encoding: Encoding::Xor2,
            data: self.out.into_bytes().into(),
        })
    }
}

/// Reads one chunk sample by sample.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bits: BitReader<'a>,
    left: usize,
    read: usize,
    time: i64,
    delta: i64,
    /// The bits of the last value that was no stale marker.
    value: u64,
    window: Window,
    starts: Starts,
}

/// What a control says of a value.
#[derive(Debug, Clone, Copy)]
enum Control {
    Same,
    Changed { is_new: bool },
    Stale,
}

impl<'a> Reader<'a> {
    /// Begins to read.
    pub fn new(data: &'a [u8]) -> Result<Self, ChunkError> {
        let body = data.get(HEADER_BYTES..).ok_or(ChunkError::Corrupt("shorter than its header"))?;
        let (left, starts) = (sample_count(data), Starts::of_header(data[STARTS]));
        let bits = BitReader::new(body);
        Ok(Reader { bits, left, read: 0, time: 0, delta: 0, value: 0, window: Window::READ, starts })
    }

    /// The start of the sample that was read last, 0 where it has none.
    pub fn start(&self) -> i64 {
        self.starts.last()
    }

    /// The next sample, or `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "it can fail, and an iterator of results decodes slower")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<(i64, f64)>, ChunkError> {
        if self.left == 0 {
            return Ok(None);
        }
        let before = self.time;
        let value = match self.read {
            0 => {
                self.time = varint::take_int(&mut self.bits)?;
                let bits = self.bits.take(64).ok_or(SHORT)?;
                if !is_stale(f64::from_bits(bits)) {
                    self.value = bits;
                }
                bits
            }
            1 => {
                self.delta = varint::take_uint(&mut self.bits)? as i64;
                self.time = before.wrapping_add(self.delta);
                let control = self.control().ok_or(SHORT)?;
                self.value(control).ok_or(SHORT)?
            }
            _ => {
                let control = self.joint_control().ok_or(SHORT)?;
                self.time = before.wrapping_add(self.delta);
                self.value(control).ok_or(SHORT)?
            }
        };
        let place = Place { number: self.read, time: self.time, before };
        self.starts.take(&mut self.bits, place)?;
        self.left -= 1;
        self.read += 1;
        Ok(Some((self.time, f64::from_bits(value))))
    }

    /// The control of a value alone.
    fn control(&mut self) -> Option<Control> {
        if !self.bits.take_bit()? {
            return Some(Control::Same);
        }
        if !self.bits.take_bit()? {
            return Some(Control::Changed { is_new: false });
        }
        Some(if self.bits.take_bit()? { Control::Stale } else { Control::Changed { is_new: true } })
    }

    /// The control of time and value together; the distance is that of the new sample afterwards.
    #[inline]
    fn joint_control(&mut self) -> Option<Control> {
        let mut ones = 0;
        while ones < 5 && self.bits.take_bit()? {
            ones += 1;
        }
        let width = match ones {
            0 => return Some(Control::Same),
            1 => return Some(Control::Changed { is_new: self.bits.take_bit()? }),
            2 => 13,
            3 => 20,
            4 => 64,
            _ => return Some(Control::Stale),
        };
        let dod = (self.bits.take(width)? << (64 - width)) as i64 >> (64 - width);
        self.delta = self.delta.wrapping_add(dod);
        self.control()
    }

    /// The bits of the value behind its control.
    #[inline]
    fn value(&mut self, control: Control) -> Option<u64> {
        match control {
            Control::Same => {}
            Control::Changed { is_new } => self.value = self.window.take_changed(&mut self.bits, is_new, self.value)?,
            Control::Stale => return Some(STALE_NAN.to_bits()),
        }
        Some(self.value)
    }
}

/// Appends the samples of a chunk that lie within `range`, with their starts.
pub(super) fn decode(data: &[u8], range: TimeRange, out: &mut Samples) -> Result<(), ChunkError> {
    let mut reader = Reader::new(data)?;
    let (min, max) = (range.min.as_ms(), range.max.as_ms());
    while let Some((time, value)) = reader.next()? {
        if time > max {
            break;
        }
        if time >= min {
            out.push_started(time, reader.start(), value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(samples: &[(i64, i64, f64)]) -> Chunk {
        let mut writer = Writer::default();
        assert!(samples.iter().all(|(time, start, value)| writer.push(*time, *start, *value)));
        assert_eq!(writer.len(), samples.len());
        writer.finish().expect("not empty")
    }

    fn read(data: &[u8]) -> Result<Vec<(i64, i64, u64)>, ChunkError> {
        let (mut reader, mut all) = (Reader::new(data)?, Vec::new());
        while let Some((time, value)) = reader.next()? {
            all.push((time, reader.start(), value.to_bits()));
        }
        Ok(all)
    }

    fn bits(samples: &[(i64, i64, f64)]) -> Vec<(i64, i64, u64)> {
        samples.iter().map(|(time, start, value)| (*time, *start, value.to_bits())).collect()
    }

    #[test]
    fn every_form_of_a_sample_comes_back() {
        let mut samples = vec![(1_700_000_000_000, 0, 1.0), (1_700_000_010_000, 0, 2.0)];
        let mut delta = 10_000 << 20;
        for dod in [0, 1, -1, 4095, -4096, 4096, -4097, 524_287, -524_288, 524_288, -524_289, 1 << 40, 0] {
            // The same value, another one, the end of the series, and the value that was before it.
            for value in [3.0, f64::from_bits(dod as u64), STALE_NAN, f64::from_bits(dod as u64), 0.1, 3.0] {
                delta += dod;
                samples.push((samples[samples.len() - 1].0 + delta, 0, value));
            }
        }
        assert_eq!(read(&written(&samples).data), Ok(bits(&samples)));
    }

    #[test]
    fn steady_samples_take_a_bit_without_starts_and_two_with() {
        let chunk =
            |start: fn(i64) -> i64| written(&(0..122).map(|at| (at * 1000, start(at), 1.5)).collect::<Vec<_>>());
        let (none, same, moving) = (chunk(|_| 0), chunk(|_| -7), chunk(|at| (at - 1) * 1000 + 1));
        // Header, time, value, distance, and a bit for each of the others.
        let fixed = 3 + 1 + 8 + 2;
        assert_eq!(none.data.len(), fixed + 121_usize.div_ceil(8));
        // The first start is a varint, the second five bits where it is another one.
        assert_eq!(same.data.len(), none.data.len() + 1);
        assert_eq!(moving.data.len(), fixed + 2 + (121 + 5 + 120_usize).div_ceil(8));
    }

    #[test]
    fn a_full_chunk_refuses_more() {
        let mut writer = Writer::default();
        assert!(writer.is_empty() && writer.clone().finish().is_none());
        assert!((0..SAMPLES_MAX as i64).all(|t| writer.push(t, t - 1, 0.0)));
        assert!(!writer.push(SAMPLES_MAX as i64, 0, 0.0));
        assert_eq!(sample_count(writer.bytes()), SAMPLES_MAX);
        assert!(writer.finish().is_some_and(|chunk| read(&chunk.data).is_ok_and(|all| all.len() == SAMPLES_MAX)));
    }

    /// Starts that stay, follow the samples, or are any.
    fn samples() -> impl Strategy<Value = Vec<(i64, i64, f64)>> {
        let step = prop_oneof![4 => Just(15_000_i64), 2 => 14_990..15_010_i64, 1 => 1..1_i64 << 40];
        let value = prop_oneof![2 => Just(5.0), 2 => any::<f64>(), 1 => Just(STALE_NAN), 1 => any::<u64>().prop_map(f64::from_bits)];
        let start =
            prop_oneof![9 => Just(None), 1 => any::<i64>().prop_map(Some), 1 => Just(Some(0)), 1 => Just(Some(1))];
        proptest::collection::vec((step, start, value), 1..300).prop_map(|steps| {
            let (mut time, mut last) = (1_700_000_000_000, 0);
            let sample = |(step, start, value): (i64, Option<i64>, f64)| {
                let before = time;
                time += step;
                last = match start {
                    None => last,
                    Some(1) => before,
                    Some(start) => start,
                };
                (time, last, value)
            };
            steps.into_iter().map(sample).collect()
        })
    }

    proptest! {
        #[test]
        fn any_samples_come_back(samples in samples(), from in 0..300_usize, to in 0..300_usize) {
            let chunk = written(&samples);
            prop_assert_eq!(read(&chunk.data), Ok(bits(&samples)));
            let time = |at: usize| samples.get(at).map_or(i64::MAX, |(time, ..)| *time);
            let range = TimeRange::new(Timestamp::from_ms(time(from)), Timestamp::from_ms(time(to)));
            let mut out = Samples::of_floats(vec![0], vec![0.0]);
            decode(&chunk.data, range, &mut out).expect("valid");
            let got: Vec<_> = (1..out.times.len()).map(|at| (out.times[at], out.start(at), out.values[at].to_bits())).collect();
            let inside = |(time, ..): &(i64, i64, u64)| range.contains(Timestamp::from_ms(*time));
            prop_assert_eq!(got, bits(&samples).into_iter().filter(inside).collect::<Vec<_>>());
            prop_assert_eq!(out.start(0), 0);
        }

        #[test]
        fn what_is_cut_is_refused(samples in samples(), cut in 1..40_usize) {
            let data = written(&samples).data;
            prop_assert!(read(&data[..data.len() - cut.min(data.len())]).is_err());
        }
    }
}

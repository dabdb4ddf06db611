//! Prometheus's XOR chunk: times as delta of deltas, values XORed with the one before (Gorilla, VLDB 2015).
//!
//! Two bytes hold the number of samples, big-endian. The first sample is a signed varint of its time and 64 bits of its
//! value; the second an unsigned varint of its delta and a XOR value; from then on there is a delta of deltas in 1, 16, 20,
//! 24 or 68 bits and a XOR value.

use super::bits::{BitEnd, BitReader};
use super::error::ChunkError;
use super::gorilla::Window;
use super::varint;

/// The most samples that the two bytes of the count can tell.
pub const SAMPLES_MAX: usize = u16::MAX as usize;

pub(super) const HEADER_BYTES: usize = 2;

/// Where an open chunk stands: all that is needed to append to its body, which the caller keeps. A database that holds
/// millions of open chunks keeps one of these (32 bytes) and a byte buffer for each; everybody else uses [`Writer`].
///
/// The body is the chunk without its header, which is here: a buffer's beginning would have to come into the processor's cache
/// for each sample otherwise.
#[derive(Debug, Clone, Copy)]
pub struct State {
    time: i64,
    delta: u64,
    value: f64,
    count: u16,
    window: Window,
    end: BitEnd,
}

/// What a sample adds to the body of a chunk.
#[derive(Debug, Clone, Copy)]
pub struct Addition {
    bytes: [u8; ADDITION_ROOM],
    len: usize,
    replaces_last: bool,
}

/// A sample adds at most 19 bytes; what is written at once is longer than what counts of it.
const ADDITION_ROOM: usize = 40;

impl Addition {
    const NOTHING: Addition = Addition { bytes: [0; ADDITION_ROOM], len: 0, replaces_last: false };

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Whether the first of the bytes takes the place of the body's last one.
    #[inline]
    pub fn replaces_last(&self) -> bool {
        self.replaces_last
    }

    /// Appends to a body in a vector.
    #[inline]
    pub fn append_to(&self, body: &mut Vec<u8>) {
        body.truncate(body.len() - usize::from(self.replaces_last));
        body.extend_from_slice(self.bytes());
    }

    fn add_bytes(&mut self, bytes: impl Iterator<Item = u8>) {
        for byte in bytes {
            self.bytes[self.len] = byte;
            self.len += 1;
        }
    }

    #[inline]
    fn add_bits(&mut self, end: &mut BitEnd, value: u128, count: u32) {
        let tail = end.advance(value, count);
        if tail.replaces_last {
            // Only the first bits of a sample can meet a byte that was there before.
            match self.len {
                0 => self.replaces_last = true,
                _ => self.len -= 1,
            }
        }
        self.bytes[self.len..self.len + tail.bytes.len()].copy_from_slice(&tail.bytes);
        self.len += tail.len;
    }
}

impl Default for State {
    fn default() -> Self {
        State { time: 0, delta: 0, value: 0.0, count: 0, window: Window::WRITE, end: BitEnd::default() }
    }
}

impl State {
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

    /// What stands before the body in the chunk.
    pub fn header(&self) -> [u8; HEADER_BYTES] {
        self.count.to_be_bytes()
    }

    /// The state in which an encoded chunk can be gone on with, and its body; each sample's time is told to `time`. Where the last
    /// sample ends with a byte, Prometheus's writer has begun the next one already: that is left out.
    ///
    /// # Errors
    /// The chunk is damaged, or has more bytes behind its last sample.
    pub fn resume(data: &[u8], mut time: impl FnMut(i64)) -> Result<(State, &[u8]), ChunkError> {
        let mut reader = Reader::new(data)?;
        while let Some((at, _)) = reader.next()? {
            time(at);
        }
        let left = reader.bits.bits_left();
        if left >= 16 {
            return Err(ChunkError::Corrupt("has bytes behind its last sample"));
        }
        let (free, begun) = (left % 8, (left / 8) as usize);
        let body = &data[HEADER_BYTES..data.len() - begun];
        let last = body.last().copied().unwrap_or_default();
        let state = State {
            time: reader.time,
            delta: reader.delta,
            value: f64::from_bits(reader.value),
            count: reader.read as u16, // the header's number has as many bits
            window: reader.window.to_write(),
            end: BitEnd::at(free as u8, last & (0xff << free)),
        };
        Ok((state, body))
    }

    /// Takes a sample, whose time must be after the last one's, and tells what it adds to the body. At [`SAMPLES_MAX`] samples
    /// a chunk is full and further ones are refused with `None`.
    #[inline]
    pub fn push(&mut self, time: i64, value: f64) -> Option<Addition> {
        let mut addition = Addition::NOTHING;
        let delta = time.wrapping_sub(self.time) as u64;
        match self.count {
            0 => {
                addition.add_bytes(varint::int(time));
                addition.add_bits(&mut self.end, u128::from(value.to_bits()), 64);
            }
            1 => {
                self.delta = delta;
                addition.add_bytes(varint::uint(delta));
                let (bits, count) = self.window.bits(self.value, value);
                addition.add_bits(&mut self.end, bits, count);
            }
            u16::MAX => return None,
            _ => {
                let dod = delta.wrapping_sub(self.delta) as i64;
                self.delta = delta;
                self.add_sample(&mut addition, dod, value);
            }
        }
        self.time = time;
        self.value = value;
        self.count += 1;
        Some(addition)
    }

    #[inline]
    fn add_sample(&mut self, addition: &mut Addition, dod: i64, value: f64) {
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
            addition.add_bits(&mut self.end, 0b1111 << 64 | u128::from(dod as u64), 68);
            (0, 0)
        };
        let (bits, count) = self.window.bits(self.value, value);
        addition.add_bits(&mut self.end, (time as u128) << count | bits, time_count + count);
    }
}

/// The longest chunk of one sample.
const ONE_BYTES: usize = HEADER_BYTES + varint::BYTES_MAX + size_of::<f64>();

/// Puts a chunk of one sample into `room`.
pub(super) fn of_one(time: i64, value: f64, room: &mut [u8; ONE_BYTES]) -> &[u8] {
    room[..HEADER_BYTES].copy_from_slice(&1_u16.to_be_bytes());
    let mut end = HEADER_BYTES;
    for byte in varint::int(time).chain(value.to_be_bytes()) {
        room[end] = byte;
        end += 1;
    }
    &room[..end]
}

/// The time of the first sample of a chunk's body, `None` where there is none.
pub fn first_time(body: &[u8]) -> Option<i64> {
    Reader::of_body(body, 1).next().ok()?.map(|(time, _)| time)
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
        let Some(addition) = self.state.push(time, value) else { return false };
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(&[0; HEADER_BYTES]);
        }
        addition.append_to(&mut self.bytes);
        self.bytes[..HEADER_BYTES].copy_from_slice(&self.state.header());
        true
    }

    /// The encoded bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// How many samples a chunk says it holds.
pub fn sample_count(data: &[u8]) -> usize {
    data.first_chunk::<HEADER_BYTES>().map_or(0, |head| usize::from(u16::from_be_bytes(*head)))
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
        Ok(Reader::of_body(body, sample_count(data)))
    }

    fn of_body(body: &'a [u8], samples: usize) -> Self {
        let bits = BitReader::new(body);
        Reader { bits, left: samples, read: 0, time: 0, delta: 0, value: 0, window: Window::READ }
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
                self.time = varint::take_int(&mut self.bits)?;
                self.value = self.bits.take(64).ok_or(SHORT)?;
            }
            1 => {
                self.delta = varint::take_uint(&mut self.bits)?;
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

    /// How many samples are to come.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// How many bits are to come.
    pub(super) fn bits_left(&self) -> usize {
        self.bits.bits_left() as usize
    }

    /// Of the last sample: its time, its distance from the one before, the bits of its value, and where those changed last.
    pub(super) fn last(&self) -> (i64, i64, u64, Window) {
        (self.time, self.delta as i64, self.value, self.window)
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
        fn writing_goes_on_where_it_was_left(
            steps in proptest::collection::vec((1..1_i64 << 20, prop_oneof![any::<u64>(), Just(0), 0..64_u64]), 1..80),
            left_at in 0..80_usize,
        ) {
            let mut time = 0;
            let samples: Vec<_> = steps.iter().map(|(step, bits)| { time += step; (time, f64::from_bits(*bits)) }).collect();
            let (mut body, mut state) = (Vec::new(), State::default());
            let whole = |state: &State, body: &[u8]| [&state.header()[..], body].concat();
            let (before, after) = samples.split_at(left_at.min(samples.len()));
            let push = |state: &mut State, body: &mut Vec<u8>, samples: &[(i64, f64)]| {
                for (time, value) in samples {
                    state.push(*time, *value).expect("has room").append_to(body);
                }
            };
            push(&mut state, &mut body, before);
            if !before.is_empty() {
                let mut times = Vec::new();
                let encoded = whole(&state, &body);
                state = State::resume(&encoded, |time| times.push(time)).expect("valid").0;
                let begun = [&encoded[..], &[0]].concat();
                prop_assert_eq!(State::resume(&begun, |_| {}).expect("valid").1, &body[..]);
                prop_assert_eq!(times, before.iter().map(|(time, _)| *time).collect::<Vec<_>>());
            }
            push(&mut state, &mut body, after);
            let bytes = whole(&state, &body);
            let mut reader = Reader::new(&bytes).expect("has a header");
            for (time, value) in &samples {
                let read = reader.next().expect("valid").expect("not at the end");
                prop_assert_eq!((read.0, read.1.to_bits()), (*time, value.to_bits()));
            }
            prop_assert_eq!(reader.next(), Ok(None));
            prop_assert_eq!(State::resume(&[&bytes[..], &[0, 0]].concat(), |_| {}).is_err(), true);
        }

        #[test]
        fn any_samples_come_back(start in any::<i32>(), steps in proptest::collection::vec((1..1_i64 << 34, any::<u64>()), 0..300)) {
            let mut time = i64::from(start);
            let samples: Vec<_> = steps.iter().map(|(step, bits)| { time += step; (time, f64::from_bits(*bits)) }).collect();
            round_trip(&samples);
        }
    }
}

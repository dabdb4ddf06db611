//! Reading and writing bits, most significant first.

/// Where a run of bits ends that more are appended to: the last byte, and how many of its bits are free, 0 to 7.
///
/// The byte stands in the buffer as well. It is remembered here because it would have to be read from there otherwise, and a
/// database that appends to a hundred thousand buffers in turn waits for memory each time: that was 40 % of appending.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BitEnd {
    free: u8,
    last: u8,
}

/// What bits come to when they are appended: bytes, the first of which may take the place of the last one so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tail {
    pub(crate) bytes: [u8; 16],
    /// How many of the bytes count.
    pub(crate) len: usize,
    pub(crate) replaces_last: bool,
}

impl BitEnd {
    /// In a buffer that ends with `last`, of which so many bits are `free`.
    pub(crate) fn at(free: u8, last: u8) -> Self {
        BitEnd { free, last }
    }

    /// Moves on by the lowest `count` bits of `value`, 1 to 120; those above must be zero.
    #[inline]
    pub(crate) fn advance(&mut self, value: u128, count: u32) -> Tail {
        let used = (8 - u32::from(self.free)) % 8;
        let mut word = value << (128 - used - count);
        if used > 0 {
            word |= u128::from(self.last) << 120;
        }
        let end = used + count;
        let (bytes, len) = (word.to_be_bytes(), end.div_ceil(8) as usize);
        self.last = bytes[len - 1];
        self.free = (8 - end % 8) as u8 % 8;
        Tail { bytes, len, replaces_last: used > 0 }
    }

    /// Appends the lowest `count` bits of `value`, at most 120; those above must be zero.
    #[inline]
    pub(crate) fn push(&mut self, bytes: &mut Vec<u8>, value: u128, count: u32) {
        if count == 0 {
            return;
        }
        let tail = self.advance(value, count);
        bytes.truncate(bytes.len() - usize::from(tail.replaces_last));
        bytes.extend_from_slice(&tail.bytes[..tail.len]);
    }
}

/// Bytes with a number of bits at the end that are still free.
#[derive(Debug, Clone, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    end: BitEnd,
}

impl BitWriter {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        BitWriter { bytes, end: BitEnd::default() }
    }

    /// Appends the lowest `count` bits of `value`, at most 64.
    pub(crate) fn push(&mut self, value: u64, count: u32) {
        let mask = if count == 64 { u64::MAX } else { (1 << count) - 1 };
        self.push_word(u128::from(value & mask), count);
    }

    /// Appends the lowest `count` bits of `value`, at most 120; those above must be zero.
    pub(crate) fn push_word(&mut self, value: u128, count: u32) {
        self.end.push(&mut self.bytes, value, count);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes bits from a byte slice.
#[derive(Debug, Clone)]
pub struct BitReader<'a> {
    rest: &'a [u8],
    /// Bits taken from the slice and not yet given out, left-aligned.
    buffer: u64,
    /// How many of them.
    filled: u32,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        BitReader { rest: bytes, buffer: 0, filled: 0 }
    }

    /// How many bits are left, filling at the end included.
    pub(crate) fn bits_left(&self) -> u64 {
        u64::from(self.filled) + self.rest.len() as u64 * 8
    }

    #[inline]
    fn fill(&mut self) {
        if let Some((head, _)) = self.rest.split_first_chunk::<8>() {
            let whole = ((64 - self.filled) / 8) as usize;
            self.buffer |= u64::from_be_bytes(*head).checked_shr(self.filled).unwrap_or(0);
            // Bits beyond the whole bytes were or-ed in as well; they are the same ones that come with the next fill.
            self.filled += whole as u32 * 8;
            self.rest = &self.rest[whole..];
            return;
        }
        while self.filled <= 56 {
            let Some((byte, rest)) = self.rest.split_first() else { return };
            self.buffer |= u64::from(*byte) << (56 - self.filled);
            self.filled += 8;
            self.rest = rest;
        }
    }

    /// The next `count` bits (1 to 56) as a number, or `None` at the end.
    #[inline]
    fn take_short(&mut self, count: u32) -> Option<u64> {
        if self.filled < count {
            self.fill();
            if self.filled < count {
                return None;
            }
        }
        let value = self.buffer >> (64 - count);
        self.buffer <<= count;
        self.filled -= count;
        Some(value)
    }

    /// The next `count` bits (0 to 64) as a number, or `None` at the end.
    #[inline]
    pub(crate) fn take(&mut self, count: u32) -> Option<u64> {
        match count {
            0 => Some(0),
            1..=56 => self.take_short(count),
            _ => {
                let high = self.take_short(count - 32)?;
                Some(high << 32 | self.take_short(32)?)
            }
        }
    }

    #[inline]
    pub(crate) fn take_bit(&mut self) -> Option<bool> {
        self.take_short(1).map(|bit| bit == 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(items in proptest::collection::vec((any::<u64>(), 0..=64_u32), 0..200)) {
            let mut out = BitWriter::default();
            for (value, count) in &items {
                out.push(*value, *count);
            }
            let mut reader = BitReader::new(out.bytes());
            for (value, count) in &items {
                let mask = if *count == 64 { u64::MAX } else { (1 << count) - 1 };
                prop_assert_eq!(reader.take(*count), Some(value & mask));
            }
            let left: u32 = items.iter().map(|(_, count)| count).sum::<u32>() % 8;
            prop_assert_eq!(reader.take((8 - left) % 8).is_some(), true);
            prop_assert_eq!(reader.take(1), None);
        }
    }
}

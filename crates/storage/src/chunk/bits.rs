//! Reading and writing bits, most significant first.

/// Appends the lowest `count` bits of `value`, at most 64. `free` is the number of free bits in the last byte, 0 to 7.
#[inline]
pub(crate) fn push_bits(bytes: &mut Vec<u8>, free: &mut u8, value: u64, mut count: u32) {
    if *free > 0 && count > 0 {
        let take = u32::from(*free).min(count);
        let part = (value >> (count - take)) as u8 & (0xff >> (8 - take));
        if let Some(last) = bytes.last_mut() {
            *last |= part << (u32::from(*free) - take);
        }
        *free -= take as u8;
        count -= take;
    }
    while count >= 8 {
        count -= 8;
        bytes.push((value >> count) as u8);
    }
    if count > 0 {
        bytes.push((value << (8 - count)) as u8);
        *free = 8 - count as u8;
    }
}

/// Bytes with a number of bits at the end that are still free.
#[derive(Debug, Clone, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    free: u8,
}

impl BitWriter {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        BitWriter { bytes, free: 0 }
    }

    /// Appends the lowest `count` bits of `value`, at most 64.
    pub(crate) fn push(&mut self, value: u64, count: u32) {
        push_bits(&mut self.bytes, &mut self.free, value, count);
    }

    /// What [`push_bits`] takes.
    pub(crate) fn parts(&mut self) -> (&mut Vec<u8>, &mut u8) {
        (&mut self.bytes, &mut self.free)
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
            let (mut bytes, mut free) = (Vec::new(), 0);
            for (value, count) in &items {
                push_bits(&mut bytes, &mut free, *value, *count);
            }
            let mut reader = BitReader::new(&bytes);
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

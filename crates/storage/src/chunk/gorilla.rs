//! Floats XORed with the one before (Gorilla, VLDB 2015).

use super::bits::{BitReader, BitWriter};

/// No leading-zero count has been written yet.
const NOTHING: u8 = 0xff;

/// The bits that the last value written in full differed in: further values that differ only there need no new counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    leading: u8,
    trailing: u8,
}

impl Window {
    /// Where a writer begins.
    pub(super) const WRITE: Window = Window { leading: NOTHING, trailing: 0 };
    /// Where a reader begins.
    pub(super) const READ: Window = Window { leading: 0, trailing: 0 };

    /// A reader's window as a writer goes on with it. A reader that has met no counts looks like one that has met those of 64
    /// bits; a writer that writes them anew is right in both cases.
    pub(super) fn to_write(self) -> Self {
        if (self.leading, self.trailing) == (0, 0) { Window::WRITE } else { self }
    }

    /// The bits that `new` is written in after `old`, at most 77, and how many they are.
    #[inline]
    pub(super) fn bits(&mut self, old: f64, new: f64) -> (u128, u32) {
        let xor = new.to_bits() ^ old.to_bits();
        if xor == 0 {
            return (0, 1);
        }
        let (is_new, bits, count) = self.changed_bits(xor);
        ((0b10 | u128::from(is_new)) << count | bits, 2 + count)
    }

    /// The bits that a difference, which is not 0, is written in behind its control: whether they bring a window of their own, what they
    /// are, at most 75, and how many.
    #[inline]
    pub(super) fn changed_bits(&mut self, xor: u64) -> (bool, u128, u32) {
        let leading = xor.leading_zeros().min(31) as u8;
        let trailing = xor.trailing_zeros() as u8;
        if self.leading != NOTHING && leading >= self.leading && trailing >= self.trailing {
            let width = 64 - u32::from(self.leading) - u32::from(self.trailing);
            return (false, u128::from(xor >> self.trailing), width);
        }
        (self.leading, self.trailing) = (leading, trailing);
        let width = 64 - u32::from(leading) - u32::from(trailing);
        // 64 significant bits don't fit into six bits and are written as 0.
        let head = u128::from(leading) << 6 | u128::from(width & 0x3f);
        (true, head << width | u128::from(xor >> trailing), 11 + width)
    }

    /// Appends `new`, which follows `old`.
    pub(super) fn push_to(&mut self, out: &mut BitWriter, old: f64, new: f64) {
        let (bits, count) = self.bits(old, new);
        out.push_word(bits, count);
    }

    /// The bits of the value that follows `old`; `None` at the end or where the counts can't be.
    #[inline]
    pub(super) fn take(&mut self, bits: &mut BitReader<'_>, old: u64) -> Option<u64> {
        if !bits.take_bit()? {
            return Some(old);
        }
        let is_new = bits.take_bit()?;
        self.take_changed(bits, is_new, old)
    }

    /// The same behind the control, which has said that the value differs, and whether it brings a window of its own.
    #[inline]
    pub(super) fn take_changed(&mut self, bits: &mut BitReader<'_>, is_new: bool, old: u64) -> Option<u64> {
        if is_new {
            *self = Window::from_header(bits.take(11)? as u16)?;
        }
        Some(old ^ bits.take(self.width())? << self.trailing)
    }

    /// From the eleven bits that a value brings along with a window of its own: five of leading zeros, six of width.
    #[inline]
    pub(super) fn from_header(bits: u16) -> Option<Self> {
        let leading = (bits >> 6) as u8;
        let width = match bits as u8 & 0x3f {
            0 => 64,
            width => width,
        };
        Some(Window { leading, trailing: 64_u8.checked_sub(leading + width)? })
    }

    /// How many bits lie between the zeros, 1 to 64.
    #[inline]
    pub(super) fn width(self) -> u32 {
        64 - u32::from(self.leading) - u32::from(self.trailing)
    }

    /// How many zeros stand behind them.
    #[inline]
    pub(super) fn trailing(self) -> u32 {
        u32::from(self.trailing)
    }
}

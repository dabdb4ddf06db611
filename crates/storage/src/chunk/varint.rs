//! Integers in groups of seven bits, the lowest first; the eighth bit says that there are more. Signed ones have their sign at the end.

use std::iter::successors;

use super::bits::{BitReader, BitWriter};
use super::error::ChunkError;

/// The longest number.
pub(super) const BYTES_MAX: usize = 10;

/// The bytes of an unsigned number.
#[inline]
pub(super) fn uint(value: u64) -> impl Iterator<Item = u8> {
    let more = |rest: u64| rest >= 0x80;
    let groups = successors(Some(value), move |rest| more(*rest).then_some(rest >> 7));
    groups.map(move |rest| rest as u8 & 0x7f | u8::from(more(rest)) << 7)
}

/// The bytes of a signed number.
#[inline]
pub(super) fn int(value: i64) -> impl Iterator<Item = u8> {
    uint(((value << 1) ^ (value >> 63)) as u64)
}

/// Writes an unsigned number.
pub(super) fn push_uint(out: &mut BitWriter, value: u64) {
    uint(value).for_each(|byte| out.push(u64::from(byte), 8));
}

/// Writes a signed number.
pub(super) fn push_int(out: &mut BitWriter, value: i64) {
    int(value).for_each(|byte| out.push(u64::from(byte), 8));
}

/// Reads an unsigned number.
pub(super) fn take_uint(bits: &mut BitReader<'_>) -> Result<u64, ChunkError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = bits.take(8).ok_or(ChunkError::Corrupt("ends in the middle of a varint"))?;
        value |= (byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(ChunkError::Corrupt("varint of more than 64 bits"))
}

/// Reads a signed number.
pub(super) fn take_int(bits: &mut BitReader<'_>) -> Result<i64, ChunkError> {
    let raw = take_uint(bits)?;
    Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_at_any_bit() {
        let check = |value: i64, bytes: usize| {
            let mut out = BitWriter::default();
            out.push(1, 3);
            push_int(&mut out, value);
            assert_eq!(out.bytes().len(), bytes + 1, "{value}");
            let mut bits = BitReader::new(out.bytes());
            assert_eq!((bits.take(3), take_int(&mut bits)), (Some(1), Ok(value)));
        };
        for (value, bytes) in
            [(0, 1), (63, 1), (-64, 1), (64, 2), (-65, 2), (1 << 40, 6), (i64::MAX, 10), (i64::MIN, 10)]
        {
            check(value, bytes);
        }
    }

    #[test]
    fn what_is_cut_or_too_long_is_refused() {
        let of = |bytes: &[u8]| take_uint(&mut BitReader::new(bytes)).map_err(|error| error.to_string());
        assert_eq!(of(&[0x80]), Err("corrupt chunk: ends in the middle of a varint".to_owned()));
        assert_eq!(of(&[0xff; 11]), Err("corrupt chunk: varint of more than 64 bits".to_owned()));
    }
}

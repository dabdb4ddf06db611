//! Integers in as few bits as their size needs (Prometheus, tsdb/chunkenc/varbit.go): so many ones as the number of the
//! width, a zero, and the bits. Zero is the single bit 0; the widest has eight ones and no zero.

use super::bits::{BitReader, BitWriter};

/// The width behind each number of leading ones.
const WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];
const WIDEST: usize = WIDTHS.len() - 1;

fn push(out: &mut BitWriter, ones: usize, value: u64) {
    match ones {
        WIDEST => out.push(0xff, 8),
        _ => out.push((1 << (ones + 1)) - 2, ones as u32 + 1),
    }
    out.push(value, WIDTHS[ones]);
}

/// Writes a signed number: a width of `n` bits takes `-(2^(n-1)-1)` to `2^(n-1)`.
pub(super) fn push_int(out: &mut BitWriter, value: i64) {
    let fits = |width: u32| -((1_i64 << (width - 1)) - 1) <= value && value <= 1 << (width - 1);
    let ones = match value {
        0 => 0,
        _ => WIDTHS[1..WIDEST].iter().position(|width| fits(*width)).map_or(WIDEST, |position| position + 1),
    };
    push(out, ones, value as u64);
}

/// Writes an unsigned number.
pub(super) fn push_uint(out: &mut BitWriter, value: u64) {
    let significant = u64::BITS - value.leading_zeros();
    let ones = WIDTHS.iter().position(|width| significant <= *width).unwrap_or(WIDEST);
    push(out, ones, value);
}

fn take_width(bits: &mut BitReader<'_>) -> Option<u32> {
    let mut ones = 0;
    while ones < WIDEST && bits.take_bit()? {
        ones += 1;
    }
    Some(WIDTHS[ones])
}

/// Reads what [`push_int`] wrote; `None` at the end.
pub(super) fn take_int(bits: &mut BitReader<'_>) -> Option<i64> {
    let width = take_width(bits)?;
    let raw = bits.take(width)?;
    Some(match width {
        0 | 64 => raw as i64,
        _ if raw > 1 << (width - 1) => raw as i64 - (1 << width),
        _ => raw as i64,
    })
}

/// Reads what [`push_uint`] wrote; `None` at the end.
pub(super) fn take_uint(bits: &mut BitReader<'_>) -> Option<u64> {
    let width = take_width(bits)?;
    bits.take(width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_width_begins_where_the_one_before_ends() {
        let check = |value: i64, want: &[u8]| {
            let mut out = BitWriter::default();
            push_int(&mut out, value);
            assert_eq!(out.bytes(), want, "{value}");
            assert_eq!(take_int(&mut BitReader::new(want)), Some(value));
        };
        check(0, &[0b0000_0000]);
        check(1, &[0b1000_1000]);
        check(4, &[0b1010_0000]);
        check(-3, &[0b1010_1000]);
        check(5, &[0b1100_0010, 0b1000_0000]);
        check(-4, &[0b1101_1110, 0]);
        check(32, &[0b1101_0000, 0]);
        check(33, &[0b1110_0001, 0b0000_1000]);
        check(-255, &[0b1110_1000, 0b0000_1000]);
        check(2048, &[0b1111_0100, 0, 0]);
        check(131_072, &[0b1111_1010, 0, 0]);
        check(-16_777_215, &[0b1111_1101, 0, 0, 1]);
        check(1 << 55, &[0xfe, 0x80, 0, 0, 0, 0, 0, 0]);
        check((1 << 55) + 1, &[0xff, 0, 0x80, 0, 0, 0, 0, 0, 1]);
        check(i64::MIN, &[0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn unsigned_widths_have_no_negative_half() {
        let check = |value: u64, bytes: usize| {
            let mut out = BitWriter::default();
            push_uint(&mut out, value);
            assert_eq!(out.bytes().len(), bytes, "{value}");
            assert_eq!(take_uint(&mut BitReader::new(out.bytes())), Some(value));
        };
        let table =
            [(0, 1), (7, 1), (8, 2), (63, 2), (511, 2), (512, 3), (4095, 3), (4096, 3), (262_143, 3), (262_144, 4)];
        for (value, bytes) in table {
            check(value, bytes);
        }
        for (value, bytes) in [(33_554_431, 4), (33_554_432, 8), ((1 << 56) - 1, 8), (1 << 56, 9), (u64::MAX, 9)] {
            check(value, bytes);
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back(items in proptest::collection::vec((any::<i64>(), 0..64_u32, any::<bool>()), 0..100)) {
            let mut out = BitWriter::default();
            for (value, shift, signed) in &items {
                match signed {
                    true => push_int(&mut out, value >> shift),
                    false => push_uint(&mut out, *value as u64 >> shift),
                }
            }
            let mut bits = BitReader::new(out.bytes());
            for (value, shift, signed) in &items {
                match signed {
                    true => prop_assert_eq!(take_int(&mut bits), Some(value >> shift)),
                    false => prop_assert_eq!(take_uint(&mut bits), Some(*value as u64 >> shift)),
                }
            }
        }
    }
}

//! Fields of a message, appended to a buffer.

/// A number in groups of seven bits, the lowest first; the high bit says that more follow.
pub(super) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`write_varint`] writes.
pub(super) fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// How a field is stored, in the low bits of its tag.
#[derive(Debug, Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
}

/// All field numbers here are below 16, so a tag is one byte, except that of 16 and more.
fn write_tag(out: &mut Vec<u8>, field: u32, wire: Wire) {
    write_varint(out, u64::from(field) << 3 | wire as u64);
}

/// `int64`, `uint32`, an enum: two's complement.
pub(super) fn write_integer(out: &mut Vec<u8>, field: u32, value: i64) {
    write_tag(out, field, Wire::Varint);
    write_varint(out, value as u64);
}

/// `sint32`: zigzag.
pub(super) fn write_signed(out: &mut Vec<u8>, field: u32, value: i32) {
    write_tag(out, field, Wire::Varint);
    write_varint(out, u64::from((value << 1 ^ value >> 31) as u32));
}

/// `double`
pub(super) fn write_double(out: &mut Vec<u8>, field: u32, value: f64) {
    write_tag(out, field, Wire::Fixed64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// `repeated double`, packed; nothing if there are none.
pub(super) fn write_doubles(out: &mut Vec<u8>, field: u32, values: &[f64]) {
    if !values.is_empty() {
        write_tag(out, field, Wire::Bytes);
        write_varint(out, values.len() as u64 * 8);
        values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
    }
}

/// `string`
pub(super) fn write_string(out: &mut Vec<u8>, field: u32, text: &str) {
    write_tag(out, field, Wire::Bytes);
    write_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// A message in a field. Its length comes first and is known last: a byte is kept free for it, and where that isn't enough the message
/// is moved.
pub(super) fn write_message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    write_tag(out, field, Wire::Bytes);
    write_with_length(out, write);
}

/// What `write` writes, behind its length.
pub(super) fn write_with_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len() + 1;
    out.push(0);
    write(out);
    let len = (out.len() - start) as u64;
    let more = varint_len(len) - 1;
    if more > 0 {
        out.extend(std::iter::repeat_n(0, more));
        out.copy_within(start..start + len as usize, start + more);
    }
    let mut rest = len;
    for byte in &mut out[start - 1..start + more] {
        *byte = rest as u8 | 0x80;
        rest >>= 7;
    }
    out[start - 1 + more] &= 0x7f;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let check = |value: u64, want: &[u8]| {
            let mut out = Vec::new();
            write_varint(&mut out, value);
            assert_eq!((out.as_slice(), varint_len(value)), (want, want.len()), "{value}");
        };
        check(0, &[0]);
        check(127, &[127]);
        check(128, &[0x80, 1]);
        check(16_383, &[0xff, 0x7f]);
        check(16_384, &[0x80, 0x80, 1]);
        check(u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        let signed = |value: i32| {
            let mut out = Vec::new();
            write_signed(&mut out, 1, value);
            out
        };
        assert_eq!((signed(0), signed(-1), signed(1), signed(-64)), (vec![8, 0], vec![8, 1], vec![8, 2], vec![8, 127]));
        assert_eq!(signed(i32::MIN), [8, 0xff, 0xff, 0xff, 0xff, 15]);
    }

    #[test]
    fn a_length_has_the_bytes_it_needs() {
        for len in [0, 1, 127, 128, 300, 16_383, 16_384] {
            let mut out = vec![9];
            write_with_length(&mut out, |out| out.resize(1 + 1 + len, 7));
            let mut want = vec![9];
            write_varint(&mut want, len as u64);
            want.resize(want.len() + len, 7);
            assert_eq!(out, want, "{len}");
        }
    }
}

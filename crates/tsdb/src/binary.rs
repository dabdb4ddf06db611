//! The words of Prometheus's files: big-endian numbers, varints, strings behind their length.

/// Appends an unsigned varint, seven bits a byte, lowest first.
pub(crate) fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed varint in zigzag form.
pub(crate) fn put_varint(out: &mut Vec<u8>, value: i64) {
    put_uvarint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a string behind its length as a varint.
pub(crate) fn put_str(out: &mut Vec<u8>, text: &str) {
    put_uvarint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Why a file or a part of it can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("corrupt {structure} at offset {offset}: {reason}")]
pub struct Corrupt {
    /// Which structure, for example `index` or `write-ahead log record`.
    pub structure: &'static str,
    /// Where, in bytes from the beginning of that structure.
    pub offset: u64,
    /// What is wrong.
    pub reason: String,
}

impl Corrupt {
    pub(crate) fn new(structure: &'static str, offset: usize, reason: impl Into<String>) -> Self {
        Corrupt { structure, offset: offset as u64, reason: reason.into() }
    }
}

/// Reads from the front of a slice; `None` means that it ends too early or that a varint has no end.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor { rest: bytes, len: bytes.len() }
    }

    /// How many bytes have been read.
    pub(crate) fn position(&self) -> usize {
        self.len - self.rest.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn be32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn be64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    #[inline]
    pub(crate) fn uvarint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for (i, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Some(value);
            }
        }
        None
    }

    /// A varint that must fit into memory.
    pub(crate) fn uvarint_usize(&mut self) -> Option<usize> {
        usize::try_from(self.uvarint()?).ok()
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Option<i64> {
        let raw = self.uvarint()?;
        Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// A string behind its length.
    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let len = self.uvarint_usize()?;
        self.bytes(len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_and_strings_come_back(a in any::<u64>(), b in any::<i64>(), text in ".{0,40}") {
            let mut out = Vec::new();
            put_uvarint(&mut out, a);
            put_varint(&mut out, b);
            put_str(&mut out, &text);
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!(cursor.uvarint(), Some(a));
            prop_assert_eq!(cursor.varint(), Some(b));
            prop_assert_eq!(cursor.text(), Some(text.as_bytes()));
            prop_assert!(cursor.is_empty());
        }
    }

    #[test]
    fn an_endless_varint_is_refused() {
        assert_eq!(Cursor::new(&[0xff; 20]).uvarint(), None);
        assert_eq!(Cursor::new(&[0x80]).uvarint(), None);
        assert_eq!(Cursor::new(&[5, b'a']).text(), None);
    }
}

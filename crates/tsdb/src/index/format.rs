//! What reader and writer of the index agree on.

use std::ops::Range;

use crate::binary::{Corrupt, Cursor};

pub(crate) const MAGIC: u32 = 0xBAAA_D700;
pub(crate) const VERSION: u8 = 2;
pub(crate) const HEADER_BYTES: usize = 5;
/// Series begin at multiples of this; a series' number is its offset divided by it.
pub(crate) const SERIES_ALIGN: usize = 16;
/// Six offsets and a checksum.
pub(crate) const TOC_BYTES: usize = 6 * 8 + CRC_BYTES;
pub(crate) const CRC_BYTES: usize = 4;

const STRUCTURE: &str = "index";

/// An error in the index file.
pub(crate) fn corrupt(offset: usize, reason: impl Into<String>) -> Corrupt {
    Corrupt::new(STRUCTURE, offset, reason)
}

/// Where the sections begin; 0 for one that isn't there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Toc {
    pub(crate) symbols: u64,
    pub(crate) series: u64,
    pub(crate) label_indices: u64,
    pub(crate) label_table: u64,
    pub(crate) postings: u64,
    pub(crate) postings_table: u64,
}

impl Toc {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        let offsets =
            [self.symbols, self.series, self.label_indices, self.label_table, self.postings, self.postings_table];
        offsets.iter().for_each(|offset| out.extend_from_slice(&offset.to_be_bytes()));
        let crc = crc32c::crc32c(&out[begin..]);
        out.extend_from_slice(&crc.to_be_bytes());
    }

    /// From the end of the file.
    pub(crate) fn decode(file: &[u8]) -> Result<Self, Corrupt> {
        let begin =
            file.len().checked_sub(TOC_BYTES).ok_or_else(|| corrupt(0, "shorter than its table of contents"))?;
        let (body, crc) = file[begin..].split_at(TOC_BYTES - CRC_BYTES);
        if crc32c::crc32c(body).to_be_bytes() != crc {
            return Err(corrupt(begin, "checksum of the table of contents is wrong"));
        }
        let mut cursor = Cursor::new(body);
        let mut next = || cursor.be64().unwrap_or(0);
        Ok(Toc {
            symbols: next(),
            series: next(),
            label_indices: next(),
            label_table: next(),
            postings: next(),
            postings_table: next(),
        })
    }
}

/// The content of a section: four bytes of length, the content, a checksum. The answer is where the content lies.
pub(crate) fn section(file: &[u8], offset: u64, check: bool) -> Result<Range<usize>, Corrupt> {
    let at = usize::try_from(offset).map_err(|_| corrupt(0, "section beyond the end"))?;
    let short = || corrupt(at, "section ends beyond the end of the file");
    let mut cursor = Cursor::new(file.get(at..).ok_or_else(short)?);
    let len = cursor.be32().ok_or_else(short)? as usize;
    let content = cursor.bytes(len).ok_or_else(short)?;
    let crc = cursor.be32().ok_or_else(short)?;
    if check && crc32c::crc32c(content) != crc {
        return Err(corrupt(at, "checksum of a section is wrong"));
    }
    Ok(at + 4..at + 4 + len)
}

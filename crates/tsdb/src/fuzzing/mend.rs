//! Files with their checksums put right, as far as their parts can be told.

use crate::binary::Cursor;
use crate::chunks;
use crate::head_chunks;
use crate::index::format::{CRC_BYTES, SERIES_ALIGN, TOC_BYTES, Toc};
use crate::wal::{FRAGMENT_HEADER_BYTES, PAGE_BYTES};

/// Puts the checksum of `file[from..to]` behind it, if both are there.
fn put_checksum(file: &mut [u8], from: usize, to: usize) -> Option<()> {
    let crc = crc32c::crc32c(file.get(from..to)?);
    file.get_mut(to..to.checked_add(CRC_BYTES)?)?.copy_from_slice(&crc.to_be_bytes());
    Some(())
}

/// Fragments, page by page.
pub(super) fn segment(input: &[u8]) -> Vec<u8> {
    let mut out = input.to_vec();
    for page in out.chunks_mut(PAGE_BYTES) {
        let mut at = 0;
        while let Some(header) = page.get(at..at + FRAGMENT_HEADER_BYTES) {
            let start = at + FRAGMENT_HEADER_BYTES;
            let end = start + usize::from(u16::from_be_bytes([header[1], header[2]]));
            let Some(crc) = page.get(start..end).map(crc32c::crc32c) else { break };
            page[start - CRC_BYTES..start].copy_from_slice(&crc.to_be_bytes());
            at = end;
        }
    }
    out
}

/// Chunks of a block, one behind the other.
pub(super) fn chunk_file(input: &[u8]) -> Vec<u8> {
    let mut out = input.to_vec();
    let mut at = chunks::HEADER_BYTES;
    while let Some((start, end)) = chunk_content(&out, at) {
        put_checksum(&mut out, start, end);
        at = end + CRC_BYTES;
    }
    out
}

/// Encoding and data of the chunk of a block at a place.
pub(super) fn chunk_content(file: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut cursor = Cursor::new(file.get(at..)?);
    let len = cursor.uvarint_usize()?.checked_add(1)?;
    let start = at + cursor.position();
    cursor.bytes(len)?;
    cursor.be32()?;
    Some((start, start + len))
}

/// Chunks of the head, one behind the other.
pub(super) fn head_chunk_file(input: &[u8]) -> Vec<u8> {
    let mut out = input.to_vec();
    let mut at = head_chunks::FIRST_CHUNK_AT;
    while let Some(next) = head_chunks::chunk_end(&out, at) {
        put_checksum(&mut out, at, next - CRC_BYTES);
        at = next;
    }
    out
}

/// Table of contents, sections, series and postings.
pub(super) fn index(input: &[u8]) -> Vec<u8> {
    let mut out = input.to_vec();
    let Some(toc_at) = out.len().checked_sub(TOC_BYTES) else { return out };
    put_checksum(&mut out, toc_at, toc_at + TOC_BYTES - CRC_BYTES);
    let Ok(toc) = Toc::decode(&out) else { return out };
    let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(toc_at);
    let [symbols, series, label_indices, label_table, postings, postings_table] =
        [toc.symbols, toc.series, toc.label_indices, toc.label_table, toc.postings, toc.postings_table].map(place);
    for at in [symbols, label_table, postings_table] {
        put_section(&mut out, at);
    }
    for (start, end) in [(label_indices, postings), (postings, label_table)] {
        let mut at = start;
        while at < end {
            let Some(next) = put_section(&mut out, at) else { break };
            at = next;
        }
    }
    put_series(&mut out, series..label_indices);
    out
}

/// Four bytes of length, the content, the checksum; the answer is where it ends.
fn put_section(out: &mut [u8], at: usize) -> Option<usize> {
    let len = Cursor::new(out.get(at..)?).be32()? as usize;
    let end = at.checked_add(4)?.checked_add(len)?;
    put_checksum(out, at + 4, end)?;
    Some(end + CRC_BYTES)
}

fn put_series(out: &mut [u8], range: std::ops::Range<usize>) -> Option<()> {
    let mut at = range.start;
    while at < range.end {
        let mut cursor = Cursor::new(out.get(at..)?);
        let len = cursor.uvarint_usize()?;
        let start = at + cursor.position();
        let end = start.checked_add(len)?;
        put_checksum(out, start, end)?;
        at = (end + CRC_BYTES).next_multiple_of(SERIES_ALIGN);
    }
    Some(())
}

/// The one checksum at the end, which leaves the header out.
pub(super) fn tombstones(input: &[u8]) -> Vec<u8> {
    let mut out = input.to_vec();
    if let Some(end) = out.len().checked_sub(CRC_BYTES) {
        put_checksum(&mut out, crate::tombstones::HEADER_BYTES, end);
    }
    out
}

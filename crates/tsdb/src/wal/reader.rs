//! Reading a segment record by record, past damage.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::format::{
    FIRST, FRAGMENT_HEADER_BYTES, FULL, LAST, MIDDLE, PAGE_BYTES, RECORD_BYTES_MAX, SNAPPY_FLAG, TYPE_MASK, ZSTD_FLAG,
};

/// A place where a segment can't be read. Reading goes on at the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Offset in the segment, in bytes.
    pub(crate) offset: u64,
    pub(crate) reason: &'static str,
}

/// Reads one segment.
pub(crate) struct SegmentReader<R = File> {
    input: R,
    page: Box<[u8]>,
    page_len: usize,
    /// Where in the page the next fragment begins.
    at: usize,
    /// Offset of the page in the segment.
    page_offset: u64,
    /// The fragments so far of a record that has more to come, compressed as they are.
    partial: Option<Vec<u8>>,
    record: Vec<u8>,
    /// The end of the last whole record, in bytes from the beginning.
    good_end: u64,
    damages: Vec<Damage>,
    /// Whether a whole record was read after the first damage.
    good_after_damage: bool,
    /// Which records are wanted, by their first byte; all where it is `None`.
    wanted: Option<fn(u8) -> bool>,
}

impl SegmentReader<File> {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(SegmentReader::new)
    }

    /// Begins to read at an offset, which must be a page's.
    pub(crate) fn open_at(path: &Path, offset: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(SegmentReader { page_offset: offset, good_end: offset, ..SegmentReader::new(file) })
    }
}

struct Fragment {
    kind: u8,
    start: usize,
    end: usize,
}

impl<R: Read> SegmentReader<R> {
    pub(crate) fn new(input: R) -> Self {
        SegmentReader {
            input,
            page: vec![0; PAGE_BYTES].into(),
            page_len: 0,
            at: 0,
            page_offset: 0,
            partial: None,
            record: Vec::new(),
            good_end: 0,
            damages: Vec::new(),
            good_after_damage: false,
            wanted: None,
        }
    }

    /// Leaves out records whose first byte isn't `wanted`, without decompressing them.
    pub(crate) fn only(mut self, wanted: fn(u8) -> bool) -> Self {
        self.wanted = Some(wanted);
        self
    }

    /// The next whole record, decompressed; `None` at the end. What can't be read is skipped and noted.
    pub(crate) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            if self.at >= self.page_len && !self.next_page()? {
                if self.partial.take().is_some() {
                    self.note("the segment ends in the middle of a record");
                }
                return Ok(None);
            }
            if self.page[self.at] & TYPE_MASK == 0 {
                // The rest of a page is filled with zeros where no header fits, or where the segment ended.
                if self.page[self.at..self.page_len].iter().any(|byte| *byte != 0) {
                    self.give_up_page("a filled-up page is not filled with zeros");
                }
                self.at = self.page_len;
                continue;
            }
            match self.fragment() {
                Ok(fragment) => {
                    if self.take(&fragment) {
                        self.good_end = self.page_offset + self.at as u64;
                        self.good_after_damage = !self.damages.is_empty();
                        return Ok(Some(&self.record));
                    }
                }
                Err(reason) => self.give_up_page(reason),
            }
        }
    }

    /// What could not be read so far.
    pub(crate) fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// The end of the last whole record.
    pub(crate) fn good_end(&self) -> u64 {
        self.good_end
    }

    /// Whether whole records follow a damage.
    pub(crate) fn good_after_damage(&self) -> bool {
        self.good_after_damage
    }

    fn next_page(&mut self) -> io::Result<bool> {
        self.page_offset += self.page_len as u64;
        self.page_len = 0;
        while self.page_len < PAGE_BYTES {
            match self.input.read(&mut self.page[self.page_len..]) {
                Ok(0) => break,
                Ok(count) => self.page_len += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.at = 0;
        Ok(self.page_len > 0)
    }

    fn note(&mut self, reason: &'static str) {
        self.damages.push(Damage { offset: self.page_offset + self.at as u64, reason });
    }

    fn give_up_page(&mut self, reason: &'static str) {
        self.note(reason);
        self.partial = None;
        self.at = self.page_len;
    }

    fn fragment(&self) -> Result<Fragment, &'static str> {
        let rest = &self.page[self.at..self.page_len];
        let header = rest.get(..FRAGMENT_HEADER_BYTES).ok_or("the segment ends in the middle of a header")?;
        let len = usize::from(u16::from_be_bytes([header[1], header[2]]));
        let crc = u32::from_be_bytes([header[3], header[4], header[5], header[6]]);
        let start = self.at + FRAGMENT_HEADER_BYTES;
        let end = start + len;
        if end > PAGE_BYTES {
            return Err("a fragment crosses the end of its page");
        }
        if end > self.page_len {
            return Err("the segment ends in the middle of a fragment");
        }
        if crc32c::crc32c(&self.page[start..end]) != crc {
            return Err("a fragment's checksum is wrong");
        }
        Ok(Fragment { kind: header[0], start, end })
    }

    /// Adds a fragment; tells whether `record` is complete now.
    fn take(&mut self, fragment: &Fragment) -> bool {
        let data = &self.page[fragment.start..fragment.end];
        let whole = match (fragment.kind & TYPE_MASK, self.partial.as_mut()) {
            (FULL, None) => unpack(fragment.kind, data, self.wanted, &mut self.record),
            (FIRST, None) => {
                self.partial = Some(data.to_vec());
                self.at = fragment.end;
                return false;
            }
            (MIDDLE, Some(partial)) => {
                partial.extend_from_slice(data);
                self.at = fragment.end;
                return false;
            }
            (LAST, Some(partial)) => {
                partial.extend_from_slice(data);
                let done = unpack(fragment.kind, partial, self.wanted, &mut self.record);
                self.partial = None;
                done
            }
            // After damage the rest of a record that began before it is expected.
            (MIDDLE | LAST, None) if !self.damages.is_empty() => {
                self.at = fragment.end;
                return false;
            }
            (FULL | FIRST, Some(_)) => {
                self.note("a record ends without its last fragment");
                self.partial = None;
                return false; // the fragment is looked at again
            }
            _ => Err("a fragment belongs to no record"),
        };
        match whole {
            Ok(is_wanted) => {
                self.at = fragment.end;
                is_wanted
            }
            Err(reason) => {
                self.note(reason);
                self.at = fragment.end;
                false
            }
        }
    }
}

/// The first byte of a record, where it can be told without decompressing the rest.
fn first_byte(flags: u8, data: &[u8]) -> Option<u8> {
    if flags & ZSTD_FLAG != 0 {
        return None;
    }
    if flags & SNAPPY_FLAG == 0 {
        return data.first().copied();
    }
    // Behind the length, a varint, there is a literal: nothing could be copied yet. Long ones have their length in 1 to 4 bytes.
    let tag_at = data.iter().position(|byte| *byte < 0x80)? + 1;
    let tag = *data.get(tag_at)?;
    let length_bytes = usize::from(tag >> 2).saturating_sub(59);
    (tag & 3 == 0).then(|| data.get(tag_at + 1 + length_bytes).copied())?
}

/// Decompresses a record into `out` if it is wanted; tells whether it is.
fn unpack(flags: u8, data: &[u8], wanted: Option<fn(u8) -> bool>, out: &mut Vec<u8>) -> Result<bool, &'static str> {
    if let Some(wanted) = wanted
        && first_byte(flags, data).is_some_and(|first| !wanted(first))
    {
        return Ok(false);
    }
    out.clear();
    if flags & SNAPPY_FLAG != 0 {
        let len = snap::raw::decompress_len(data).map_err(|_| "a record's snappy header is broken")?;
        // Snappy can't shrink by more than this, so a small record can't ask for much memory.
        if len > RECORD_BYTES_MAX || len > data.len().saturating_mul(64) {
            return Err("a record is larger than 1 GiB");
        }
        out.resize(len, 0);
        snap::raw::Decoder::new().decompress(data, out).map_err(|_| "a record's snappy data is broken")?;
    } else if flags & ZSTD_FLAG != 0 {
        let decoder = zstd::stream::read::Decoder::with_buffer(data).map_err(|_| "a record's zstd data is broken")?;
        let mut limited = decoder.take(RECORD_BYTES_MAX as u64 + 1);
        limited.read_to_end(out).map_err(|_| "a record's zstd data is broken")?;
        if out.len() > RECORD_BYTES_MAX {
            return Err("a record is larger than 1 GiB");
        }
    } else {
        out.extend_from_slice(data);
    }
    Ok(wanted.is_none_or(|wanted| out.first().is_some_and(|first| wanted(*first))))
}

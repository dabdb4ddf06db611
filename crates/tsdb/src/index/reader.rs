//! Reading an index that lies in memory or in a mapped file.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use model::{Labels, TimeRange, Timestamp};

use super::format::{MAGIC, SERIES_ALIGN, Toc, VERSION, corrupt, section};
use super::postings_table::PostingsTable;
use super::symbols::{SymbolWalk, Symbols};
use crate::binary::{Corrupt, Cursor};
use crate::matching::{Numbers, Postings, sort_union};

/// Room for so many labels is made at first, whatever a series claims.
const LABELS_EXPECTED: usize = 64;

/// A block's index. Only every 32nd symbol and label value is remembered in memory; the rest is read where it lies.
#[derive(Debug, Clone)]
pub struct Index {
    file: Bytes,
    tables: Arc<Tables>,
}

/// What is remembered in memory. Shared, so that cloning an index costs nothing.
#[derive(Debug)]
struct Tables {
    symbols: Symbols,
    postings: PostingsTable,
}

/// A series as the index knows it.
#[derive(Debug, Clone)]
pub struct IndexedSeries {
    /// What it is.
    pub labels: Labels,
    /// Its chunks in order of time.
    pub chunks: Vec<IndexedChunk>,
}

/// Where a chunk lies and which times it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexedChunk {
    /// The time of its first sample.
    pub min_time: Timestamp,
    /// The time of its last sample.
    pub max_time: Timestamp,
    /// The chunk file, counted from 0 (which is the file `000001`).
    pub segment: u32,
    /// The offset in that file, of the chunk's length.
    pub offset: u32,
}

impl IndexedChunk {
    /// The number that stands for the place in an index.
    pub(crate) fn reference(&self) -> u64 {
        u64::from(self.segment) << 32 | u64::from(self.offset)
    }

    /// Whether it has samples in `range`.
    pub fn overlaps(&self, range: TimeRange) -> bool {
        range.overlaps(TimeRange::new(self.min_time, self.max_time))
    }
}

impl Index {
    /// Opens an index: checks header, table of contents, symbols and postings table.
    pub fn open(file: Bytes) -> Result<Self, Corrupt> {
        let mut header = Cursor::new(&file);
        match (header.be32(), header.u8()) {
            (Some(MAGIC), Some(VERSION)) => {}
            (Some(MAGIC), Some(version)) => {
                return Err(corrupt(4, format!("index version {version} is not supported, want {VERSION}")));
            }
            _ => return Err(corrupt(0, "no index: the magic number is missing")),
        }
        let toc = Toc::decode(&file)?;
        let symbols = Symbols::open(file.clone(), toc.symbols)?;
        let postings = PostingsTable::open(file.clone(), toc.postings_table)?;
        Ok(Index { file, tables: Arc::new(Tables { symbols, postings }) })
    }

    /// The bytes of the file.
    pub fn byte_len(&self) -> usize {
        self.file.len()
    }

    /// The names of all labels, sorted.
    pub fn label_names(&self) -> Vec<String> {
        self.tables.postings.names().filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// The values of a label, sorted; at most `limit`, 0 for all.
    pub fn label_values(&self, name: &str, limit: usize) -> Result<Vec<String>, Corrupt> {
        let mut out = Vec::new();
        self.tables.postings.walk_values(name, "", &mut |value, _| {
            out.push(value.to_owned());
            Ok(limit == 0 || out.len() < limit)
        })?;
        Ok(out)
    }

    /// The strings in order of their numbers; how many there must be is `symbol_count`.
    pub(crate) fn symbols(&self) -> SymbolWalk<'_> {
        self.tables.symbols.iter()
    }

    pub(super) fn symbol(&self, number: u64) -> Result<&str, Corrupt> {
        self.tables.symbols.get(number)
    }

    /// How many values a label has.
    pub(super) fn value_count(&self, name: &str) -> usize {
        self.tables.postings.value_count(name)
    }

    /// Calls `visit` with each value of a label, in order, and the numbers of the series that have it.
    pub(super) fn walk_postings(
        &self,
        name: &str,
        visit: &mut dyn FnMut(&str, &mut dyn Iterator<Item = u32>),
    ) -> Result<(), Corrupt> {
        self.tables.postings.walk_values(name, "", &mut |value, offset| {
            visit(value, &mut self.postings_at(offset)?);
            Ok(true)
        })
    }

    /// How many strings there are.
    pub(crate) fn symbol_count(&self) -> usize {
        self.tables.symbols.len()
    }

    /// The numbers of all series, in order of their labels.
    pub(crate) fn series_numbers(&self) -> Result<SeriesNumbers, Corrupt> {
        match self.tables.postings.find("", "")? {
            Some(offset) => Ok(SeriesNumbers { numbers: self.file.slice(self.postings_range(offset)?) }),
            None => Ok(SeriesNumbers { numbers: Bytes::new() }),
        }
    }

    /// The labels of a series, as numbers of strings, and its chunks. Both lists are cleared first.
    pub(crate) fn series_into(
        &self,
        number: u32,
        labels: &mut Vec<(u32, u32)>,
        chunks: &mut Vec<IndexedChunk>,
    ) -> Result<(), Corrupt> {
        let broken = || corrupt(number as usize * SERIES_ALIGN, "broken series");
        labels.clear();
        chunks.clear();
        let mut cursor = self.series_content(number)?;
        let symbols = self.symbol_count() as u64;
        for _ in 0..cursor.uvarint().ok_or_else(broken)? {
            let mut symbol = || cursor.uvarint().filter(|symbol| *symbol < symbols).ok_or_else(broken);
            labels.push((symbol()? as u32, symbol()? as u32));
        }
        read_chunks(&mut cursor, chunks).ok_or_else(broken)
    }

    /// A series by its number in the postings.
    pub fn series(&self, number: u32) -> Result<IndexedSeries, Corrupt> {
        let broken = || corrupt(number as usize * SERIES_ALIGN, "broken series");
        let mut cursor = self.series_content(number)?;
        let label_count = cursor.uvarint_usize().ok_or_else(broken)?;
        let mut pairs = Vec::with_capacity(label_count.min(LABELS_EXPECTED));
        for _ in 0..label_count {
            let name = self.symbol(cursor.uvarint().ok_or_else(broken)?)?;
            let value = self.symbol(cursor.uvarint().ok_or_else(broken)?)?;
            pairs.push((name, value));
        }
        let mut chunks = Vec::new();
        read_chunks(&mut cursor, &mut chunks).ok_or_else(broken)?;
        Ok(IndexedSeries { labels: Labels::from_sorted(pairs), chunks })
    }

    /// What a series says of itself, its checksum verified.
    pub(super) fn series_content(&self, number: u32) -> Result<Cursor<'_>, Corrupt> {
        let at = number as usize * SERIES_ALIGN;
        let broken = || corrupt(at, "broken series");
        let mut head = Cursor::new(self.file.get(at..).ok_or_else(broken)?);
        let len = head.uvarint_usize().ok_or_else(broken)?;
        let content = head.bytes(len).ok_or_else(broken)?;
        if head.be32().ok_or_else(broken)? != crc32c::crc32c(content) {
            return Err(corrupt(at, "checksum of a series is wrong"));
        }
        Ok(Cursor::new(content))
    }

    /// Where the numbers of a list of postings lie.
    fn postings_range(&self, offset: u64) -> Result<Range<usize>, Corrupt> {
        let content = section(&self.file, offset, true)?;
        let broken = || corrupt(content.start, "broken postings");
        let mut cursor = Cursor::new(&self.file[content.clone()]);
        let count = cursor.be32().ok_or_else(broken)? as usize;
        let numbers = cursor.bytes(count.checked_mul(4).ok_or_else(broken)?).ok_or_else(broken)?;
        Ok(content.start + 4..content.start + 4 + numbers.len())
    }

    fn postings_at(&self, offset: u64) -> Result<impl Iterator<Item = u32>, Corrupt> {
        let numbers = &self.file[self.postings_range(offset)?];
        Ok(numbers.chunks_exact(4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]])))
    }
}

/// The numbers of series, read where they lie.
#[derive(Debug)]
pub(crate) struct SeriesNumbers {
    numbers: Bytes,
}

impl Iterator for SeriesNumbers {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        (self.numbers.len() >= 4).then(|| self.numbers.get_u32())
    }
}

fn read_chunks(cursor: &mut Cursor<'_>, out: &mut Vec<IndexedChunk>) -> Option<()> {
    let count = cursor.uvarint_usize()?;
    let (mut last_time, mut reference) = (0_i64, 0_u64);
    for i in 0..count {
        let min = if i == 0 { cursor.varint()? } else { last_time.checked_add_unsigned(cursor.uvarint()?)? };
        let max = min.checked_add_unsigned(cursor.uvarint()?)?;
        reference = if i == 0 { cursor.uvarint()? } else { reference.wrapping_add(cursor.varint()? as u64) };
        last_time = max;
        out.push(IndexedChunk {
            min_time: Timestamp::from_ms(min),
            max_time: Timestamp::from_ms(max),
            segment: (reference >> 32) as u32,
            offset: reference as u32,
        });
    }
    Some(())
}

impl Postings for Index {
    type Error = Corrupt;

    fn all(&self) -> Result<Numbers<'_>, Corrupt> {
        self.with_label("", "")
    }

    fn with_label(&self, name: &str, value: &str) -> Result<Numbers<'_>, Corrupt> {
        match self.tables.postings.find(name, value)? {
            Some(offset) => Ok(self.postings_at(offset)?.collect::<Vec<_>>().into()),
            None => Ok(Vec::new().into()),
        }
    }

    fn with_values(
        &self,
        name: &str,
        prefix: &str,
        accepts: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Vec<u32>, Corrupt> {
        let mut out = Vec::new();
        self.tables.postings.walk_values(name, prefix, &mut |value, offset| {
            if accepts(value) {
                out.extend(self.postings_at(offset)?);
            }
            Ok(true)
        })?;
        sort_union(&mut out);
        Ok(out)
    }
}

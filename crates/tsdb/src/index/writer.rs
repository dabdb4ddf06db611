//! Writing an index. Series come sorted by labels; symbols must be known before the first of them.
//!
//! Memory: four bytes a symbol, eight bytes a label, and [`BATCH_POSTINGS`] postings at a time. Postings are not collected
//! while series are written: the series are read back from the file, as Prometheus does it, once for each batch of label names.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;

use bytes::Bytes;

use super::format::{HEADER_BYTES, MAGIC, SERIES_ALIGN, Toc, VERSION};
use super::reader::IndexedChunk;
use crate::binary::{Cursor, put_str, put_uvarint, put_varint};

/// The labels of a series as numbers of symbols: (name, value), sorted by name.
pub(crate) type SeriesLabels = [(u32, u32)];

/// So many postings are collected and sorted at once, eight bytes each; a label name with more is done alone.
const BATCH_POSTINGS: u64 = 1 << 19;

/// Where an index is written to. What was written is read back once.
pub(crate) trait IndexFile: Write {
    /// Everything that was written so far.
    fn content(&mut self) -> io::Result<Bytes>;
}

impl IndexFile for Vec<u8> {
    fn content(&mut self) -> io::Result<Bytes> {
        Ok(Bytes::from(self.clone()))
    }
}

/// Writes an index to `out`.
pub(crate) struct IndexWriter<W> {
    out: W,
    position: u64,
    toc: Toc,
    /// Where each symbol begins, from the beginning of the file.
    symbols: Vec<u32>,
    /// How many series have each label name.
    names: BTreeMap<u32, u64>,
    series_count: u64,
    buffer: Vec<u8>,
}

/// A label's postings: the value's symbol, and where in the file they are, as multiples of [`POSTINGS_ALIGN`].
struct Placed {
    name: u32,
    value: u32,
    at: u32,
}

const POSTINGS_ALIGN: usize = 4;

fn too_large(what: &str) -> io::Error {
    io::Error::other(format!("the index is too large: {what} does not fit into 32 bits"))
}

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the index that is being written reads back differently")
}

/// Writes the content of a section in parts.
struct Section<'a, W> {
    out: &'a mut IndexWriter<W>,
    crc: u32,
}

impl<W: IndexFile> Section<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.out.write(bytes)
    }

    fn finish(self) -> io::Result<()> {
        self.out.write(&self.crc.to_be_bytes())
    }
}

impl<W: IndexFile> IndexWriter<W> {
    /// Begins with the symbols, which must be sorted, each once. They are walked twice.
    pub(crate) fn new<'s>(out: W, symbols: impl Iterator<Item = &'s str> + Clone) -> io::Result<Self> {
        let mut writer = IndexWriter {
            out,
            position: 0,
            toc: Toc::default(),
            symbols: Vec::new(),
            names: BTreeMap::new(),
            series_count: 0,
            buffer: Vec::new(),
        };
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&MAGIC.to_be_bytes());
        header[4] = VERSION;
        writer.write(&header)?;
        writer.write_symbols(symbols)?;
        writer.pad(SERIES_ALIGN)?;
        writer.toc.series = writer.position;
        Ok(writer)
    }

    fn write_symbols<'s>(&mut self, symbols: impl Iterator<Item = &'s str> + Clone) -> io::Result<()> {
        self.toc.symbols = self.position;
        let (mut count, mut len) = (0_usize, 4_u64);
        for symbol in symbols.clone() {
            count += 1;
            len += (uvarint_len(symbol.len() as u64) + symbol.len()) as u64;
        }
        let entries = u32::try_from(count).map_err(|_| too_large("symbols"))?;
        let mut places = Vec::with_capacity(count);
        let mut section = self.section(len)?;
        section.write(&entries.to_be_bytes())?;
        let mut entry = Vec::new();
        for symbol in symbols {
            places.push(u32::try_from(section.out.position).map_err(|_| too_large("symbols"))?);
            entry.clear();
            put_str(&mut entry, symbol);
            section.write(&entry)?;
        }
        section.finish()?;
        self.symbols = places;
        Ok(())
    }

    /// Adds the next series.
    pub(crate) fn add_series(&mut self, labels: &SeriesLabels, chunks: &[IndexedChunk]) -> io::Result<()> {
        self.pad(SERIES_ALIGN)?;
        u32::try_from(self.position / SERIES_ALIGN as u64).map_err(|_| too_large("series"))?;
        let mut content = std::mem::take(&mut self.buffer);
        content.clear();
        put_uvarint(&mut content, labels.len() as u64);
        for (name, value) in labels {
            put_uvarint(&mut content, u64::from(*name));
            put_uvarint(&mut content, u64::from(*value));
            *self.names.entry(*name).or_default() += 1;
        }
        self.series_count += 1;
        put_uvarint(&mut content, chunks.len() as u64);
        let (mut last_time, mut last_reference) = (0, 0);
        for (i, chunk) in chunks.iter().enumerate() {
            let (min, max) = (chunk.min_time.as_ms(), chunk.max_time.as_ms());
            if i == 0 {
                put_varint(&mut content, min);
                put_uvarint(&mut content, (max - min) as u64);
                put_uvarint(&mut content, chunk.reference());
            } else {
                put_uvarint(&mut content, (min - last_time) as u64);
                put_uvarint(&mut content, (max - min) as u64);
                put_varint(&mut content, chunk.reference().wrapping_sub(last_reference) as i64);
            }
            (last_time, last_reference) = (max, chunk.reference());
        }
        let mut head = Vec::with_capacity(5);
        put_uvarint(&mut head, content.len() as u64);
        self.write(&head)?;
        self.write(&content)?;
        self.write(&crc32c::crc32c(&content).to_be_bytes())?;
        self.buffer = content;
        Ok(())
    }

    /// Writes postings, tables and table of contents; gives back what it wrote to.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let written = self.out.content()?;
        let series = written.slice(usize::try_from(self.toc.series).map_err(|_| too_large("series"))?..);
        self.pad(POSTINGS_ALIGN)?;
        // Label indices have had no reader since index version 2; an empty table keeps old readers content.
        self.toc.label_indices = self.position;
        self.toc.postings = self.position;
        let all_at = self.write_all_postings(&series)?;
        let mut placed = Vec::new();
        let names = std::mem::take(&mut self.names);
        for batch in batches(&names) {
            self.write_batch(&series, &batch, &mut placed)?;
        }
        drop(series);
        self.toc.label_table = self.position;
        let mut section = self.section(4)?;
        section.write(&0_u32.to_be_bytes())?;
        section.finish()?;
        self.write_postings_table(&written, all_at, &placed)?;
        let mut toc = Vec::new();
        self.toc.encode(&mut toc);
        self.write(&toc)?;
        Ok(self.out)
    }

    /// The postings of the empty label: every series.
    fn write_all_postings(&mut self, series: &Bytes) -> io::Result<u32> {
        let mut walk = SeriesWalk::new(self.toc.series, series);
        self.write_postings(self.series_count, |section| {
            while let Some((number, _)) = walk.next()? {
                section.write(&number.to_be_bytes())?;
            }
            Ok(())
        })
    }

    /// Writes the postings of the label names of `batch`, which are sorted and each tell how many series have them.
    fn write_batch(&mut self, series: &Bytes, batch: &[(u32, u64)], placed: &mut Vec<Placed>) -> io::Result<()> {
        let mut lists: Vec<Vec<u64>> = batch.iter().map(|(_, count)| Vec::with_capacity(*count as usize)).collect();
        let mut walk = SeriesWalk::new(self.toc.series, series);
        while let Some((number, mut cursor)) = walk.next()? {
            let count = cursor.uvarint().ok_or_else(unreadable)?;
            for _ in 0..count {
                let (Some(name), Some(value)) = (cursor.uvarint(), cursor.uvarint()) else { return Err(unreadable()) };
                if let Ok(at) = batch.binary_search_by_key(&name, |(name, _)| u64::from(*name)) {
                    lists[at].push(value << 32 | u64::from(number));
                }
            }
        }
        for ((name, _), mut list) in batch.iter().zip(lists) {
            list.sort_unstable();
            for run in list.chunk_by(|a, b| a >> 32 == b >> 32) {
                let at = self.write_postings(run.len() as u64, |section| {
                    run.iter().try_for_each(|entry| section.write(&(*entry as u32).to_be_bytes()))
                })?;
                placed.push(Placed { name: *name, value: (run[0] >> 32) as u32, at });
            }
        }
        Ok(())
    }

    fn write_postings(
        &mut self,
        count: u64,
        numbers: impl FnOnce(&mut Section<'_, W>) -> io::Result<()>,
    ) -> io::Result<u32> {
        self.pad(POSTINGS_ALIGN)?;
        let at = u32::try_from(self.position / POSTINGS_ALIGN as u64).map_err(|_| too_large("postings"))?;
        let entries = u32::try_from(count).map_err(|_| too_large("postings"))?;
        let mut section = self.section(4 + count * 4)?;
        section.write(&entries.to_be_bytes())?;
        numbers(&mut section)?;
        section.finish()?;
        Ok(at)
    }

    fn write_postings_table(&mut self, written: &Bytes, all_at: u32, placed: &[Placed]) -> io::Result<()> {
        self.toc.postings_table = self.position;
        let symbols = std::mem::take(&mut self.symbols);
        let text =
            |number: u32| Cursor::new(&written[symbols[number as usize] as usize..]).text().ok_or_else(unreadable);
        let mut entry = Vec::new();
        put_table_entry(&mut entry, b"", b"", all_at);
        let mut len = 4 + entry.len() as u64;
        for label in placed {
            let (name, value) = (text(label.name)?.len(), text(label.value)?.len());
            let lens = uvarint_len(name as u64) + name + uvarint_len(value as u64) + value;
            len += (1 + lens + uvarint_len(postings_offset(label.at))) as u64;
        }
        let entries = u32::try_from(placed.len() + 1).map_err(|_| too_large("label pairs"))?;
        let mut section = self.section(len)?;
        section.write(&entries.to_be_bytes())?;
        section.write(&entry)?;
        for label in placed {
            entry.clear();
            put_table_entry(&mut entry, text(label.name)?, text(label.value)?, label.at);
            section.write(&entry)?;
        }
        section.finish()
    }

    fn section(&mut self, len: u64) -> io::Result<Section<'_, W>> {
        let len = u32::try_from(len).map_err(|_| too_large("a section"))?;
        self.write(&len.to_be_bytes())?;
        Ok(Section { out: self, crc: 0 })
    }

    fn pad(&mut self, align: usize) -> io::Result<()> {
        let over = (self.position % align as u64) as usize;
        if over == 0 { Ok(()) } else { self.write(&[0; SERIES_ALIGN][..align - over]) }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

/// Label names in order, as many together as [`BATCH_POSTINGS`] allows.
fn batches(names: &BTreeMap<u32, u64>) -> Vec<Vec<(u32, u64)>> {
    let mut out: Vec<Vec<(u32, u64)>> = Vec::new();
    let mut postings = BATCH_POSTINGS;
    for (name, count) in names {
        if postings + count > BATCH_POSTINGS {
            out.push(Vec::new());
            postings = 0;
        }
        postings += count;
        out.last_mut().expect("the first name begins a batch").push((*name, *count));
    }
    out
}

/// The series of the file as it was written, with the number and the content of each.
struct SeriesWalk<'a> {
    content: &'a [u8],
    /// Where `content` begins in the file, a multiple of the alignment.
    begin: u64,
    range: Range<usize>,
}

impl<'a> SeriesWalk<'a> {
    fn new(begin: u64, content: &'a [u8]) -> Self {
        SeriesWalk { content, begin, range: 0..content.len() }
    }

    fn next(&mut self) -> io::Result<Option<(u32, Cursor<'a>)>> {
        let at = self.range.start.next_multiple_of(SERIES_ALIGN);
        if at >= self.range.end {
            return Ok(None);
        }
        let mut cursor = Cursor::new(&self.content[at..]);
        let content = cursor.uvarint_usize().and_then(|len| cursor.bytes(len)).ok_or_else(unreadable)?;
        cursor.be32().ok_or_else(unreadable)?;
        self.range.start = at + cursor.position();
        Ok(Some((((self.begin + at as u64) / SERIES_ALIGN as u64) as u32, Cursor::new(content))))
    }
}

fn postings_offset(at: u32) -> u64 {
    u64::from(at) * POSTINGS_ALIGN as u64
}

fn uvarint_len(value: u64) -> usize {
    (64 - value.leading_zeros() as usize).div_ceil(7).max(1)
}

fn put_table_entry(table: &mut Vec<u8>, name: &[u8], value: &[u8], at: u32) {
    put_uvarint(table, 2);
    for text in [name, value] {
        put_uvarint(table, text.len() as u64);
        table.extend_from_slice(text);
    }
    put_uvarint(table, postings_offset(at));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_the_length_that_is_foretold() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_uvarint(&mut out, value);
            assert_eq!(uvarint_len(value), out.len(), "{value}");
        }
    }

    #[test]
    fn names_are_done_in_batches() {
        let names = BTreeMap::from([(1, 10), (3, BATCH_POSTINGS - 10), (4, 1), (7, 2 * BATCH_POSTINGS), (9, 5)]);
        let sizes: Vec<usize> = batches(&names).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
        assert!(batches(&BTreeMap::new()).is_empty());
    }
}

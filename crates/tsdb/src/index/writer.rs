//! Writing an index. Series come sorted by labels; symbols must be known before the first of them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::format::{CRC_BYTES, HEADER_BYTES, MAGIC, SERIES_ALIGN, Toc, VERSION};
use super::reader::IndexedChunk;
use crate::binary::{put_str, put_uvarint, put_varint};

/// The labels of a series as numbers of symbols: (name, value), sorted by name.
pub(crate) type SeriesLabels = [(u32, u32)];

/// Writes an index to `out` in one pass.
pub(crate) struct IndexWriter<W> {
    out: W,
    position: u64,
    toc: Toc,
    symbols: Vec<String>,
    /// The series with each label.
    postings: BTreeMap<(u32, u32), Vec<u32>>,
    all: Vec<u32>,
    buffer: Vec<u8>,
}

fn too_large(what: &str) -> io::Error {
    io::Error::other(format!("the index is too large: {what} does not fit into 32 bits"))
}

impl<W: Write> IndexWriter<W> {
    /// Begins with the symbols, which must be sorted, each once.
    pub(crate) fn new(out: W, symbols: Vec<String>) -> io::Result<Self> {
        let mut writer = IndexWriter {
            out,
            position: 0,
            toc: Toc::default(),
            symbols: Vec::new(),
            postings: BTreeMap::new(),
            all: Vec::new(),
            buffer: Vec::new(),
        };
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&MAGIC.to_be_bytes());
        header[4] = VERSION;
        writer.write(&header)?;
        writer.toc.symbols = writer.position;
        let mut content = Vec::new();
        content.extend_from_slice(&u32::try_from(symbols.len()).map_err(|_| too_large("symbols"))?.to_be_bytes());
        symbols.iter().for_each(|symbol| put_str(&mut content, symbol));
        writer.write_section(&content)?;
        writer.pad(SERIES_ALIGN)?;
        writer.toc.series = writer.position;
        writer.symbols = symbols;
        Ok(writer)
    }

    /// Adds the next series.
    pub(crate) fn add_series(&mut self, labels: &SeriesLabels, chunks: &[IndexedChunk]) -> io::Result<()> {
        self.pad(SERIES_ALIGN)?;
        let number = u32::try_from(self.position / SERIES_ALIGN as u64).map_err(|_| too_large("series"))?;
        let mut content = std::mem::take(&mut self.buffer);
        content.clear();
        put_uvarint(&mut content, labels.len() as u64);
        for (name, value) in labels {
            put_uvarint(&mut content, u64::from(*name));
            put_uvarint(&mut content, u64::from(*value));
            self.postings.entry((*name, *value)).or_default().push(number);
        }
        self.all.push(number);
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
        self.pad(4)?;
        // Label indices have had no reader since index version 2; an empty table keeps old readers content.
        self.toc.label_indices = self.position;
        self.toc.postings = self.position;
        let all = std::mem::take(&mut self.all);
        let all_offset = self.write_postings(&all)?;
        let postings = std::mem::take(&mut self.postings);
        let mut table = vec![0; 4];
        put_table_entry(&mut table, "", "", all_offset);
        for ((name, value), list) in &postings {
            let offset = self.write_postings(list)?;
            put_table_entry(&mut table, &self.symbols[*name as usize], &self.symbols[*value as usize], offset);
        }
        let entries = u32::try_from(postings.len() + 1).map_err(|_| too_large("label pairs"))?;
        table[..4].copy_from_slice(&entries.to_be_bytes());
        self.toc.label_table = self.position;
        self.write_section(&0_u32.to_be_bytes())?;
        self.toc.postings_table = self.position;
        self.write_section(&table)?;
        let mut toc = Vec::new();
        self.toc.encode(&mut toc);
        self.write(&toc)?;
        Ok(self.out)
    }

    fn write_postings(&mut self, list: &[u32]) -> io::Result<u64> {
        self.pad(4)?;
        let offset = self.position;
        let mut content = Vec::with_capacity(4 + list.len() * 4);
        content.extend_from_slice(&u32::try_from(list.len()).map_err(|_| too_large("postings"))?.to_be_bytes());
        list.iter().for_each(|number| content.extend_from_slice(&number.to_be_bytes()));
        self.write_section(&content)?;
        Ok(offset)
    }

    fn write_section(&mut self, content: &[u8]) -> io::Result<()> {
        let len = u32::try_from(content.len()).map_err(|_| too_large("a section"))?;
        self.write(&len.to_be_bytes())?;
        self.write(content)?;
        let crc: [u8; CRC_BYTES] = crc32c::crc32c(content).to_be_bytes();
        self.write(&crc)
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

fn put_table_entry(table: &mut Vec<u8>, name: &str, value: &str, offset: u64) {
    put_uvarint(table, 2);
    put_str(table, name);
    put_str(table, value);
    put_uvarint(table, offset);
}

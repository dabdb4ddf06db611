//! An index: table of contents, symbols, series. Its postings are [`super::postings`]'s business.

use std::path::Path;

use super::consequence::{BLOCK_UNUSABLE, CHUNK_TIMES, LABEL_TABLE, SERIES_ORDER, SERIES_UNREADABLE};
use super::content::{ChunkRef, IndexContent};
use super::postings::{check_postings, read_all};
use super::report::VerifyReport;
use crate::binary::Cursor;
use crate::block::map_file;
use crate::index::format::{MAGIC, SERIES_ALIGN, Toc, VERSION, section};
use crate::inspect::progress::Progress;

/// Checks an index; `None` where nothing of it can be used.
pub(super) fn check_index(path: &Path, report: &mut VerifyReport, progress: &mut dyn Progress) -> Option<IndexContent> {
    let file = match map_file(path) {
        Ok(file) => file,
        Err(error) => {
            report.add(BLOCK_UNUSABLE, path, None, format!("cannot be read: {error}"));
            return None;
        }
    };
    report.counts.bytes += file.len() as u64;
    progress.begin("index", file.len() as u64);
    let mut header = Cursor::new(&file);
    if header.be32() != Some(MAGIC) || header.u8() != Some(VERSION) {
        report.add(BLOCK_UNUSABLE, path, 0, format!("does not begin as an index of version {VERSION}"));
    }
    let toc = match Toc::decode(&file) {
        Ok(toc) => toc,
        Err(error) => {
            report.add(BLOCK_UNUSABLE, path, error.offset, error.reason);
            return None;
        }
    };
    let symbols = check_symbols(path, &file, &toc, report)?;
    let mut walk =
        SeriesWalk { path, file: &file, symbols: symbols.len(), last: Vec::new(), content: IndexContent::default() };
    walk.series(&toc, report, progress);
    let content = walk.content;
    report.counts.series += content.series_count();
    check_postings(path, &file, &toc, &symbols, &content, report);
    check_label_table(path, &file, &toc, report);
    Some(content)
}

/// The strings, by number. Where they can't be read, no series can.
fn check_symbols<'a>(path: &Path, file: &'a [u8], toc: &Toc, report: &mut VerifyReport) -> Option<Vec<&'a str>> {
    let content = match section(file, toc.symbols, true) {
        Ok(content) => content,
        Err(error) => {
            report.add(BLOCK_UNUSABLE, path, error.offset, format!("symbols: {}", error.reason));
            return None;
        }
    };
    let start = content.start;
    let mut cursor = Cursor::new(&file[content]);
    let count = cursor.be32().unwrap_or(0) as usize;
    let mut symbols: Vec<&str> = Vec::with_capacity(count.min(cursor.remaining()));
    for number in 0..count {
        let at = (start + cursor.position()) as u64;
        let Some(text) = cursor.text().and_then(|text| std::str::from_utf8(text).ok()) else {
            report.add(BLOCK_UNUSABLE, path, at, format!("symbol {number} of {count} can't be read"));
            return None;
        };
        if symbols.last().is_some_and(|last| *last >= text) {
            report.add(SERIES_ORDER, path, at, format!("symbol {number} ({text:?}) is not after the one before it"));
        }
        symbols.push(text);
    }
    Some(symbols)
}

struct SeriesWalk<'a> {
    path: &'a Path,
    file: &'a [u8],
    symbols: usize,
    /// The labels of the series before, as symbols. Symbols are sorted, so their order is that of the labels.
    last: Vec<(u32, u32)>,
    content: IndexContent,
}

impl SeriesWalk<'_> {
    fn series(&mut self, toc: &Toc, report: &mut VerifyReport, progress: &mut dyn Progress) {
        let sections = [toc.label_indices, toc.postings, toc.label_table, toc.postings_table];
        let end = sections.into_iter().filter(|offset| *offset > toc.series).min().unwrap_or(self.file.len() as u64);
        let end = usize::try_from(end).unwrap_or(usize::MAX).min(self.file.len());
        let all = read_all(self.file, toc);
        let mut at = usize::try_from(toc.series).unwrap_or(usize::MAX).next_multiple_of(SERIES_ALIGN);
        let mut told = 0;
        while at < end {
            let next = match self.one(at, end, report) {
                Ok(next) => next,
                // The length can't be believed: the list of all series tells where the next one begins.
                Err(()) => {
                    let number = (at / SERIES_ALIGN) as u32;
                    let following = all.partition_point(|other| *other <= number);
                    all.get(following).map_or(end, |number| *number as usize * SERIES_ALIGN)
                }
            };
            at = next.max(at + 1).next_multiple_of(SERIES_ALIGN);
            if at - told > 1 << 20 {
                progress.advance((at - told) as u64);
                told = at;
            }
        }
    }

    /// Checks the series at an offset; tells where it ends, or that nobody knows.
    fn one(&mut self, at: usize, end: usize, report: &mut VerifyReport) -> Result<usize, ()> {
        let number = (at / SERIES_ALIGN) as u32;
        let mut cursor = Cursor::new(&self.file[at..end]);
        let found = cursor.uvarint_usize().and_then(|len| Some((cursor.bytes(len)?, cursor.be32()?)));
        let Some((content, crc)) = found else {
            report.add(
                SERIES_UNREADABLE,
                self.path,
                at as u64,
                format!("series {number} ends beyond the series section"),
            );
            self.content.broken.insert(number);
            return Err(());
        };
        let next = at + cursor.position();
        if crc32c::crc32c(content) != crc {
            report.add(SERIES_UNREADABLE, self.path, at as u64, format!("checksum of series {number} is wrong"));
            self.content.broken.insert(number);
            // What is behind tells whether the length was right: a series, or the end.
            let rest = next.next_multiple_of(SERIES_ALIGN);
            return if rest >= end || self.begins_series(rest, end) { Ok(next) } else { Err(()) };
        }
        if self.labels_and_chunks(content, at, number, report).is_none() {
            report.add(SERIES_UNREADABLE, self.path, at as u64, format!("series {number} can't be decoded"));
            self.content.broken.insert(number);
        }
        Ok(next)
    }

    fn begins_series(&self, at: usize, end: usize) -> bool {
        let mut cursor = Cursor::new(&self.file[at..end]);
        cursor
            .uvarint_usize()
            .and_then(|len| Some((cursor.bytes(len)?, cursor.be32()?)))
            .is_some_and(|(content, crc)| crc32c::crc32c(content) == crc)
    }

    fn labels_and_chunks(&mut self, content: &[u8], at: usize, number: u32, report: &mut VerifyReport) -> Option<()> {
        let mut cursor = Cursor::new(content);
        let count = cursor.uvarint_usize().filter(|count| *count <= content.len())?;
        let mut labels = Vec::with_capacity(count);
        for _ in 0..count {
            let mut symbol =
                || cursor.uvarint().and_then(|n| u32::try_from(n).ok()).filter(|n| (*n as usize) < self.symbols);
            labels.push((symbol()?, symbol()?));
        }
        let mut chunks = Vec::new();
        read_chunks(&mut cursor, at as u64, &mut chunks)?;
        if !labels.is_sorted_by(|a, b| a.0 < b.0) {
            report.add(SERIES_ORDER, self.path, at as u64, format!("the labels of series {number} are not in order"));
        }
        if !self.content.series.is_empty() && self.last >= labels {
            report.add(SERIES_ORDER, self.path, at as u64, format!("series {number} is not after the one before it"));
        }
        for pair in chunks.windows(2).filter(|pair| pair[1].min_time <= pair[0].max_time) {
            let problem = format!(
                "chunks of series {number} overlap: one ends at {}, the next begins at {}",
                pair[0].max_time, pair[1].min_time
            );
            report.add(CHUNK_TIMES, self.path, at as u64, problem);
        }
        if chunks.is_empty() {
            report.add(SERIES_ORDER, self.path, at as u64, format!("series {number} has no chunks"));
        }
        for label in &labels {
            self.content.by_label.entry(*label).or_default().push(number);
        }
        self.last = labels;
        self.content.series.push(number);
        self.content.chunks.extend(chunks);
        Some(())
    }
}

fn read_chunks(cursor: &mut Cursor<'_>, series_at: u64, out: &mut Vec<ChunkRef>) -> Option<()> {
    let count = cursor.uvarint_usize()?;
    let (mut last_time, mut reference) = (0_i64, 0_u64);
    for i in 0..count {
        // Differences that are meant to be positive wrap where times are out of order.
        let min_time = if i == 0 { cursor.varint()? } else { last_time.wrapping_add(cursor.uvarint()? as i64) };
        let max_time = min_time.wrapping_add(cursor.uvarint()? as i64);
        reference = if i == 0 { cursor.uvarint()? } else { reference.wrapping_add(cursor.varint()? as u64) };
        last_time = max_time;
        let (segment, offset) = ((reference >> 32) as u32, reference as u32);
        out.push(ChunkRef { segment, offset, min_time, max_time, series_at });
    }
    Some(())
}

/// The tables that index version 1 needed and Prometheus still writes.
fn check_label_table(path: &Path, file: &[u8], toc: &Toc, report: &mut VerifyReport) {
    if toc.label_table == 0 {
        return;
    }
    let content = match section(file, toc.label_table, true) {
        Ok(content) => content,
        Err(error) => {
            return report.add(LABEL_TABLE, path, error.offset, format!("label index table: {}", error.reason));
        }
    };
    let mut cursor = Cursor::new(&file[content]);
    for _ in 0..cursor.be32().unwrap_or(0) {
        let offset = (|| {
            for _ in 0..cursor.uvarint()? {
                cursor.text()?;
            }
            cursor.uvarint()
        })();
        let Some(offset) = offset else {
            return report.add(LABEL_TABLE, path, toc.label_table, "an entry of the label index table can't be read");
        };
        if let Err(error) = section(file, offset, true) {
            report.add(LABEL_TABLE, path, error.offset, format!("label index: {}", error.reason));
        }
    }
}

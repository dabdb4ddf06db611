//! Merging blocks into one.
//!
//! Streaming: the strings of the blocks are merged by walking them, then one series after the other is read, mapped to the new
//! numbers and written; its chunks are copied from the mapping without decoding unless they overlap or something of them was
//! deleted. In memory are four bytes for each string of each block, and the chunks' places of one series.
//!
//! Crash: the new block has no name before it is complete. It names its parents, so that a start which finds both deletes the
//! parents.

use std::cmp::Ordering;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::chunk::Chunk;

use super::overlap::{are_apart, without_overlaps};
use super::reader::Block;
use super::writer::BlockWriter;
use crate::figures::ChunkFigures;
use crate::index::{IndexedChunk, SeriesNumbers, SymbolWalk};
use crate::meta::{BlockCompaction, BlockId, BlockMeta};
use crate::tombstones::without_deleted;

/// Why blocks were not merged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeError {
    /// One of them can't be read: the others may go on without it.
    #[error("block {block} cannot be read: {reason}")]
    Unreadable {
        /// Which.
        block: BlockId,
        /// Where and why.
        reason: String,
    },
    /// The new block can't be written.
    #[error("cannot write the merged block")]
    Write(#[from] io::Error),
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
}

/// What came out: the new block, if anything is left of its parents.
pub(crate) type Merged = (Option<(PathBuf, BlockMeta)>, ChunkFigures);

/// Writes one block into `parent_dir` that holds what `blocks` hold, without what was deleted. `stop` is asked at every series.
pub(crate) fn merge_blocks(
    parent_dir: &Path,
    blocks: &[Arc<Block>],
    compaction: BlockCompaction,
    stop: &dyn Fn() -> bool,
) -> Result<Merged, MergeError> {
    let mut sources = blocks.iter().map(Source::open).collect::<Result<Vec<_>, _>>()?;
    let symbol_count = number_symbols(&mut sources)?;
    let min_time = blocks.iter().map(|block| block.meta().min_time).min().unwrap_or_default();
    let max_time = blocks.iter().map(|block| block.meta().max_time).max().unwrap_or_default();
    let symbols = MergedSymbols::new(&sources, symbol_count);
    let mut writer = BlockWriter::with_ancestry(parent_dir, min_time, max_time, compaction, symbols)?;
    for source in &mut sources {
        source.advance()?;
    }
    let mut labels = Vec::new();
    while let Some(first) = next_series(&sources) {
        if stop() {
            return Err(MergeError::Stopped);
        }
        std::mem::swap(&mut labels, &mut sources[first].labels);
        let mut parts = Vec::with_capacity(sources.len());
        for (at, source) in sources.iter_mut().enumerate().skip(first) {
            if source.number.is_some() && (at == first || source.labels == labels) {
                parts.push((at, source.take_chunks()?));
                source.advance()?;
                if source.number.is_some() && source.labels <= labels {
                    return Err(source.unreadable(&"series are not in order"));
                }
            }
        }
        writer.add(&labels, &joined(parts, &sources)?)?;
    }
    drop(sources);
    let figures = writer.figures();
    Ok((writer.finish()?, figures))
}

/// One list of what several sources have of a series.
fn joined(mut parts: Vec<(usize, Vec<Chunk>)>, sources: &[Source]) -> Result<Vec<Chunk>, MergeError> {
    let ends = |part: &(usize, Vec<Chunk>)| part.1.last().map(|chunk| chunk.max_time);
    let begins = |part: &(usize, Vec<Chunk>)| part.1.first().map(|chunk| chunk.min_time);
    parts.retain(|(_, chunks)| !chunks.is_empty());
    if parts.iter().all(|(_, chunks)| are_apart(chunks)) && parts.windows(2).all(|two| ends(&two[0]) < begins(&two[1]))
    {
        return Ok(parts.into_iter().flat_map(|(_, chunks)| chunks).collect());
    }
    let all = parts.iter().flat_map(|(_, chunks)| chunks.iter().cloned()).collect();
    without_overlaps(all).map_err(|error| {
        // Whose chunk it was.
        let broken = parts.iter().find(|(_, chunks)| chunks.iter().any(is_broken));
        sources[broken.or(parts.first()).map_or(0, |(at, _)| *at)].unreadable(&error)
    })
}

fn is_broken(chunk: &Chunk) -> bool {
    let mut values = chunk.values();
    loop {
        match values.next() {
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

/// The first of the sources whose next series comes first.
fn next_series(sources: &[Source]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (at, source) in sources.iter().enumerate() {
        if source.number.is_some() && best.is_none_or(|best| source.labels.cmp(&sources[best].labels) == Ordering::Less)
        {
            best = Some(at);
        }
    }
    best
}

/// A block that is being merged.
struct Source {
    block: Arc<Block>,
    /// The new number of each of its strings.
    symbols: Vec<u32>,
    series: SeriesNumbers,
    /// The series that is next: its number, its labels in new numbers, its chunks; `None` at the end.
    number: Option<u32>,
    labels: Vec<(u32, u32)>,
    chunks: Vec<IndexedChunk>,
}

impl Source {
    fn open(block: &Arc<Block>) -> Result<Self, MergeError> {
        let error = |error: crate::binary::Corrupt| MergeError::Unreadable {
            block: block.meta().ulid,
            reason: error.to_string(),
        };
        Ok(Source {
            block: Arc::clone(block),
            symbols: Vec::with_capacity(block.index().symbol_count()),
            series: block.index().series_numbers().map_err(error)?,
            number: None,
            labels: Vec::new(),
            chunks: Vec::new(),
        })
    }

    fn unreadable(&self, reason: &dyn std::fmt::Display) -> MergeError {
        MergeError::Unreadable { block: self.block.meta().ulid, reason: reason.to_string() }
    }

    /// Goes on to the next series.
    fn advance(&mut self) -> Result<(), MergeError> {
        self.number = self.series.next();
        let Some(number) = self.number else { return Ok(()) };
        let read = self.block.index().series_into(number, &mut self.labels, &mut self.chunks);
        read.map_err(|error| self.unreadable(&error))?;
        for (name, value) in &mut self.labels {
            (*name, *value) = (self.symbols[*name as usize], self.symbols[*value as usize]);
        }
        Ok(())
    }

    /// The chunks of the series, without what was deleted.
    fn take_chunks(&self) -> Result<Vec<Chunk>, MergeError> {
        let mut chunks = Vec::with_capacity(self.chunks.len());
        for place in &self.chunks {
            chunks.push(self.block.chunk(place).map_err(|error| self.unreadable(&error))?);
        }
        let deleted = self.number.map_or(&[][..], |number| self.block.tombstones().of(number));
        without_deleted(chunks, deleted).map_err(|error| self.unreadable(&error))
    }
}

/// Gives every string its number among those of all sources, and tells how many there are.
fn number_symbols(sources: &mut [Source]) -> Result<u32, MergeError> {
    let blocks: Vec<Arc<Block>> = sources.iter().map(|source| Arc::clone(&source.block)).collect();
    let mut walks: Vec<SymbolWalk<'_>> = blocks.iter().map(|block| block.index().symbols()).collect();
    let mut heads: Vec<Option<&str>> = walks.iter_mut().map(Iterator::next).collect();
    let mut count = 0_u32;
    while let Some(least) = heads.iter().flatten().min().copied() {
        for ((head, walk), source) in heads.iter_mut().zip(&mut walks).zip(sources.iter_mut()) {
            if *head != Some(least) {
                continue;
            }
            source.symbols.push(count);
            *head = walk.next();
            if head.is_some_and(|next| next <= least) {
                return Err(source.unreadable(&"symbols are not in order"));
            }
        }
        count = count.checked_add(1).ok_or_else(|| io::Error::other("more than 2^32 label names and values"))?;
    }
    match sources.iter().find(|source| source.symbols.len() != source.block.index().symbol_count()) {
        Some(source) => Err(source.unreadable(&"a symbol is no UTF-8")),
        None => Ok(count),
    }
}

/// Walks the strings of all sources in order, each once, by their new numbers.
#[derive(Clone)]
struct MergedSymbols<'a> {
    /// Of each source: its strings, and their new numbers.
    walks: Vec<(SymbolWalk<'a>, &'a [u32])>,
    next: u32,
    count: u32,
}

impl<'a> MergedSymbols<'a> {
    fn new(sources: &'a [Source], count: u32) -> Self {
        let walks = sources.iter().map(|source| (source.block.index().symbols(), source.symbols.as_slice())).collect();
        MergedSymbols { walks, next: 0, count }
    }
}

impl<'a> Iterator for MergedSymbols<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let mut found = None;
        for (walk, numbers) in &mut self.walks {
            if numbers.first() == Some(&self.next) {
                *numbers = &numbers[1..];
                found = walk.next();
            }
        }
        self.next += u32::from(self.next < self.count);
        found
    }
}

#[cfg(test)]
mod tests {
    use model::{Histogram, MatchOp, Matcher, TimeRange, Timestamp};
    use storage::chunk::{Encoding, Recoder, TimedValue, Value};

    use super::*;

    fn value(time: i64, is_native: bool) -> Value {
        let count = time as u64;
        if is_native {
            Histogram { count, zero_count: count, ..Histogram::default() }.into()
        } else {
            Value::Float(time as f64)
        }
    }

    /// A block of two series, a float one and one of histograms, with samples at these times that began a second before.
    fn block(dir: &Path, times: &[i64]) -> Arc<Block> {
        let symbols = ["", "__name__", "floats", "natives"];
        let (min, max) = (Timestamp::from_ms(times[0]), Timestamp::from_ms(times[times.len() - 1] + 1));
        let mut writer =
            BlockWriter::with_ancestry(dir, min, max, BlockCompaction::cut(), symbols.into_iter()).expect("begun");
        for (name, is_native) in [(2, false), (3, true)] {
            let mut recoder = Recoder::default();
            for time in times {
                recoder.push_timed(TimedValue { time: *time, start: time - 1000, value: value(*time, is_native) });
            }
            writer.add(&[(1, name)], &recoder.finish()).expect("added");
        }
        let (path, meta) = writer.finish().expect("written").expect("not empty");
        let count = times.len() as u64;
        assert_eq!((meta.stats.num_float_samples, meta.stats.num_histogram_samples), (count, count));
        Arc::new(Block::open(&path).expect("opens"))
    }

    /// The encodings and the samples' times and starts of all chunks of a series.
    fn content(block: &Block, number: usize) -> (Vec<Encoding>, Vec<(i64, i64)>) {
        let number = block.index().series_numbers().expect("readable").nth(number).expect("a series");
        let (mut labels, mut places, mut samples, mut encodings) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        block.index().series_into(number, &mut labels, &mut places).expect("readable");
        for place in &places {
            let chunk = block.chunk(place).expect("readable");
            encodings.push(chunk.encoding);
            let mut values = chunk.values();
            while let Some(sample) = values.next_timed().expect("readable") {
                samples.push((sample.time, sample.start));
            }
        }
        (encodings, samples)
    }

    #[test]
    fn starts_outlive_merging_and_deletion() {
        let dir = tempfile::tempdir().expect("a folder");
        let deleted = TimeRange::new(Timestamp::from_ms(6000), Timestamp::from_ms(6999));
        let all_series = Matcher::new(MatchOp::NotEqual, "__name__", "").expect("valid");
        let apart = block(dir.path(), &[5000, 6000, 7000]).delete(&[all_series], deleted).expect("deleted");
        let apart = Arc::new(apart.expect("both match"));
        let all = [block(dir.path(), &[1000, 2000, 3001]), block(dir.path(), &[1500, 2000, 4000]), apart];
        let (merged, _) = merge_blocks(dir.path(), &all, BlockCompaction::cut(), &|| false).expect("merged");
        let merged = Block::open(&merged.expect("not empty").0).expect("opens");
        let want: Vec<(i64, i64)> = [1000, 1500, 2000, 3001, 4000, 5000, 7000].map(|time| (time, time - 1000)).into();
        // The first sample of all began at 0, which is as good as not known.
        let floats = (vec![Encoding::Xor, Encoding::Xor2, Encoding::Xor2], want.clone());
        assert_eq!(content(&merged, 0), floats);
        let natives = (vec![Encoding::Histogram, Encoding::HistogramStarts, Encoding::HistogramStarts], want);
        assert_eq!(content(&merged, 1), natives);
    }
}

//! Taking samples, and writing the blocks they make.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use model::{Labels, Timestamp};

use super::samples::{Piece, Pushed};
use super::staging::Staging;
use super::symbols::{Pairs, Symbols};
use crate::block::BlockWriter;
use crate::meta::{BlockCompaction, BlockMeta};

/// How to make blocks.
#[derive(Debug, Clone)]
pub struct BackfillOptions {
    /// The width of the blocks in milliseconds; they begin at its multiples.
    pub block_ms: i64,
    /// So many bytes of encoded samples are held at once. One block is held whole, however large it is.
    pub memory_bytes_max: usize,
}

impl Default for BackfillOptions {
    /// Blocks of two hours, 1 GiB.
    fn default() -> Self {
        BackfillOptions { block_ms: 2 * 3_600_000, memory_bytes_max: 1 << 30 }
    }
}

/// Why a sample can't be taken, or blocks can't be written.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// A later sample of the series came before it, for the same block.
    #[error("out of order sample: a later one of the series came before it, for the same block")]
    OutOfOrder,
    /// The series has another value at this time.
    #[error("duplicate sample for timestamp: the series has another value at this time")]
    Conflict,
    /// There are more different label names and values, or series, than 32 bits can number.
    #[error("too many label values or series: more than 32 bits can number")]
    TooMany,
    /// A file can't be written. Nothing is left behind.
    #[error("cannot write blocks into {dir}")]
    Io {
        /// Where.
        dir: std::path::PathBuf,
        /// Why.
        source: io::Error,
    },
}

#[derive(Debug)]
struct SeriesEntry {
    labels: Pairs,
    /// In order of their windows.
    pieces: Vec<Piece>,
    /// The one that took the last sample.
    current: usize,
}

impl SeriesEntry {
    /// What it has of a window, where all windows before that are written.
    fn piece_of(&self, window: i64) -> Option<&Piece> {
        self.pieces.first().filter(|piece| piece.window == window)
    }
}

/// Collects samples for blocks. Use: `series` and `push` for all samples; `write`; and where that answers that something was
/// left over, the same samples again.
pub struct Backfill {
    options: BackfillOptions,
    symbols: Symbols,
    series: Vec<SeriesEntry>,
    by_labels: HashMap<Pairs, u32, FixedState>,
    /// The blocks to be, each with the memory that it takes.
    windows: BTreeMap<i64, usize>,
    /// Windows before this are written, windows from `end` on are for another pass.
    begin: i64,
    end: i64,
    memory_bytes: usize,
    samples: u64,
    staging: Option<Staging>,
    written: Vec<BlockMeta>,
}

impl Backfill {
    /// Collects for blocks with these options.
    pub fn new(options: BackfillOptions) -> Self {
        Backfill {
            options,
            symbols: Symbols::default(),
            series: Vec::new(),
            by_labels: HashMap::default(),
            windows: BTreeMap::new(),
            begin: i64::MIN,
            end: i64::MAX,
            memory_bytes: 0,
            samples: 0,
            staging: None,
            written: Vec::new(),
        }
    }

    /// The number of the series with these labels, which is good for [`Backfill::push`] as long as this lives.
    pub fn series(&mut self, labels: &Labels) -> Result<u32, BackfillError> {
        let pairs = self.symbols.pairs(labels).ok_or(BackfillError::TooMany)?;
        if let Some(number) = self.by_labels.get(&pairs) {
            return Ok(*number);
        }
        let number = u32::try_from(self.series.len()).map_err(|_| BackfillError::TooMany)?;
        self.series.push(SeriesEntry { labels: pairs.clone(), pieces: Vec::new(), current: 0 });
        self.by_labels.insert(pairs, number);
        Ok(number)
    }

    /// Takes a sample. One that is there already is taken and not stored again.
    #[inline]
    pub fn push(&mut self, series: u32, time: Timestamp, value: f64) -> Result<(), BackfillError> {
        let time = time.as_ms();
        let window = time.div_euclid(self.options.block_ms);
        if window < self.begin || window >= self.end {
            return Ok(());
        }
        let entry = &mut self.series[series as usize];
        if entry.pieces.get(entry.current).is_none_or(|piece| piece.window != window) {
            self.change_window(series, window);
        }
        let entry = &mut self.series[series as usize];
        match entry.pieces[entry.current].push(time, value) {
            Pushed::Taken(more) => {
                self.samples += 1;
                if more > 0 {
                    self.take_memory(window, more);
                }
                Ok(())
            }
            Pushed::Repeated => Ok(()),
            Pushed::OutOfOrder => Err(BackfillError::OutOfOrder),
            Pushed::Conflict => Err(BackfillError::Conflict),
        }
    }

    fn take_memory(&mut self, window: i64, more: usize) {
        *self.windows.entry(window).or_default() += more;
        self.memory_bytes += more;
        if self.memory_bytes > self.options.memory_bytes_max && self.windows.len() > 1 {
            self.postpone();
        }
    }

    /// Makes the piece of a window the series' current one.
    #[cold]
    fn change_window(&mut self, series: u32, window: i64) {
        let entry = &mut self.series[series as usize];
        if let Some(piece) = entry.pieces.get_mut(entry.current) {
            let less = piece.rest();
            self.memory_bytes -= less;
            *self.windows.entry(piece.window).or_default() -= less;
        }
        entry.current = match entry.pieces.binary_search_by_key(&window, |piece| piece.window) {
            Ok(at) => at,
            Err(at) => {
                entry.pieces.insert(at, Piece::new(window));
                self.memory_bytes += size_of::<Piece>();
                *self.windows.entry(window).or_default() += size_of::<Piece>();
                at
            }
        };
    }

    /// Forgets the later windows: those that make more than half of the memory, all but the first at most.
    #[cold]
    fn postpone(&mut self) {
        let (mut kept, mut end) = (0, None);
        for (i, (window, memory_bytes)) in self.windows.iter().enumerate() {
            kept += memory_bytes;
            if i > 0 && kept > self.options.memory_bytes_max / 2 {
                end = Some(*window);
                break;
            }
        }
        let Some(end) = end else { return };
        self.end = end;
        for entry in &mut self.series {
            entry.pieces.retain(|piece| piece.window < end);
            entry.current = 0;
        }
        let gone = self.windows.split_off(&end);
        self.memory_bytes -= gone.values().sum::<usize>();
    }

    /// How many samples have been taken, over all passes; one that had to be taken again in another pass counts again.
    pub fn sample_count(&self) -> u64 {
        self.samples
    }

    /// How many series there are.
    pub fn series_count(&self) -> usize {
        self.series.len()
    }

    /// Writes the blocks that are complete into a hidden place in `dir`. `true` tells that all samples have to be pushed once
    /// more, for the blocks that are still missing, and then this has to be called again.
    pub fn write(&mut self, dir: &Path) -> Result<bool, BackfillError> {
        let failed = |source| BackfillError::Io { dir: dir.to_owned(), source };
        if self.staging.is_none() {
            self.staging = Some(Staging::create(dir).map_err(failed)?);
        }
        self.write_windows().map_err(failed)?;
        let left_over = self.end != i64::MAX;
        (self.begin, self.end) = (self.end, i64::MAX);
        Ok(left_over)
    }

    /// Gives the blocks their place in the directory, all at once; tells which, oldest first. Blocks of the same content that
    /// are there already stay.
    pub fn publish(mut self) -> Result<Vec<BlockMeta>, BackfillError> {
        if let Some(staging) = self.staging.take() {
            let dir = staging.target().to_owned();
            staging.publish(&self.written).map_err(|source| BackfillError::Io { dir, source })?;
        }
        Ok(std::mem::take(&mut self.written))
    }

    fn write_windows(&mut self) -> io::Result<()> {
        let ranks = self.symbols.ranks();
        let ranked = |series: &u32| {
            let labels = &self.series[*series as usize].labels;
            labels.iter().map(|(name, value)| (ranks[*name as usize], ranks[*value as usize]))
        };
        let mut order: Vec<u32> = (0..self.series.len() as u32).collect();
        order.sort_unstable_by(|a, b| ranked(a).cmp(ranked(b)));
        for window in std::mem::take(&mut self.windows).into_keys() {
            self.write_window(window, &order, &ranks)?;
        }
        self.memory_bytes = 0;
        Ok(())
    }

    fn write_window(&mut self, window: i64, order: &[u32], ranks: &[u32]) -> io::Result<()> {
        let Some(staging) = &self.staging else { return Ok(()) };
        let mut used = vec![false; ranks.len()];
        let (mut min, mut max) = (i64::MAX, i64::MIN);
        for entry in &self.series {
            let Some(piece) = entry.piece_of(window) else { continue };
            (min, max) = (min.min(piece.min_time()), max.max(piece.max_time()));
            for (name, value) in &entry.labels {
                used[*name as usize] = true;
                used[*value as usize] = true;
            }
        }
        let mut chosen: Vec<u32> = (0..used.len() as u32).filter(|symbol| used[*symbol as usize]).collect();
        chosen.sort_unstable_by_key(|symbol| ranks[*symbol as usize]);
        let mut numbers = vec![0; used.len()];
        for (number, symbol) in chosen.iter().enumerate() {
            numbers[*symbol as usize] = number as u32;
        }
        let symbols: Vec<String> = chosen.iter().map(|symbol| self.symbols.text(*symbol).to_owned()).collect();
        let (min, end) = (Timestamp::from_ms(min), Timestamp::from_ms(max.saturating_add(1)));
        let compaction = BlockCompaction::out_of_order();
        let symbols = symbols.iter().map(String::as_str);
        let mut writer = BlockWriter::with_ancestry(staging.dir(), min, end, compaction, symbols)?;
        let mut labels: Vec<(u32, u32)> = Vec::new();
        for series in order {
            let entry = &mut self.series[*series as usize];
            if entry.piece_of(window).is_none() {
                continue;
            }
            entry.current = 0;
            let piece = entry.pieces.remove(0);
            labels.clear();
            labels.extend(entry.labels.iter().map(|(name, value)| (numbers[*name as usize], numbers[*value as usize])));
            writer.add(&labels, &piece.into_chunks().map_err(io::Error::other)?)?;
        }
        self.written.extend(writer.finish()?.map(|(_, meta)| meta));
        Ok(())
    }
}

impl std::fmt::Debug for Backfill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backfill")
            .field("series", &self.series.len())
            .field("samples", &self.samples)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

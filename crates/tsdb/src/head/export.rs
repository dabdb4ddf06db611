//! What the head hands over to a block.

use model::TimeRange;
use storage::Samples;
use storage::chunk::{Chunk, ChunkError, xor};

use super::full::FullChunk;
use super::index::Place;
use super::pairs::Pair;
use super::state::Head;
use crate::head_chunks::HeadChunkError;

/// Why a series can't be cut.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CutError {
    #[error("head chunk: {0}")]
    File(#[from] HeadChunkError),
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}

/// The series that have samples in a range, in the order of a block.
pub(crate) struct HeadCut {
    /// The label names and values of these series, sorted.
    pub(crate) symbols: Vec<String>,
    /// Sorted by labels.
    pub(crate) series: Vec<CutSeries>,
    range: TimeRange,
}

/// A series to be cut.
pub(crate) struct CutSeries {
    slot: u32,
    reference: u64,
    /// Label pairs as numbers of the cut's symbols.
    pub(crate) labels: Box<[Pair]>,
}

impl Head {
    /// The series with samples in `range`. Costs a number per label and series, not the labels' text.
    pub(crate) fn cut(&self, range: TimeRange) -> HeadCut {
        let index = self.index.read();
        let mut series = Vec::new();
        let mut used = vec![false; index.symbols().len()];
        for Place { slot, reference } in index.places() {
            if self.pages.with(slot, |state| state.touches_in_order(range)) != Some(true) {
                continue;
            }
            let labels: Box<[Pair]> = index.symbol_pairs(slot).collect();
            for (name, value) in &labels {
                used[*name as usize] = true;
                used[*value as usize] = true;
            }
            series.push(CutSeries { slot, reference, labels });
        }
        let mut order: Vec<u32> = (0..used.len() as u32).filter(|symbol| used[*symbol as usize]).collect();
        order.sort_unstable_by(|a, b| index.symbols().get(*a).cmp(index.symbols().get(*b)));
        let mut ranks = vec![0; used.len()];
        for (rank, symbol) in order.iter().enumerate() {
            ranks[*symbol as usize] = rank as u32;
        }
        let symbols = order.iter().map(|symbol| index.symbols().get(*symbol).to_owned()).collect();
        drop(index);
        // Ranks order as their texts do, so sorting by them is sorting by labels.
        for (name, value) in series.iter_mut().flat_map(|series| series.labels.iter_mut()) {
            (*name, *value) = (ranks[*name as usize], ranks[*value as usize]);
        }
        series.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        HeadCut { symbols, series, range }
    }

    /// The chunks of a series of the cut; those that reach over the range's ends are written anew without what is outside.
    pub(crate) fn cut_chunks(&self, cut: &HeadCut, series: &CutSeries) -> Result<Vec<Chunk>, CutError> {
        let found = self.pages.with(series.slot, |state| {
            if state.reference != series.reference {
                return (Vec::new(), None);
            }
            let full: Vec<FullChunk> = state.full_chunks(cut.range).collect();
            (full, state.open_chunk(cut.range).map(|open| open.to_chunk()))
        });
        let (full, open) = found.unwrap_or_default();
        let reader = self.chunks.reader();
        let mut out = Vec::with_capacity(full.len() + 1);
        for chunk in full {
            out.extend(trim(reader.read(chunk.place)?, cut.range)?);
        }
        if let Some(open) = open {
            out.extend(trim(open, cut.range)?);
        }
        Ok(out)
    }
}

/// A chunk without the samples outside `range`; `None` where nothing is left.
fn trim(chunk: Chunk, range: TimeRange) -> Result<Option<Chunk>, ChunkError> {
    if range.contains(chunk.min_time) && range.contains(chunk.max_time) {
        return Ok(Some(chunk));
    }
    let mut samples = Samples::default();
    chunk.decode(range, &mut samples)?;
    Ok(encode(&samples))
}

/// One chunk of samples, which are at most a chunk's worth already.
fn encode(samples: &Samples) -> Option<Chunk> {
    let mut writer = xor::Writer::default();
    for (time, value) in samples.times.iter().zip(&samples.values) {
        writer.push(*time, *value);
    }
    writer.finish()
}

//! What the head hands over to a block.

use model::{TimeRange, Timestamp};
use storage::chunk::{Chunk, ChunkError, Encoding, Recoder, SAMPLES_PER_CHUNK, Value};

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
    pub(super) reference: u64,
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
            if self.pages.with(slot, |state| state.touches(range)) != Some(true) {
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

    /// The chunks of a series of the cut; those that reach over the range's ends are written anew without what is outside, and
    /// all are if there are late samples between them.
    pub(crate) fn cut_chunks(&self, cut: &HeadCut, series: &CutSeries) -> Result<Vec<Chunk>, CutError> {
        let found = self.pages.with(series.slot, |state| {
            if state.reference != series.reference {
                return CutState::default();
            }
            CutState {
                full: state.full_chunks(cut.range).collect(),
                open: state.open_chunk(cut.range).map(|open| open.to_chunk()),
                late_full: state.late().map_or(&[][..], |late| late.full()).to_vec(),
                late_open: state.late().map_or(Vec::new(), |late| late.open_chunks(cut.range)),
            }
        });
        let CutState { full, open, late_full, late_open } = found.unwrap_or_default();
        let reader = self.chunks.reader();
        let read = |chunks: Vec<FullChunk>| -> Result<Vec<Chunk>, CutError> {
            let touching = chunks.iter().filter(|chunk| chunk.range().overlaps(cut.range));
            touching.map(|chunk| Ok(reader.read(chunk.place)?)).collect()
        };
        let mut chunks = read(full)?;
        chunks.extend(open);
        let mut late = read(late_full)?;
        late.extend(late_open);
        if !late.is_empty() {
            chunks.extend(late);
            return Ok(merged(&chunks, cut.range)?);
        }
        let mut out = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            out.extend(trim(chunk, cut.range)?);
        }
        Ok(joined(out)?)
    }
}

/// What a series has in a range.
#[derive(Default)]
struct CutState {
    full: Vec<FullChunk>,
    open: Option<Chunk>,
    late_full: Vec<FullChunk>,
    late_open: Vec<Chunk>,
}

/// One row of chunks of the samples in `range`; of several at one time that of the first chunk counts.
fn merged(chunks: &[Chunk], range: TimeRange) -> Result<Vec<Chunk>, ChunkError> {
    let mut samples: Vec<(i64, Value)> = Vec::new();
    for chunk in chunks {
        let mut values = chunk.values();
        while let Some((time, value)) = values.next()? {
            if range.contains(Timestamp::from_ms(time)) {
                samples.push((time, value));
            }
        }
    }
    samples.sort_by_key(|(time, _)| *time); // stable
    samples.dedup_by_key(|(time, _)| *time);
    let mut recoder = Recoder::default();
    samples.into_iter().for_each(|(time, value)| recoder.push(time, value));
    Ok(recoder.finish())
}

/// A chunk without the samples outside `range`; nothing where nothing is left.
fn trim(chunk: Chunk, range: TimeRange) -> Result<Vec<Chunk>, ChunkError> {
    if range.contains(chunk.min_time) && range.contains(chunk.max_time) {
        return Ok(vec![chunk]);
    }
    let mut recoder = Recoder::default();
    recode(&chunk, range, &mut recoder)?;
    Ok(recoder.finish())
}

fn recode(chunk: &Chunk, range: TimeRange, into: &mut Recoder) -> Result<(), ChunkError> {
    let mut values = chunk.values();
    while let Some((time, value)) = values.next()? {
        if range.contains(Timestamp::from_ms(time)) {
            into.push(time, value);
        }
    }
    Ok(())
}

/// Joins neighbours of floats that fit into one chunk: a restart, or the end of an earlier cut, leaves small ones. What was
/// cut in the course of things does not fit and stays as it is, byte for byte.
fn joined(chunks: Vec<Chunk>) -> Result<Vec<Chunk>, ChunkError> {
    let fits = |pair: &[Chunk]| {
        pair.iter().all(|chunk| chunk.encoding == Encoding::Xor)
            && pair.iter().map(Chunk::sample_count).sum::<usize>() <= SAMPLES_PER_CHUNK
    };
    if !chunks.windows(2).any(fits) {
        return Ok(chunks);
    }
    let mut out: Vec<Chunk> = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        let Some(last) = out.pop_if(|last| fits(&[last.clone(), chunk.clone()])) else {
            out.push(chunk);
            continue;
        };
        let mut recoder = Recoder::default();
        recode(&last, TimeRange::ALL, &mut recoder)?;
        recode(&chunk, TimeRange::ALL, &mut recoder)?;
        out.extend(recoder.finish());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use storage::chunk::xor;

    use super::*;

    #[test]
    fn small_neighbours_are_joined_and_others_left_alone() {
        let check = |counts: &[i64], want: &[usize]| {
            let mut time = 0;
            let chunks: Vec<Chunk> = counts
                .iter()
                .map(|count| {
                    let mut writer = xor::Writer::default();
                    (0..*count).for_each(|_| {
                        time += 15;
                        writer.push(time, time as f64);
                    });
                    writer.finish().expect("samples")
                })
                .collect();
            let before = chunks.clone();
            let got = joined(chunks).expect("valid");
            assert_eq!(got.iter().map(Chunk::sample_count).collect::<Vec<_>>(), want, "{counts:?}");
            let times = |chunks: &[Chunk]| {
                let mut all = Vec::new();
                for chunk in chunks {
                    let mut values = chunk.values();
                    while let Some((time, _)) = values.next().expect("valid") {
                        all.push(time);
                    }
                }
                all
            };
            assert_eq!(times(&got), times(&before));
        };
        check(&[1], &[1]);
        check(&[120, 120, 1], &[120, 120, 1]);
        check(&[120, 37, 83, 120], &[120, 120, 120]);
        check(&[10, 10, 10, 100], &[30, 100]);
        check(&[1, 119, 1, 118, 1], &[120, 120]);
    }
}

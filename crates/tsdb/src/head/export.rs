//! What the head hands over to a block.

use std::cmp::Ordering;

use model::{TimeRange, Timestamp};
use storage::chunk::{Chunk, ChunkError, Encoding, Recoder, SAMPLES_PER_CHUNK, TimedValue};

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
    /// Their labels as numbers of these symbols, sorted.
    labels: Vec<Pair>,
    /// Sorted by labels.
    pub(crate) series: Vec<CutSeries>,
    /// The labels of each series as numbers of `labels`, one series after the other.
    rows: Vec<u32>,
    range: TimeRange,
}

/// A series to be cut.
pub(crate) struct CutSeries {
    pub(super) reference: u64,
    slot: u32,
    /// Where its row begins.
    row: u32,
    row_len: u32,
}

impl CutSeries {
    fn row<'a>(&self, rows: &'a [u32]) -> &'a [u32] {
        &rows[self.row as usize..][..self.row_len as usize]
    }
}

impl HeadCut {
    /// The labels of a series as numbers of symbols, sorted by name.
    pub(crate) fn labels<'a>(&'a self, series: &CutSeries) -> impl Iterator<Item = Pair> + use<'a> {
        series.row(&self.rows).iter().map(|label| self.labels[*label as usize])
    }
}

/// The numbers that are `used`, in the order that `compare` gives them, and where each is in it.
fn ranked(used: &[bool], compare: impl Fn(u32, u32) -> Ordering) -> (Vec<u32>, Vec<u32>) {
    let mut order: Vec<u32> = (0..used.len() as u32).filter(|number| used[*number as usize]).collect();
    order.sort_unstable_by(|a, b| compare(*a, *b));
    let mut ranks = vec![0; used.len()];
    for (rank, number) in order.iter().enumerate() {
        ranks[*number as usize] = rank as u32;
    }
    (order, ranks)
}

impl Head {
    /// The series with samples in `range`. Costs a number per label and series, not the labels' text.
    pub(crate) fn cut(&self, range: TimeRange) -> HeadCut {
        let index = self.index.read();
        let (mut series, mut rows) = (Vec::with_capacity(index.len()), Vec::new());
        let mut used = vec![false; index.label_count()];
        for Place { slot, reference } in index.places() {
            if self.pages.with(slot, |state| state.touches(range)) != Some(true) {
                continue;
            }
            let labels = index.numbers(slot);
            labels.iter().for_each(|label| used[*label as usize] = true);
            if rows.is_empty() {
                rows.reserve_exact(labels.len() * index.len()); // most have as many
            }
            series.push(CutSeries { reference, slot, row: rows.len() as u32, row_len: labels.len() as u32 });
            rows.extend_from_slice(labels);
        }
        let mut used_symbols = vec![false; index.symbols().len()];
        for (label, _) in used.iter().enumerate().filter(|(_, used)| **used) {
            let (name, value) = index.label(label as u32);
            used_symbols[name as usize] = true;
            used_symbols[value as usize] = true;
        }
        let text = |symbol: u32| index.symbols().get(symbol);
        let (order, ranks) = ranked(&used_symbols, |a, b| text(a).cmp(text(b)));
        let symbols = order.iter().map(|symbol| text(*symbol).to_owned()).collect();
        let in_ranks = |label: u32| {
            let (name, value) = index.label(label);
            (ranks[name as usize], ranks[value as usize])
        };
        let (order, label_ranks) = ranked(&used, |a, b| in_ranks(a).cmp(&in_ranks(b)));
        let labels = order.into_iter().map(in_ranks).collect();
        drop(index);
        // Ranks order as their texts do, so sorting by them is sorting by labels.
        rows.iter_mut().for_each(|label| *label = label_ranks[*label as usize]);
        series.sort_unstable_by(|a, b| a.row(&rows).cmp(b.row(&rows)));
        HeadCut { symbols, labels, series, rows, range }
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
        let reader = self.chunks.copier();
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
    let mut samples: Vec<TimedValue> = Vec::new();
    for chunk in chunks {
        let mut values = chunk.values();
        while let Some(sample) = values.next_timed()? {
            if range.contains(Timestamp::from_ms(sample.time)) {
                samples.push(sample);
            }
        }
    }
    samples.sort_by_key(|sample| sample.time); // stable
    samples.dedup_by_key(|sample| sample.time);
    let mut recoder = Recoder::default();
    samples.into_iter().for_each(|sample| recoder.push_timed(sample));
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
    while let Some(sample) = values.next_timed()? {
        if range.contains(Timestamp::from_ms(sample.time)) {
            into.push_timed(sample);
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

//! One block in the bucket, read lazily: the index when it is first asked, chunks by ranges when they are selected.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use model::{Matcher, TimeRange};
use object_store::ObjectStore;
use storage::{LabelRequest, SelectRequest, Series};
use tokio::sync::OnceCell;
use tsdb::{BlockMeta, Index, IndexedChunk, IndexedSeries, decode_chunk, select_index};

use crate::cache::IndexCache;
use crate::error::{BucketError, failed};
use crate::layout;
use crate::metrics::ReadMetrics;
use crate::window::file_sizes;

/// A chunk of 120 samples is shorter than this in nearly every case; one that isn't costs a second request.
const CHUNK_BYTES_GUESS: u64 = 2048;
/// One selection reads at most so many bytes of chunks from one block.
const SELECT_BYTES_MAX: u64 = 1 << 30;
/// A length may take so many bytes in front of a chunk.
const LENGTH_BYTES_MAX: usize = 5;

/// A complete block in the bucket.
pub struct BucketBlock {
    meta: Arc<BlockMeta>,
    store: Arc<dyn ObjectStore>,
    cache: IndexCache,
    metrics: ReadMetrics,
    index: OnceCell<Index>,
}

impl BucketBlock {
    pub(crate) fn new(
        meta: Arc<BlockMeta>,
        store: Arc<dyn ObjectStore>,
        cache: IndexCache,
        metrics: ReadMetrics,
    ) -> Self {
        BucketBlock { meta, store, cache, metrics, index: OnceCell::new() }
    }

    /// What the block says of itself.
    pub fn meta(&self) -> &BlockMeta {
        &self.meta
    }

    /// The size of its files as its `meta.json` lists them, 0 where it doesn't.
    pub fn byte_len(&self) -> u64 {
        file_sizes(&self.meta).values().sum()
    }

    fn broken(&self, reason: impl std::fmt::Display) -> BucketError {
        BucketError::Block { block: self.meta.ulid.to_string(), reason: reason.to_string() }
    }

    async fn index(&self) -> Result<&Index, BucketError> {
        let load = async || {
            let name = self.meta.ulid.to_string();
            let object = layout::object(&name, layout::INDEX);
            let bytes = self.cache.get(self.store.as_ref(), &name, &object).await?;
            Index::open(bytes).map_err(|e| self.broken(e))
        };
        self.index.get_or_try_init(load).await
    }

    /// The names of labels in the block.
    pub(crate) async fn label_names(&self, request: &LabelRequest) -> Result<Vec<String>, BucketError> {
        let index = self.index().await?;
        if request.matchers.is_empty() {
            return Ok(index.label_names());
        }
        let mut names = BTreeSet::new();
        for series in self.matching(index, &request.matchers, request.range)? {
            names.extend(series.labels.iter().map(|(name, _)| name.to_owned()));
        }
        Ok(names.into_iter().collect())
    }

    /// The values of a label in the block.
    pub(crate) async fn label_values(&self, name: &str, request: &LabelRequest) -> Result<Vec<String>, BucketError> {
        let index = self.index().await?;
        if request.matchers.is_empty() {
            return index.label_values(name, request.limit).map_err(|e| self.broken(e));
        }
        let mut values = BTreeSet::new();
        for series in self.matching(index, &request.matchers, request.range)? {
            values.extend(series.labels.get(name).map(str::to_owned));
        }
        Ok(values.into_iter().collect())
    }

    /// The series that match and have chunks in the range, in order of their labels.
    fn matching(
        &self,
        index: &Index,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<IndexedSeries>, BucketError> {
        let selection = select_index(index, matchers, range).map_err(|e| self.broken(e))?;
        selection.map(|found| found.map(|(_, series)| series).map_err(|e| self.broken(e))).collect()
    }

    /// The series that match, sorted by labels, with the chunks that touch the range.
    pub(crate) async fn select(&self, request: &SelectRequest) -> Result<Vec<Series>, BucketError> {
        let index = self.index().await?;
        let mut found = self.matching(index, &request.matchers, request.range)?;
        if request.hints.limit > 0 {
            found.truncate(request.hints.limit);
        }
        if request.hints.labels_only {
            return Ok(found.into_iter().map(|series| Series { labels: series.labels, chunks: Vec::new() }).collect());
        }
        let places: Vec<IndexedChunk> = found.iter().flat_map(|series| series.chunks.iter().copied()).collect();
        let mut bytes = self.chunk_bytes(&places).await?.into_iter();
        let mut out = Vec::with_capacity(found.len());
        for series in found {
            let mut chunks = Vec::with_capacity(series.chunks.len());
            for place in series.chunks {
                let framed = bytes.next().ok_or_else(|| self.broken("fewer chunks came than were asked for"))?;
                // The bytes begin at the chunk.
                let chunk = decode_chunk(&framed, &IndexedChunk { offset: 0, ..place }).map_err(|e| self.broken(e))?;
                chunks.push(chunk);
            }
            out.push(Series { labels: series.labels, chunks });
        }
        Ok(out)
    }

    /// The bytes of each chunk with its frame, in the order of `places`.
    async fn chunk_bytes(&self, places: &[IndexedChunk]) -> Result<Vec<Bytes>, BucketError> {
        if places.len() as u64 * CHUNK_BYTES_GUESS > SELECT_BYTES_MAX {
            return Err(self.broken(format_args!(
                "the selection has {} chunks, more than fit into the limit of {SELECT_BYTES_MAX} bytes per selection",
                places.len()
            )));
        }
        let mut segments: HashMap<u32, Vec<usize>> = HashMap::new();
        for (i, place) in places.iter().enumerate() {
            segments.entry(place.segment).or_default().push(i);
        }
        let sizes = file_sizes(&self.meta);
        let mut out = vec![Bytes::new(); places.len()];
        for (segment, wanted) in segments {
            let number = segment as usize + 1;
            let object = layout::segment(self.meta.ulid, number);
            let size = sizes.get(format!("chunks/{number:06}").as_str()).copied().unwrap_or(u64::MAX);
            let range = |i: &usize, len: u64| {
                let begin = u64::from(places[*i].offset);
                begin..begin.saturating_add(len).min(size).max(begin) // an index may name what is not there
            };
            let ranges: Vec<_> = wanted.iter().map(|i| range(i, CHUNK_BYTES_GUESS)).collect();
            self.read_into(&object, &wanted, &ranges, &mut out).await?;
            let long: Vec<(usize, u64)> = wanted.iter().filter_map(|i| Some((*i, missing_bytes(&out[*i])?))).collect();
            if !long.is_empty() {
                let again: Vec<usize> = long.iter().map(|(i, _)| *i).collect();
                let ranges: Vec<_> = long.iter().map(|(i, len)| range(i, *len)).collect();
                self.read_into(&object, &again, &ranges, &mut out).await?;
            }
        }
        Ok(out)
    }

    async fn read_into(
        &self,
        object: &object_store::path::Path,
        wanted: &[usize],
        ranges: &[std::ops::Range<u64>],
        out: &mut [Bytes],
    ) -> Result<(), BucketError> {
        let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        if total > SELECT_BYTES_MAX {
            return Err(self.broken(format_args!("the selection reads {total} bytes, the limit is {SELECT_BYTES_MAX}")));
        }
        let parts = self.store.get_ranges(object, ranges).await.map_err(|source| failed("get", object, source))?;
        for (i, part) in wanted.iter().zip(parts) {
            self.metrics.bytes.inc_by(part.len() as u64);
            out[*i] = part;
        }
        Ok(())
    }
}

/// How many bytes a chunk with its frame takes, where that is more than there are.
fn missing_bytes(framed: &Bytes) -> Option<u64> {
    let mut data_len = 0_u64;
    for (i, byte) in framed.iter().take(LENGTH_BYTES_MAX).enumerate() {
        data_len |= u64::from(byte & 0x7f) << (7 * i);
        if *byte < 0x80 {
            let whole = (i + 1) as u64 + 1 + data_len + 4;
            return (whole > framed.len() as u64).then_some(whole);
        }
    }
    None // no length at all: decoding says so
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example in the format's description is one that we read.
    #[test]
    fn the_documented_meta_json_is_read() {
        let document = include_str!("../../../docs/format/bucket.md");
        let json = document.split("```json\n").nth(1).and_then(|rest| rest.split("\n```").next()).expect("an example");
        let meta = BlockMeta::from_json(json.as_bytes()).expect("valid");
        assert_eq!(String::from_utf8_lossy(&meta.to_json()), json);
        let store = Arc::new(object_store::memory::InMemory::new());
        let block = BucketBlock::new(Arc::new(meta), store, IndexCache::new("unused".into()), ReadMetrics::default());
        assert!(crate::window::is_of_window(block.meta()));
        assert_eq!(crate::window::made_of(block.meta()), 143_360);
        assert_eq!(block.byte_len(), 96635);
        assert_eq!(block.meta().stats.num_series, 112);
    }

    #[test]
    fn tells_how_long_a_chunk_is() {
        let check = |bytes: &[u8], want: Option<u64>| assert_eq!(missing_bytes(&Bytes::copy_from_slice(bytes)), want);
        check(&[3, 1, 0, 0, 0, 9, 9, 9, 9], None);
        check(&[3, 1, 0, 0, 0, 9, 9, 9], Some(9));
        check(&[0x80, 0x01, 1], Some(2 + 1 + 128 + 4));
        check(&[], None);
    }
}

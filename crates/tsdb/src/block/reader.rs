//! An opened block.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use model::{Labels, Matcher, TimeRange};
use storage::chunk::{Chunk, xor};
use storage::{LabelRequest, QueryError, Samples, Series, SeriesIter};

use super::mapped::map_file;
use super::select::{IndexSelection, select_index};
use crate::binary::Corrupt;
use crate::chunks::{check_header, decode_chunk, segment_name};
use crate::index::{Index, IndexedChunk};
use crate::matching::matching_series;
use crate::meta::{BlockMeta, MetaError};
use crate::tombstones::Tombstones;

/// Why a block can't be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Corrupt { path: PathBuf, source: Corrupt },
    #[error("{path}: {source}")]
    Meta { path: PathBuf, source: MetaError },
}

/// A block on disk, mapped.
#[derive(Debug)]
pub(crate) struct Block {
    dir: PathBuf,
    meta: BlockMeta,
    index: Index,
    segments: Vec<Bytes>,
    tombstones: Tombstones,
    bytes: u64,
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, BlockError> {
    result.map_err(|source| BlockError::Io { path: path.to_owned(), source })
}

fn sound<T>(path: &Path, result: Result<T, Corrupt>) -> Result<T, BlockError> {
    result.map_err(|source| BlockError::Corrupt { path: path.to_owned(), source })
}

impl Block {
    /// Opens the block in `dir`.
    pub(crate) fn open(dir: &Path) -> Result<Self, BlockError> {
        let meta_path = dir.join("meta.json");
        let meta = BlockMeta::from_json(&at(&meta_path, fs::read(&meta_path))?)
            .map_err(|source| BlockError::Meta { path: meta_path, source })?;
        let index_path = dir.join("index");
        let index_file = at(&index_path, map_file(&index_path))?;
        let mut bytes = index_file.len() as u64;
        let index = sound(&index_path, Index::open(index_file))?;
        let mut segments = Vec::new();
        for number in 1.. {
            let path = dir.join("chunks").join(segment_name(number));
            if !path.exists() {
                break;
            }
            let segment = at(&path, map_file(&path))?;
            sound(&path, check_header(&segment))?;
            bytes += segment.len() as u64;
            segments.push(segment);
        }
        let path = dir.join("tombstones");
        let tombstones = match fs::read(&path) {
            Ok(file) => sound(&path, Tombstones::decode(&file))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Tombstones::default(),
            Err(source) => return Err(BlockError::Io { path, source }),
        };
        Ok(Block { dir: dir.to_owned(), meta, index, segments, tombstones, bytes })
    }

    pub(crate) fn meta(&self) -> &BlockMeta {
        &self.meta
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The bytes of index and chunks.
    pub(crate) fn byte_len(&self) -> u64 {
        self.bytes
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> QueryError {
        QueryError::data(format!("block {}: {error}", self.meta.ulid))
    }

    /// The series that match, decoded as the answer is walked.
    pub(crate) fn select(
        self: &Arc<Self>,
        matchers: &[Matcher],
        range: TimeRange,
        labels_only: bool,
    ) -> Result<SeriesIter, QueryError> {
        let selection = select_index(&self.index, matchers, range).map_err(|error| self.failed(&error))?;
        Ok(Box::new(BlockSeries { block: Arc::clone(self), selection, labels_only }))
    }

    /// Its index.
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// A chunk that the index names.
    pub(crate) fn chunk(&self, place: &IndexedChunk) -> Result<Chunk, QueryError> {
        let error = || self.failed(&format!("the index names chunk file {}, which is not there", place.segment + 1));
        let segment = self.segments.get(place.segment as usize).ok_or_else(error)?;
        let bytes = segment.slice(segment.len().min(place.offset as usize)..);
        decode_chunk(&bytes, place).map_err(|error| self.failed(&error))
    }

    /// The names of labels, sorted, each once.
    pub(crate) fn label_names(&self, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        if request.matchers.is_empty() {
            return Ok(self.index.label_names());
        }
        let mut names: Vec<String> = Vec::new();
        for labels in self.matching_labels(&request.matchers)? {
            for (name, _) in &labels {
                if let Err(at) = names.binary_search_by(|n| n.as_str().cmp(name)) {
                    names.insert(at, name.to_owned());
                }
            }
        }
        Ok(names)
    }

    /// The values of a label, each once where no matchers are given.
    pub(crate) fn label_values(&self, name: &str, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        if request.matchers.is_empty() {
            return self.index.label_values(name, 0).map_err(|error| self.failed(&error));
        }
        let labels = self.matching_labels(&request.matchers)?;
        Ok(labels.iter().filter_map(|labels| labels.get(name)).map(str::to_owned).collect())
    }

    fn matching_labels(&self, matchers: &[Matcher]) -> Result<Vec<Labels>, QueryError> {
        let numbers = matching_series(&self.index, matchers).map_err(|error| self.failed(&error))?;
        let labels = numbers.into_iter().map(|number| self.index.series_labels(number));
        labels.collect::<Result<_, _>>().map_err(|error| self.failed(&error))
    }
}

struct BlockSeries {
    block: Arc<Block>,
    selection: IndexSelection,
    labels_only: bool,
}

impl Iterator for BlockSeries {
    type Item = Result<Series, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, series) = match self.selection.next()? {
                Ok(found) => found,
                Err(error) => return Some(Err(self.block.failed(&error))),
            };
            if self.labels_only {
                return Some(Ok(Series { labels: series.labels, chunks: Vec::new() }));
            }
            let chunks: Result<Vec<Chunk>, QueryError> =
                series.chunks.iter().map(|place| self.block.chunk(place)).collect();
            match chunks.and_then(|chunks| without_deleted(chunks, self.block.tombstones.of(number))) {
                Ok(chunks) if chunks.is_empty() => {} // all of it is deleted
                Ok(chunks) => return Some(Ok(Series { labels: series.labels, chunks })),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Chunks without the samples of deleted intervals; what is touched is encoded anew.
fn without_deleted(chunks: Vec<Chunk>, deleted: &[TimeRange]) -> Result<Vec<Chunk>, QueryError> {
    if deleted.is_empty() {
        return Ok(chunks);
    }
    let mut out = Vec::with_capacity(chunks.len());
    let mut samples = Samples::default();
    for chunk in chunks {
        let range = TimeRange::new(chunk.min_time, chunk.max_time);
        if !deleted.iter().any(|deleted| deleted.overlaps(range)) {
            out.push(chunk);
            continue;
        }
        samples.clear();
        chunk.decode(TimeRange::ALL, &mut samples)?;
        let mut writer = xor::Writer::default();
        for sample in samples.iter().filter(|sample| !deleted.iter().any(|deleted| deleted.contains(sample.time))) {
            writer.push(sample.time.as_ms(), sample.value);
        }
        out.extend(writer.finish());
    }
    Ok(out)
}

//! An opened block.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use model::{Matcher, TimeRange};
use storage::chunk::Chunk;
use storage::{LabelRequest, QueryError, Series, SeriesIter};

use super::mapped::map_file;
use super::select::{IndexSelection, select_index};
use crate::binary::Corrupt;
use crate::chunks::{check_header, decode_chunk, segment_name};
use crate::index::{Index, IndexedChunk};
use crate::matching::matching_series;
use crate::meta::{BlockMeta, MetaError};
use crate::tombstones::{Tombstones, is_deleted, without_deleted};

/// Thanos's file that tells compaction to leave the block alone.
pub(super) const NO_COMPACT_MARK: &str = "no-compact-mark.json";

/// Why a block can't be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Corrupt { path: PathBuf, source: Corrupt },
    #[error("{path}: {source}")]
    Meta { path: PathBuf, source: MetaError },
    #[error("{path}: {reason}")]
    Incomplete { path: PathBuf, reason: String },
}

/// A block on disk, mapped. Cloning is cheap: the clone reads the same mappings.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(super) dir: PathBuf,
    pub(super) meta: BlockMeta,
    pub(super) index: Index,
    segments: Vec<Bytes>,
    pub(super) tombstones: Arc<Tombstones>,
    /// The bytes of index and chunks.
    bytes: u64,
    /// Compaction has failed on it before, or somebody wants it to stay as it is.
    pub(super) no_compact: bool,
}

pub(super) fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, BlockError> {
    result.map_err(|source| BlockError::Io { path: path.to_owned(), source })
}

pub(super) fn sound<T>(path: &Path, result: Result<T, Corrupt>) -> Result<T, BlockError> {
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
        let no_compact = meta.compaction.failed || dir.join(NO_COMPACT_MARK).exists();
        let (dir, tombstones) = (dir.to_owned(), Arc::new(tombstones));
        Ok(Block { dir, meta, index, segments, tombstones, bytes, no_compact })
    }

    pub(crate) fn meta(&self) -> &BlockMeta {
        &self.meta
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The bytes of all its files.
    pub(crate) fn byte_len(&self) -> u64 {
        let size = |name: &str| fs::metadata(self.dir.join(name)).map_or(0, |metadata| metadata.len());
        self.bytes + size("meta.json") + size("tombstones")
    }

    /// Whether compaction leaves it alone.
    pub(crate) fn no_compact(&self) -> bool {
        self.no_compact
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// What was deleted of it since it was written.
    pub(crate) fn tombstones(&self) -> &Tombstones {
        &self.tombstones
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

    /// Reads one chunk, its checksum verified.
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
        let names = self.matching(&request.matchers).and_then(|series| self.index.label_names_of(&series));
        names.map_err(|error| self.failed(&error))
    }

    /// The values of a label, sorted, each once.
    pub(crate) fn label_values(&self, name: &str, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        if request.matchers.is_empty() {
            return self.index.label_values(name, 0).map_err(|error| self.failed(&error));
        }
        let values = self.matching(&request.matchers).and_then(|series| self.index.label_values_of(name, &series));
        values.map_err(|error| self.failed(&error))
    }

    fn matching(&self, matchers: &[Matcher]) -> Result<Vec<u32>, Corrupt> {
        matching_series(&self.index, matchers)
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
            let deleted = self.block.tombstones.of(number);
            if self.labels_only {
                let gone = |place: &IndexedChunk| is_deleted(TimeRange::new(place.min_time, place.max_time), deleted);
                if series.chunks.iter().all(gone) {
                    continue;
                }
                return Some(Ok(Series { labels: series.labels, chunks: Vec::new() }));
            }
            let chunks: Result<Vec<Chunk>, QueryError> =
                series.chunks.iter().map(|place| self.block.chunk(place)).collect();
            match chunks.and_then(|chunks| Ok(without_deleted(chunks, deleted)?)) {
                Ok(chunks) if chunks.is_empty() => {} // all of it is deleted
                Ok(chunks) => return Some(Ok(Series { labels: series.labels, chunks })),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

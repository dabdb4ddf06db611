//! Putting a block into the bucket.
//!
//! Ordering: chunk segments, index, and `meta.json` last, each created only if absent. Cancellation and crash: what was
//! uploaded stays without `meta.json`, so no reader sees a block there, and the next attempt finds the objects and goes
//! on. Several nodes may upload the same block at the same time: its name comes from its content. What is about uploads and deletions at the
//! same time is said in `deletion`.

use std::path::{Path as FilePath, PathBuf};

use bytes::Bytes;
use model::Labels;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, WriteMultipart};
use serde_json::json;
use tokio::fs;
use tokio::io::AsyncReadExt;
use tsdb::BlockMeta;

use crate::deletion::objects_of;
use crate::error::{BucketError, failed};
use crate::layout;
use crate::metrics::UploadMetrics;
use crate::window::{file_sizes, thanos_section};

/// Files up to this size are put in one request, create-if-absent; larger ones in parts of this size.
const PART_BYTES: u64 = 64 << 20;
const PARTS_AT_ONCE: usize = 2;

/// Puts blocks of windows into a bucket.
pub(crate) struct Upload<'a> {
    pub(crate) store: &'a dyn ObjectStore,
    /// The blocks' external labels.
    pub(crate) labels: &'a Labels,
    pub(crate) metrics: &'a UploadMetrics,
}

impl Upload<'_> {
    /// The block's description in the bucket, from its files in `directory`.
    pub(crate) async fn describe(
        &self,
        block: &BlockMeta,
        made_of: u64,
        directory: &FilePath,
    ) -> Result<BlockMeta, BucketError> {
        let mut files = Vec::new();
        for (i, segment) in chunk_segments(directory).await?.iter().enumerate() {
            files.push(json!({ "rel_path": format!("chunks/{:06}", i + 1), "size_bytes": size(segment).await? }));
        }
        let index = size(&directory.join(layout::INDEX)).await?;
        files.push(json!({ "rel_path": layout::INDEX, "size_bytes": index }));
        files.push(json!({ "rel_path": layout::META }));
        let section = thanos_section(self.labels, block.range(), made_of, &files);
        Ok(BlockMeta { thanos: Some(section), ..block.clone() })
    }

    /// Puts the block whose files lie in `directory`; tells whether it wasn't there yet.
    pub(crate) async fn put(&self, block: &BlockMeta, directory: &FilePath) -> Result<bool, BucketError> {
        let meta_path = layout::object(block.ulid, layout::META);
        match self.store.head(&meta_path).await {
            Ok(_) => return Ok(false), // the peer was faster
            Err(StoreError::NotFound { .. }) => {}
            Err(source) => return Err(failed("look for", &meta_path, source)),
        }
        let mut is_begun = false;
        for (i, segment) in chunk_segments(directory).await?.iter().enumerate() {
            is_begun |= self.put_file(segment, &layout::segment(block.ulid, i + 1)).await?;
        }
        let (index, index_path) = (directory.join(layout::INDEX), layout::object(block.ulid, layout::INDEX));
        is_begun |= self.put_file(&index, &index_path).await?;
        if !is_begun {
            // All of it lay there, from an upload that broke off: now it is seen that somebody is at it.
            self.put_parts(&index, &index_path).await?;
        }
        self.look_again(block).await?;
        self.put_whole(&meta_path, block.to_json().into()).await?;
        self.metrics.uploads.inc();
        Ok(true)
    }

    /// Whether all objects are there and nobody is deleting them.
    async fn look_again(&self, block: &BlockMeta) -> Result<(), BucketError> {
        let objects = objects_of(self.store, block.ulid).await?;
        let is_marked = objects.iter().any(|object| object.location.filename() == Some(layout::DELETION_MARK));
        let is_there = |(name, size): (&str, u64)| {
            let path = layout::object(block.ulid, name);
            objects.iter().any(|object| object.location == path && object.size == size)
        };
        match !is_marked && file_sizes(block).into_iter().all(is_there) {
            true => Ok(()),
            false => Err(BucketError::BeingDeleted { block: block.ulid.to_string() }),
        }
    }

    /// Puts a file; tells whether that wrote something.
    async fn put_file(&self, file: &FilePath, path: &Path) -> Result<bool, BucketError> {
        let error = |source| BucketError::File { path: file.to_owned(), source };
        let size = size(file).await?;
        let is_new = if size <= PART_BYTES {
            self.put_whole(path, fs::read(file).await.map_err(error)?.into()).await?
        } else {
            self.put_parts(file, path).await?;
            true
        };
        self.metrics.bytes.inc_by(size);
        Ok(is_new)
    }

    /// Creates an object; one that exists already must be of the same size. Tells whether it didn't.
    async fn put_whole(&self, path: &Path, bytes: Bytes) -> Result<bool, BucketError> {
        let ours = bytes.len() as u64;
        match self.store.put_opts(path, bytes.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                let theirs = self.store.head(path).await.map_err(|source| failed("look for", path, source))?.size;
                // meta.json tells who wrote it, so it may differ where the block is the same.
                let same = theirs == ours || path.filename() == Some(layout::META);
                if same { Ok(false) } else { Err(BucketError::Conflict { path: path.to_string(), ours, theirs }) }
            }
            Err(source) => Err(failed("put", path, source)),
        }
    }

    /// Puts a file in parts, whether it is there or not. No store has create-if-absent for these; writing the same bytes again does no harm.
    async fn put_parts(&self, file: &FilePath, path: &Path) -> Result<(), BucketError> {
        let file_error = |source| BucketError::File { path: file.to_owned(), source };
        let put_error = |source| failed("put", path, source);
        let mut reader = fs::File::open(file).await.map_err(file_error)?.take(u64::MAX);
        let upload = self.store.put_multipart(path).await.map_err(put_error)?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES as usize);
        loop {
            let mut part = Vec::new();
            reader.set_limit(PART_BYTES);
            if reader.read_to_end(&mut part).await.map_err(file_error)? == 0 {
                break;
            }
            writer.wait_for_capacity(PARTS_AT_ONCE).await.map_err(put_error)?;
            writer.put(part.into());
        }
        writer.finish().await.map_err(put_error)?;
        Ok(())
    }
}

async fn size(file: &FilePath) -> Result<u64, BucketError> {
    let error = |source| BucketError::File { path: file.to_owned(), source };
    Ok(fs::metadata(file).await.map_err(error)?.len())
}

/// The chunk files of a block in their order.
async fn chunk_segments(directory: &FilePath) -> Result<Vec<PathBuf>, BucketError> {
    let chunks = directory.join("chunks");
    let error = |source| BucketError::File { path: chunks.clone(), source };
    let mut entries = fs::read_dir(&chunks).await.map_err(error)?;
    let mut segments = Vec::new();
    while let Some(entry) = entries.next_entry().await.map_err(error)? {
        segments.push(entry.path());
    }
    segments.sort();
    Ok(segments)
}

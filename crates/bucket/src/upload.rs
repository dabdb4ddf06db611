//! Uploading finished blocks.
//!
//! Ordering: chunk segments, index, and `meta.json` last, each created only if absent. Cancellation and crash: what was
//! uploaded stays without `meta.json`, so no reader sees a block there, and the next attempt finds the objects and goes
//! on. Several nodes may upload the same block at the same time: its name comes from its content.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use model::{Clock, Labels, Timestamp};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, WriteMultipart};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::fs;
use tokio::io::AsyncReadExt;
use tsdb::{BlockId, BlockMeta};

use crate::error::BucketError;
use crate::layout;
use crate::metrics::UploadMetrics;
use crate::shipped::Shipped;

/// Files up to this size are put in one request, create-if-absent; larger ones in parts of this size.
const PART_BYTES: u64 = 64 << 20;
const PARTS_AT_ONCE: usize = 2;

/// Uploads the blocks of one data directory.
pub struct Uploader {
    store: Arc<dyn ObjectStore>,
    data_dir: PathBuf,
    labels: Labels,
    clock: Arc<dyn Clock>,
    shipped: Mutex<Shipped>,
    status: Mutex<UploaderStatus>,
    metrics: UploadMetrics,
}

/// How uploading went so far.
#[derive(Debug, Clone, Default)]
pub struct UploaderStatus {
    /// When a block was last uploaded by this process.
    pub last_upload: Option<Timestamp>,
    /// Why the last attempt failed; `None` if it didn't.
    pub last_error: Option<String>,
}

impl Uploader {
    /// An uploader for the blocks below `data_dir`, which will carry `labels` as their external labels.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        data_dir: impl Into<PathBuf>,
        labels: Labels,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> Self {
        let data_dir = data_dir.into();
        let shipped = Mutex::new(Shipped::load(&data_dir));
        let metrics = UploadMetrics::new(registry);
        Uploader { store, data_dir, labels, clock, shipped, status: Mutex::default(), metrics }
    }

    /// How uploading went so far.
    pub fn status(&self) -> UploaderStatus {
        self.status.lock().clone()
    }

    /// Whether a block is known to be in the bucket, so that its local copy may go.
    pub fn is_uploaded(&self, block: BlockId) -> bool {
        self.shipped.lock().contains(&block.to_string())
    }

    /// Uploads those of `blocks` that are not in the bucket yet, oldest first, and tells how many are there now that weren't known to be. A block that
    /// fails doesn't keep the others back; the first failure is returned after all have been tried.
    pub async fn sync(&self, blocks: &[BlockMeta]) -> Result<usize, BucketError> {
        let local: BTreeSet<String> = blocks.iter().map(|block| block.ulid.to_string()).collect();
        let mut missing: Vec<&BlockMeta> = blocks.iter().filter(|block| !self.is_uploaded(block.ulid)).collect();
        missing.sort_by_key(|block| block.min_time);
        let (mut uploaded, mut failure) = (0, None);
        for block in missing {
            let result = self.upload(block).await;
            let result = result.and_then(|()| self.shipped.lock().add(&block.ulid.to_string(), &local));
            match result {
                Ok(()) => uploaded += 1,
                Err(error) => {
                    self.metrics.failures.inc();
                    failure.get_or_insert(error);
                }
            }
        }
        self.status.lock().last_error = failure.as_ref().map(BucketError::chain);
        failure.map_or(Ok(uploaded), Err)
    }

    async fn upload(&self, block: &BlockMeta) -> Result<(), BucketError> {
        let directory = self.data_dir.join(block.ulid.to_string());
        let meta_path = layout::object(block.ulid, layout::META);
        match self.store.head(&meta_path).await {
            Ok(_) => return Ok(()), // the peer was faster
            Err(StoreError::NotFound { .. }) => {}
            Err(source) => return Err(failed("look for", &meta_path, source)),
        }
        let segments = chunk_segments(&directory).await?;
        let mut files = Vec::new();
        for (i, segment) in segments.iter().enumerate() {
            let bytes = self.put_file(segment, &layout::segment(block.ulid, i + 1)).await?;
            files.push(json!({ "rel_path": format!("chunks/{:06}", i + 1), "size_bytes": bytes }));
        }
        let bytes = self.put_file(&directory.join(layout::INDEX), &layout::object(block.ulid, layout::INDEX)).await?;
        files.push(json!({ "rel_path": layout::INDEX, "size_bytes": bytes }));
        files.push(json!({ "rel_path": layout::META }));
        let meta = BlockMeta { thanos: Some(self.thanos_section(&files)), ..block.clone() };
        self.put_whole(&meta_path, meta.to_json().into()).await?;
        self.metrics.uploads.inc();
        self.status.lock().last_upload = Some(self.clock.now());
        tracing::info!(block = %block.ulid, samples = block.stats.num_samples, "block uploaded");
        Ok(())
    }

    fn thanos_section(&self, files: &[Value]) -> Value {
        let labels: BTreeMap<&str, &str> = self.labels.iter().collect();
        json!({
            "version": 1,
            "labels": labels,
            "downsample": { "resolution": 0 },
            "source": "watershed",
            "files": files,
        })
    }

    /// Puts a file and tells its size.
    async fn put_file(&self, file: &FilePath, path: &Path) -> Result<u64, BucketError> {
        let error = |source| BucketError::File { path: file.to_owned(), source };
        let size = fs::metadata(file).await.map_err(error)?.len();
        if size <= PART_BYTES {
            self.put_whole(path, fs::read(file).await.map_err(error)?.into()).await?;
        } else {
            self.put_parts(file, path).await?;
        }
        self.metrics.bytes.inc_by(size);
        Ok(size)
    }

    /// Creates an object; one that exists already must be of the same size.
    async fn put_whole(&self, path: &Path, bytes: Bytes) -> Result<(), BucketError> {
        let ours = bytes.len() as u64;
        match self.store.put_opts(path, bytes.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(()),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                let theirs = self.store.head(path).await.map_err(|source| failed("look for", path, source))?.size;
                // meta.json tells who wrote it, so it may differ where the block is the same.
                let same = theirs == ours || path.filename() == Some(layout::META);
                if same { Ok(()) } else { Err(BucketError::Conflict { path: path.to_string(), ours, theirs }) }
            }
            Err(source) => Err(failed("put", path, source)),
        }
    }

    /// Puts a large file in parts. No store has create-if-absent for these; writing the same bytes again does no harm.
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

pub(crate) fn failed(operation: &'static str, path: &Path, source: StoreError) -> BucketError {
    BucketError::Store { operation, path: path.to_string(), source }
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

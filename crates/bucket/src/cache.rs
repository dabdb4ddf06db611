//! Indexes of bucket blocks on local disk, so that a block's index is fetched once and mapped from then on.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::PathBuf;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::fs;
use tokio::io::AsyncWriteExt;

use crate::error::{BucketError, failed};

/// A folder with one file per block.
#[derive(Debug, Clone)]
pub(crate) struct IndexCache {
    directory: PathBuf,
}

impl IndexCache {
    pub(crate) fn new(directory: PathBuf) -> Self {
        IndexCache { directory }
    }

    /// The index of a block, from the folder or else from the bucket. The file appears under its name only when it is
    /// complete.
    pub(crate) async fn get(&self, store: &dyn ObjectStore, block: &str, object: &Path) -> Result<Bytes, BucketError> {
        let path = self.directory.join(format!("{block}.index"));
        let error = |source| BucketError::File { path: path.clone(), source };
        if !fs::try_exists(&path).await.map_err(error)? {
            fs::create_dir_all(&self.directory).await.map_err(error)?;
            let temporary = path.with_extension("tmp");
            let mut file = fs::File::create(&temporary).await.map_err(error)?;
            let answer = store.get(object).await.map_err(|source| failed("get", object, source))?;
            let mut parts = answer.into_stream();
            while let Some(part) = parts.try_next().await.map_err(|source| failed("get", object, source))? {
                file.write_all(&part).await.map_err(error)?;
            }
            file.flush().await.map_err(error)?;
            // A power cut must not leave a name without its content: nobody would fetch it again.
            file.sync_all().await.map_err(error)?;
            fs::rename(&temporary, &path).await.map_err(error)?;
        }
        tsdb::map_file(&path).map_err(error)
    }

    /// Deletes what belongs to no block of the bucket any more.
    pub(crate) async fn retain(&self, blocks: &BTreeSet<String>) -> Result<(), BucketError> {
        let error = |source| BucketError::File { path: self.directory.clone(), source };
        let mut entries = match fs::read_dir(&self.directory).await {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(error(e)),
        };
        while let Some(entry) = entries.next_entry().await.map_err(error)? {
            let path = entry.path();
            let block = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let is_own = path.extension().is_some_and(|extension| extension == "index" || extension == "tmp");
            if is_own && !blocks.contains(&block) {
                fs::remove_file(&path).await.map_err(error)?;
            }
        }
        Ok(())
    }
}

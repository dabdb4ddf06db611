//! Thanos's `deletion-mark.json`: a block that is to be deleted once nobody reads it any more.

use model::Timestamp;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode};
use serde::{Deserialize, Serialize};
use tsdb::BlockId;

use crate::error::{BucketError, failed};
use crate::layout;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Mark {
    id: String,
    version: u32,
    #[serde(default)]
    details: String,
    /// Seconds since the epoch.
    deletion_time: i64,
}

/// Marks a block, unless it is marked already; tells whether it wasn't.
pub(crate) async fn mark_for_deletion(
    store: &dyn ObjectStore,
    block: BlockId,
    details: &str,
    now: Timestamp,
) -> Result<bool, BucketError> {
    let deletion_time = now.as_ms().div_euclid(1000);
    let mark = Mark { id: block.to_string(), version: VERSION, details: details.to_owned(), deletion_time };
    let json = serde_json::to_vec_pretty(&mark).expect("plain data has a JSON form");
    let path = layout::object(block, layout::DELETION_MARK);
    match store.put_opts(&path, json.into(), PutMode::Create.into()).await {
        Ok(_) => Ok(true),
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(false),
        Err(source) => Err(failed("put", &path, source)),
    }
}

/// When a block was marked; `None` where it isn't, or where the mark can't be read, which is told.
pub(crate) async fn read_mark(store: &dyn ObjectStore, block: BlockId) -> Result<Option<Timestamp>, BucketError> {
    let path = layout::object(block, layout::DELETION_MARK);
    let answer = match store.get(&path).await {
        Ok(answer) => answer.bytes().await,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(source) => Err(source),
    };
    let bytes = answer.map_err(|source| failed("get", &path, source))?;
    match serde_json::from_slice::<Mark>(&bytes) {
        Ok(mark) if mark.version == VERSION => Ok(Some(Timestamp::from_ms(mark.deletion_time.saturating_mul(1000)))),
        Ok(mark) => {
            tracing::warn!(%block, version = mark.version, "the deletion mark of a block in the bucket is of another version, it is left alone");
            Ok(None)
        }
        Err(error) => {
            tracing::warn!(%block, %error, "the deletion mark of a block in the bucket can't be read, it is left alone");
            Ok(None)
        }
    }
}

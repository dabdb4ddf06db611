//! Thanos's `deletion-mark.json`: a block that is to be deleted once nobody reads it any more.

use model::Timestamp;
use object_store::{Error as StoreError, ObjectStore, PutMode};
use serde::Serialize;
use tsdb::BlockId;

use crate::error::{BucketError, failed};
use crate::layout;

const VERSION: u32 = 1;

#[derive(Serialize)]
struct Mark<'a> {
    id: String,
    version: u32,
    details: &'a str,
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
    let mark = Mark { id: block.to_string(), version: VERSION, details, deletion_time };
    let json = serde_json::to_vec_pretty(&mark).expect("plain data has a JSON form");
    let path = layout::object(block, layout::DELETION_MARK);
    match store.put_opts(&path, json.into(), PutMode::Create.into()).await {
        Ok(_) => Ok(true),
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(false),
        Err(source) => Err(failed("put", &path, source)),
    }
}

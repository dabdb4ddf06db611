//! Taking a block out of the bucket.
//!
//! Ordering, Thanos's: `meta.json` first, so that nobody takes half a block for one; then everything else; the deletion mark last, so that
//! whoever finds half a block knows what is going on. Crash and cancellation: the mark is still there, and whoever looks next goes on.
//! Several nodes may delete the same block at once: each looks before every object whether the mark is still there, because behind it the
//! block may be uploaded again.
//!
//! Who uploads and who deletes can't be kept apart by the store. Both say first what they are about, and look then: an upload has put at least
//! one object when it looks for the mark, which is before `meta.json`; a deletion of what an upload left has put the mark when it looks how
//! old the objects are. So at least one of two sees the other, and gives way.

use futures::TryStreamExt;
use model::Timestamp;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt};
use tsdb::BlockId;

use crate::error::{BucketError, failed};
use crate::layout;
use crate::mark::mark_for_deletion;

/// What an upload left is deleted when nothing of it was written for so long, as by Thanos: it might still be under way.
pub(crate) const PARTIAL_MS: i64 = 48 * 3_600_000;

/// The objects of a block, complete or not.
pub(crate) async fn objects_of(store: &dyn ObjectStore, block: BlockId) -> Result<Vec<ObjectMeta>, BucketError> {
    let folder = Path::from(block.to_string());
    let listed = store.list(Some(&folder)).try_collect().await;
    listed.map_err(|source| failed("list", &folder, source))
}

/// Deletes a block that bears a deletion mark; tells whether all of it is gone.
pub(crate) async fn delete_marked(store: &dyn ObjectStore, block: BlockId) -> Result<bool, BucketError> {
    let mark = layout::object(block, layout::DELETION_MARK);
    let meta = layout::object(block, layout::META);
    let mut objects: Vec<Path> = objects_of(store, block).await?.into_iter().map(|object| object.location).collect();
    objects.retain(|path| *path != mark && *path != meta);
    for path in std::iter::once(meta).chain(objects) {
        if !exists(store, &mark).await? {
            return Ok(false);
        }
        delete(store, &path).await?;
    }
    delete(store, &mark).await?;
    Ok(true)
}

/// Deletes what an upload left that broke off long ago, if that is what it is; tells whether it was.
pub(crate) async fn delete_partial(
    store: &dyn ObjectStore,
    block: BlockId,
    now: Timestamp,
) -> Result<bool, BucketError> {
    let is_own_mark = mark_for_deletion(store, block, "its upload broke off", now).await?;
    let mark = layout::object(block, layout::DELETION_MARK);
    let meta = layout::object(block, layout::META);
    let objects = objects_of(store, block).await?;
    let written_at = |object: &ObjectMeta| object.last_modified.timestamp_millis();
    // Both by the store's clock.
    let marked_at = objects.iter().find(|object| object.location == mark).map(written_at);
    let newest = objects.iter().filter(|object| object.location != mark).map(written_at).max();
    let is_complete = objects.iter().any(|object| object.location == meta);
    let is_old = marked_at.is_some_and(|at| newest.is_none_or(|newest| at.saturating_sub(newest) >= PARTIAL_MS));
    if !is_complete && is_old {
        return delete_marked(store, block).await;
    }
    if is_own_mark {
        delete(store, &mark).await?;
    }
    Ok(false)
}

/// Deletes an object, which may be gone already.
async fn delete(store: &dyn ObjectStore, path: &Path) -> Result<(), BucketError> {
    match store.delete(path).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(source) => Err(failed("delete", path, source)),
    }
}

async fn exists(store: &dyn ObjectStore, path: &Path) -> Result<bool, BucketError> {
    match store.head(path).await {
        Ok(_) => Ok(true),
        Err(StoreError::NotFound { .. }) => Ok(false),
        Err(source) => Err(failed("look for", path, source)),
    }
}

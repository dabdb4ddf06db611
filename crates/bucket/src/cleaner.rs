//! Deleting from the bucket what is marked for it, and what uploads and deletions that broke off have left.
//!
//! Both nodes of a pair do it, and Thanos's compactor may besides. Crash: see `deletion`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::TryStreamExt;
use model::{Clock, Labels, Timestamp};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tsdb::BlockId;

use crate::catalog::Catalog;
use crate::deletion::{PARTIAL_MS, delete_marked, delete_partial};
use crate::error::{BucketError, failed};
use crate::layout;
use crate::mark::read_mark;
use crate::metrics::CleanMetrics;
use crate::window::{has_labels, labels_json};

/// Looking through the bucket takes a request for each thousand objects.
const EVERY_MS: i64 = 3_600_000;

/// Keeps a bucket clean.
pub struct Cleaner {
    catalog: Arc<Catalog>,
    labels_json: Value,
    delay_ms: AtomicI64,
    clock: Arc<dyn Clock>,
    /// When it last looked.
    looked_at: Mutex<Option<Timestamp>>,
    metrics: CleanMetrics,
}

/// What lies below a block's name.
#[derive(Debug, Default)]
struct Objects {
    complete: bool,
    marked: bool,
    /// When the newest object besides the mark was written, in milliseconds since the epoch by the store's clock.
    newest: Option<i64>,
}

/// Why a block is to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// It was marked long enough ago, or its deletion has begun.
    Marked,
    /// Its upload broke off.
    Partial,
}

impl Cleaner {
    /// Deletes blocks with these external labels from the bucket of `catalog`, so long after they were marked as
    /// [`Cleaner::set_delay`] says; until then nothing.
    pub fn new(catalog: Arc<Catalog>, labels: &Labels, clock: Arc<dyn Clock>, registry: &mut Registry) -> Self {
        Cleaner {
            catalog,
            labels_json: labels_json(labels),
            delay_ms: AtomicI64::new(0),
            clock,
            looked_at: Mutex::default(),
            metrics: CleanMetrics::new(registry),
        }
    }

    /// Deletes blocks so many milliseconds after they were marked from now on; 0 deletes nothing, not even what uploads left.
    pub fn set_delay(&self, delay_ms: i64) {
        self.delay_ms.store(delay_ms, Ordering::Relaxed);
    }

    /// Looks through the bucket, if the last look was an hour ago, and deletes what is due; tells how many blocks that were. One that
    /// fails doesn't keep the others back; the first failure is returned after all have been tried.
    ///
    /// # Errors
    /// The bucket failed; the next look goes on.
    pub async fn clean(&self) -> Result<usize, BucketError> {
        let (now, delay_ms) = (self.clock.now(), self.delay_ms.load(Ordering::Relaxed));
        let is_fresh = |at: Timestamp| (0..EVERY_MS).contains(&(now - at));
        if delay_ms <= 0 || self.looked_at.lock().is_some_and(is_fresh) {
            return Ok(0);
        }
        let found = self.look().await?;
        *self.looked_at.lock() = Some(now);
        self.metrics.marked.set(found.values().filter(|objects| objects.marked).count() as i64);
        let (mut count, mut failure) = (0, None);
        for (block, objects) in found {
            match self.clean_block(block, &objects, now, delay_ms).await {
                Ok(is_gone) => count += usize::from(is_gone),
                Err(error) => {
                    self.metrics.failures.inc();
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(count), Err)
    }

    /// What there is of every block. The catalogue forgets those that are not complete any more.
    async fn look(&self) -> Result<BTreeMap<BlockId, Objects>, BucketError> {
        self.catalog.refresh().await?;
        let mut found = BTreeMap::<BlockId, Objects>::new();
        let mut listing = self.catalog.store().list(None);
        while let Some(object) = listing.try_next().await.map_err(|source| failed("list", &Path::default(), source))? {
            let mut parts = object.location.parts();
            let Some(block) = parts.next().and_then(|name| name.as_ref().parse().ok()) else { continue };
            let name: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
            found.entry(block).or_default().add(&name.join("/"), &object);
        }
        self.catalog.retain(|block| found.get(block).is_some_and(|objects| objects.complete));
        Ok(found)
    }

    /// Deletes a block if it is due; tells whether it was.
    async fn clean_block(
        &self,
        block: BlockId,
        objects: &Objects,
        now: Timestamp,
        delay_ms: i64,
    ) -> Result<bool, BucketError> {
        let Some(due) = self.due(block, objects, now, delay_ms).await? else { return Ok(false) };
        let store = &**self.catalog.store();
        let is_gone = match due {
            Due::Marked => {
                self.catalog.retain(|other| *other != block);
                delete_marked(store, block).await?
            }
            Due::Partial => delete_partial(store, block, now).await?,
        };
        if is_gone {
            match due {
                Due::Marked => self.metrics.cleaned.inc(),
                Due::Partial => self.metrics.partial.inc(),
            };
            match due {
                Due::Marked => tracing::info!(%block, "block deleted from the bucket: it was marked for deletion"),
                Due::Partial => tracing::info!(%block, "block deleted from the bucket: its upload broke off long ago"),
            }
        }
        Ok(is_gone)
    }

    async fn due(
        &self,
        block: BlockId,
        objects: &Objects,
        now: Timestamp,
        delay_ms: i64,
    ) -> Result<Option<Due>, BucketError> {
        // Of half a block nobody knows whose it is, and nobody can use it.
        let is_own = || self.catalog.metas().get(&block).is_some_and(|meta| has_labels(meta, &self.labels_json));
        if objects.marked && (!objects.complete || is_own()) {
            if objects.newest.is_none() {
                return Ok(Some(Due::Marked)); // nothing is left but the mark
            }
            let marked_at = read_mark(&**self.catalog.store(), block).await?;
            if marked_at.is_some_and(|at| now - at >= delay_ms) {
                return Ok(Some(Due::Marked));
            }
        }
        let is_old = objects.newest.is_some_and(|newest| now.as_ms().saturating_sub(newest) >= PARTIAL_MS);
        Ok((!objects.complete && is_old).then_some(Due::Partial))
    }
}

impl Objects {
    fn add(&mut self, name: &str, object: &ObjectMeta) {
        if name == layout::DELETION_MARK {
            self.marked = true;
            return;
        }
        self.complete |= name == layout::META;
        self.newest = self.newest.max(Some(object.last_modified.timestamp_millis()));
    }
}

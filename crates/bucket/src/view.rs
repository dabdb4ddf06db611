//! The bucket as one queryable: all its complete blocks, for the time before local storage begins.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures::future::try_join_all;
use model::{TimeRange, Timestamp};
use object_store::{ObjectStore, ObjectStoreExt};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use storage::{LabelRequest, QueryError, Queryable, SelectRequest, SeriesSet, merge_sets, merge_strings};
use tsdb::{BlockId, BlockMeta};

use crate::block::BucketBlock;
use crate::cache::IndexCache;
use crate::error::BucketError;
use crate::layout;
use crate::metrics::ReadMetrics;
use crate::upload::failed;

type Blocks = BTreeMap<BlockId, Arc<BucketBlock>>;

/// Reads what is older than the local storage.
///
/// Ordering: [`BucketView::sync`] replaces the list of blocks at once; a query goes on with the list it began with. A block
/// that disappears from the bucket meanwhile fails the query, which may be asked again. Without a sync the view is empty.
pub struct BucketView {
    store: Arc<dyn ObjectStore>,
    local: Arc<dyn Queryable>,
    cache: IndexCache,
    blocks: ArcSwap<Blocks>,
    last_error: Mutex<Option<String>>,
    metrics: ReadMetrics,
}

impl BucketView {
    /// A view on `store` for the time before the oldest data of `local`. Indexes are kept in `cache_dir`.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        local: Arc<dyn Queryable>,
        cache_dir: PathBuf,
        registry: &mut Registry,
    ) -> Self {
        let metrics = ReadMetrics::new(registry);
        let cache = IndexCache::new(cache_dir);
        BucketView { store, local, cache, blocks: ArcSwap::default(), last_error: Mutex::default(), metrics }
    }

    /// The blocks that the last look found, oldest first.
    pub fn blocks(&self) -> Vec<Arc<BucketBlock>> {
        let mut blocks: Vec<_> = self.blocks.load().values().cloned().collect();
        blocks.sort_by_key(|block| (block.meta().min_time, block.meta().ulid));
        blocks
    }

    /// Why the last look failed; `None` if it didn't.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }

    /// Looks into the bucket. If that fails, the blocks of the last look stay. A block whose `meta.json` can't be read is
    /// left out and told; the others are there.
    pub async fn sync(&self) -> Result<(), BucketError> {
        let result = self.list().await;
        if result.is_err() {
            self.metrics.sync_failures.inc();
        }
        *self.last_error.lock() = result.as_ref().err().map(BucketError::chain);
        result
    }

    async fn list(&self) -> Result<(), BucketError> {
        let root = object_store::path::Path::default();
        let listing = self.store.list_with_delimiter(None).await.map_err(|source| failed("list", &root, source))?;
        let names = listing.common_prefixes.iter().filter_map(|prefix| prefix.parts().next());
        let ids: Vec<BlockId> = names.filter_map(|name| name.as_ref().parse().ok()).collect();
        let known = self.blocks.load_full();
        let found = try_join_all(ids.into_iter().map(|id| self.block(id, known.get(&id)))).await?;
        let blocks: Blocks = found.into_iter().flatten().map(|block| (block.meta().ulid, block)).collect();
        self.metrics.blocks.set(blocks.len() as i64);
        self.cache.retain(&blocks.keys().map(BlockId::to_string).collect::<BTreeSet<_>>()).await?;
        self.blocks.store(Arc::new(blocks));
        Ok(())
    }

    /// A block by name, or nothing where it is not complete or not readable.
    async fn block(
        &self,
        id: BlockId,
        known: Option<&Arc<BucketBlock>>,
    ) -> Result<Option<Arc<BucketBlock>>, BucketError> {
        if let Some(block) = known {
            return Ok(Some(block.clone()));
        }
        let path = layout::object(id, layout::META);
        let answer = match self.store.get(&path).await {
            Ok(answer) => answer.bytes().await,
            Err(object_store::Error::NotFound { .. }) => return Ok(None), // still being uploaded, or left behind
            Err(source) => Err(source),
        };
        let bytes = answer.map_err(|source| failed("get", &path, source))?;
        match BlockMeta::from_json(&bytes) {
            Ok(meta) => {
                let block = BucketBlock::new(meta, self.store.clone(), self.cache.clone(), self.metrics.clone());
                Ok(Some(Arc::new(block)))
            }
            Err(error) => {
                tracing::warn!(block = %id, %error, "block in the bucket is left out");
                Ok(None)
            }
        }
    }

    /// The part of a range that the bucket answers, with the blocks for it.
    fn older_part(&self, range: TimeRange) -> (TimeRange, Vec<Arc<BucketBlock>>) {
        let begin_of_local = self.local.min_time().unwrap_or(Timestamp::MAX);
        let range = TimeRange::new(range.min, range.max.min(begin_of_local.saturating_sub(1)));
        let mut blocks = self.blocks();
        blocks.retain(|block| range.min <= range.max && block.meta().range().overlaps(range));
        (range, blocks)
    }
}

#[async_trait]
impl Queryable for BucketView {
    async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError> {
        let (range, blocks) = self.older_part(request.range);
        let request = SelectRequest { range, ..request.clone() };
        let sets = try_join_all(blocks.iter().map(|block| block.select(&request))).await?;
        let sets = sets.into_iter().map(SeriesSet::from_sorted).collect();
        Ok(merge_sets(sets, request.hints.limit))
    }

    async fn label_names(&self, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        let (_, blocks) = self.older_part(request.range);
        let answers = try_join_all(blocks.iter().map(|block| block.label_names(request))).await?;
        Ok(merge_strings(answers, request.limit))
    }

    async fn label_values(&self, name: &str, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        let (_, blocks) = self.older_part(request.range);
        let answers = try_join_all(blocks.iter().map(|block| block.label_values(name, request))).await?;
        Ok(merge_strings(answers, request.limit))
    }

    fn min_time(&self) -> Option<Timestamp> {
        self.blocks.load().values().map(|block| block.meta().min_time).min()
    }
}

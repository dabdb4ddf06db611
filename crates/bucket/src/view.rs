//! The bucket as one queryable: all its complete blocks, for the time before local storage begins.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures::future::try_join_all;
use model::{TimeRange, Timestamp};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use storage::{LabelRequest, QueryError, Queryable, SelectRequest, Series, SeriesSet, merge_sets, merge_strings};
use tsdb::BlockId;

use crate::block::BucketBlock;
use crate::cache::IndexCache;
use crate::catalog::Catalog;
use crate::error::BucketError;
use crate::metrics::ReadMetrics;
use crate::window::superseded;

type Blocks = BTreeMap<BlockId, Arc<BucketBlock>>;

/// Reads what is older than the local storage.
///
/// Ordering: [`BucketView::sync`] replaces the list of blocks at once; a query goes on with the list it began with. A block
/// that disappears from the bucket meanwhile fails the query, which may be asked again. Without a sync the view is empty.
pub struct BucketView {
    catalog: Arc<Catalog>,
    local: Arc<dyn Queryable>,
    cache: IndexCache,
    blocks: ArcSwap<Blocks>,
    last_error: Mutex<Option<String>>,
    metrics: ReadMetrics,
}

impl BucketView {
    /// A view on the bucket of `catalog` for the time before the oldest data of `local`. Indexes are kept in `cache_dir`.
    pub fn new(catalog: Arc<Catalog>, local: Arc<dyn Queryable>, cache_dir: PathBuf, registry: &mut Registry) -> Self {
        let metrics = ReadMetrics::new(registry);
        let cache = IndexCache::new(cache_dir);
        BucketView { catalog, local, cache, blocks: ArcSwap::default(), last_error: Mutex::default(), metrics }
    }

    /// The blocks that the last look found, oldest first, without those of which others have all that is in them.
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
        let metas = self.catalog.refresh().await?;
        let gone = superseded(&metas);
        let known = self.blocks.load_full();
        let block = |id: &BlockId| {
            let new = || {
                let store = self.catalog.store().clone();
                Arc::new(BucketBlock::new(metas[id].clone(), store, self.cache.clone(), self.metrics.clone()))
            };
            known.get(id).cloned().unwrap_or_else(new)
        };
        let blocks: Blocks = metas.keys().filter(|id| !gone.contains(id)).map(|id| (*id, block(id))).collect();
        self.metrics.blocks.set(blocks.len() as i64);
        self.cache.retain(&blocks.keys().map(BlockId::to_string).collect::<BTreeSet<_>>()).await?;
        self.blocks.store(Arc::new(blocks));
        Ok(())
    }

    /// What a block has. One that turns out to be gone is looked for with the next sync.
    async fn select_from(&self, block: &BucketBlock, request: &SelectRequest) -> Result<Vec<Series>, BucketError> {
        let result = block.select(request).await;
        if result.as_ref().is_err_and(BucketError::is_not_found) {
            self.catalog.retain(|known| *known != block.meta().ulid);
        }
        result
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
        let sets = try_join_all(blocks.iter().map(|block| self.select_from(block, &request))).await?;
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

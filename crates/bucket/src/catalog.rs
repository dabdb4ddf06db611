//! What a bucket holds: the descriptions of its complete blocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use futures::future::try_join_all;
use object_store::{ObjectStore, ObjectStoreExt};
use tsdb::{BlockId, BlockMeta};

use crate::error::{BucketError, failed};
use crate::layout;
use crate::window::Metas;

/// The blocks of a bucket as the last look found them. Whoever uploads and whoever reads share one, so that each block's
/// `meta.json` is fetched once.
pub struct Catalog {
    store: Arc<dyn ObjectStore>,
    metas: ArcSwap<Metas>,
    looked: AtomicBool,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("blocks", &self.metas.load().len()).finish_non_exhaustive()
    }
}

impl Catalog {
    /// A catalogue of what is in `store`, empty until somebody looks.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Catalog { store, metas: ArcSwap::default(), looked: AtomicBool::new(false) }
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The blocks as the last look found them.
    pub(crate) fn metas(&self) -> Arc<Metas> {
        self.metas.load_full()
    }

    /// Whether anybody has looked yet.
    pub(crate) fn has_looked(&self) -> bool {
        self.looked.load(Ordering::Acquire)
    }

    /// Looks into the bucket: one listing, and the `meta.json` of each block that wasn't known. If that fails, the blocks of the last look stay.
    /// A block whose `meta.json` can't be read is left out and told; the others are there.
    pub(crate) async fn refresh(&self) -> Result<Arc<Metas>, BucketError> {
        let root = object_store::path::Path::default();
        let listing = self.store.list_with_delimiter(None).await.map_err(|source| failed("list", &root, source))?;
        let names = listing.common_prefixes.iter().filter_map(|prefix| prefix.parts().next());
        let ids: Vec<BlockId> = names.filter_map(|name| name.as_ref().parse().ok()).collect();
        let known = self.metas();
        let found = try_join_all(ids.into_iter().map(|id| self.meta(id, known.get(&id)))).await?;
        let metas: Arc<Metas> = Arc::new(found.into_iter().flatten().collect());
        self.metas.store(metas.clone());
        self.looked.store(true, Ordering::Release);
        Ok(metas)
    }

    /// Adds a block that was just uploaded, before the next look finds it.
    pub(crate) fn add(&self, meta: BlockMeta) {
        let meta = Arc::new(meta);
        self.metas.rcu(|metas| {
            let mut metas = Metas::clone(metas);
            metas.insert(meta.ulid, meta.clone());
            metas
        });
    }

    /// Forgets the blocks that `stays` doesn't name: the next look finds those that are there all the same.
    pub(crate) fn retain(&self, stays: impl Fn(&BlockId) -> bool) {
        self.metas.rcu(|metas| {
            let mut metas = Metas::clone(metas);
            metas.retain(|block, _| stays(block));
            metas
        });
    }

    /// A block by name, or nothing where it is not complete or not readable.
    async fn meta(
        &self,
        id: BlockId,
        known: Option<&Arc<BlockMeta>>,
    ) -> Result<Option<(BlockId, Arc<BlockMeta>)>, BucketError> {
        if let Some(meta) = known {
            return Ok(Some((id, meta.clone())));
        }
        let path = layout::object(id, layout::META);
        let answer = match self.store.get(&path).await {
            Ok(answer) => answer.bytes().await,
            Err(object_store::Error::NotFound { .. }) => return Ok(None), // still being uploaded, or left behind
            Err(source) => Err(source),
        };
        let bytes = answer.map_err(|source| failed("get", &path, source))?;
        match BlockMeta::from_json(&bytes) {
            Ok(meta) if meta.ulid == id => Ok(Some((id, Arc::new(meta)))),
            Ok(meta) => {
                tracing::warn!(block = %id, name = %meta.ulid, "block in the bucket is left out: its meta.json is of another");
                Ok(None)
            }
            Err(error) => {
                tracing::warn!(block = %id, %error, "block in the bucket is left out");
                Ok(None)
            }
        }
    }
}

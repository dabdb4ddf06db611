//! When the block of a window is made, and what becomes of it.
//!
//! Ordering, of one window: look into the bucket, make the block, upload it, note it. Then, with another look, every block of which the
//! bucket has a better one is marked for deletion. Whoever uploads looks once more behind it, so of two that upload at the same
//! time at least one sees both, and both come to the same choice.
//!
//! Crash: a window counts as done when it is noted, which comes last. Until then the next sync makes its block again, gets the
//! same name, and finds in the bucket what is there of it. Two blocks of one window are put right by whichever node syncs next.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use model::{Clock, Labels, Timestamp};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::Value;
use storage::Queryable;
use storage::dedup::MARGIN_MS;
use tsdb::{BlockId, BlockMeta};

use crate::build::{Builder, Built};
use crate::catalog::Catalog;
use crate::error::BucketError;
use crate::ledger::{Done, Ledger};
use crate::mark::mark_for_deletion;
use crate::metrics::UploadMetrics;
use crate::occupied::occupied;
use crate::upload::Upload;
use crate::window::{Metas, Window, contests, covered_otherwise, is_of, is_of_window, labels_json, made_of, wins};

/// So long after its end a window is made although not everything has come.
const DEADLINE_MS: i64 = 3_600_000;

/// Whose windows are uploaded, and how wide they are.
#[derive(Debug, Clone)]
pub struct UploaderOptions {
    /// The data directory: what is known of the bucket is kept there, and blocks are made below it.
    pub data_dir: PathBuf,
    /// The external labels of the blocks. Nodes whose blocks are to be the same have the same.
    pub labels: Labels,
    /// The width of a window in milliseconds; windows begin at its multiples. The same on all such nodes, too.
    pub width_ms: i64,
    /// So long after its end, in milliseconds, a window is made although not everything has come.
    pub deadline_ms: i64,
}

impl UploaderOptions {
    /// With a deadline of an hour.
    pub fn new(data_dir: impl Into<PathBuf>, labels: Labels, width_ms: i64) -> Self {
        UploaderOptions { data_dir: data_dir.into(), labels, width_ms, deadline_ms: DEADLINE_MS }
    }
}

/// What blocks are made of at the moment.
#[derive(Clone, Copy)]
pub struct Windows<'a> {
    /// Everything the node has.
    pub source: &'a Arc<dyn Queryable>,
    /// The blocks of its database, as they are before this is handed over. New ones tell that a window has to be looked at again.
    pub blocks: &'a [BlockMeta],
    /// The labels that tell replicas of a series from each other; the bucket's blocks have one series of them. Without any each
    /// series stays as it is.
    pub replica_labels: &'a [String],
    /// All samples before this time have come.
    pub complete_until: Timestamp,
}

/// Puts the windows of one database into the bucket, each as one block that depends on nothing but its samples.
pub struct Uploader {
    catalog: Arc<Catalog>,
    options: UploaderOptions,
    labels_json: Value,
    margin_ms: i64,
    builder: Builder,
    clock: Arc<dyn Clock>,
    ledger: Mutex<Ledger>,
    /// Blocks that are known to be marked for deletion.
    marked: Mutex<BTreeSet<BlockId>>,
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
    /// An uploader into the bucket of `catalog`. A data directory has one at a time.
    pub fn new(
        catalog: Arc<Catalog>,
        options: UploaderOptions,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> Self {
        // A window needs what comes behind it before replicas can be chosen from; narrow windows don't wait for long.
        let margin_ms = MARGIN_MS.min(options.width_ms);
        Uploader {
            catalog,
            labels_json: labels_json(&options.labels),
            margin_ms,
            builder: Builder::new(&options.data_dir, margin_ms),
            clock,
            ledger: Mutex::new(Ledger::load(&options.data_dir, options.width_ms, margin_ms)),
            marked: Mutex::default(),
            status: Mutex::default(),
            metrics: UploadMetrics::new(registry),
            options,
        }
    }

    /// How uploading went so far.
    pub fn status(&self) -> UploaderStatus {
        self.status.lock().clone()
    }

    /// Whether a block of the database may go: all windows that it has a part in are in the bucket, and none of them waits for
    /// another one of `blocks`, which are all that the database has now.
    pub fn is_uploaded(&self, block: BlockId, blocks: &[BlockMeta]) -> bool {
        self.ledger.lock().is_uploaded(block, blocks)
    }

    /// Makes and uploads the blocks of all windows that are complete, or beyond their deadline, and not in the bucket with all
    /// that the node has of them. Tells how many windows were dealt with. A window that fails doesn't keep the others
    /// back; the first failure is returned after all have been tried. Costs no request to the bucket where nothing is to be done.
    ///
    /// # Errors
    /// The bucket, the database or a local file failed; what was done stays done.
    pub async fn sync(&self, windows: &Windows<'_>) -> Result<usize, BucketError> {
        let result = self.sync_windows(windows).await;
        if result.is_err() {
            self.metrics.failures.inc();
        }
        self.status.lock().last_error = result.as_ref().err().map(BucketError::chain);
        result
    }

    async fn sync_windows(&self, windows: &Windows<'_>) -> Result<usize, BucketError> {
        let complete = windows.complete_until.saturating_sub(self.margin_ms);
        let ready = complete.max(self.clock.now().saturating_sub(self.options.deadline_ms));
        let Some(begin) = windows.source.min_time() else { return Ok(0) };
        let unknown = self.ledger.lock().unknown(begin, ready);
        let occupied = occupied(windows.source, unknown, self.options.width_ms).await;
        let occupied = occupied.map_err(|source| BucketError::Window { start: unknown.min, source })?;
        let pending = self.ledger.lock().pending(windows.blocks, &occupied, ready);
        self.metrics.pending.set(pending.len() as i64);
        if !pending.is_empty() || !self.catalog.has_looked() {
            self.catalog.refresh().await?;
        }
        let (count, mut uploaded, mut failure) = (pending.len(), false, None);
        let (mut done, mut through) = (0, ready);
        for (at, (window, local)) in pending.into_iter().enumerate() {
            match self.ship(windows, window, local).await {
                Ok(is_new) => {
                    uploaded |= is_new;
                    done += 1;
                    if count > 1 {
                        tracing::info!(start = %window.start(), window = at + 1, of = count, "window is in the bucket");
                    }
                }
                Err(error) => {
                    through = through.min(window.start());
                    failure.get_or_insert(error);
                }
            }
            self.metrics.pending.set((count - done) as i64);
        }
        self.ledger.lock().advance(through, windows.blocks)?;
        if uploaded {
            self.catalog.refresh().await?;
        }
        self.settle().await?;
        failure.map_or(Ok(done), Err)
    }

    /// Deals with one window; tells whether a block was uploaded for it.
    async fn ship(&self, windows: &Windows<'_>, window: Window, local: BTreeSet<BlockId>) -> Result<bool, BucketError> {
        let metas = self.catalog.metas();
        let is_known = self.ledger.lock().done(window).is_some();
        if !is_known && let Some(block) = covered_otherwise(&metas, &self.labels_json, window.range()) {
            self.ledger.lock().put(window, Done { block: Some(block), local })?;
            return Ok(false);
        }
        let begin = Instant::now();
        let built = self.builder.build(windows.source, windows.replica_labels, window).await?;
        self.metrics.built.inc();
        let Some(Built { meta, made_of, dir, .. }) = &built else {
            self.ledger.lock().put(window, Done { block: None, local })?;
            return Ok(false);
        };
        let seconds = begin.elapsed().as_secs_f64();
        let upload = Upload { store: &**self.catalog.store(), labels: &self.options.labels, metrics: &self.metrics };
        let meta = upload.describe(meta, *made_of, dir).await?;
        let (block, is_new) = match self.better(&metas, &meta) {
            Some(better) => (better, false),
            None => {
                let is_new = upload.put(&meta, dir).await?;
                self.catalog.add(meta.clone());
                (meta.ulid, is_new)
            }
        };
        self.ledger.lock().put(window, Done { block: Some(block), local })?;
        if is_new {
            self.status.lock().last_upload = Some(self.clock.now());
            tracing::info!(
                %block, start = %window.start(), series = meta.stats.num_series, samples = meta.stats.num_samples, seconds,
                "block of a window uploaded"
            );
        }
        Ok(is_new)
    }

    /// A block in the bucket that makes ours unnecessary: the same one, one that it was compacted into, or another one of the
    /// window that wins over it.
    fn better(&self, metas: &Metas, ours: &BlockMeta) -> Option<BlockId> {
        let is_in = |meta: &BlockMeta| is_of(meta, &self.labels_json) && meta.compaction.sources.contains(&ours.ulid);
        if let Some(same) = metas.values().find(|meta| is_in(meta)) {
            return Some(same.ulid);
        }
        let of_window = metas
            .values()
            .filter(|meta| is_of(meta, &self.labels_json) && is_of_window(meta) && meta.range() == ours.range());
        let best = of_window.reduce(|best, meta| if wins(meta, best) { meta } else { best })?;
        if wins(ours, best) {
            return None;
        }
        let (samples, theirs) = (made_of(ours), made_of(best));
        if samples < theirs {
            tracing::info!(
                block = %best.ulid, start = %ours.min_time, samples, theirs,
                "the bucket has more of a window than this node, whose block stays away"
            );
        } else {
            self.tell_conflict(ours.ulid, best.ulid, ours.min_time);
        }
        Some(best.ulid)
    }

    fn tell_conflict(&self, loser: BlockId, winner: BlockId, start: Timestamp) {
        self.metrics.conflicts.inc();
        tracing::error!(
            block = %winner, other = %loser, %start,
            "two nodes have the same number of samples of a window and not the same samples, the block with the smaller name stays"
        );
    }

    /// Marks for deletion what the bucket has of a window besides its best block.
    async fn settle(&self) -> Result<(), BucketError> {
        let metas = self.catalog.metas();
        self.marked.lock().retain(|block| metas.contains_key(block));
        for blocks in contests(&metas) {
            let Some((winner, losers)) = blocks.split_first() else { continue };
            for loser in losers.iter().filter(|loser| is_of(loser, &self.labels_json)) {
                if self.marked.lock().contains(&loser.ulid) {
                    continue;
                }
                let details = format!("replaced by {}, which has all samples of the window", winner.ulid);
                if mark_for_deletion(&**self.catalog.store(), loser.ulid, &details, self.clock.now()).await? {
                    self.metrics.replaced.inc();
                    tracing::info!(block = %loser.ulid, by = %winner.ulid, "block in the bucket is replaced and marked for deletion");
                    if made_of(loser) == made_of(winner) {
                        self.tell_conflict(loser.ulid, winner.ulid, winner.min_time);
                    }
                }
                self.marked.lock().insert(loser.ulid);
            }
        }
        Ok(())
    }
}

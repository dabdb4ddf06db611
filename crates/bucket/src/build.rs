//! Making the block of a window from everything a database has of it.
//!
//! Memory: what the selection holds, and the index of the block. Cancellation: whoever stops waiting ends the work at the next
//! series. Crash: everything lies below one folder, which the next start empties.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use model::TimeRange;
use storage::canonical::{count, recut};
use storage::chunk::Chunk;
use storage::dedup::{MARGIN_MS, groups, merge_series};
use storage::{QueryError, Queryable, SelectRequest, Series, SeriesIter, SeriesSet};
use tokio::runtime::Handle;
use tsdb::{BlockMeta, SeriesBlock};

use crate::error::BucketError;
use crate::window::Window;

const FOLDER: &str = "bucket-blocks";

/// The block of a window, in a folder of its own that goes away with this.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) meta: BlockMeta,
    /// How many samples there were to make it of.
    pub(crate) made_of: u64,
    /// The block's files.
    pub(crate) dir: PathBuf,
    _place: Place,
}

/// A folder that goes away with this.
#[derive(Debug)]
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn remove(dir: &Path) {
    if let Err(error) = std::fs::remove_dir_all(dir)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(dir = %dir.display(), %error, "cannot delete the local copy of a window's block");
    }
}

/// Tells the work to stop when nobody waits for it any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Makes blocks below a folder.
#[derive(Debug)]
pub(crate) struct Builder {
    dir: PathBuf,
    /// Samples so close to a window have a part in which of the replicas' samples count in it.
    margin_ms: i64,
    count: AtomicU64,
}

impl Builder {
    /// Works below the data directory; deletes what an earlier process left there.
    pub(crate) fn new(data_dir: &Path, margin_ms: i64) -> Self {
        let dir = data_dir.join(FOLDER);
        remove(&dir);
        Builder { dir, margin_ms, count: AtomicU64::new(0) }
    }

    /// Makes the block of a window from all series of `source`, replicas made one; `None` where there are no samples.
    pub(crate) async fn build(
        &self,
        source: &Arc<dyn Queryable>,
        replica_labels: &[String],
        window: Window,
    ) -> Result<Option<Built>, BucketError> {
        let stop = Waiting(Arc::new(AtomicBool::new(false)));
        let work = Work {
            source: source.clone(),
            replica_labels: replica_labels.to_vec(),
            window,
            margin_ms: self.margin_ms,
            dir: self.dir.join(self.count.fetch_add(1, Ordering::Relaxed).to_string()),
            stop: stop.0.clone(),
        };
        // Selecting from a head is work for the processor, too.
        let runtime = Handle::current();
        let built = tokio::task::spawn_blocking(move || work.run(&runtime)).await;
        drop(stop);
        built.map_err(|error| BucketError::BrokenOff { start: window.start(), reason: error.to_string() })?
    }
}

struct Work {
    source: Arc<dyn Queryable>,
    replica_labels: Vec<String>,
    window: Window,
    margin_ms: i64,
    dir: PathBuf,
    stop: Arc<AtomicBool>,
}

impl Work {
    fn run(self, runtime: &Handle) -> Result<Option<Built>, BucketError> {
        let start = self.window.start();
        let unreadable = |source| BucketError::Window { start, source };
        let unwritable = |source| BucketError::Build { start, source };
        let request = SelectRequest::new(Vec::new(), self.wide());
        let SeriesSet { series, warnings } = runtime.block_on(self.source.select(&request)).map_err(unreadable)?;
        for warning in warnings {
            tracing::warn!(%start, warning, "the block of a window may lack samples");
        }
        let place = Place(self.dir.clone());
        let mut block = SeriesBlock::create(&self.dir, start, self.window.end()).map_err(unwritable)?;
        let made_of = Arc::new(AtomicU64::new(0));
        for series in self.one_of_each(series, &made_of).map_err(unreadable)? {
            if self.stop.load(Ordering::Relaxed) {
                return Err(BucketError::BrokenOff { start, reason: "nobody waits for it".to_owned() });
            }
            let series = series.map_err(unreadable)?;
            block.add(&series.labels, &series.chunks).map_err(unwritable)?;
        }
        let made_of = made_of.load(Ordering::Relaxed);
        let written = block.finish(made_of).map_err(unwritable)?;
        Ok(written.map(|(dir, meta)| Built { meta, made_of, dir, _place: place }))
    }

    /// The window with the margin on either side.
    fn wide(&self) -> TimeRange {
        let range = self.window.range();
        TimeRange::new(range.min.saturating_sub(self.margin_ms), range.max.saturating_add(self.margin_ms))
    }

    /// The series of the block: each once, of what counts within the window, in canonical chunks. What they were made of is counted
    /// as they are walked.
    fn one_of_each(&self, series: SeriesIter, made_of: &Arc<AtomicU64>) -> Result<SeriesIter, QueryError> {
        let (range, made_of) = (self.window.range(), made_of.clone());
        let note = move |chunks: &[Chunk], range| {
            made_of.fetch_add(count(chunks, range)?, Ordering::Relaxed);
            Ok::<(), QueryError>(())
        };
        if self.replica_labels.is_empty() {
            return Ok(Box::new(series.map(move |series| {
                let Series { labels, chunks } = series?;
                note(&chunks, range)?;
                Ok(Series { labels, chunks: recut(&chunks, range)? })
            })));
        }
        let (wide, margin_ms, names) = (self.wide(), self.margin_ms, self.replica_labels.clone());
        Ok(Box::new(groups(series, &names)?.into_iter().map(move |mut group| {
            for replica in &mut group.replicas {
                if margin_ms < MARGIN_MS {
                    // What lies behind the margin must have no part, however chunks are cut.
                    replica.chunks = recut(&replica.chunks, wide)?;
                }
                note(&replica.chunks, wide)?;
            }
            let labels = group.labels.clone();
            Ok(Series { labels, chunks: merge_series(group, range)? })
        })))
    }
}

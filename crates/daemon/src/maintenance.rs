//! The database's upkeep on a timer: blocks are cut and compacted, the log is truncated, what is too old is deleted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tsdb::{Db, MaintenanceError};

use crate::tier::Tier;

/// Prometheus looks once a minute as well; blocks shorter than that are looked after more often.
const EVERY_MAX: Duration = Duration::from_secs(60);
const EVERY_MIN: Duration = Duration::from_secs(1);

/// Full chunks wait in memory for so long at most before they are written. Nothing depends on it: the log has their samples. It bounds
/// what waits, and what a start after a kill reads from the log alone.
const FLUSH_EVERY: Duration = Duration::from_secs(5);

/// How often what is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intervals {
    rounds: Duration,
    /// `None` leaves syncing the log to the system.
    sync_log: Option<Duration>,
}

impl Intervals {
    /// From the width of a cut block and the time between two syncs of the log, both in milliseconds.
    pub(crate) fn new(min_block_ms: i64, sync_log_ms: i64) -> Self {
        let rounds = Duration::from_millis(min_block_ms.unsigned_abs() / 12).clamp(EVERY_MIN, EVERY_MAX);
        Intervals { rounds, sync_log: (sync_log_ms > 0).then(|| Duration::from_millis(sync_log_ms.unsigned_abs())) }
    }
}

/// Runs until `stop`. A round that is under way ends first: a block is cut whole or not at all; a merge of blocks is given up.
pub(crate) async fn run<T: Tier>(db: Arc<Db>, tier: Arc<T>, intervals: Intervals, stop: CancellationToken) {
    let compaction = async {
        if tier.compacts() {
            compact(&db, intervals.rounds, &stop).await;
        }
    };
    let syncing = async {
        if let Some(every) = intervals.sync_log {
            sync_log(&db, every, &stop).await;
        }
    };
    tokio::join!(keep_in_order(&db, &*tier, intervals.rounds, &stop), compaction, flush(&db, &stop), syncing);
}

/// Moments to do something at; one that is missed is made up for once.
struct Rounds(Interval);

impl Rounds {
    fn new(every: Duration) -> Self {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Rounds(ticks)
    }

    /// Waits for the next moment; false where it is time to stop.
    async fn next(&mut self, stop: &CancellationToken) -> bool {
        tokio::select! {
            () = stop.cancelled() => false,
            _ = self.0.tick() => true,
        }
    }
}

/// Merges blocks, one step after the other, beside everything else: a large merge takes minutes, and the head is cut meanwhile.
async fn compact(db: &Arc<Db>, every: Duration, stop: &CancellationToken) {
    let mut rounds = Rounds::new(every);
    while rounds.next(stop).await {
        let working = db.clone();
        let mut steps = tokio::task::spawn_blocking(move || compact_all(&working));
        let done = tokio::select! {
            done = &mut steps => done,
            () = stop.cancelled() => {
                db.stop_compaction();
                steps.await
            }
        };
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "compaction of blocks failed, will try again"
                );
            }
            Err(error) => tracing::error!(%error, "compaction of blocks broke off, will try again"),
        }
    }
}

fn compact_all(db: &Db) -> Result<(), MaintenanceError> {
    while db.compact()?.is_some() {}
    Ok(())
}

async fn keep_in_order<T: Tier>(db: &Arc<Db>, tier: &T, every: Duration, stop: &CancellationToken) {
    let mut rounds = Rounds::new(every);
    while rounds.next(stop).await {
        let db = db.clone();
        match tokio::task::spawn_blocking(move || db.maintain()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "maintenance of the database failed, will try again"
            ),
            Err(error) => tracing::error!(%error, "maintenance of the database broke off, will try again"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tier.maintain() => {}
        }
    }
}

/// Writes full chunks to their files every few seconds; the database's closing writes the rest.
async fn flush(db: &Arc<Db>, stop: &CancellationToken) {
    let mut rounds = Rounds::new(FLUSH_EVERY);
    while rounds.next(stop).await {
        let db = db.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || db.flush()).await {
            tracing::error!(%error, "writing head chunks broke off, will try again");
        }
    }
}

/// Syncs the database's log every so often; the database's closing syncs the rest.
async fn sync_log(db: &Arc<Db>, every: Duration, stop: &CancellationToken) {
    let mut rounds = Rounds::new(every);
    while rounds.next(stop).await {
        let db = db.clone();
        match tokio::task::spawn_blocking(move || db.sync_log()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "syncing the write-ahead log failed, will try again"),
            Err(error) => tracing::error!(%error, "syncing the write-ahead log broke off, will try again"),
        }
    }
}

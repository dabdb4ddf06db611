//! The life of one target: wait, scrape, until it is gone.

use std::sync::Arc;
use std::time::Duration;

use model::{Clock, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::job::{Shared, TargetState};
use crate::schedule;
use crate::worker::Worker;

/// Scrapes until `removed`, which ends the target's series, or until the shutdown, which doesn't: after a restart they go on.
pub(crate) async fn run(shared: Arc<Shared>, state: Arc<TargetState>, removed: CancellationToken) {
    let mut worker = Worker::new(Arc::clone(&shared), Arc::clone(&state));
    let mut last = shared.clock.now();
    loop {
        let (interval_ms, planned) = plan(&shared, &state, last);
        tokio::select! {
            biased;
            () = shared.shutdown.cancelled() => return,
            () = removed.cancelled() => break,
            () = state.replan.notified() => continue,
            () = sleep_until(&*shared.clock, planned) => {}
        }
        last = planned.max(shared.clock.now());
        let time = schedule::timestamp(planned, last, interval_ms, shared.timestamp_tolerance_ms);
        tokio::select! {
            biased;
            () = shared.shutdown.cancelled() => return,
            () = removed.cancelled() => break,
            () = worker.scrape(time) => {}
        }
    }
    tokio::select! {
        () = shared.shutdown.cancelled() => {}
        () = end(&shared, &state, &mut worker, last) => {}
    }
}

fn plan(shared: &Shared, state: &TargetState, last: Timestamp) -> (i64, Timestamp) {
    let plan = state.plan.load();
    let interval_ms = plan.target.interval_ms;
    let offset_ms = schedule::offset_ms(&plan.target, shared.seed());
    (interval_ms, schedule::next(last.max(shared.clock.now()), interval_ms, offset_ms))
}

/// Writes the stale markers of a target that is gone, as of the time of its next scrape, but an interval and a bit later:
/// if another target has the same series meanwhile, its samples are newer and no marker cuts them.
async fn end(shared: &Shared, state: &TargetState, worker: &mut Worker, last: Timestamp) {
    let (interval_ms, stale_time) = plan(shared, state, last);
    sleep_until(&*shared.clock, stale_time.saturating_add(interval_ms + interval_ms / 10)).await;
    worker.end(stale_time);
}

async fn sleep_until(clock: &dyn Clock, time: Timestamp) {
    loop {
        let left_ms = time - clock.now();
        if left_ms <= 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(left_ms.unsigned_abs())).await;
    }
}

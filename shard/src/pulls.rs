//! When a shard was last pulled, as a series: what notices that nobody does any more.
//!
//! The time is noted in the log with the samples, so a restart doesn't forget that there was somebody. A shard that nobody has ever
//! pulled has no such series.

use std::sync::Arc;
use std::time::Duration;

use federation::Federate;
use model::{Clock, Labels, LabelsBuilder, METRIC_NAME, Timestamp};
use storage::{AppendError, Appendable, CommitError};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// The series: seconds since the epoch.
pub(crate) const LAST_PULL: &str = "watershed_federation_last_pull_timestamp_seconds";

/// The note with the same time, in milliseconds, as text.
const NOTE: &str = "last-pull";
const EVERY: Duration = Duration::from_secs(5);

/// Stores the time every five seconds until it is told to stop.
pub(crate) async fn watch(
    federate: Arc<Federate>,
    storage: Arc<dyn Appendable>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let noted = storage.note(NOTE).and_then(|note| String::from_utf8(note).ok()?.parse().ok());
    let mut last: Option<Timestamp> = noted.map(Timestamp::from_ms);
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        last = last.max(federate.last_pull());
        let Some(last) = last else { continue };
        let (storage, now) = (storage.clone(), clock.now());
        match tokio::task::spawn_blocking(move || store(storage.as_ref(), last, now)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error, "when this shard was last pulled could not be stored"),
            Err(error) => tracing::error!(%error, "storing when this shard was last pulled broke off"),
        }
    }
}

fn store(storage: &dyn Appendable, last: Timestamp, now: Timestamp) -> Result<(), String> {
    let labels = LabelsBuilder::new(&Labels::empty()).set(METRIC_NAME, LAST_PULL).build();
    let mut appender = storage.appender();
    appender.append(&labels, now, last.as_secs_f64()).map_err(|error: AppendError| error.to_string())?;
    appender.set_note(NOTE, last.as_ms().to_string().as_bytes()).map_err(|error| error.to_string())?;
    appender.commit().map_err(|error: CommitError| error.to_string())
}

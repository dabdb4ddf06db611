//! Asking a source again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::{DurationMs, Report, Spanned};
use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::group::{Round, TargetGroup};

/// A source that is asked at intervals.
pub(crate) trait Asked: Send + Sync + 'static {
    /// How long to wait between two rounds.
    fn interval(&self) -> Duration;

    /// One round of questions. What fails is logged and counted there, with the words of the source.
    fn ask(&self) -> impl Future<Output = Round> + Send;
}

/// How often a source shall be asked.
pub(crate) fn interval(raw: Option<Spanned<DurationMs>>, default: Duration, report: &mut Report) -> Duration {
    raw.map_or(default, |interval| {
        if interval.0 <= 0 {
            report.error(&interval, "refresh_interval must be longer than 0");
        }
        interval.to_std()
    })
}

/// Asks at once and at each interval until it is stopped. A part that fails keeps what it had.
pub(crate) async fn follow_asked(source: impl Asked, board: Arc<Board>, stop: CancellationToken) {
    let mut last_good: BTreeMap<String, Vec<TargetGroup>> = BTreeMap::new();
    loop {
        let round = tokio::select! {
            () = stop.cancelled() => return,
            round = source.ask() => round,
        };
        for (part, groups) in round {
            match groups {
                Some(groups) => drop(last_good.insert(part, groups)),
                None => drop(last_good.entry(part).or_default()),
            }
        }
        board.show(last_good.values().flatten().cloned().collect());
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(source.interval()) => {}
        }
    }
}

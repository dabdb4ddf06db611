//! Asking a source again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::dns::DnsSource;
use crate::group::{Round, TargetGroup};
use crate::http::HttpSource;

/// A source that is asked at intervals.
pub(crate) enum Asked {
    Dns(DnsSource),
    Http(Box<HttpSource>),
}

impl Asked {
    async fn ask(&self) -> Round {
        match self {
            Asked::Dns(source) => source.ask().await,
            Asked::Http(source) => source.ask().await,
        }
    }

    /// Asks at once and every `interval` until it is stopped. A part that fails keeps what it had.
    pub(crate) async fn follow(self, interval: Duration, board: Arc<Board>, stop: CancellationToken) {
        let mut last_good: BTreeMap<String, Vec<TargetGroup>> = BTreeMap::new();
        loop {
            let round = tokio::select! {
                () = stop.cancelled() => return,
                round = self.ask() => round,
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
                () = tokio::time::sleep(interval) => {}
            }
        }
    }
}

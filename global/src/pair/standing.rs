//! What this global holds, in short.

use std::sync::Arc;

use api::consistency::Standing;
use federation::{Puller, ReplicaState};
use model::{Clock, Timestamp};
use storage::{QueryError, Queryable};
use tokio::sync::Mutex;

use super::progress::replicas;
use super::windows::{WINDOW_MS, windows};

/// What a shard stores of a moment, it has stored so long after it: scrapes take a while, rules are evaluated with a delay.
const SETTLE_MS: i64 = 30_000;
/// What was found holds for so long: reading all samples of the windows is work.
const FRESH_MS: i64 = 10_000;

/// Finds out what this global holds.
pub(crate) struct Standings {
    pub(crate) name: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) storage: Arc<dyn Queryable>,
    pub(crate) puller: Arc<Puller>,
    /// The last answer and when it was found.
    pub(crate) last: Mutex<Option<(Timestamp, Standing)>>,
}

impl Standings {
    /// As of some seconds ago at most.
    pub(crate) async fn get(&self) -> Result<Standing, QueryError> {
        let mut last = self.last.lock().await;
        let now = self.clock.now();
        if let Some((at, standing)) = &*last
            && (0..FRESH_MS).contains(&(now - *at))
        {
            return Ok(standing.clone());
        }
        let windows = match complete_until(&self.puller, now) {
            Some(until) => windows(self.storage.as_ref(), until.align_down(WINDOW_MS)).await?,
            None => Vec::new(),
        };
        let standing = Standing { name: self.name.clone(), replicas: replicas(&self.puller.status()), windows };
        *last = Some((now, standing.clone()));
        Ok(standing)
    }
}

/// Up to when everything is here that those have stored who answer; `None` where nobody does, or where somebody was not asked yet.
pub(crate) fn complete_until(puller: &Puller, now: Timestamp) -> Option<Timestamp> {
    let (shards, peer) = (puller.status(), puller.peer_status());
    let pulled = || shards.iter().flat_map(|shard| &shard.replicas).chain(&peer);
    if pulled().any(|replica| replica.state == ReplicaState::Unknown) {
        return None;
    }
    let until = match pulled().next() {
        None => Some(now),
        Some(_) => {
            pulled().filter(|replica| replica.state == ReplicaState::Up).filter_map(|up| up.complete_until).min()
        }
    };
    until.map(|until| until.saturating_sub(SETTLE_MS))
}

//! What this global holds, in short.

use std::sync::Arc;

use api::consistency::Standing;
use federation::{Puller, ReplicaState};
use model::{Clock, Timestamp};
use storage::QueryError;
use tokio::sync::Mutex;
use tsdb::Db;

use super::progress::replicas;
use super::windows::{Kept, WINDOW_MS};

/// What a shard stores of a moment, it has stored so long after it: scrapes take a while, rules are evaluated with a delay.
const SETTLE_MS: i64 = 30_000;
/// What was found holds for so long, however many ask.
const FRESH_MS: i64 = 10_000;

/// Finds out what this global holds.
pub(crate) struct Standings {
    name: String,
    clock: Arc<dyn Clock>,
    storage: Arc<Db>,
    puller: Arc<Puller>,
    found: Mutex<Found>,
}

/// What was found last.
#[derive(Default)]
struct Found {
    /// The answer, and when it was found.
    last: Option<(Timestamp, Standing)>,
    windows: Kept,
}

impl Standings {
    /// Of the global with this name, its database and what it pulls.
    pub(crate) fn new(name: String, clock: Arc<dyn Clock>, storage: Arc<Db>, puller: Arc<Puller>) -> Self {
        Standings { name, clock, storage, puller, found: Mutex::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// As of some seconds ago at most.
    pub(crate) async fn get(&self) -> Result<Standing, QueryError> {
        let mut found = self.found.lock().await;
        let now = self.clock.now();
        if let Some((at, standing)) = &found.last
            && (0..FRESH_MS).contains(&(now - *at))
        {
            return Ok(standing.clone());
        }
        let windows = match complete_until(&self.puller, now) {
            Some(until) => found.windows.get(&*self.storage, until.align_down(WINDOW_MS)).await?,
            None => Vec::new(),
        };
        let standing = Standing { name: self.name.clone(), replicas: replicas(&self.puller.status()), windows };
        found.last = Some((now, standing.clone()));
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

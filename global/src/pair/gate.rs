//! Rules of a global wait for what they read: both globals of a pair then find the same.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use federation::{Puller, ReplicaState, ShardStatus};
use model::Timestamp;
use rules::Gate;
use tokio::time::timeout;

/// Opens for a time when every replica that answers has been pulled after it.
pub(crate) struct PullGate(pub(crate) Arc<Puller>);

#[async_trait]
impl Gate for PullGate {
    async fn wait(&self, time: Timestamp, at_most: Duration) {
        let mut pulls = self.0.pulls();
        let complete = async { while !is_complete(&self.0.status(), time) && pulls.changed().await.is_ok() {} };
        // What is not here by then is late.
        let _ = timeout(at_most, complete).await;
    }
}

fn is_complete(shards: &[ShardStatus], time: Timestamp) -> bool {
    let mut replicas = shards.iter().flat_map(|shard| &shard.replicas);
    replicas.all(|replica| match replica.state {
        ReplicaState::Up => replica.complete_until.is_some_and(|until| until >= time),
        ReplicaState::Unknown => false,
        ReplicaState::Down => true,
    })
}

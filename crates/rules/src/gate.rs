//! Waiting until everything is there that an evaluation reads.

use std::time::Duration;

use async_trait::async_trait;
use model::Timestamp;

/// Knows when the samples of a time are there. What a node scrapes itself is there at once, so a shard has no gate; what a global
/// pulls comes some seconds later, from each shard at another moment. Rules that wait for all of it give the same on both globals of a pair.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Returns when everything up to `time` is there that can be expected, after `at_most` in any case.
    async fn wait(&self, time: Timestamp, at_most: Duration);
}

//! What a member says of itself when another asks whether it is there.

use serde::{Deserialize, Serialize};

/// How far a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has not scraped each of its targets yet: others still do its work.
    Joining,
    /// It does its share.
    Serving,
}

/// The answer to `GET /api/v1/sharding?scope=self`. Keys that a reader doesn't know are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Word {
    /// Who speaks: `sharding.self` of its configuration.
    pub name: String,
    /// How far it is.
    pub state: State,
    /// How many shards scrape each target, as it sees it.
    pub replication_factor: usize,
    /// All members that do their share, as it sees them.
    pub serving: Vec<String>,
}

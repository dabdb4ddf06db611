//! The wire between the tiers: what a node shows at `/federate`, and what pulls it from there.
//!
//! [`Federate`] is the serving half: what was committed since a cursor, or the newest sample of every series that is asked for
//! in any of Prometheus's formats, so that a real Prometheus can pull from a shard. [`Puller`] is the pulling half: one task
//! for each replica of each shard takes `/federate` of it, be it a shard or a real Prometheus, and stores the samples with
//! their own labels and times. Nobody else has both halves with the same view of labels, times and ends of series, so it
//! is our own.
//!
//! Who is pulled is listed in the configuration or found (`discovery`). What a selector means is not known here: whoever builds a
//! [`Federate`] brings the parser.

mod pull;
mod serve;
mod wire;

pub use pull::{
    Config, Finding, GLOBAL_LABEL, HttpClient, Network, PeerConfig, Protocol, Puller, RawConfig, RawPeer, ReplicaState,
    ReplicaStatus, RequestError, ShardConfig, ShardStatus, SystemNetwork,
};
pub use serve::{Federate, FederateError, router};

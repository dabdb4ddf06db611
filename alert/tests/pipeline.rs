//! The pipeline over real sockets: webhooks that answer, fail and come back, restarts, a pair, Debian's Alertmanager and amtool.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "pipeline/amtool.rs"]
mod amtool;
#[path = "pipeline/bench.rs"]
mod bench;
#[path = "pipeline/delivery.rs"]
mod delivery;
#[path = "pipeline/forwarding.rs"]
mod forwarding;
#[path = "pipeline/heartbeat.rs"]
mod heartbeat;
#[path = "pipeline/pair.rs"]
mod pair;

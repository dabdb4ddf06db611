//! Scrape loops against a real HTTP server, into a storage that remembers everything.

#![expect(clippy::unwrap_used, reason = "a test fails with it")]

mod bad_targets;
mod behaviour;
mod clients;
mod discovery;
mod failure_log;
mod formats;
mod network;
mod protobuf;
mod server;
mod starts;
mod store;
mod world;

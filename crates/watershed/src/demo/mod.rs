//! The whole hierarchy in one process: two clusters with a shard pair and a service each, a global pair, a folder as
//! bucket, a receiver for notifications. Everything is the real thing on loopback; nothing else needs to be installed.

mod files;
mod plan;
mod receiver;
mod run;
mod service;

pub(crate) use run::run;

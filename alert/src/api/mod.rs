//! Alertmanager's HTTP API, version 2: what amtool and Alertmanager's users' scripts speak.

mod alerts;
mod answer;
mod peer;
mod query;
mod router;
mod silences;
mod status;

pub(crate) use router::router;

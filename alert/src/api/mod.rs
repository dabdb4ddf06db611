//! Alertmanager's HTTP API, version 2: what amtool and Alertmanager's users' scripts speak.

mod alerts;
mod answer;
mod query;
mod router;
mod silences;
mod status;

pub(crate) use router::router;

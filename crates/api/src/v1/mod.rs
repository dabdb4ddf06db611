//! Prometheus's HTTP API v1, one file for each group of endpoints.

mod admin;
mod alertmanagers;
mod consistency;
mod exemplars;
mod metadata;
mod query;
mod routes;
mod rules;
mod series;
mod sharding;
mod status;
mod targets;
mod tree;

pub(crate) use routes::router;

//! Both halves over real sockets, with each other and with a real Prometheus.

mod cursor;
mod finding;
mod memory;
#[path = "../../../discovery/tests/it/name_server.rs"]
mod name_server;
mod nodes;
mod over_http;
mod prometheus;

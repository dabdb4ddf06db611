//! Both halves over real sockets, with each other and with a real Prometheus.

#[expect(dead_code, reason = "the tests of discovery do more to it")]
#[path = "../../../discovery/tests/it/api_server.rs"]
mod api_server;
mod cursor;
mod finding;
mod memory;
#[path = "../../../discovery/tests/it/name_server.rs"]
mod name_server;
mod nodes;
mod over_http;
mod prometheus;

//! Both halves over real sockets, with each other and with a real Prometheus.

mod cursor;
mod memory;
mod nodes;
mod over_http;
mod prometheus;

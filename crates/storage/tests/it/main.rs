//! Histogram chunks from outside: Prometheus's bytes, the documented ones, any others. Replicas made one.

mod any_bytes;
mod dedup;
mod format_docs;
mod prometheus;

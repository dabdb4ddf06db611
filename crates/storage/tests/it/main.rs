//! Histogram chunks from outside: Prometheus's bytes, the documented ones, any others.

mod any_bytes;
mod format_docs;
mod prometheus;

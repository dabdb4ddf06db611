//! Protocol buffers: messages `io.prometheus.client.MetricFamily`, each behind its length. The only format that has room for native
//! histograms.
//!
//! Only written here. Field numbers are those of Prometheus's client model.

mod fields;
mod histogram;
mod writer;

pub use writer::{Value, Writer};

#[cfg(test)]
mod tests;

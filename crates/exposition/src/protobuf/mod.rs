//! Protocol buffers: messages `io.prometheus.client.MetricFamily`, each behind its length. The only format that has room for native
//! histograms.
//!
//! Reading borrows: a [`Family`] and what is in it are places in the exposition, walked again for each question, and unknown
//! fields are passed over. What Prometheus takes is taken, so a field that is missing is zero. Not read: fields that are told
//! several times in one message, of which the last counts and nothing is merged.
//!
//! Field numbers are those of Prometheus's client model.

mod exemplar;
mod family;
mod fields;
mod histogram;
mod histogram_message;
mod metric;
mod wire;
mod writer;

pub use exemplar::Exemplar;
pub use family::{Family, Parser};
pub use histogram_message::{Bucket, HistogramMessage};
pub use metric::{Content, Metric, Summary};
pub use wire::DecodeError;
pub use writer::{Value, Writer};

#[cfg(test)]
mod reading_tests;
#[cfg(test)]
mod tests;

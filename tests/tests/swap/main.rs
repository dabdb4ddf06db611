//! A data directory changes hands: from a shard to Prometheus and back, each killed with SIGKILL, nothing is missing.

mod floats;
mod histograms;

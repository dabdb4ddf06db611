//! Finds targets, scrapes them, and appends what they show: the edge's main job.
//!
//! The way of a sample: [`Manager`] has a pool per job; a pool turns discovered groups into targets (relabelling) and runs
//! one loop per target; a loop waits for its place in the interval, fetches, and reads the exposition against the lines it
//! remembers from before, so a line seen before costs a comparison of bytes and no label. A scrape is one transaction.
//!
//! It exists rather than a library because the cost of a sample is decided here, and because what Prometheus promises
//! about `up`, stale markers and relabelling has to hold to the letter. Not here: what an exposition means (`exposition`),
//! where samples go (`storage`), how targets are shared between shards (a [`Placement`] says it).

#[cfg(feature = "bench")]
pub mod bench;
mod body;
mod client;
mod connection;
mod failure_log;
mod global_config;
mod histograms;
mod ingest;
mod job;
mod manager;
mod metadata;
mod metrics;
mod names;
mod placement;
mod pool;
mod protocols;
mod report;
mod schedule;
mod scrape_config;
mod scrape_loop;
mod series_cache;
mod status;
mod target;
mod threads;
mod worker;
mod zstd;

pub use discovery::NameValidation;
pub use discovery::{RawTargetGroup, relabel};
pub use global_config::{GlobalConfig, Limits, RawGlobalConfig};
pub use histograms::{HistogramForms, HistogramLimits};
pub use job::Health;
pub use manager::{ApplyError, Manager, Options};
pub use metadata::MetricMetadata;
pub use names::{Escaping, NameRules};
pub use placement::{Place, Placement, Placements};
pub use protocols::Protocol;
pub use scrape_config::{RawScrapeConfig, Scheme, ScrapeConfig};
pub use status::{DroppedTarget, PlacedTarget, TargetMetadata, TargetStatus, TargetsSnapshot};
pub use target::{Scraped, Trial};

//! What the API shows about targets.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Labels, Timestamp};

use crate::job::Health;
use crate::metadata::MetricMetadata;

/// All targets at one moment.
#[derive(Debug, Clone, Default)]
pub struct TargetsSnapshot {
    /// Targets that are scraped, by job and labels.
    pub active: Vec<TargetStatus>,
    /// Targets that relabelling dropped; no more of a job than its `keep_dropped_targets`.
    pub dropped: Vec<DroppedTarget>,
    /// How many targets of each job relabelling dropped.
    pub dropped_counts: BTreeMap<String, u64>,
}

/// A target that is scraped.
#[derive(Debug, Clone)]
pub struct TargetStatus {
    /// The labels before relabelling.
    pub discovered_labels: Labels,
    /// The labels of its series.
    pub labels: Labels,
    /// The job.
    pub scrape_pool: String,
    /// What is fetched.
    pub scrape_url: String,
    /// The same as another machine would write it.
    pub global_url: String,
    /// Why the last scrape failed; empty if it didn't.
    pub last_error: String,
    /// When the last scrape began.
    pub last_scrape: Option<Timestamp>,
    /// How long the last fetch took.
    pub last_scrape_duration_seconds: f64,
    /// How it is.
    pub health: Health,
    /// How often it is scraped, in milliseconds.
    pub scrape_interval_ms: i64,
    /// How long a scrape may take, in milliseconds.
    pub scrape_timeout_ms: i64,
    /// How many of its series lines are remembered.
    pub cached_series: usize,
}

/// A target that relabelling dropped.
#[derive(Debug, Clone)]
pub struct DroppedTarget {
    /// The labels before relabelling.
    pub discovered_labels: Labels,
    /// The job.
    pub scrape_pool: String,
}

/// A target that several nodes share.
#[derive(Debug, Clone)]
pub struct PlacedTarget {
    /// The job.
    pub scrape_pool: String,
    /// The labels of its series.
    pub labels: Labels,
    /// What is fetched.
    pub scrape_url: String,
    /// Who scrapes it, the first in line first.
    pub owners: Vec<Arc<str>>,
    /// Whether this node does.
    pub is_here: bool,
}

/// What one target says about its metrics.
#[derive(Debug, Clone)]
pub struct TargetMetadata {
    /// The target's labels.
    pub labels: Labels,
    /// The job.
    pub scrape_pool: String,
    /// Its metrics, sorted by name.
    pub metrics: Vec<MetricMetadata>,
}

//! What the head tells of itself.

use model::{METRIC_NAME, Timestamp};

use super::index::HeadIndex;
use super::state::Head;

/// The head in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeadStats {
    /// Series in memory.
    pub series: u64,
    /// Chunks in memory, open ones included.
    pub chunks: u64,
    /// Samples appended since the start, without those of the replay.
    pub samples_appended: u64,
    /// Different label names and values in memory.
    pub symbols: u64,
    /// Different label pairs in memory.
    pub label_pairs: u64,
    /// The oldest sample's time, if there is one.
    pub min_time: Option<Timestamp>,
    /// The newest sample's time, if there is one.
    pub max_time: Option<Timestamp>,
}

/// A name with a number.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NamedCount {
    /// A label name, a metric's name, or `name=value`.
    pub name: String,
    /// Series, values or bytes.
    pub value: u64,
}

/// What makes the head large: the biggest of each kind, biggest first. The form of `/api/v1/status/tsdb`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CardinalityStats {
    /// Metrics by their number of series.
    pub series_count_by_metric_name: Vec<NamedCount>,
    /// Labels by their number of values.
    pub label_value_count_by_label_name: Vec<NamedCount>,
    /// Labels by the bytes of their values over all series.
    pub memory_in_bytes_by_label_name: Vec<NamedCount>,
    /// Label pairs by their number of series.
    pub series_count_by_label_value_pair: Vec<NamedCount>,
}

/// The `limit` largest, largest first, equal ones by name.
fn largest(mut all: Vec<NamedCount>, limit: usize) -> Vec<NamedCount> {
    all.sort_unstable_by(|a, b| b.value.cmp(&a.value).then_with(|| a.name.cmp(&b.name)));
    all.truncate(limit);
    all
}

fn count(name: impl Into<String>, value: usize) -> NamedCount {
    NamedCount { name: name.into(), value: value as u64 }
}

impl Head {
    /// Whether commits can't be written to the log.
    pub(crate) fn storing_fails(&self) -> bool {
        self.metrics.storing_failed.get() != 0
    }

    /// Takes note of a commit of so many samples.
    pub(super) fn note_storing(&self, samples: usize, is_stored: bool) {
        if !is_stored || self.storing_fails() {
            let fails = self.storing.note(samples, is_stored, self.now());
            self.metrics.storing_failed.set(i64::from(fails));
        }
    }

    /// Numbers for `/metrics` and status pages.
    pub(crate) fn stats(&self) -> HeadStats {
        let (series, symbols, label_pairs) = {
            let index = self.index.read();
            let pairs: usize = index.names().map(|name| index.values(name).count()).sum();
            (index.len(), index.symbols().len(), pairs)
        };
        let range = self.time_range();
        HeadStats {
            series: series as u64,
            chunks: self.chunk_count(),
            samples_appended: self.metrics.all_samples_appended(),
            symbols: symbols as u64,
            label_pairs: label_pairs as u64,
            min_time: range.map(|range| range.0),
            max_time: range.map(|range| range.1),
        }
    }

    /// The `limit` largest of each kind.
    pub(crate) fn cardinality(&self, limit: usize) -> CardinalityStats {
        let index = self.index.read();
        let index: &HeadIndex = &index;
        let names: Vec<&str> = index.names().collect();
        let metrics = index.values(METRIC_NAME).map(|(value, slots)| count(value, slots.len()));
        let values = names.iter().map(|name| count(*name, index.values(name).count()));
        let bytes = names
            .iter()
            .map(|name| count(*name, index.values(name).map(|(value, slots)| value.len() * slots.len()).sum()));
        let mut pairs = Vec::new();
        for name in &names {
            let of_name = index.values(name).map(|(value, slots)| count(format!("{name}={value}"), slots.len()));
            pairs = largest(pairs.into_iter().chain(of_name).collect(), limit);
        }
        CardinalityStats {
            series_count_by_metric_name: largest(metrics.collect(), limit),
            label_value_count_by_label_name: largest(values.collect(), limit),
            memory_in_bytes_by_label_name: largest(bytes.collect(), limit),
            series_count_by_label_value_pair: pairs,
        }
    }
}

//! Which series are replicas of each other.

use std::cmp::Ordering;

use model::Labels;

use crate::query::{QueryError, SeriesIter};
use crate::series::Series;

/// A series without replica labels, and what its replicas hold.
#[derive(Debug, Clone)]
pub struct Group {
    /// The labels that all replicas have in common: those of the deduplicated series.
    pub labels: Labels,
    /// The replicas in order of the replica labels' values, the preferred one first. One without these labels comes before
    /// all others: it is deduplicated already.
    pub replicas: Vec<Series>,
}

impl Group {
    /// Whether the first replica is what was chosen from replicas before.
    pub(super) fn is_decided(&self) -> bool {
        self.replicas.first().is_some_and(|first| first.labels == self.labels)
    }

    /// The deduplicated series without chunks.
    pub(super) fn into_labels(self) -> Series {
        Series { labels: self.labels, chunks: Vec::new() }
    }
}

/// Groups series that differ in replica labels only, sorted by the labels that remain. All of them are held: labels, and
/// chunks as they are.
///
/// # Errors
/// The first error of `series`.
pub fn groups(series: SeriesIter, replica_labels: &[String]) -> Result<Vec<Group>, QueryError> {
    let mut all: Vec<(Labels, Series)> = Vec::new();
    for series in series {
        let series = series?;
        all.push((without_replica(&series.labels, replica_labels), series));
    }
    // Sorted but for sets that are the beginning of others, so this is one pass for the most part.
    all.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| replica_order(&a.1.labels, &b.1.labels, replica_labels)));
    let mut groups: Vec<Group> = Vec::new();
    for (labels, series) in all {
        match groups.last_mut() {
            Some(group) if group.labels == labels => group.replicas.push(series),
            _ => groups.push(Group { labels, replicas: vec![series] }),
        }
    }
    Ok(groups)
}

fn without_replica(labels: &Labels, replica_labels: &[String]) -> Labels {
    if replica_labels.iter().all(|name| labels.get(name).is_none()) {
        return labels.clone();
    }
    labels.filtered(|name| !replica_labels.iter().any(|replica| replica == name))
}

/// The order of two replicas of a series: by the values of the replica labels, in the order in which these are configured.
fn replica_order(a: &Labels, b: &Labels, replica_labels: &[String]) -> Ordering {
    let value = |labels| replica_labels.iter().map(move |name| Labels::value(labels, name));
    value(a).cmp(value(b))
}

//! What hangs on series besides samples: exemplars and metadata.

use std::sync::Arc;

use model::{Exemplar, Labels, Matcher, Metadata, TimeRange};
use storage::ExemplarSeries;

use super::exemplars::{ExemplarRing, ExemplarVerdict};
use super::index::Place;
use super::state::Head;

impl Head {
    /// Takes note of metadata; of series that are gone it is forgotten. The gate must be held.
    pub(super) fn set_metadata(&self, all: &[(Place, Metadata)]) {
        if all.is_empty() {
            return;
        }
        let index = self.index.read();
        let mut table = self.metadata.write();
        for (place, metadata) in all.iter().filter(|(place, _)| index.place(place.slot) == Some(*place)) {
            table.set(place.slot, metadata);
        }
    }

    /// Adds exemplars to the ring, all at once as readers see it; those of series that are gone are left out. The gate must be
    /// held.
    pub(super) fn add_exemplars(&self, all: &[(Place, Exemplar)]) {
        if all.is_empty() {
            return;
        }
        let mut ring = self.exemplars.lock();
        let index = self.index.read();
        for (place, exemplar) in all.iter().filter(|(place, _)| index.place(place.slot) == Some(*place)) {
            match ring.push(place.reference, || index.labels(place.slot), exemplar) {
                ExemplarVerdict::Fits => {
                    self.metrics.exemplars_appended.inc();
                }
                ExemplarVerdict::OutOfOrder => {
                    self.metrics.out_of_order_exemplars.inc();
                }
                ExemplarVerdict::Ignored => {}
            }
        }
        self.show_exemplars(&ring);
    }

    fn show_exemplars(&self, ring: &ExemplarRing) {
        let stats = ring.stats();
        self.metrics.exemplars_in_storage.set(stats.exemplars as i64);
        self.metrics.series_with_exemplars.set(stats.series as i64);
        self.metrics.last_exemplars_timestamp.set(stats.first_ms as f64 / 1000.0);
        self.metrics.max_exemplars.set(ring.capacity() as i64);
    }

    /// The exemplars of the series that any selector matches.
    pub(crate) fn select_exemplars(&self, selectors: &[Vec<Matcher>], range: TimeRange) -> Vec<ExemplarSeries> {
        self.exemplars.lock().select(selectors, range)
    }

    /// Changes how many exemplars are kept.
    pub(crate) fn set_max_exemplars(&self, count: usize) {
        let mut ring = self.exemplars.lock();
        ring.resize(count);
        self.show_exemplars(&ring);
    }

    /// What is known of the metric of a series.
    pub(crate) fn series_metadata(&self, labels: &Labels) -> Option<Arc<Metadata>> {
        let index = self.index.read();
        let place = index.find(labels)?;
        self.metadata.read().get(place.slot).cloned()
    }
}

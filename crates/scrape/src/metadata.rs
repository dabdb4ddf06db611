//! What a target says about its metrics: type and help.

use exposition::MetricType;
use hashbrown::HashMap;

/// Scrapes after which a metric that isn't shown any more is forgotten.
const KEPT_SCRAPES: u32 = 10;

/// One metric family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricMetadata {
    /// The family's name.
    pub metric: String,
    /// What it is.
    pub kind: MetricType,
    /// What it means.
    pub help: String,
    /// Its unit; the text format has none.
    pub unit: String,
}

#[derive(Debug, Default)]
struct Known {
    kind: MetricType,
    help: String,
    seen: u32,
}

/// The families that a target shows.
#[derive(Debug, Default)]
pub(crate) struct MetadataCache {
    families: HashMap<String, Known, foldhash::fast::RandomState>,
    scrape: u32,
}

impl MetadataCache {
    pub(crate) fn begin(&mut self) {
        self.scrape += 1;
    }

    pub(crate) fn set_help(&mut self, metric: &str, help: &str) {
        let known = self.known(metric);
        if known.help != help {
            help.clone_into(&mut known.help);
        }
    }

    pub(crate) fn set_kind(&mut self, metric: &str, kind: MetricType) {
        self.known(metric).kind = kind;
    }

    pub(crate) fn finish(&mut self) {
        let oldest = self.scrape.saturating_sub(KEPT_SCRAPES);
        self.families.retain(|_, known| known.seen >= oldest);
    }

    /// All families, sorted by name.
    pub(crate) fn list(&self) -> Vec<MetricMetadata> {
        let mut list: Vec<MetricMetadata> = self
            .families
            .iter()
            .map(|(metric, known)| MetricMetadata {
                metric: metric.clone(),
                kind: known.kind,
                help: known.help.clone(),
                unit: String::new(),
            })
            .collect();
        list.sort_by(|a, b| a.metric.cmp(&b.metric));
        list
    }

    fn known(&mut self, metric: &str) -> &mut Known {
        if !self.families.contains_key(metric) {
            self.families.insert(metric.to_owned(), Known::default());
        }
        let known = self.families.get_mut(metric).expect("inserted where it was missing");
        known.seen = self.scrape;
        known
    }
}

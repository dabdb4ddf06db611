//! From the labels of a line to those of the stored series.

use discovery::relabel::process;
use model::{Labels, LabelsBuilder, LabelsScratch, METRIC_NAME};

use super::Ingest;
use super::error::{IngestError, Place};
use super::sample::Shown;
use crate::scrape_config::ScrapeConfig;

/// Bytes of a metric's name in a message about a limit.
const NAME_SHOWN_MAX: usize = 50;

impl Ingest<'_> {
    /// The labels of a line as they are stored; `None` where relabelling drops it.
    pub(super) fn resolve(&mut self, shown: &impl Shown) -> Result<Option<Labels>, IngestError> {
        shown.labels(self.scratch)?;
        self.settle(shown.place())
    }

    /// The labels that were pushed, as they are stored; `None` where relabelling drops them.
    pub(super) fn settle(&mut self, place: Place) -> Result<Option<Labels>, IngestError> {
        let mut labels = LabelsBuilder::new(&self.scratch.build());
        merge_target_labels(&mut labels, self.scratch, self.labels, self.config.honor_labels);
        if !process(&self.config.metric_relabel_configs, &mut labels) {
            return Ok(None);
        }
        let labels = labels.build();
        if labels.is_empty() {
            return Ok(None);
        }
        if labels.metric_name().is_empty() {
            return Err(IngestError::series(place, "relabelling left the series without a metric name"));
        }
        if !self.config.names.validation.takes(&labels) {
            return Err(IngestError::series(place, format!("invalid metric name or label names: {labels}")));
        }
        match exceeded_limit(&labels, self.config) {
            Some(reason) => Err(IngestError::LabelLimit { place, reason }),
            None => Ok(Some(labels)),
        }
    }
}

/// Adds the target's labels. Where the exposition has one of the same name, `honor_labels` decides: the exposition's wins,
/// even an empty one, or it is kept as `exported_…`.
fn merge_target_labels(labels: &mut LabelsBuilder, exposed: &LabelsScratch, target: &Labels, honor_labels: bool) {
    if honor_labels {
        for (name, value) in target {
            if !exposed.pairs().any(|(exposed, _)| exposed == name) {
                labels.set(name, value);
            }
        }
        return;
    }
    let mut conflicts = Vec::new();
    for (name, value) in target {
        if let Some(exposed) = labels.get(name) {
            conflicts.push((name, exposed.to_owned()));
        }
        labels.set(name, value);
    }
    // The shortest first, so that a name which is exported twice takes its second prefix.
    conflicts.sort_by_key(|(name, _)| name.len());
    for (name, value) in conflicts {
        let mut exported = format!("exported_{name}");
        while labels.get(&exported).is_some() {
            exported.insert_str(0, "exported_");
        }
        labels.set(&exported, &value);
    }
}

/// The first of the limits on labels that a series is beyond, in words.
fn exceeded_limit(labels: &Labels, config: &ScrapeConfig) -> Option<String> {
    let limits = &config.limits;
    let shown = |text: &str| text.chars().take(NAME_SHOWN_MAX).collect::<String>();
    let metric = || shown(labels.get(METRIC_NAME).unwrap_or(""));
    if limits.labels > 0 && labels.len() as u64 > limits.labels {
        let (metric, count, limit) = (metric(), labels.len(), limits.labels);
        return Some(format!("label_limit exceeded (metric: {metric}, labels: {count}, limit: {limit})"));
    }
    let exceeded = |limit: u64, text: &str| limit > 0 && text.len() as u64 > limit;
    labels.iter().find_map(|(name, value)| {
        let (what, text, limit) = match (limits.label_name_length, limits.label_value_length) {
            (limit, _) if exceeded(limit, name) => ("name", name, limit),
            (_, limit) if exceeded(limit, value) => ("value", value, limit),
            _ => return None,
        };
        Some(format!(
            "label_{what}_length_limit exceeded (metric: {}, label: {}, length: {}, limit: {limit})",
            metric(),
            shown(name),
            text.len(),
        ))
    })
}

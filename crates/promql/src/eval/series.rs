//! Series with their columns, and sets of them.

use hashbrown::HashMap;
use model::{Labels, METRIC_NAME};

use crate::eval::column::Column;
use crate::eval::failure::QueryFailure;

/// A label set and its values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StepSeries {
    pub(crate) labels: Labels,
    pub(crate) column: Column,
}

/// Takes series one by one. The column is the giver's to use again, so who keeps it takes it out.
pub(crate) type Sink<'a> = dyn FnMut(Labels, &mut Column) -> Result<(), QueryFailure> + 'a;

/// The labels that describe the metric and not the series; they go with the metric's name.
pub(crate) const METADATA: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// Whether a label describes the metric.
pub(crate) fn is_metadata(name: &str) -> bool {
    METADATA.contains(&name)
}

/// Without the metric's name and what else describes the metric.
pub(crate) fn without_metadata(labels: &Labels) -> Labels {
    labels.filtered(|name| !is_metadata(name))
}

/// Takes the metric's name and the like from one label set after the other; for clones of one set it makes one.
#[derive(Debug, Default)]
pub(crate) struct Unnamed {
    last: Option<(Labels, Labels)>,
}

impl Unnamed {
    /// Without what describes the metric.
    pub(crate) fn of(&mut self, labels: &Labels) -> Labels {
        if let Some((_, unnamed)) = self.last.as_ref().filter(|(last, _)| last.is_clone_of(labels)) {
            return unnamed.clone();
        }
        let unnamed = without_metadata(labels);
        self.last = Some((labels.clone(), unnamed.clone()));
        unnamed
    }
}

/// Series by label set, in the order in which they came. The same label set may come again with values for other steps;
/// two values for one step are an error.
#[derive(Debug, Default)]
pub(crate) struct SeriesSet {
    index: HashMap<Labels, usize, foldhash::fast::RandomState>,
    series: Vec<StepSeries>,
}

impl SeriesSet {
    /// Adds a series, whose column is taken.
    pub(crate) fn add(&mut self, labels: Labels, column: &mut Column) -> Result<(), QueryFailure> {
        if let Some(at) = self.index.get(&labels) {
            let known = &mut self.series[*at].column;
            for step in column.taken() {
                if known.is_taken(step) {
                    return Err(QueryFailure::same_labelset());
                }
                known.put(step, column.point(step));
            }
            return Ok(());
        }
        self.index.insert(labels.clone(), self.series.len());
        self.series.push(StepSeries { labels, column: std::mem::take(column) });
        Ok(())
    }

    /// The column of a label set, which is made empty with `len` places where it is new.
    pub(crate) fn column(&mut self, labels: &Labels, len: usize) -> &mut Column {
        let at = match self.index.get(labels) {
            Some(at) => *at,
            None => {
                self.index.insert(labels.clone(), self.series.len());
                self.series.push(StepSeries { labels: labels.clone(), column: Column::empty(len) });
                self.series.len() - 1
            }
        };
        &mut self.series[at].column
    }

    /// Gives everything away that has a value.
    pub(crate) fn drain_into(self, sink: &mut Sink<'_>) -> Result<(), QueryFailure> {
        for mut series in self.series {
            if !series.column.is_blank() {
                sink(series.labels, &mut series.column)?;
            }
        }
        Ok(())
    }
}

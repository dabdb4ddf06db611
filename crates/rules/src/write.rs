//! Storing a group's evaluation: one transaction with the results of all its rules and the stale markers of what vanished.

use std::collections::HashMap;

use model::{Labels, STALE_NAN, Timestamp};
use storage::chunk::Value;
use storage::{AppendError, Appendable, Appender, CommitError, SeriesRef};

/// The series that a rule gave, with the storage's names for them.
pub(crate) type Known = HashMap<Labels, SeriesRef>;

/// What one rule gave at the evaluation's time.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The rule's place in its group.
    pub(crate) rule: usize,
    /// What it gave, each label set once.
    pub(crate) samples: Vec<(Labels, Value)>,
    /// What it gave at the evaluation before.
    pub(crate) previous: Known,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// The rule's place in its group.
    pub(crate) rule: usize,
    /// The series that were stored.
    pub(crate) known: Known,
    /// How many samples the storage refused.
    pub(crate) refused: usize,
    /// Why it refused the last of them.
    pub(crate) error: Option<AppendError>,
}

/// Everything of one evaluation.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// The time of all its samples.
    pub(crate) at: Timestamp,
    /// What the rules gave.
    pub(crate) batches: Vec<Batch>,
    /// Series that belong to no rule any more.
    pub(crate) orphans: Vec<Labels>,
    /// Notes with their names; without content they are taken away.
    pub(crate) notes: Vec<(String, Vec<u8>)>,
}

impl Transaction {
    /// Whether there is nothing to store.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.iter().all(|batch| batch.samples.is_empty() && batch.previous.is_empty())
            && self.orphans.is_empty()
            && self.notes.is_empty()
    }
}

/// Stores a transaction. A series of an earlier evaluation that no batch has any more gets a stale marker, and so do the
/// orphans; that these may be refused is expected (another group may have gone on with them). A storage that takes no notes has none:
/// alerts are restored without them then.
///
/// # Errors
/// The transaction failed; nothing was stored. It comes back as it was.
pub(crate) fn store(
    storage: &dyn Appendable,
    transaction: Transaction,
) -> Result<Vec<Stored>, (CommitError, Transaction)> {
    let Transaction { at, batches, orphans, notes } = &transaction;
    let mut appender = storage.appender();
    let mut written: HashMap<&Labels, &Value> = HashMap::new();
    let mut stored = Vec::with_capacity(batches.len());
    for batch in batches {
        stored.push(store_batch(appender.as_mut(), *at, batch, &mut written));
    }
    for batch in batches {
        for (labels, series) in &batch.previous {
            if !written.contains_key(labels) {
                append(appender.as_mut(), labels, Some(*series), *at, &Value::Float(STALE_NAN)).ok();
            }
        }
    }
    for labels in orphans.iter().filter(|labels| !written.contains_key(labels)) {
        appender.append(labels, *at, STALE_NAN).ok();
    }
    for (name, content) in notes {
        appender.set_note(name, content).ok();
    }
    match appender.commit() {
        Ok(()) => Ok(stored),
        Err(error) => {
            drop(written);
            Err((error, transaction))
        }
    }
}

fn store_batch<'a>(
    appender: &mut dyn Appender,
    time: Timestamp,
    batch: &'a Batch,
    written: &mut HashMap<&'a Labels, &'a Value>,
) -> Stored {
    let mut stored = Stored { rule: batch.rule, ..Stored::default() };
    for (labels, value) in &batch.samples {
        let series = batch.previous.get(labels).copied();
        // Within one transaction the storage need not notice that two rules give the same series.
        let result = match written.insert(labels, value) {
            Some(earlier) if !earlier.same_as(value) => Err(AppendError::DuplicateTimestamp),
            _ => append(appender, labels, series, time, value),
        };
        match result {
            Ok(series) => {
                stored.known.insert(labels.clone(), series);
            }
            Err(error) => {
                stored.refused += 1;
                stored.error = Some(error);
            }
        }
    }
    stored
}

fn append(
    appender: &mut dyn Appender,
    labels: &Labels,
    series: Option<SeriesRef>,
    time: Timestamp,
    value: &Value,
) -> Result<SeriesRef, AppendError> {
    let value = match value {
        Value::Float(value) => *value,
        Value::Histogram(histogram) => return appender.append_histogram(labels, time, histogram.clone()),
    };
    if let Some(series) = series {
        match appender.append_ref(series, time, value) {
            Ok(()) => return Ok(series),
            Err(AppendError::UnknownSeries(_)) => {}
            Err(error) => return Err(error),
        }
    }
    appender.append(labels, time, value)
}

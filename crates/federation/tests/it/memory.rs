//! A storage in memory that can be asked and appended to.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use model::{Labels, Timestamp, is_stale};
use parking_lot::Mutex;
use storage::chunk::xor;
use storage::{
    AppendError, Appendable, Appender, CommitError, LabelRequest, QueryError, Queryable, SelectRequest, Series,
    SeriesRef, SeriesSet,
};

type Stored = BTreeMap<Labels, BTreeMap<i64, f64>>;

/// Samples by series and time.
#[derive(Debug, Default, Clone)]
pub(crate) struct Memory(Arc<Mutex<Stored>>);

impl Memory {
    pub(crate) fn put(&self, pairs: &[(&str, &str)], time: Timestamp, value: f64) {
        let labels = Labels::from_pairs(pairs.iter().copied());
        self.0.lock().entry(labels).or_default().insert(time.as_ms(), value);
    }

    /// The samples of a series, stale markers as `None`.
    pub(crate) fn of(&self, series: &str) -> Vec<(i64, Option<f64>)> {
        let stored = self.0.lock();
        let found = stored.iter().find(|(labels, _)| labels.to_string() == series);
        let sample = |(time, value): (&i64, &f64)| (*time, (!is_stale(*value)).then_some(*value));
        found.map(|(_, samples)| samples.iter().map(sample).collect()).unwrap_or_default()
    }

    /// The names of series that are not about the pulls themselves.
    pub(crate) fn series(&self) -> Vec<String> {
        let stored = self.0.lock();
        stored.keys().filter(|labels| labels.get("job") != Some("federation")).map(Labels::to_string).collect()
    }
}

#[async_trait]
impl Queryable for Memory {
    async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError> {
        let stored = self.0.lock();
        let matching = stored.iter().filter(|(labels, _)| request.matchers.iter().all(|m| m.matches_labels(labels)));
        let series = matching.map(|(labels, samples)| {
            let mut writer = xor::Writer::default();
            for (time, value) in samples {
                writer.push(*time, *value);
            }
            Series { labels: labels.clone(), chunks: writer.finish().into_iter().collect() }
        });
        Ok(SeriesSet::from_sorted(series.collect()))
    }

    async fn label_names(&self, _: &LabelRequest) -> Result<Vec<String>, QueryError> {
        Err(QueryError::input("not asked for here"))
    }

    async fn label_values(&self, _: &str, _: &LabelRequest) -> Result<Vec<String>, QueryError> {
        Err(QueryError::input("not asked for here"))
    }

    fn min_time(&self) -> Option<Timestamp> {
        None
    }
}

impl Appendable for Memory {
    fn appender(&self) -> Box<dyn Appender> {
        Box::new(Transaction { memory: self.clone(), series: Vec::new(), samples: Vec::new() })
    }
}

/// Makes up references of its own, so they are unknown in the next transaction, as they are after a restart.
struct Transaction {
    memory: Memory,
    series: Vec<Labels>,
    samples: Vec<(Labels, i64, f64)>,
}

impl Appender for Transaction {
    fn append(&mut self, labels: &Labels, time: Timestamp, value: f64) -> Result<SeriesRef, AppendError> {
        let newest = self.memory.0.lock().get(labels).and_then(|samples| samples.keys().last().copied());
        match newest {
            Some(newest) if time.as_ms() < newest => return Err(AppendError::OutOfOrder),
            Some(newest) if time.as_ms() == newest => return Err(AppendError::DuplicateTimestamp),
            _ => {}
        }
        self.series.push(labels.clone());
        self.samples.push((labels.clone(), time.as_ms(), value));
        Ok(SeriesRef(self.series.len() as u64 - 1))
    }

    fn append_ref(&mut self, series: SeriesRef, _: Timestamp, _: f64) -> Result<(), AppendError> {
        Err(AppendError::UnknownSeries(series))
    }

    fn commit(self: Box<Self>) -> Result<(), CommitError> {
        let mut stored = self.memory.0.lock();
        for (labels, time, value) in self.samples {
            stored.entry(labels).or_default().insert(time, value);
        }
        Ok(())
    }

    fn rollback(self: Box<Self>) {}
}

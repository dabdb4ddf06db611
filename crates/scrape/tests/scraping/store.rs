//! A storage in memory with the rules of a real one.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Exemplar, Histogram, Labels, Metadata, NativeHistogram, Timestamp, is_stale};
use parking_lot::Mutex;
use storage::chunk::Value;
use storage::{AppendError, Appendable, Appender, CommitError, SeriesRef};
use tokio::sync::watch;

#[derive(Default)]
struct Data {
    refs: HashMap<Labels, u64>,
    /// By reference: labels and samples in order.
    series: Vec<(Labels, Vec<(i64, Value)>)>,
    exemplars: Vec<(Labels, Exemplar)>,
    metadata: HashMap<Labels, Metadata>,
    /// Transactions that were stored, each as `labels → value`.
    commits: Vec<Vec<(Labels, i64, f64)>>,
    /// References below this one are unknown: what a storage does that has dropped its oldest series.
    forgotten: u64,
    appends_by_labels: usize,
    starts_offered: usize,
}

#[derive(Clone)]
pub(crate) struct Store {
    data: Arc<Mutex<Data>>,
    commits: Arc<watch::Sender<usize>>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Store { data: Arc::default(), commits: Arc::new(watch::channel(0).0) }
    }

    /// Waits until `wanted` gives something, asking after each commit.
    pub(crate) async fn wait<T>(&self, wanted: impl Fn(&Self) -> Option<T>) -> T {
        let mut commits = self.commits.subscribe();
        let waiting = async {
            loop {
                if let Some(found) = wanted(self) {
                    return found;
                }
                commits.changed().await.unwrap();
            }
        };
        let bound = std::time::Duration::from_secs(20);
        match tokio::time::timeout(bound, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("not seen within {bound:?}; series: {:#?}", self.data.lock().series),
        }
    }

    /// Samples of the series that prints as `labels`, histograms as their sums.
    pub(crate) fn samples(&self, labels: &str) -> Vec<(i64, f64)> {
        self.values(labels).iter().map(|(time, value)| (*time, number(value))).collect()
    }

    /// The same as they are.
    pub(crate) fn values(&self, labels: &str) -> Vec<(i64, Value)> {
        let data = self.data.lock();
        let found = data.series.iter().find(|(l, _)| l.to_string() == labels);
        found.map(|(_, samples)| samples.clone()).unwrap_or_default()
    }

    /// The last histogram of a series.
    pub(crate) fn histogram(&self, labels: &str) -> Option<NativeHistogram> {
        match self.values(labels).pop() {
            Some((_, Value::Histogram(histogram))) => Some(histogram),
            _ => None,
        }
    }

    /// The exemplars of a series: their labels as text, values and times.
    pub(crate) fn exemplars(&self, labels: &str) -> Vec<(String, f64, i64)> {
        let data = self.data.lock();
        let of_series = data.exemplars.iter().filter(|(l, _)| l.to_string() == labels);
        of_series.map(|(_, e)| (e.labels.to_string(), e.value, e.time.as_ms())).collect()
    }

    pub(crate) fn metadata(&self, labels: &str) -> Option<Metadata> {
        let data = self.data.lock();
        data.metadata.iter().find(|(l, _)| l.to_string() == labels).map(|(_, metadata)| metadata.clone())
    }

    /// The last value of a series.
    pub(crate) fn last(&self, labels: &str) -> Option<f64> {
        self.samples(labels).last().map(|(_, value)| *value)
    }

    pub(crate) fn is_stale(&self, labels: &str) -> bool {
        self.last(labels).is_some_and(is_stale)
    }

    /// All series that have samples as text, sorted.
    pub(crate) fn series(&self) -> Vec<String> {
        let data = self.data.lock();
        let filled = data.series.iter().filter(|(_, samples)| !samples.is_empty());
        let mut all: Vec<String> = filled.map(|(labels, _)| labels.to_string()).collect();
        all.sort();
        all
    }

    pub(crate) fn commit_count(&self) -> usize {
        self.data.lock().commits.len()
    }

    /// The values of one transaction by the metric's name.
    pub(crate) fn commit(&self, at: usize) -> Vec<(String, i64, f64)> {
        let data = self.data.lock();
        data.commits[at].iter().map(|(labels, time, value)| (labels.metric_name().to_owned(), *time, *value)).collect()
    }

    /// Makes all references that were given out so far unknown.
    pub(crate) fn forget_references(&self) {
        let mut data = self.data.lock();
        data.forgotten = data.series.len() as u64;
        data.refs.clear();
    }

    /// How many zeros were offered, taken or not.
    pub(crate) fn starts_offered(&self) -> usize {
        self.data.lock().starts_offered
    }

    pub(crate) fn appends_by_labels(&self) -> usize {
        self.data.lock().appends_by_labels
    }
}

impl Appendable for Store {
    fn appender(&self) -> Box<dyn Appender> {
        let (staged, exemplars, metadata) = Default::default();
        Box::new(Transaction { store: self.clone(), staged, exemplars, metadata })
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Float(value) => *value,
        Value::Histogram(histogram) => histogram.to_float().sum,
    }
}

struct Transaction {
    store: Store,
    staged: Vec<(u64, i64, Value)>,
    exemplars: Vec<(u64, Exemplar)>,
    metadata: Vec<(u64, Metadata)>,
}

impl Transaction {
    /// The series with these labels, which is made if it is new.
    fn series(&self, labels: &Labels) -> u64 {
        let mut data = self.store.data.lock();
        let next = data.series.len() as u64;
        let id = *data.refs.entry(labels.clone()).or_insert(next);
        if id == next {
            data.series.push((labels.clone(), Vec::new()));
        }
        id
    }

    fn stage(&mut self, series: SeriesRef, time: Timestamp, mut value: Value) -> Result<(), AppendError> {
        let data = self.store.data.lock();
        let known = usize::try_from(series.0).ok().and_then(|id| data.series.get(id));
        let (_, samples) = known.filter(|_| series.0 >= data.forgotten).ok_or(AppendError::UnknownSeries(series))?;
        let of_series = |(id, time, value): &(u64, i64, Value)| (*id == series.0).then(|| (*time, value.clone()));
        let last = self.staged.iter().rev().find_map(of_series).or(samples.last().cloned());
        if matches!(last, Some((_, Value::Histogram(_)))) && is_stale(number(&value)) {
            value = Value::Histogram(Histogram::stale().into());
        }
        match last {
            Some((last, _)) if last > time.as_ms() => return Err(AppendError::OutOfOrder),
            Some((last, old)) if last == time.as_ms() => {
                let is_same = number(&old).to_bits() == number(&value).to_bits();
                return if is_same { Ok(()) } else { Err(AppendError::DuplicateTimestamp) };
            }
            _ => {}
        }
        self.staged.push((series.0, time.as_ms(), value));
        Ok(())
    }
}

impl Appender for Transaction {
    fn append(&mut self, labels: &Labels, time: Timestamp, value: f64) -> Result<SeriesRef, AppendError> {
        self.store.data.lock().appends_by_labels += 1;
        let series = SeriesRef(self.series(labels));
        self.stage(series, time, Value::Float(value)).map(|()| series)
    }

    fn append_ref(&mut self, series: SeriesRef, time: Timestamp, value: f64) -> Result<(), AppendError> {
        self.stage(series, time, Value::Float(value))
    }

    fn append_histogram(
        &mut self,
        labels: &Labels,
        time: Timestamp,
        histogram: NativeHistogram,
    ) -> Result<SeriesRef, AppendError> {
        histogram.validate().map_err(|error| AppendError::InvalidHistogram(error.to_string()))?;
        let series = SeriesRef(self.series(labels));
        self.stage(series, time, Value::Histogram(histogram)).map(|()| series)
    }

    fn append_start(
        &mut self,
        labels: &Labels,
        start: Timestamp,
        time: Timestamp,
        zero: Value,
    ) -> Result<(), AppendError> {
        let id = self.series(labels);
        self.store.data.lock().starts_offered += 1;
        let staged = self.staged.iter().rev().find(|(series, ..)| *series == id).map(|(_, time, _)| *time);
        let stored = self.store.data.lock().series[id as usize].1.last().map(|(time, _)| *time);
        if start >= time || staged.max(stored).is_some_and(|newest| newest >= start.as_ms()) {
            return Err(AppendError::OutOfOrder);
        }
        self.stage(SeriesRef(id), start, zero)
    }

    fn append_exemplar(&mut self, series: SeriesRef, exemplar: &Exemplar) -> Result<(), AppendError> {
        let data = self.store.data.lock();
        let labels = &data.series[series.0 as usize].0;
        match data.exemplars.iter().rev().find(|(l, _)| l == labels) {
            Some((_, last)) if last == exemplar => return Ok(()),
            Some((_, last)) if last.time > exemplar.time => return Err(AppendError::OutOfOrder),
            _ => {}
        }
        self.exemplars.push((series.0, exemplar.clone()));
        Ok(())
    }

    fn append_metadata(&mut self, series: SeriesRef, metadata: &Metadata) -> Result<(), AppendError> {
        self.metadata.push((series.0, metadata.clone()));
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), CommitError> {
        let count = {
            let mut data = self.store.data.lock();
            let mut commit = Vec::new();
            for (id, time, value) in self.staged {
                let (labels, samples) = &mut data.series[id as usize];
                commit.push((labels.clone(), time, number(&value)));
                samples.push((time, value));
            }
            for (id, exemplar) in self.exemplars {
                let labels = data.series[id as usize].0.clone();
                data.exemplars.push((labels, exemplar));
            }
            for (id, metadata) in self.metadata {
                let labels = data.series[id as usize].0.clone();
                data.metadata.insert(labels, metadata);
            }
            data.commits.push(commit);
            data.commits.len()
        };
        self.store.commits.send_replace(count);
        Ok(())
    }

    fn rollback(self: Box<Self>) {}
}

//! A storage in memory with the rules of a real one.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Labels, Timestamp, is_stale};
use parking_lot::Mutex;
use storage::{AppendError, Appendable, Appender, CommitError, SeriesRef};
use tokio::sync::watch;

#[derive(Default)]
struct Data {
    refs: HashMap<Labels, u64>,
    /// By reference: labels and samples in order.
    series: Vec<(Labels, Vec<(i64, f64)>)>,
    /// Transactions that were stored, each as `labels → value`.
    commits: Vec<Vec<(Labels, i64, f64)>>,
    /// References below this one are unknown: what a storage does that has dropped its oldest series.
    forgotten: u64,
    appends_by_labels: usize,
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

    /// Samples of the series that prints as `labels`.
    pub(crate) fn samples(&self, labels: &str) -> Vec<(i64, f64)> {
        let data = self.data.lock();
        let found = data.series.iter().find(|(l, _)| l.to_string() == labels);
        found.map(|(_, samples)| samples.clone()).unwrap_or_default()
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

    pub(crate) fn appends_by_labels(&self) -> usize {
        self.data.lock().appends_by_labels
    }
}

impl Appendable for Store {
    fn appender(&self) -> Box<dyn Appender> {
        Box::new(Transaction { store: self.clone(), staged: Vec::new() })
    }
}

struct Transaction {
    store: Store,
    staged: Vec<(u64, i64, f64)>,
}

impl Appender for Transaction {
    fn append(&mut self, labels: &Labels, time: Timestamp, value: f64) -> Result<SeriesRef, AppendError> {
        let id = {
            let mut data = self.store.data.lock();
            data.appends_by_labels += 1;
            let next = data.series.len() as u64;
            let id = *data.refs.entry(labels.clone()).or_insert(next);
            if id == next {
                data.series.push((labels.clone(), Vec::new()));
            }
            id
        };
        self.append_ref(SeriesRef(id), time, value)?;
        Ok(SeriesRef(id))
    }

    fn append_ref(&mut self, series: SeriesRef, time: Timestamp, value: f64) -> Result<(), AppendError> {
        let data = self.store.data.lock();
        let known = usize::try_from(series.0).ok().and_then(|id| data.series.get(id));
        let (_, samples) = known.filter(|_| series.0 >= data.forgotten).ok_or(AppendError::UnknownSeries(series))?;
        let staged = self.staged.iter().rev().find(|(id, ..)| *id == series.0).map(|(_, time, value)| (*time, *value));
        match staged.or(samples.last().copied()) {
            Some((last, _)) if last > time.as_ms() => return Err(AppendError::OutOfOrder),
            Some((last, old)) if last == time.as_ms() => {
                let is_same = old.to_bits() == value.to_bits();
                return if is_same { Ok(()) } else { Err(AppendError::DuplicateTimestamp) };
            }
            _ => {}
        }
        self.staged.push((series.0, time.as_ms(), value));
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), CommitError> {
        let count = {
            let mut data = self.store.data.lock();
            let mut commit = Vec::new();
            for (id, time, value) in self.staged {
                let (labels, samples) = &mut data.series[id as usize];
                samples.push((time, value));
                commit.push((labels.clone(), time, value));
            }
            data.commits.push(commit);
            data.commits.len()
        };
        self.store.commits.send_replace(count);
        Ok(())
    }

    fn rollback(self: Box<Self>) {}
}

//! The storage of a test: series in memory that grow and can be read.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use model::{Labels, NativeHistogram, TimeRange, Timestamp};
use parking_lot::RwLock;
use storage::chunk::{Chunk, Recoder, Value};
use storage::{
    AppendError, Appendable, Appender, CommitError, LabelRequest, QueryError, Queryable, SelectRequest, Series,
    SeriesRef, SeriesSet, merge_strings,
};

/// Takes samples in order of time and refuses others as a database without a window for late samples does.
#[derive(Debug, Clone, Default)]
pub(crate) struct GrowingStorage(Arc<RwLock<Content>>);

#[derive(Debug, Default)]
struct Content {
    refs: HashMap<Labels, usize>,
    series: Vec<(Labels, Vec<(i64, Value)>)>,
}

impl Content {
    /// Whether a sample may follow what is there; `false` if it is there already.
    fn follows(&self, series: usize, time: i64, value: &Value) -> Result<bool, AppendError> {
        match self.series[series].1.last() {
            Some((last, _)) if *last > time => Err(AppendError::OutOfOrder),
            Some((last, there)) if *last == time && !there.same_as(value) => Err(AppendError::DuplicateTimestamp),
            Some((last, _)) => Ok(*last < time),
            None => Ok(true),
        }
    }

    fn matching<'a>(&'a self, request: &'a LabelRequest) -> impl Iterator<Item = &'a Labels> {
        let matching = self.series.iter().filter(|(labels, samples)| {
            request.matchers.iter().all(|matcher| matcher.matches_labels(labels))
                && samples.iter().any(|(time, _)| request.range.contains(Timestamp::from_ms(*time)))
        });
        matching.map(|(labels, _)| labels)
    }
}

impl GrowingStorage {
    /// All samples of all series in order of labels, for people.
    pub(crate) fn dump(&self) -> Vec<String> {
        let content = self.0.read();
        let text = |value: &Value| match value {
            Value::Float(value) if model::is_stale(*value) => "stale".to_owned(),
            Value::Float(value) => model::format_float(*value),
            Value::Histogram(histogram) => format!("{histogram:?}"),
        };
        let mut lines: Vec<String> = Vec::new();
        for (labels, samples) in content.series.iter().filter(|(_, samples)| !samples.is_empty()) {
            let samples: Vec<String> = samples.iter().map(|(time, value)| format!("{}@{time}", text(value))).collect();
            lines.push(format!("{labels} {}", samples.join(" ")));
        }
        lines.sort();
        lines
    }
}

fn chunks(samples: &[(i64, Value)], range: TimeRange) -> Vec<Chunk> {
    let mut recoder = Recoder::default();
    let inside = samples.iter().filter(|(time, _)| range.contains(Timestamp::from_ms(*time)));
    inside.for_each(|(time, value)| recoder.push(*time, value.clone()));
    recoder.finish()
}

impl Appendable for GrowingStorage {
    fn appender(&self) -> Box<dyn Appender> {
        Box::new(Transaction { storage: self.clone(), samples: Vec::new() })
    }
}

struct Transaction {
    storage: GrowingStorage,
    samples: Vec<(usize, i64, Value)>,
}

impl Transaction {
    fn add(&mut self, labels: &Labels, time: Timestamp, value: Value) -> Result<SeriesRef, AppendError> {
        let mut content = self.storage.0.write();
        let series = match content.refs.get(labels) {
            Some(series) => *series,
            None => {
                let series = content.series.len();
                content.series.push((labels.clone(), Vec::new()));
                content.refs.insert(labels.clone(), series);
                series
            }
        };
        if content.follows(series, time.as_ms(), &value)? {
            self.samples.push((series, time.as_ms(), value));
        }
        Ok(SeriesRef(series as u64))
    }
}

impl Appender for Transaction {
    fn append(&mut self, labels: &Labels, time: Timestamp, value: f64) -> Result<SeriesRef, AppendError> {
        self.add(labels, time, Value::Float(value))
    }

    fn append_ref(&mut self, series: SeriesRef, time: Timestamp, value: f64) -> Result<(), AppendError> {
        let content = self.storage.0.read();
        let place = usize::try_from(series.0).ok().filter(|place| *place < content.series.len());
        let place = place.ok_or(AppendError::UnknownSeries(series))?;
        if content.follows(place, time.as_ms(), &Value::Float(value))? {
            self.samples.push((place, time.as_ms(), Value::Float(value)));
        }
        Ok(())
    }

    fn append_histogram(
        &mut self,
        labels: &Labels,
        time: Timestamp,
        histogram: NativeHistogram,
    ) -> Result<SeriesRef, AppendError> {
        self.add(labels, time, Value::Histogram(histogram))
    }

    /// A test doesn't start again, so nothing is kept for that.
    fn set_note(&mut self, _name: &str, _content: &[u8]) -> Result<(), AppendError> {
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), CommitError> {
        let mut content = self.storage.0.write();
        for (series, time, value) in self.samples {
            // What came twice within the transaction counts once.
            if content.follows(series, time, &value) == Ok(true) {
                content.series[series].1.push((time, value));
            }
        }
        Ok(())
    }

    fn rollback(self: Box<Self>) {}
}

#[async_trait]
impl Queryable for GrowingStorage {
    async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError> {
        let content = self.0.read();
        let matches = |labels: &Labels| request.matchers.iter().all(|matcher| matcher.matches_labels(labels));
        let matching = content.series.iter().filter(|(labels, _)| matches(labels));
        let series =
            matching.map(|(labels, samples)| Series { labels: labels.clone(), chunks: chunks(samples, request.range) });
        let mut found: Vec<Series> = series.filter(|series| !series.chunks.is_empty()).collect();
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        if request.hints.limit > 0 {
            found.truncate(request.hints.limit);
        }
        Ok(SeriesSet::from_sorted(found))
    }

    async fn label_names(&self, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        let content = self.0.read();
        let names = content.matching(request).flat_map(|labels| labels.iter().map(|(name, _)| name.to_owned()));
        Ok(merge_strings(vec![names.collect()], request.limit))
    }

    async fn label_values(&self, name: &str, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        let content = self.0.read();
        let values = content.matching(request).filter_map(|labels| labels.get(name).map(str::to_owned));
        Ok(merge_strings(vec![values.collect()], request.limit))
    }

    fn min_time(&self) -> Option<Timestamp> {
        let content = self.0.read();
        let first = content.series.iter().filter_map(|(_, samples)| samples.first().map(|(time, _)| *time)).min();
        first.map(Timestamp::from_ms)
    }
}

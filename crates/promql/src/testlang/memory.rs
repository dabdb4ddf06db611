//! A storage in memory that hands out encoded chunks, as a real one does.

use async_trait::async_trait;
use model::{Labels, TimeRange, Timestamp};
use storage::chunk::{Chunk, Recoder, TimedValue, Value};
use storage::{
    HistogramSample, LabelRequest, QueryError, Queryable, Samples, SelectRequest, Series, SeriesSet, merge_strings,
};

/// Series in memory, encoded once.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    series: Vec<Series>,
}

impl MemoryStorage {
    /// Holds `series`; each label set comes once.
    pub fn new(series: impl IntoIterator<Item = (Labels, Samples)>) -> Self {
        let mut series: Vec<Series> =
            series.into_iter().map(|(labels, samples)| Series { labels, chunks: encode(&samples) }).collect();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        MemoryStorage { series }
    }

    fn matching<'a>(&'a self, request: &'a LabelRequest) -> impl Iterator<Item = &'a Series> {
        self.series.iter().filter(|series| {
            request.matchers.iter().all(|matcher| matcher.matches_labels(&series.labels))
                && series.chunks.iter().any(|chunk| touches(chunk, request.range))
        })
    }
}

fn encode(samples: &Samples) -> Vec<Chunk> {
    let floats = samples.iter().enumerate().map(|(at, sample)| {
        let (time, start) = (sample.time.as_ms(), samples.start(at));
        TimedValue { time, start, value: Value::Float(sample.value) }
    });
    let histograms = samples.histograms.iter().map(|sample| {
        let HistogramSample { time, start, .. } = *sample;
        TimedValue { time, start, value: sample.histogram.clone().into() }
    });
    let mut all: Vec<TimedValue> = floats.chain(histograms).collect();
    all.sort_by_key(|sample| sample.time);
    let mut recoder = Recoder::default();
    all.into_iter().for_each(|sample| recoder.push_timed(sample));
    recoder.finish()
}

fn touches(chunk: &Chunk, range: TimeRange) -> bool {
    range.overlaps(TimeRange::new(chunk.min_time, chunk.max_time))
}

#[async_trait]
impl Queryable for MemoryStorage {
    async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError> {
        let mut found = Vec::new();
        for series in &self.series {
            if !request.matchers.iter().all(|matcher| matcher.matches_labels(&series.labels)) {
                continue;
            }
            let chunks: Vec<Chunk> =
                series.chunks.iter().filter(|chunk| touches(chunk, request.range)).cloned().collect();
            if !chunks.is_empty() {
                found.push(Series { labels: series.labels.clone(), chunks });
            }
        }
        if request.hints.limit > 0 {
            found.truncate(request.hints.limit);
        }
        Ok(SeriesSet::from_sorted(found))
    }

    async fn label_names(&self, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        let names = self.matching(request).flat_map(|series| series.labels.iter().map(|(name, _)| name.to_owned()));
        Ok(merge_strings(vec![names.collect()], request.limit))
    }

    async fn label_values(&self, name: &str, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        let values = self.matching(request).filter_map(|series| series.labels.get(name).map(str::to_owned));
        Ok(merge_strings(vec![values.collect()], request.limit))
    }

    fn min_time(&self) -> Option<Timestamp> {
        self.series.iter().filter_map(|series| series.chunks.first().map(|chunk| chunk.min_time)).min()
    }
}

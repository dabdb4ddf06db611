//! A source of series in memory, which takes hints at their word.

use async_trait::async_trait;
use model::{Labels, METRIC_NAME, TimeRange, Timestamp};
use storage::chunk::Chunk;
use storage::{Hints, LabelRequest, QueryError, Queryable, Samples, SelectRequest, Series, SeriesSet};

/// Series sorted by labels.
pub(crate) struct Memory(Vec<Series>);

impl Memory {
    pub(crate) fn new(mut series: Vec<Series>) -> Self {
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Memory(series)
    }

    fn labels(&self) -> impl Iterator<Item = &Labels> {
        self.0.iter().map(|series| &series.labels)
    }
}

/// Without what the hints say that nobody looks at.
fn without_the_rest(mut series: Series, request: &SelectRequest) -> Series {
    let Hints { newest_only, labels, .. } = &request.hints;
    if *newest_only {
        let mut samples = Samples::default();
        series.decode(request.range, &mut samples).expect("sound chunks");
        let newest = samples.times.last().zip(samples.values.last());
        series.chunks = newest.map(|(time, value)| Chunk::of_one(*time, *value)).into_iter().collect();
    }
    if let Some(wanted) = labels {
        series.labels =
            series.labels.filtered(|name| name == METRIC_NAME || wanted.iter().any(|wanted| wanted == name));
    }
    series
}

fn sorted(all: impl Iterator<Item = String>, limit: usize) -> Vec<String> {
    storage::merge_strings(vec![all.collect()], limit)
}

#[async_trait]
impl Queryable for Memory {
    async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError> {
        let matches = |series: &&Series| request.matchers.iter().all(|matcher| matcher.matches_labels(&series.labels));
        let touched = self.0.iter().filter(matches).filter_map(|series| {
            let mut series = series.clone();
            series.chunks.retain(|chunk| request.range.overlaps(TimeRange::new(chunk.min_time, chunk.max_time)));
            (!series.chunks.is_empty()).then(|| without_the_rest(series, request))
        });
        let limit = if request.hints.limit == 0 { usize::MAX } else { request.hints.limit };
        Ok(SeriesSet::from_sorted(touched.take(limit).collect()))
    }

    async fn label_names(&self, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        Ok(sorted(self.labels().flatten().map(|(name, _)| name.to_owned()), request.limit))
    }

    async fn label_values(&self, name: &str, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        Ok(sorted(self.labels().filter_map(|labels| labels.get(name)).map(str::to_owned), request.limit))
    }

    fn min_time(&self) -> Option<Timestamp> {
        self.0.iter().flat_map(|series| &series.chunks).map(|chunk| chunk.min_time).min()
    }
}

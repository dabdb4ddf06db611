//! What makes a block or a head large. The figures of the first half are those of `promtool tsdb analyze`.

use std::collections::BTreeSet;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use model::{Labels, TimeRange};
use storage::chunk::{Chunk, ChunkError};
use storage::{HistogramSample, QueryError, Samples};

use super::directory::{Inspection, Matchers};
use super::error::InspectError;
use super::head::HeadContent;
use super::progress::Progress;
use super::spread::ChunkSpread;
use crate::block::Block;
use crate::head::NamedCount;
use crate::matching::matching_series;

/// What to look at.
#[derive(Debug, Clone, Default)]
pub struct AnalyzeOptions {
    /// At most so many items in each list.
    pub limit: usize,
    /// Only series for which all of these match.
    pub matchers: Matchers,
    /// How large chunks are, too, for which all native histograms are decoded.
    pub extended: bool,
}

/// What the samples of one metric cost.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricCost {
    /// The metric.
    pub name: String,
    /// Its series.
    pub series: u64,
    /// Its samples.
    pub samples: u64,
    /// The bytes of its chunks' data.
    pub chunk_bytes: u64,
}

impl MetricCost {
    /// Bytes of chunk data for a sample; 0 where there is none.
    pub fn bytes_per_sample(&self) -> f64 {
        if self.samples == 0 { 0.0 } else { self.chunk_bytes as f64 / self.samples as f64 }
    }
}

/// Where the bytes of a block are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Of the index; 0 for a head, which has none on disk.
    pub index_bytes: u64,
    /// Of the chunk files; for a head, of the data of its chunks.
    pub chunk_bytes: u64,
}

/// A block or a head in figures. Lists hold the largest first, equal ones by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Analysis {
    /// The block's name, or `head`.
    pub name: String,
    /// How much time it covers.
    pub duration_ms: i64,
    /// All its series.
    pub series: u64,
    /// The series that matched, where matchers were given.
    pub matched_series: Option<u64>,
    /// The samples of the series that were looked at.
    pub samples: u64,
    /// Different label names.
    pub label_names: u64,
    /// Different label pairs.
    pub label_pairs: u64,
    /// Label pairs over all series.
    pub postings_entries: u64,
    /// By the share of the time that the series with the label don't cover, summed.
    pub churning_label_pairs: Vec<NamedCount>,
    /// The same for label names.
    pub churning_label_names: Vec<NamedCount>,
    /// By how many series have them.
    pub common_label_pairs: Vec<NamedCount>,
    /// By the length of all different values together.
    pub value_bytes_by_label_name: Vec<NamedCount>,
    /// By how many different values they have.
    pub values_by_label_name: Vec<NamedCount>,
    /// By how many series they have.
    pub series_by_metric: Vec<NamedCount>,
    /// By the bytes of their chunks.
    pub costs_by_metric: Vec<MetricCost>,
    /// Where the bytes are.
    pub sizes: Sizes,
    /// How large the chunks are, where it was asked for.
    pub spread: Option<ChunkSpread>,
}

/// The times of a chunk, its samples and the bytes of its data.
struct ChunkFigures {
    min_time: i64,
    max_time: i64,
    samples: usize,
    bytes: usize,
    /// The buckets of its native histograms, where they are wanted; `None` for a chunk of floats.
    buckets: Option<usize>,
}

impl ChunkFigures {
    fn of(chunk: &Chunk, range: TimeRange, extended: bool) -> Result<Self, ChunkError> {
        let mut buckets = None;
        if extended && !chunk.encoding.is_of_floats() {
            let mut samples = Samples::default();
            chunk.decode(TimeRange::ALL, &mut samples)?;
            let of = |sample: &HistogramSample| sample.histogram.positive.len() + sample.histogram.negative.len();
            buckets = Some(samples.histograms.iter().map(of).sum());
        }
        let (min_time, max_time) = (range.min.as_ms(), range.max.as_ms());
        Ok(ChunkFigures { min_time, max_time, samples: chunk.sample_count(), bytes: chunk.data.len(), buckets })
    }
}

#[derive(Default)]
struct PairFigures {
    series: u64,
    uncovered: u64,
}

/// The values of a label name.
type Values = HashMap<String, PairFigures, FixedState>;

#[derive(Default)]
struct Counting {
    names: HashMap<String, Values, FixedState>,
    costs: HashMap<String, MetricCost, FixedState>,
    spread: ChunkSpread,
    entries: u64,
    samples: u64,
    chunk_bytes: u64,
}

impl Counting {
    fn add(&mut self, labels: &Labels, chunks: &[ChunkFigures], duration_ms: u64) {
        let covered = match (chunks.first(), chunks.last()) {
            (Some(first), Some(last)) => last.max_time.saturating_sub(first.min_time).max(0) as u64,
            _ => 0,
        };
        let uncovered = duration_ms.saturating_sub(covered);
        for (name, value) in labels {
            let pair = self.names.entry_ref(name).or_default().entry_ref(value).or_default();
            pair.series += 1;
            pair.uncovered += uncovered;
            self.entries += 1;
        }
        let metric = labels.metric_name();
        let cost = self.costs.entry_ref(metric).or_insert_with(|| MetricCost {
            name: metric.to_owned(),
            series: 0,
            samples: 0,
            chunk_bytes: 0,
        });
        cost.series += 1;
        for chunk in chunks {
            cost.samples += chunk.samples as u64;
            cost.chunk_bytes += chunk.bytes as u64;
            self.samples += chunk.samples as u64;
            self.chunk_bytes += chunk.bytes as u64;
            let spread = &mut self.spread;
            if let Some(buckets) = chunk.buckets {
                spread.histogram_samples.count(chunk.samples);
                spread.histogram_bytes.count(chunk.bytes);
                spread.histogram_buckets.count(buckets);
            } else {
                spread.float_samples.count(chunk.samples);
                spread.float_bytes.count(chunk.bytes);
            }
        }
    }

    fn finish(self, name: String, duration_ms: u64, options: &AnalyzeOptions) -> Analysis {
        let limit = options.limit;
        let share = |uncovered: u64| (uncovered as f64 / duration_ms.max(1) as f64) as u64;
        let pairs =
            || self.names.iter().flat_map(|(name, values)| values.iter().map(move |(v, figures)| (name, v, figures)));
        let named = |name: &str, value: u64| NamedCount { name: name.to_owned(), value };
        let pair = |name: &str, text: &str, value| NamedCount { name: format!("{name}={text}"), value };
        let by_name = |value: &dyn Fn(&Values) -> u64| {
            largest(self.names.iter().map(|(name, values)| named(name, value(values))), limit)
        };
        let mut costs: Vec<MetricCost> = self.costs.values().cloned().collect();
        costs.sort_unstable_by(|a, b| b.chunk_bytes.cmp(&a.chunk_bytes).then_with(|| a.name.cmp(&b.name)));
        costs.truncate(limit);
        let metrics = self.costs.values().filter(|cost| !cost.name.is_empty());
        Analysis {
            name,
            duration_ms: duration_ms as i64,
            series: 0,
            matched_series: None,
            samples: self.samples,
            label_names: self.names.len() as u64,
            label_pairs: pairs().count() as u64,
            postings_entries: self.entries,
            churning_label_pairs: largest(pairs().map(|(n, v, f)| pair(n, v, share(f.uncovered))), limit),
            churning_label_names: by_name(&|values| share(values.values().map(|figures| figures.uncovered).sum())),
            common_label_pairs: largest(pairs().map(|(n, v, f)| pair(n, v, f.series)), limit),
            value_bytes_by_label_name: by_name(&|values| values.keys().map(|value| value.len() as u64).sum()),
            values_by_label_name: by_name(&|values| values.len() as u64),
            series_by_metric: largest(metrics.map(|cost| named(&cost.name, cost.series)), limit),
            costs_by_metric: costs,
            sizes: Sizes { index_bytes: 0, chunk_bytes: self.chunk_bytes },
            spread: options.extended.then_some(self.spread),
        }
    }
}

/// The largest, largest first, equal ones by name. Holds `limit` of them at a time.
fn largest(all: impl Iterator<Item = NamedCount>, limit: usize) -> Vec<NamedCount> {
    let mut kept = BTreeSet::new();
    for NamedCount { name, value } in all {
        kept.insert((std::cmp::Reverse(value), name));
        if kept.len() > limit {
            kept.pop_last();
        }
    }
    kept.into_iter().map(|(value, name)| NamedCount { name, value: value.0 }).collect()
}

/// Looks at a block, by its name.
pub fn analyze_block(
    inspection: &Inspection,
    name: &str,
    options: &AnalyzeOptions,
    progress: &mut dyn Progress,
) -> Result<Analysis, InspectError> {
    let block: &Block = inspection.block(name)?;
    let failed = |error: crate::binary::Corrupt| QueryError::data(format!("block {name}: {error}"));
    let numbers = matching_series(block.index(), &options.matchers).map_err(failed)?;
    let range = (block.meta().min_time.as_ms(), block.meta().max_time.as_ms());
    let duration_ms = range.1.saturating_sub(range.0).max(0) as u64;
    let mut counting = Counting::default();
    progress.begin("series", numbers.len() as u64);
    for number in &numbers {
        let series = block.index().series(*number).map_err(failed)?;
        let mut chunks = Vec::with_capacity(series.chunks.len());
        for place in &series.chunks {
            let chunk = block.chunk(place)?;
            let range = TimeRange::new(place.min_time, place.max_time);
            let figures = ChunkFigures::of(&chunk, range, options.extended);
            chunks.push(figures.map_err(|error| QueryError::data(format!("block {name}: {error}")))?);
        }
        counting.add(&series.labels, &chunks, duration_ms);
        progress.advance(1);
    }
    let mut analysis = counting.finish(name.to_owned(), duration_ms, options);
    analysis.series = block.meta().stats.num_series;
    analysis.matched_series = (!options.matchers.is_empty()).then_some(numbers.len() as u64);
    let index_bytes = block.index().byte_len() as u64;
    analysis.sizes = Sizes { index_bytes, chunk_bytes: block.byte_len().saturating_sub(index_bytes) };
    Ok(analysis)
}

/// Looks at a head.
pub fn analyze_head(
    head: &HeadContent,
    options: &AnalyzeOptions,
    progress: &mut dyn Progress,
) -> Result<Analysis, InspectError> {
    let duration_ms =
        head.time_range().map_or(0, |(min, max)| max.as_ms().saturating_sub(min.as_ms()).saturating_add(1)) as u64;
    let mut counting = Counting::default();
    let mut matched = 0;
    progress.begin("series", head.series().len() as u64);
    for series in head.series() {
        progress.advance(1);
        if !options.matchers.iter().all(|matcher| matcher.matches_labels(&series.labels)) {
            continue;
        }
        matched += 1;
        let figures = series.chunks.iter().map(|chunk| ChunkFigures::of(chunk, chunk.range(), options.extended));
        let figures: Result<Vec<_>, _> = figures.collect();
        let figures = figures.map_err(|error| QueryError::data(format!("head: {error}")))?;
        counting.add(&series.labels, &figures, duration_ms);
    }
    let mut analysis = counting.finish("head".to_owned(), duration_ms, options);
    analysis.series = head.series().len() as u64;
    analysis.matched_series = (!options.matchers.is_empty()).then_some(matched);
    Ok(analysis)
}

//! What the chunks of new blocks are like: Prometheus's three histograms. A block has hundreds of thousands of chunks, so they
//! are counted where the block is written, and added to the metrics at its end.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};
use storage::chunk::Chunk;

/// Upper bounds, each so many times the one before it.
#[derive(Debug)]
struct Bounds {
    first: f64,
    factor: f64,
    count: usize,
}

const SIZE_BYTES: Bounds = Bounds { first: 32.0, factor: 1.5, count: 12 };
const SAMPLES: Bounds = Bounds { first: 4.0, factor: 1.5, count: 12 };
const RANGE_SECONDS: Bounds = Bounds { first: 100.0, factor: 4.0, count: 10 };
const BUCKETS_MAX: usize = 13;

/// Counts by bucket, the last one for what is beyond all bounds.
#[derive(Debug, Clone, Default)]
struct Counts {
    buckets: [u64; BUCKETS_MAX],
    count: u64,
    sum: f64,
}

impl Counts {
    fn observe(&mut self, bounds: &Bounds, value: f64) {
        let (mut bucket, mut bound) = (0, bounds.first);
        while bucket < bounds.count && value > bound {
            bucket += 1;
            bound *= bounds.factor;
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.sum += value;
    }

    fn add(&mut self, other: &Counts) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(mine, more)| *mine += more);
        self.count += other.count;
        self.sum += other.sum;
    }
}

/// What the chunks of one block are like.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChunkFigures {
    size_bytes: Counts,
    samples: Counts,
    range_seconds: Counts,
}

impl ChunkFigures {
    /// Counts a chunk.
    pub(crate) fn count(&mut self, chunk: &Chunk) {
        self.size_bytes.observe(&SIZE_BYTES, chunk.data.len() as f64);
        self.samples.observe(&SAMPLES, chunk.sample_count() as f64);
        let range_ms = chunk.max_time.as_ms().saturating_sub(chunk.min_time.as_ms());
        self.range_seconds.observe(&RANGE_SECONDS, range_ms as f64 / 1000.0);
    }
}

/// A histogram that is added to in batches. Clones are the same histogram.
#[derive(Debug, Clone)]
pub(crate) struct BatchedHistogram {
    bounds: &'static Bounds,
    counts: Arc<Mutex<Counts>>,
}

impl BatchedHistogram {
    fn new(bounds: &'static Bounds) -> Self {
        BatchedHistogram { bounds, counts: Arc::default() }
    }

    pub(crate) fn of_sizes() -> Self {
        BatchedHistogram::new(&SIZE_BYTES)
    }

    pub(crate) fn of_samples() -> Self {
        BatchedHistogram::new(&SAMPLES)
    }

    pub(crate) fn of_ranges() -> Self {
        BatchedHistogram::new(&RANGE_SECONDS)
    }
}

/// The three histograms.
pub(crate) fn add_figures(
    figures: &ChunkFigures,
    sizes: &BatchedHistogram,
    samples: &BatchedHistogram,
    ranges: &BatchedHistogram,
) {
    sizes.counts.lock().add(&figures.size_bytes);
    samples.counts.lock().add(&figures.samples);
    ranges.counts.lock().add(&figures.range_seconds);
}

impl TypedMetric for BatchedHistogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for BatchedHistogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counts = self.counts.lock().clone();
        let mut bound = self.bounds.first;
        let mut buckets = Vec::with_capacity(self.bounds.count + 1);
        for count in &counts.buckets[..self.bounds.count] {
            buckets.push((bound, *count));
            bound *= self.bounds.factor;
        }
        buckets.push((f64::MAX, counts.buckets[self.bounds.count]));
        encoder.encode_histogram::<NoLabelSet>(counts.sum, counts.count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

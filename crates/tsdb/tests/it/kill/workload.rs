//! What the killed process writes: a function of thread and step, so that whoever knows these two knows the samples.

use model::{Buckets, CounterReset, Histogram, Labels, Matcher, NativeHistogram, Span};
use tsdb::{Options, WalCompression};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Threads that append.
pub(crate) const THREADS: u64 = 3;
/// The time of the first step; a multiple of every width of a block.
const START_MS: i64 = 1_700_000_000_000 / BLOCK_MS * BLOCK_MS;
const BLOCK_MS: i64 = 20_000;
const STEP_MS: i64 = 500;
/// Series that a thread appends to in every step.
const STEADY_SERIES: u64 = 12;
/// After so many steps the churning series are others.
const GENERATION_STEPS: u64 = 25;
/// A sample is late by at most so many steps.
const LATE_STEPS: u64 = 60;

/// What differs between the rounds of the test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Profile {
    pub(crate) seed: u64,
}

impl Profile {
    fn is(self, one_of: u64, salt: u64) -> bool {
        self.seed.wrapping_add(salt).is_multiple_of(one_of)
    }

    /// Whether some samples come late.
    pub(crate) fn late(self) -> bool {
        !self.is(3, 0)
    }

    /// Whether there are native histograms.
    pub(crate) fn histograms(self) -> bool {
        self.is(2, 0)
    }

    /// Whether a clean stop leaves a chunk snapshot.
    pub(crate) fn snapshots(self) -> bool {
        !self.is(4, 0)
    }

    /// Small blocks and segments, so that all kinds of things happen all the time.
    pub(crate) fn options(self, dir: &std::path::Path) -> Options {
        let compressions = [WalCompression::None, WalCompression::Snappy, WalCompression::Zstd];
        Options {
            min_block_ms: BLOCK_MS,
            max_block_ms: 9 * BLOCK_MS,
            retention_ms: 0,
            wal_segment_bytes: 32 << 10,
            wal_compression: compressions[self.seed as usize % 3],
            chunk_snapshot: self.snapshots(),
            out_of_order_window_ms: if self.late() { LATE_STEPS as i64 * STEP_MS } else { 0 },
            ..Options::new(dir)
        }
    }
}

/// What a sample holds.
#[derive(Debug, Clone)]
pub(crate) enum Written {
    Float(f64),
    Histogram(NativeHistogram),
}

/// One sample of a transaction.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) labels: Labels,
    pub(crate) time: i64,
    pub(crate) written: Written,
    pub(crate) late: bool,
}

/// The time of a step's samples in order.
pub(crate) fn time_of(thread: u64, step: u64) -> i64 {
    START_MS + step as i64 * STEP_MS + thread as i64 * 7
}

/// A deletion: series of one thread, between two times.
pub(crate) struct Deletion {
    pub(crate) thread: u64,
    pub(crate) index: u64,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Deletion {
    pub(crate) fn matchers(&self) -> Vec<Matcher> {
        vec![
            Matcher::equal("__name__", "steady"),
            Matcher::equal("thread", self.thread.to_string()),
            Matcher::equal("index", self.index.to_string()),
        ]
    }
}

/// The deletion number `step`, all of whose range no sample will be appended to any more.
pub(crate) fn deletion(profile: Profile, step: u64) -> Option<Deletion> {
    let hash = mix(profile.seed, &[77, step]);
    let last = step.checked_sub(LATE_STEPS + 40)?;
    let first = last.saturating_sub(hash % 50);
    let thread = hash / 64 % THREADS;
    let (from, to) = (time_of(0, first), time_of(0, last));
    Some(Deletion { thread, index: hash / 1024 % STEADY_SERIES, from, to })
}

/// A steady series.
pub(crate) fn steady(thread: u64, index: u64) -> Labels {
    labels("steady", thread, index)
}

fn labels(name: &str, thread: u64, index: u64) -> Labels {
    Labels::from_pairs([
        ("__name__".to_owned(), name.to_owned()),
        ("index".to_owned(), index.to_string()),
        ("thread".to_owned(), thread.to_string()),
    ])
}

fn mix(seed: u64, parts: &[u64]) -> u64 {
    parts.iter().fold(seed, |hash, part| xxh3_64_with_seed(&part.to_be_bytes(), hash))
}

/// A value that belongs to one series at one time.
fn value_of(labels: &Labels, time: i64) -> f64 {
    let hash = xxh3_64_with_seed(labels.to_string().as_bytes(), time as u64);
    // Some bits vary from sample to sample, as in life, so that chunks have some size and no more.
    (hash >> 40) as f64
}

fn float(labels: Labels, time: i64, late: bool) -> Sent {
    let value = value_of(&labels, time);
    Sent { labels, time, written: Written::Float(value), late }
}

fn histogram(labels: Labels, time: i64, step: u64) -> Sent {
    // Grows for a while, then begins anew.
    let count = 10 + step % 30;
    let buckets = Buckets {
        schema: 2,
        zero_threshold: 1e-9,
        positive_spans: vec![Span { offset: 0, length: 2 }, Span { offset: (step / 10 % 4) as i32, length: 1 }],
        negative_spans: Vec::new(),
        custom_values: Vec::new(),
    };
    let histogram = Histogram {
        counter_reset: CounterReset::Unknown,
        buckets,
        zero_count: 3,
        count,
        sum: value_of(&labels, time),
        positive: vec![2, 1, count as i64 - 3 - 2 - 3 - 3],
        negative: Vec::new(),
    };
    Sent { labels, time, written: Written::Histogram(NativeHistogram::Int(Box::new(histogram))), late: false }
}

/// The samples of one transaction.
pub(crate) fn transaction(profile: Profile, thread: u64, step: u64) -> Vec<Sent> {
    let time = time_of(thread, step);
    let mut out: Vec<Sent> = (0..STEADY_SERIES).map(|index| float(steady(thread, index), time, false)).collect();
    let generation = step / GENERATION_STEPS;
    out.extend((0..4).map(|index| float(labels("churning", thread, generation * 10 + index), time, false)));
    if profile.histograms() {
        out.extend((0..2).map(|index| histogram(labels("histogram", thread, index), time, step)));
    }
    let hash = mix(profile.seed, &[thread, step]);
    if profile.late() && hash.is_multiple_of(3) {
        out.extend((0..3).filter_map(|index| {
            let hash = mix(hash, &[index]);
            let back = 1 + hash % LATE_STEPS.min(1 << (hash / 4096 % 7));
            let time = time_of(thread, step.checked_sub(back)?) + 8 + (hash / 65_536 % 470) as i64;
            Some(float(steady(thread, hash / 64 % STEADY_SERIES), time, true))
        }));
    }
    out
}

//! Recent windows of time in short: a hash of all series and samples for each, the same on every machine that holds the same.

use api::consistency::Window;
use model::{Labels, METRIC_NAME, MatchOp, Matcher, NativeHistogram, STALE_NAN, TimeRange, Timestamp};
use storage::canonical::without_empty_buckets;
use storage::chunk::{Recoder, Value};
use storage::{Mark, QueryError, Queryable, Revised, Samples, SelectRequest, Series};
use xxhash_rust::xxh3::Xxh3;

/// The length of a window in milliseconds; windows begin at its multiples.
pub(super) const WINDOW_MS: i64 = 60_000;
/// So many windows are told.
pub(super) const WINDOWS: usize = 10;

/// The windows that were read last, kept for as long as nothing changes them.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// What the storage said before they were read.
    mark: Mark,
    /// Oldest first, one after the other.
    windows: Vec<Window>,
}

impl Kept {
    /// The windows that end at `until`, a multiple of their length, or before. Reads those that may not be what they were. None where the
    /// storage says that something is missing in its answer.
    pub(super) async fn get<S>(&mut self, storage: &S, until: Timestamp) -> Result<Vec<Window>, QueryError>
    where
        S: Queryable + Revised + ?Sized,
    {
        // Before anything is read: what is committed meanwhile counts as changed the next time.
        let revision = storage.revised_since(self.mark);
        self.mark = revision.mark;
        let begin = until.saturating_sub(WINDOW_MS * WINDOWS as i64).as_ms();
        let end = until.min(revision.from).as_ms();
        self.windows.retain(|window| window.from >= begin && window.until <= end);
        if self.windows.first().is_some_and(|first| first.from != begin) {
            self.windows.clear();
        }
        let from = self.windows.last().map_or(begin, |last| last.until);
        if from < until.as_ms() {
            match read(storage, Timestamp::from_ms(from), until).await? {
                Some(windows) => self.windows.extend(windows),
                None => return Ok(Vec::new()),
            }
        }
        Ok(self.windows.clone())
    }
}

/// Reads the windows of a time that begins and ends where windows do; `None` where the storage has a warning to its answer.
async fn read<S>(storage: &S, from: Timestamp, until: Timestamp) -> Result<Option<Vec<Window>>, QueryError>
where
    S: Queryable + ?Sized,
{
    let all = Matcher::new(MatchOp::NotEqual, METRIC_NAME, "").map_err(|error| QueryError::input(error.to_string()))?;
    let range = TimeRange::new(from, until.saturating_sub(1));
    let set = storage.select(&SelectRequest::new(vec![all], range)).await?;
    if !set.warnings.is_empty() {
        return Ok(None);
    }
    let begins: Vec<i64> = (from.as_ms()..until.as_ms()).step_by(WINDOW_MS as usize).collect();
    let hashing = move || {
        let mut hashed: Vec<Hashed> = begins.iter().map(|_| Hashed::default()).collect();
        let mut samples = Samples::default();
        for series in set.series {
            hash(&series?, range, &mut samples, &mut hashed)?;
        }
        Ok(Some(begins.into_iter().zip(hashed).map(|(begin, hashed)| hashed.window(begin)).collect()))
    };
    tokio::task::spawn_blocking(hashing).await.map_err(|error| QueryError::retry(error.to_string()))?
}

#[derive(Default)]
struct Hashed {
    hash: Xxh3,
    series: u64,
    samples: u64,
}

impl Hashed {
    /// A series comes; its samples in the window follow.
    fn begin(&mut self, labels: &Labels) {
        self.series += 1;
        for text in labels.iter().flat_map(|(name, value)| [name, value]) {
            self.number(text.len() as u64);
            self.hash.update(text.as_bytes());
        }
    }

    fn number(&mut self, number: u64) {
        self.hash.update(&number.to_le_bytes());
    }

    fn window(self, from: i64) -> Window {
        let hash = format!("{:032x}", self.hash.digest128());
        Window { from, until: from + WINDOW_MS, series: self.series, samples: self.samples, hash }
    }
}

fn hash(series: &Series, range: TimeRange, samples: &mut Samples, hashed: &mut [Hashed]) -> Result<(), QueryError> {
    series.decode(range, samples)?;
    settle(samples);
    let mut histograms = samples.histograms.iter().peekable();
    for (at, window) in hashed.iter_mut().enumerate() {
        let end = range.min.as_ms() + (at as i64 + 1) * WINDOW_MS;
        let from = samples.times.partition_point(|time| *time < end - WINDOW_MS);
        let until = samples.times.partition_point(|time| *time < end);
        let mut recoder = Recoder::default();
        let mut count = 0;
        while let Some(sample) = histograms.next_if(|sample| sample.time < end) {
            recoder.push(sample.time, Value::Histogram(NativeHistogram::Float(Box::new(sample.histogram.clone()))));
            count += 1;
        }
        if until - from + count == 0 {
            continue;
        }
        window.begin(&series.labels);
        window.samples += (until - from + count) as u64;
        for (time, value) in samples.times[from..until].iter().zip(&samples.values[from..until]) {
            window.number(time.cast_unsigned());
            window.number(value.to_bits());
        }
        for chunk in recoder.finish() {
            window.number(chunk.data.len() as u64);
            window.hash.update(&chunk.data);
        }
    }
    Ok(())
}

/// Takes off what depends on how a node happened to store it: which empty buckets a histogram has, and of what kind a stale marker is.
fn settle(samples: &mut Samples) {
    if samples.histograms.is_empty() {
        return;
    }
    let (markers, histograms): (Vec<_>, Vec<_>) =
        std::mem::take(&mut samples.histograms).into_iter().partition(|sample| sample.histogram.is_stale());
    for marker in markers {
        let at = samples.times.partition_point(|time| *time < marker.time);
        samples.times.insert(at, marker.time);
        samples.values.insert(at, STALE_NAN);
    }
    samples.histograms = histograms;
    for sample in &mut samples.histograms {
        let histogram = NativeHistogram::Float(Box::new(std::mem::take(&mut sample.histogram)));
        if let NativeHistogram::Float(histogram) = without_empty_buckets(histogram) {
            sample.histogram = *histogram;
        }
    }
}

#[cfg(test)]
mod tests;

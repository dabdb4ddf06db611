//! Recent windows of time in short: a hash of all series and samples for each, the same on every machine that holds the same.

use api::consistency::Window;
use model::{Labels, METRIC_NAME, MatchOp, Matcher, NativeHistogram, TimeRange, Timestamp};
use storage::chunk::{Recoder, Value};
use storage::{QueryError, Queryable, Samples, SelectRequest, Series};
use xxhash_rust::xxh3::Xxh3;

/// The length of a window in milliseconds; windows begin at its multiples.
pub(super) const WINDOW_MS: i64 = 60_000;
/// So many windows are told.
pub(super) const WINDOWS: usize = 10;

/// Reads the windows that end at `until`, a multiple of their length, or before.
pub(super) async fn windows(storage: &dyn Queryable, until: Timestamp) -> Result<Vec<Window>, QueryError> {
    let from = until.saturating_sub(WINDOW_MS * WINDOWS as i64);
    let all = Matcher::new(MatchOp::NotEqual, METRIC_NAME, "").map_err(|error| QueryError::input(error.to_string()))?;
    let range = TimeRange::new(from, until.saturating_sub(1));
    let set = storage.select(&SelectRequest::new(vec![all], range)).await?;
    let hashing = move || {
        let mut hashed: Vec<Hashed> = (0..WINDOWS).map(|_| Hashed::default()).collect();
        let mut samples = Samples::default();
        for series in set.series {
            hash(&series?, range, &mut samples, &mut hashed)?;
        }
        let begins = (0..).map(|at| from.as_ms() + at * WINDOW_MS);
        Ok(begins.zip(hashed).map(|(begin, hashed)| hashed.window(begin)).collect())
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

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use storage::chunk::xor;
    use storage::{LabelRequest, SeriesSet};

    use super::*;

    /// Two series, the second of which has these samples, in chunks that are cut where it is said.
    struct Stored {
        samples: Vec<(i64, f64)>,
        cut: usize,
    }

    #[async_trait]
    impl Queryable for Stored {
        async fn select(&self, _: &SelectRequest) -> Result<SeriesSet, QueryError> {
            let chunk = |samples: &[(i64, f64)]| {
                let mut writer = xor::Writer::default();
                samples.iter().for_each(|(time, value)| {
                    writer.push(*time, *value);
                });
                writer.finish()
            };
            let (before, after) = self.samples.split_at(self.cut);
            let series =
                |name: &str, chunks: Vec<_>| Series { labels: Labels::from_pairs([(METRIC_NAME, name)]), chunks };
            let both = [chunk(before), chunk(after)].into_iter().flatten().collect();
            let first = chunk(&[(1, 1.0), (WINDOW_MS, 2.0)]).into_iter().collect();
            Ok(SeriesSet::from_sorted(vec![series("a", first), series("b", both)]))
        }

        async fn label_names(&self, _: &LabelRequest) -> Result<Vec<String>, QueryError> {
            Ok(Vec::new())
        }

        async fn label_values(&self, _: &str, _: &LabelRequest) -> Result<Vec<String>, QueryError> {
            Ok(Vec::new())
        }

        fn min_time(&self) -> Option<Timestamp> {
            None
        }
    }

    #[tokio::test]
    async fn hashes_depend_on_samples_and_on_nothing_else() {
        let of = async |samples: &[(i64, f64)], cut| {
            let stored = Stored { samples: samples.to_vec(), cut };
            windows(&stored, Timestamp::from_ms(WINDOW_MS * WINDOWS as i64)).await.expect("readable")
        };
        let samples = [(1, 1.0), (2, 2.0), (WINDOW_MS - 1, 3.0), (WINDOW_MS, 4.0), (3 * WINDOW_MS, 5.0)];
        let first = of(&samples, 0).await;
        assert_eq!(first, of(&samples, 3).await);
        let counts: Vec<(u64, u64)> = first[..4].iter().map(|window| (window.series, window.samples)).collect();
        assert_eq!(counts, [(2, 4), (2, 2), (0, 0), (1, 1)]);
        let changed = of(&[(1, 1.0), (2, 2.5), (WINDOW_MS - 1, 3.0), (WINDOW_MS, 4.0), (3 * WINDOW_MS, 5.0)], 0).await;
        let agree: Vec<bool> = first.iter().zip(&changed).map(|(a, b)| a == b).collect();
        assert_eq!(agree.iter().position(|agrees| !agrees), Some(0));
        assert!(agree[1..].iter().all(|agrees| *agrees));
        // The same samples under another name of a series, or one moved to the next window, are something else.
        assert_ne!(first[0].hash, of(&samples[1..], 0).await[0].hash);
    }
}

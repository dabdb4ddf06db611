//! What hiding replicas costs a reader: 10,000 series of two replicas, an hour with a sample every 15 s:
//! `cargo bench -p storage --bench dedup`.
#![allow(missing_docs, clippy::print_stdout, reason = "a benchmark is a program that prints")]

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::executor::block_on;
use model::{Labels, TimeRange, Timestamp};
use storage::chunk::{Recoder, Value};
use storage::dedup::{Dedup, groups, merge_series};
use storage::{LabelRequest, QueryError, Queryable, Samples, SelectRequest, Series, SeriesSet};

const SERIES: usize = 10_000;
const HOUR_MS: i64 = 3_600_000;
const INTERVAL_MS: i64 = 15_000;
const ROUNDS: usize = 7;

/// Gives the same series for any request.
struct Fixed(Vec<Series>);

#[async_trait]
impl Queryable for Fixed {
    async fn select(&self, _: &SelectRequest) -> Result<SeriesSet, QueryError> {
        Ok(SeriesSet::from_sorted(self.0.clone()))
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

/// A replica's counter; `away` is when it has no samples.
fn replica(at: usize, name: &str, phase: i64, away: Option<(i64, i64)>) -> Series {
    let labels = Labels::from_pairs([
        ("__name__", "http_requests_total"),
        ("instance", &format!("node{at:05}:9100")),
        ("job", "node"),
        ("replica", name),
    ]);
    let mut recoder = Recoder::default();
    for time in (0..HOUR_MS).step_by(INTERVAL_MS as usize).map(|time| time + phase) {
        if !away.is_some_and(|(from, to)| (from..to).contains(&time)) {
            recoder.push(time, Value::Float((time as f64 / 1000.0 * (1.0 + (at % 17) as f64 / 7.0)).floor()));
        }
    }
    Series { labels, chunks: recoder.finish() }
}

fn pairs(away: Option<(i64, i64)>) -> Vec<Series> {
    (0..SERIES).flat_map(|at| [replica(at, "a", 0, away), replica(at, "b", 7_000, None)]).collect()
}

/// Reads everything and counts the samples.
fn read(source: &dyn Queryable, range: TimeRange) -> usize {
    let set = block_on(source.select(&SelectRequest::new(vec![], range))).expect("selects");
    let mut samples = Samples::default();
    set.series
        .map(|series| {
            series.expect("can be read").decode(range, &mut samples).expect("valid chunks");
            samples.len()
        })
        .sum()
}

fn measure(what: &str, run: impl Fn() -> usize) {
    let mut rounds: Vec<(f64, usize)> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            let samples = run();
            (begin.elapsed().as_secs_f64() * 1000.0, samples)
        })
        .collect();
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (median, samples) = rounds[ROUNDS / 2];
    let (least, most) = (rounds[0].0, rounds[ROUNDS - 1].0);
    let per_sample = median * 1e6 / samples as f64;
    println!("{median:8.1} ms (min {least:.1}, max {most:.1}), {per_sample:5.1} ns/sample of {samples}: {what}");
}

fn main() {
    let names = || vec!["replica".to_owned()];
    let one: Vec<Series> = pairs(None).into_iter().step_by(2).collect();
    let plain = Fixed(one.clone());
    let alone = Dedup::new(Arc::new(Fixed(one)), names());
    let both = pairs(None);
    let complete = Dedup::new(Arc::new(Fixed(both.clone())), names());
    let missed = Dedup::new(Arc::new(Fixed(pairs(Some((1_800_000, 1_810_000))))), names());
    let away = Dedup::new(Arc::new(Fixed(pairs(Some((1_200_000, 2_400_000))))), names());
    let hour = TimeRange::new(Timestamp::from_ms(0), Timestamp::from_ms(HOUR_MS));
    let minutes = TimeRange::new(Timestamp::from_ms(HOUR_MS / 2), Timestamp::from_ms(HOUR_MS / 2 + 300_000));
    for (range, name) in [(hour, "the hour"), (minutes, "5 min of it")] {
        measure(&format!("{name}: one replica, plain"), || read(&plain, range));
        measure(&format!("{name}: one replica, through the view"), || read(&alone, range));
        measure(&format!("{name}: two replicas, nothing missing"), || read(&complete, range));
        measure(&format!("{name}: two replicas, a scrape missing"), || read(&missed, range));
        measure(&format!("{name}: two replicas, 20 min missing"), || read(&away, range));
    }
    measure("the hour: two replicas into a block's chunks", || {
        let groups = groups(SeriesSet::from_sorted(both.clone()).series, &names()).expect("sorted");
        let chunks = |group| merge_series(group, hour).expect("valid chunks");
        groups.into_iter().flat_map(chunks).map(|chunk| chunk.sample_count()).sum()
    });
}

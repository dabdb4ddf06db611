//! A scrape of 500 known series: from the text to appended samples, without network and without a database.
//!
//! `cargo bench -p scrape --features bench`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use model::{Labels, Timestamp};
use scrape::bench::TargetReader;
use scrape::{GlobalConfig, RawScrapeConfig, ScrapeConfig};
use storage::{AppendError, Appendable, Appender, CommitError, SeriesRef};

const SERIES: usize = 500;
const ROUNDS: i64 = 4000;

/// Counts, and keeps what a real one would keep of a transaction.
#[derive(Default)]
struct Sink {
    stored: Arc<AtomicU64>,
}

impl Appendable for Sink {
    fn appender(&self) -> Box<dyn Appender> {
        Box::new(Batch { stored: Arc::clone(&self.stored), samples: Vec::with_capacity(SERIES) })
    }
}

struct Batch {
    stored: Arc<AtomicU64>,
    samples: Vec<(SeriesRef, Timestamp, f64)>,
}

impl Appender for Batch {
    fn append(&mut self, labels: &Labels, time: Timestamp, value: f64) -> Result<SeriesRef, AppendError> {
        let series = SeriesRef(labels.stable_hash());
        self.samples.push((series, time, value));
        Ok(series)
    }

    fn append_ref(&mut self, series: SeriesRef, time: Timestamp, value: f64) -> Result<(), AppendError> {
        self.samples.push((series, time, value));
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), CommitError> {
        self.stored.fetch_add(self.samples.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn rollback(self: Box<Self>) {}
}

/// The text of one round; every other one has its lines in reverse order where they are `moved`.
fn exposition(round: i64, moved: bool) -> Vec<u8> {
    let line = |i: usize| {
        let value = i as i64 * 37 + round * (i as i64 % 7);
        format!(
            "http_requests_total{{method=\"GET\",handler=\"/api/v1/resource/{i}\",code=\"{}\"}} {value}\n",
            200 + i % 5
        )
    };
    let mut lines: Vec<String> = (0..SERIES).map(line).collect();
    if moved && round % 2 == 1 {
        lines.reverse();
    }
    format!("# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n{}", lines.concat()).into_bytes()
}

fn run(name: &str, moved: bool) {
    let raw: config::Spanned<RawScrapeConfig> = config::load("job_name: j", "bench.yml").expect("a good configuration");
    let mut report = config::Report::new("bench.yml");
    let config = ScrapeConfig::validate(raw, &GlobalConfig::default(), &mut report);
    let config = report.finish(config).expect("a good configuration");
    let mut reader = TargetReader::new(config, Labels::from_pairs([("job", "j"), ("instance", "h:1")]));
    let texts: Vec<Vec<u8>> = (0..16).map(|round| exposition(round, moved)).collect();
    let sink = Sink::default();
    let mut read = |round: i64| {
        let text = &texts[round as usize % texts.len()];
        reader.read(&sink, text, Timestamp::from_ms(round * 1000)).expect("a good exposition")
    };
    read(0);
    let start = Instant::now();
    let samples: u64 = (1..=ROUNDS).map(&mut read).sum();
    let elapsed = start.elapsed();
    let bytes: usize = texts.iter().map(Vec::len).sum::<usize>() / texts.len() * ROUNDS as usize;
    println!(
        "{name}: {:.1} ns/sample, {:.0} MB/s of text, {} samples stored",
        elapsed.as_nanos() as f64 / samples as f64,
        bytes as f64 / elapsed.as_secs_f64() / 1e6,
        sink.stored.load(Ordering::Relaxed)
    );
}

fn main() {
    run("known series, same order", false);
    run("known series, changing order", true);
}

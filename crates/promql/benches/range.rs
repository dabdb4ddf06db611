//! How long range queries of each kind take over an hour of 20,000 counters, a sample every 15 s: `cargo bench -p promql --bench range`.
#![allow(missing_docs, clippy::print_stdout, reason = "a benchmark is a program that prints")]

use std::sync::Arc;
use std::time::Instant;

use model::{Labels, Timestamp};
use promql::testlang::MemoryStorage;
use promql::{Engine, EngineOptions, parse};
use storage::{Queryable, Samples};

const SERIES: usize = 20_000;
const HOUR_MS: i64 = 3_600_000;
const INTERVAL_MS: i64 = 15_000;
const ROUNDS: usize = 5;

fn counters() -> MemoryStorage {
    let series = (0..SERIES).map(|at| {
        let (mode, instance) = (format!("mode{}", at % 8), format!("node{}", at / 8));
        let bound = format!("0.{}", at % 8);
        let labels = Labels::from_pairs([
            ("__name__", "cpu_seconds_total"),
            ("instance", &instance),
            ("le", if at % 8 == 7 { "+Inf" } else { &bound }),
            ("mode", &mode),
        ]);
        let times: Vec<i64> = (0..=(HOUR_MS + 600_000) / INTERVAL_MS).map(|at| at * INTERVAL_MS).collect();
        let values =
            times.iter().map(|time| (*time as f64 / 1000.0 * (1.0 + (at % 17) as f64 / 7.0)).floor()).collect();
        (labels, Samples::of_floats(times, values))
    });
    MemoryStorage::new(series)
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let source: Arc<dyn Queryable> = Arc::new(counters());
    let engine = Engine::new(EngineOptions::default());
    let (start, end) = (Timestamp::from_ms(600_000), Timestamp::from_ms(600_000 + HOUR_MS));
    for text in [
        "sum by (mode) (rate(cpu_seconds_total[5m]))",
        "count(cpu_seconds_total)",
        "max by (instance) (max_over_time(cpu_seconds_total[5m]))",
        "sum by (mode) (rate(cpu_seconds_total[5m])) / ignoring (mode) group_left sum(rate(cpu_seconds_total[5m]))",
        "rate(cpu_seconds_total[5m])",
        "histogram_quantile(0.99, sum by (le) (rate(cpu_seconds_total[5m])))",
        "histogram_quantile(0.99, rate(cpu_seconds_total[5m]))",
        "topk(10, rate(cpu_seconds_total[5m]))",
    ] {
        let expr = parse(text).expect("a valid query");
        let mut rounds: Vec<(f64, u64)> = (0..ROUNDS)
            .map(|_| {
                let begin = Instant::now();
                let query = engine.range(Arc::clone(&source), &expr, start, end, INTERVAL_MS);
                let result = runtime.block_on(query).expect("an answer");
                (begin.elapsed().as_secs_f64() * 1000.0, result.stats.samples)
            })
            .collect();
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (median, samples) = rounds[ROUNDS / 2];
        let (least, most) = (rounds[0].0, rounds[ROUNDS - 1].0);
        let per_sample = median * 1e6 / samples as f64;
        println!("{median:8.1} ms (min {least:.1}, max {most:.1}), {per_sample:.1} ns/sample: {text}");
    }
}

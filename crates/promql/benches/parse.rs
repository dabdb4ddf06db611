//! How long an expression takes from text to tree, and from tree to text: `cargo bench -p promql --bench parse`.
#![allow(missing_docs, clippy::print_stdout, reason = "a benchmark is a program that prints")]

use std::hint::black_box;
use std::time::Instant;

use promql::parse;

const TIMES: u32 = 2000;
const ROUNDS: usize = 15;

/// The median, the least and the most microseconds that `work` takes.
fn measured(mut work: impl FnMut()) -> (f64, f64, f64) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            (0..TIMES).for_each(|_| work());
            begin.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    (rounds[ROUNDS / 2], rounds[0], rounds[ROUNDS - 1])
}

fn main() {
    println!("median (min, max) of {ROUNDS}, µs");
    for text in [
        "up",
        "sum by (mode) (rate(node_cpu_seconds_total{mode!=\"idle\"}[5m]))",
        "histogram_quantile(0.99, sum by (handler, le) (rate(http_request_duration_seconds_bucket{job=\"api\"}[5m])))",
        "sum by (namespace) (rate(http_requests_total{code=~\"5..\"}[5m])) \
         / on (namespace) group_left (team) sum by (namespace, team) (rate(http_requests_total[5m] offset 1h)) > 0.05",
    ] {
        let expr = parse(text).expect("a valid query");
        let (median, least, most) = measured(|| drop(black_box(parse(black_box(text)))));
        println!("{median:8.2} ({least:.2}, {most:.2}) parse: {text}");
        let (median, least, most) = measured(|| drop(black_box(black_box(&expr).to_string())));
        println!("{median:8.2} ({least:.2}, {most:.2}) print");
    }
}

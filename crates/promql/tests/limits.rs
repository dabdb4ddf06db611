//! What counts against the most samples that a query may hold, and that it counts no longer than it is held.

use std::sync::Arc;

use model::{FloatHistogram, Labels, Timestamp};
use promql::testlang::MemoryStorage;
use promql::{Asker, Engine, EngineOptions, Origin, QueryFailure, parse};
use storage::{Queryable, Samples};

/// How many samples a histogram of `histograms` counts for, rounded down.
const WEIGHT: usize = 500;

/// 20 series of floats that have no value twice, and 4 of histograms with 1000 buckets each, for ten minutes.
fn source() -> Arc<dyn Queryable> {
    let times = || (0..=40).map(|at| at * 15_000_i64);
    let labels = |name: &str, at: i64| Labels::from_pairs([("__name__", name.to_owned()), ("n", at.to_string())]);
    let floats = (0..20).map(|at| {
        let values = times().map(|time| (time + at) as f64).collect();
        (labels("floats", at), Samples::of_floats(times().collect(), values))
    });
    let histograms = (0..4).map(|at| {
        let mut samples = Samples::default();
        for time in times() {
            let count = 1.0 + time as f64;
            let positive = vec![count; 1000];
            let mut histogram = FloatHistogram { count: 1000.0 * count, positive, ..FloatHistogram::default() };
            histogram.buckets.positive_spans = vec![model::Span { offset: at as i32 * 1000, length: 1000 }];
            samples.push_histogram(time, histogram);
        }
        (labels("histograms", at), samples)
    });
    Arc::new(MemoryStorage::new(floats.chain(histograms)))
}

/// The most samples held by a query at 31 times, if that is allowed.
async fn peak(text: &str, max_samples: usize) -> Result<u64, QueryFailure> {
    let engine = Engine::new(EngineOptions { max_samples, ..EngineOptions::default() });
    let (start, end) = (Timestamp::from_ms(300_000), Timestamp::from_ms(600_000));
    let result = engine.range(source(), &parse(text).expect("a valid query"), start, end, 10_000).await?;
    Ok(result.stats.peak_samples)
}

/// The query, of which nothing remains but a number, holds at least so many samples, and may not where that is too much; it holds
/// as many when it is asked four times, as each has released what it held.
async fn check(text: &str, at_least: usize) {
    let counted = format!("count({text})");
    assert_eq!(peak(&counted, at_least).await, Err(QueryFailure::TooManySamples), "{text}");
    let once = peak(&counted, usize::MAX).await.expect("no limit");
    let often = peak(&[&counted[..]; 4].join(" + "), usize::MAX).await.expect("no limit");
    assert!(often < once + 1000, "{text}: {once} once, {often} for four times");
}

#[tokio::test]
async fn results_of_a_join_are_held() {
    // Both sides, 20 floats and a histogram at 31 times, are not much beside what comes of them.
    check("floats * on () group_left () histograms{n=\"0\"}", 19 * 31 * WEIGHT).await;
}

#[tokio::test]
async fn counts_of_values_are_held() {
    // At 31 times there are 20 or 21 samples of each of 20 series.
    check("count_values(\"value\", floats)", 20 * 20 * 31).await;
}

#[tokio::test]
async fn histograms_that_a_subquery_copies_are_held() {
    // The 41 samples of a series are asked for at 300 times.
    check("count_over_time(histograms[5m:1s])", 300 * WEIGHT).await;
}

#[tokio::test]
async fn sums_of_histograms_are_held_by_their_size() {
    // A bucket that is added to takes three times what it takes in a histogram.
    for total in ["sum", "avg"] {
        check(&format!("{total} by (n) (histograms)"), 4 * 3 * 31 * WEIGHT).await;
        check(&format!("{total} by (n) (rate(histograms[1m]))"), 4 * 3 * 31 * WEIGHT).await;
        // No two have a bucket in common.
        check(&format!("{total}(histograms)"), 4 * 3 * 31 * WEIGHT).await;
    }
}

#[tokio::test]
async fn histograms_that_functions_over_ranges_make_are_held() {
    // Beside the samples that they are made of.
    check("rate(histograms[1m])", (24 + 30) * WEIGHT).await;
    check("sum_over_time(histograms[1m])", (24 + 30) * WEIGHT).await;
}

#[tokio::test]
async fn bytes_are_bounded_and_what_asks_for_them_is_named() {
    let ask = async |engine: &Engine, text: &str| {
        let (start, end) = (Timestamp::from_ms(300_000), Timestamp::from_ms(600_000));
        engine.range(source(), &parse(text).expect("a valid query"), start, end, 10_000).await
    };
    let per_query = Engine::new(EngineOptions { max_bytes: 64 << 10, ..EngineOptions::default() });
    assert!(ask(&per_query, "sum(floats)").await.is_ok());
    let failure = ask(&per_query, "sum(floats) + count(histograms{n=\"0\"} offset 1m)").await.expect_err("too much");
    let message = failure.to_string();
    assert!(message.starts_with("query needs more memory than it may use: "), "{message}");
    assert!(message.contains(" when reading histograms{n=\"0\"}, of 0.1 MiB (--query.max-bytes); "), "{message}");
    assert_eq!(failure.error_type(), "execution");

    let together = Engine::new(EngineOptions { max_total_bytes: 256 << 10, ..EngineOptions::default() });
    assert!(ask(&together, "floats").await.is_ok());
    let failure = ask(&together, "histograms").await.expect_err("too much").to_string();
    assert!(
        failure.contains(" when reading histograms, all that run ") && failure.contains("--query.max-total-bytes"),
        "{failure}"
    );
    let asker = Asker::RuleGroup { file: String::new(), name: String::new() };
    let rule = together.asked_by(Origin { query: None, asker });
    assert!(ask(&rule, "histograms").await.is_ok(), "rules are not refused");
    assert_eq!(together.held_bytes(), 0);
}

//! The engine's limits and values.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::{FloatHistogram, Labels, Sample, Timestamp};
use promql::testlang::MemoryStorage;
use promql::{Engine, EngineOptions, ParseOptions, QueryFailure, Value, parse};
use storage::{LabelRequest, QueryError, Queryable, Samples, SelectRequest, Series, SeriesSet};
use tokio::sync::Semaphore;

fn counters(series: usize) -> Arc<dyn Queryable> {
    Arc::new(MemoryStorage::new((0..series).map(|at| {
        let labels = Labels::from_pairs([("__name__", "requests_total".to_owned()), ("instance", at.to_string())]);
        let times: Vec<i64> = (0..100).map(|at| at * 15_000).collect();
        let values = times.iter().map(|time| *time as f64 / 1000.0).collect();
        (labels, Samples::of_floats(times, values))
    })))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(seconds * 1000)
}

async fn range(engine: &Engine, source: Arc<dyn Queryable>, text: &str) -> Result<Value, QueryFailure> {
    let expr = parse(text).expect("a valid query");
    engine.range(source, &expr, at(300), at(1200), 15_000).await.map(|result| result.value)
}

#[tokio::test]
async fn an_instant_query_keeps_the_type() {
    let engine = Engine::new(EngineOptions::default());
    let instant = async |text: &str| {
        let expr = parse(text).expect("a valid query");
        engine.instant(counters(2), &expr, at(600)).await.expect("an answer").value
    };
    assert_eq!(instant("1 + 2").await, Value::Scalar(Sample::new(at(600), 3.0)));
    assert_eq!(instant("\"text\"").await, Value::String(at(600), "text".to_owned()));
    let Value::Vector(vector) = instant("requests_total").await else { panic!("want a vector") };
    assert_eq!(vector.iter().map(|sample| sample.value).collect::<Vec<_>>(), [600.0, 600.0]);
    let Value::Matrix(matrix) = instant("requests_total[30s]").await else { panic!("want a matrix") };
    assert_eq!(matrix[0].samples.times, [585_000, 600_000]);
    let Value::Matrix(matrix) = instant("requests_total[1m:30s]").await else { panic!("want a matrix") };
    assert_eq!(matrix[0].samples.times, [570_000, 600_000]);
}

#[tokio::test]
async fn a_range_query_is_a_matrix_sorted_by_labels() {
    let engine = Engine::new(EngineOptions::default());
    let Ok(Value::Matrix(matrix)) = range(&engine, counters(20), "topk(3, requests_total)").await else {
        panic!("want a matrix")
    };
    assert!(matrix.is_sorted_by_key(|series| series.labels.clone()));
    let Ok(Value::Matrix(matrix)) = range(&engine, counters(1), "time()").await else { panic!("want a matrix") };
    assert_eq!((matrix.len(), matrix[0].samples.len(), matrix[0].samples.values[1]), (1, 61, 315.0));
    for text in ["requests_total[5m]", "\"text\""] {
        let error = range(&engine, counters(1), text).await.expect_err("no instant vector");
        assert!(error.to_string().starts_with("invalid expression type"), "{error}");
    }
}

#[tokio::test]
async fn samples_are_bounded_but_what_is_aggregated_away_is_not_held() {
    let engine = Engine::new(EngineOptions { max_samples: 2000, ..EngineOptions::default() });
    // Few series are read by the thread that computes, many by one of their own, which ends as well.
    for series in [40, 3000] {
        let held = range(&engine, counters(series), "requests_total").await;
        assert!(held == Err(QueryFailure::TooManySamples), "{series} series are held");
    }
    assert_eq!(
        QueryFailure::TooManySamples.to_string(),
        "query processing would load too many samples into memory in query execution"
    );
    assert!(range(&engine, counters(100), "sum(rate(requests_total[5m]))").await.is_ok());
    let far = parse("max_over_time(vector(1)[100y:1ms])").expect("a valid query");
    let far = engine.instant(counters(1), &far, at(600)).await;
    assert_eq!(far.map(|result| result.value), Err(QueryFailure::TooManySamples));
}

#[tokio::test]
async fn values_that_stand_for_missing_series_are_counted() {
    let engine = Engine::new(EngineOptions { language: ParseOptions::everything(), ..EngineOptions::default() });
    let expr = engine.parse("requests_total + fill_right (0) nothing").expect("a valid query");
    let stats = engine.instant(counters(100), &expr, at(600)).await.expect("an answer").stats;
    // The series, a value for each that is missing, and who is there on either side.
    assert!(stats.peak_samples >= 400, "{stats:?}");
}

#[tokio::test]
async fn a_series_has_floats_and_histograms() {
    let mut samples = Samples::of_floats(vec![580_000, 600_000], vec![1.0, 2.0]);
    for (time, count) in [(590_000, 3.0), (595_000, 4.0)] {
        samples.push_histogram(time, FloatHistogram { count, ..FloatHistogram::default() });
    }
    let source = MemoryStorage::new([(Labels::from_pairs([("__name__", "mixed")]), samples)]);
    let source: Arc<dyn Queryable> = Arc::new(source);
    let engine = Engine::new(EngineOptions::default());
    let expr = parse("mixed").expect("a valid query");
    let check = async |seconds: i64, value: f64, count: Option<f64>| {
        let result = engine.instant(Arc::clone(&source), &expr, at(seconds)).await.expect("an answer");
        let Value::Vector(vector) = result.value else { panic!("want a vector") };
        let got: Vec<_> = vector.iter().map(|s| (s.value, s.histogram.as_ref().map(|h| h.count))).collect();
        assert_eq!(got, [(value, count)], "{seconds}");
    };
    check(589, 1.0, None).await;
    check(590, 0.0, Some(3.0)).await;
    check(599, 0.0, Some(4.0)).await;
    check(600, 2.0, None).await;
    let range = engine.range(source, &expr, at(585), at(600), 5000).await.expect("an answer");
    let Value::Matrix(matrix) = range.value else { panic!("want a matrix") };
    assert_eq!(
        (&matrix[0].samples.times[..], &matrix[0].samples.values[..]),
        (&[585_000, 600_000][..], &[1.0, 2.0][..])
    );
    let histograms: Vec<_> = matrix[0].samples.histograms.iter().map(|s| (s.time, s.histogram.count)).collect();
    assert_eq!(histograms, [(590_000, 3.0), (595_000, 4.0)]);
}

#[tokio::test]
async fn histograms_count_by_their_size() {
    let positive = vec![1.0; 1000];
    let mut samples = Samples::default();
    let mut histogram = FloatHistogram { count: 1000.0, positive, ..FloatHistogram::default() };
    histogram.buckets.positive_spans = vec![model::Span { offset: 0, length: 1000 }];
    samples.push_histogram(600_000, histogram);
    let source: Arc<dyn Queryable> =
        Arc::new(MemoryStorage::new([(Labels::from_pairs([("__name__", "big")]), samples)]));
    let check = async |text: &str, max_samples: usize, fits: bool| {
        let engine = Engine::new(EngineOptions { max_samples, ..EngineOptions::default() });
        let expr = parse(text).expect("a valid query");
        assert_eq!(engine.instant(Arc::clone(&source), &expr, at(600)).await.is_ok(), fits, "{text} {max_samples}");
    };
    // 8000 bytes of buckets are 500 samples, here and on each side of the operator.
    check("big", 400, false).await;
    check("big", 600, true).await;
    check("big + big", 1100, false).await;
    check("big + big", 2200, true).await;
    check("histogram_count(big)", 600, true).await;
}

#[tokio::test]
async fn names_go_at_once_or_at_the_end() {
    let check = async |delayed: bool, text: &str, want: &str| {
        let language = ParseOptions { delayed_name_removal: delayed, ..ParseOptions::everything() };
        let engine = Engine::new(EngineOptions { language, ..EngineOptions::default() });
        let expr = engine.parse(text).expect("a valid query");
        let got = match engine.instant(counters(1), &expr, at(600)).await {
            Ok(result) => {
                let Value::Vector(vector) = result.value else { panic!("want a vector") };
                vector.iter().map(|sample| sample.labels.to_string()).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "{text} {delayed}");
    };
    let named = r#"label_replace(count by (__name__) (-requests_total), "was", "$1", "__name__", "(.+)")"#;
    check(false, named, "{}").await;
    check(true, named, r#"{was="requests_total"}"#).await;
    for delayed in [false, true] {
        check(delayed, "count by (__name__) (-requests_total)", "{}").await;
        check(delayed, "count by (__name__) (requests_total)", "requests_total").await;
        // Of the right side there is nothing, its name's fate included.
        check(delayed, "topk(1, requests_total or -requests_total)", r#"requests_total{instance="0"}"#).await;
    }
}

#[tokio::test]
async fn start_timestamps_count_where_they_are_asked_for() {
    let source = || {
        let mut samples = Samples::default();
        (0..5).for_each(|minute| samples.push_started(minute * 60_000, minute * 60_000 - 1000, 10.0));
        let mut natives = Samples::default();
        let one = FloatHistogram { count: 10.0, zero_count: 10.0, ..FloatHistogram::default() };
        (0..5).for_each(|minute| natives.push_started_histogram(minute * 60_000, minute * 60_000 - 1000, one.clone()));
        let series = |name: &str, samples| (Labels::from_pairs([("__name__", name)]), samples);
        Arc::new(MemoryStorage::new([series("floats_total", samples), series("natives", natives)]))
            as Arc<dyn Queryable>
    };
    let check = async |text: &str, without: Option<f64>, with: Option<f64>| {
        for (start_timestamps, want) in [(false, without), (true, with)] {
            let language = ParseOptions { start_timestamps, ..ParseOptions::everything() };
            let engine = Engine::new(EngineOptions { language, ..EngineOptions::default() });
            let expr = engine.parse(text).expect("a valid query");
            let result = engine.instant(source(), &expr, at(240)).await.expect("an answer");
            let Value::Vector(vector) = result.value else { panic!("want a vector") };
            let got = vector.first().map(|sample| sample.value);
            assert_eq!((got, vector.len() < 2), (want, true), "{text} {start_timestamps}");
        }
    };
    check("increase(floats_total[4m])", Some(0.0), Some(40.0)).await;
    check("histogram_count(increase(natives[4m]))", Some(0.0), Some(40.0)).await;
    check("resets(floats_total[4m])", Some(0.0), Some(3.0)).await;
    check("resets(natives[4m])", Some(0.0), Some(3.0)).await;
    check("irate(floats_total[4m])", Some(0.0), Some(10.0 / 60.0)).await;
    check("increase(floats_total[4m:1m])", Some(0.0), Some(0.0)).await;
    check("start_timestamp(floats_total)", None, Some(239.0)).await;
    check("start_timestamp(natives)", None, Some(239.0)).await;
    check("timestamp(floats_total)", Some(240.0), Some(240.0)).await;
}

/// A storage that answers when it is told to.
struct Slow {
    gate: Arc<Semaphore>,
}

#[async_trait]
impl Queryable for Slow {
    async fn select(&self, _: &SelectRequest) -> Result<SeriesSet, QueryError> {
        self.gate.acquire().await.map_err(|e| QueryError::retry(e.to_string()))?.forget();
        Err(QueryError::retry("the disk is away"))
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
async fn a_query_ends_with_its_timeout() {
    let engine = Engine::new(EngineOptions {
        timeout: Duration::from_millis(50),
        max_concurrency: 1,
        ..EngineOptions::default()
    });
    let slow: Arc<dyn Queryable> = Arc::new(Slow { gate: Arc::new(Semaphore::new(0)) });
    let (first, second) = tokio::join!(range(&engine, Arc::clone(&slow), "up"), range(&engine, slow, "up"));
    assert_eq!(first, Err(QueryFailure::Timeout("query execution")));
    // The second one may get the slot in the moment in which the first one's time is over.
    assert!(matches!(second, Err(QueryFailure::Timeout("query queue" | "query execution"))));
}

#[tokio::test]
async fn a_storage_s_error_is_told() {
    let engine = Engine::new(EngineOptions::default());
    let source: Arc<dyn Queryable> = Arc::new(Slow { gate: Arc::new(Semaphore::new(1)) });
    let error = range(&engine, source, "up").await.expect_err("no storage");
    assert_eq!((error.error_type(), error.to_string()), ("internal", "expanding series: the disk is away".to_owned()));
}

/// A storage whose series never end, and which tells when its walk has.
struct Endless {
    ended: Arc<Semaphore>,
    began: Arc<Semaphore>,
}

struct Walk {
    ended: Arc<Semaphore>,
    began: Arc<Semaphore>,
    count: u64,
}

impl Drop for Walk {
    fn drop(&mut self) {
        self.ended.add_permits(1);
    }
}

impl Iterator for Walk {
    type Item = Result<Series, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.began.add_permits(usize::from(self.count == 0));
        self.count += 1;
        let labels = Labels::from_pairs([("n", self.count.to_string())]);
        Some(Ok(Series { labels, chunks: Vec::new() }))
    }
}

#[async_trait]
impl Queryable for Endless {
    async fn select(&self, _: &SelectRequest) -> Result<SeriesSet, QueryError> {
        let walk = Walk { ended: Arc::clone(&self.ended), began: Arc::clone(&self.began), count: 0 };
        Ok(SeriesSet { series: Box::new(walk), warnings: Vec::new() })
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
async fn dropping_a_query_ends_its_evaluation() {
    let (ended, began) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let source: Arc<dyn Queryable> = Arc::new(Endless { ended: Arc::clone(&ended), began: Arc::clone(&began) });
    let task = tokio::spawn(async move { range(&Engine::new(EngineOptions::default()), source, "up").await });
    began.acquire().await.expect("an open gate").forget();
    task.abort();
    let end = tokio::time::timeout(Duration::from_secs(10), ended.acquire()).await;
    assert!(end.is_ok(), "the evaluation goes on");
}

#[tokio::test]
async fn the_deepest_expressions_are_evaluated() {
    let engine = Engine::new(EngineOptions::default());
    let nested = format!("{}requests_total{}", "abs(".repeat(120), ")".repeat(120));
    let chain = vec!["requests_total"; 500].join(" + ");
    let both = format!("{}{chain}{}", "(".repeat(100), ")".repeat(100));
    for text in [nested, chain, both] {
        assert!(range(&engine, counters(1), &text).await.is_ok());
    }
}

/// A query that nobody waits for any more gives its slot back soon, whatever it is doing.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_ends_when_nobody_waits_for_it() {
    let engine = Engine::new(EngineOptions { max_concurrency: 1, max_samples: usize::MAX, ..EngineOptions::default() });
    for text in [
        // Many series, one series with long ranges, a subquery with many steps.
        "count_values(\"v\", quantile_over_time(0.5, requests_total[10m:100ms]))",
        "quantile_over_time(0.5, vector(1)[30d:1s])",
        "max_over_time((vector(time()) % 7)[60d:1s])",
    ] {
        let query = tokio::spawn({
            let (engine, source) = (engine.clone(), counters(3000));
            async move { range(&engine, source, text).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!query.is_finished(), "{text} is too short for this test");
        query.abort();
        let begin = std::time::Instant::now();
        let next = engine.instant(counters(1), &parse("1").expect("a valid query"), at(600)).await;
        assert!(next.is_ok());
        let took = begin.elapsed();
        // A busy machine counts in; by itself it takes some milliseconds.
        assert!(took < Duration::from_secs(1), "{text}: {took:?}");
    }
}

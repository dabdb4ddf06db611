//! What a query tells of itself: how many samples its steps look at, and what its nodes cost.

use std::sync::Arc;
use std::time::Duration;

use model::{Buckets, FloatHistogram, Labels, Span, Timestamp};
use promql::testlang::MemoryStorage;
use promql::{Detail, Engine, EngineOptions, Explanation, ParseOptions, QueryResult, StepSamples};
use storage::{Queryable, Samples};

/// For how many samples a histogram of `native` counts.
const WEIGHT: u64 = 13;

/// A sample every ten seconds until 1000: one series of floats, three of floats, one of histograms.
fn source() -> Arc<dyn Queryable> {
    let times = || (0..=100).map(|at| at * 10_000_i64);
    let floats = || Samples::of_floats(times().collect(), (0..=100).map(f64::from).collect());
    let three = [("1", "1"), ("2", "2"), ("3", "2")]
        .map(|(a, b)| (Labels::from_pairs([("__name__", "three"), ("a", a), ("b", b)]), floats()));
    let mut native = Samples::default();
    for time in times() {
        let count = 1.0 + time as f64;
        let buckets = Buckets { positive_spans: vec![Span { offset: 0, length: 4 }], ..Buckets::default() };
        native.push_histogram(
            time,
            FloatHistogram { buckets, count: 4.0 * count, positive: vec![count; 4], ..FloatHistogram::default() },
        );
    }
    let named = |name: &str| Labels::from_pairs([("__name__", name)]);
    let target = Labels::from_pairs([("__name__", "target_info"), ("instance", "i"), ("job", "j"), ("zone", "z")]);
    let of_target = Labels::from_pairs([("__name__", "of_target"), ("instance", "i"), ("job", "j")]);
    let single = [(named("one"), floats()), (named("native"), native), (target, floats()), (of_target, floats())];
    Arc::new(MemoryStorage::new(single.into_iter().chain(three)))
}

/// When a query is evaluated, in seconds.
#[derive(Debug, Clone, Copy)]
enum At {
    Once(i64),
    Every { start: i64, end: i64, step: i64 },
}

async fn ask(text: &str, at: At, detail: Detail) -> QueryResult {
    let engine = Engine::new(EngineOptions { language: ParseOptions::everything(), ..EngineOptions::default() });
    let engine = engine.telling(detail);
    let expr = engine.parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let time = |seconds: i64| Timestamp::from_ms(seconds * 1000);
    let result = match at {
        At::Once(at) => engine.instant(source(), &expr, time(at)).await,
        At::Every { start, end, step } => engine.range(source(), &expr, time(start), time(end), step * 1000).await,
    };
    result.unwrap_or_else(|e| panic!("{text}: {e}"))
}

async fn step_samples(text: &str, at: At) -> StepSamples {
    let detail = Detail { step_samples: true, ..Detail::default() };
    ask(text, at, detail).await.step_samples.expect("it was asked for")
}

#[tokio::test]
async fn an_instant_looks_at_as_many_samples_as_in_prometheus() {
    let check = async |text: &str, at: i64, queryable: u64, read: u64| {
        let got = step_samples(text, At::Once(at)).await;
        assert_eq!((&got.queryable[..], &got.read[..]), (&[queryable][..], &[read][..]), "{text} at {at}");
        assert_eq!(got.start, Timestamp::from_ms(at * 1000), "{text}");
    };
    check("\"text\"", 21, 0, 0).await;
    check("1", 21, 0, 0).await;
    check("one", 21, 1, 1).await;
    check("one", 1400, 0, 0).await;
    check("native", 21, WEIGHT, WEIGHT).await;
    check("timestamp(one)", 21, 1, 1).await;
    check("timestamp(native)", 21, 1, 1).await;
    check("one offset 10s", 22, 1, 1).await;
    check("three{a=\"1\"} @ 19", 21, 1, 1).await;
    check("three", 21, 3, 3).await;
    check("three and one", 21, 4, 4).await;
    // Samples as they are.
    check("three{a=\"1\"}[20s] @ 19", 21, 2, 2).await;
    check("one[60s]", 201, 6, 6).await;
    check("(one[60s] offset 10s)", 201, 6, 6).await;
    check("native[60s]", 201, 6 * WEIGHT, 6 * WEIGHT).await;
    check("native[60s] @ 30", 201, 4 * WEIGHT, 4 * WEIGHT).await;
    check("three[60s]", 201, 18, 18).await;
    check("one[60s:5s]", 201, 12, 12).await;
    check("one[60s:5s] offset 10s", 201, 12, 12).await;
    check("max_over_time(one[60s])[20s:5s]", 201, 24, 8).await;
    check("max_over_time(one[61s])[20s:5s]", 201, 26, 8).await;
    check("max_over_time(native[60s])[20s:5s]", 201, 24 * WEIGHT, 8 * WEIGHT).await;
    // Functions over ranges.
    check("max_over_time(three[60s])", 201, 18, 18).await;
    check("absent_over_time(one[60s])", 201, 6, 6).await;
    check("sum by (b) (max_over_time(three[60s] @ 30))", 201, 12, 12).await;
    check("max_over_time((three[60s:5s]))", 201, 36, 36).await;
    check("sum(max_over_time(three[60s:5s])) + sum(max_over_time(three[60s:5s]))", 201, 72, 72).await;
    check("sum_over_time(one[30s:30s])", 90, 1, 1).await;
    check("max_over_time(one[30s:2m])", 240, 1, 1).await;
    check("histogram_count(max_over_time(native[20s:10s]))", 201, 2 * WEIGHT, 2 * WEIGHT).await;
    check("sum_over_time(three[20s:10s] @ 200)", 250, 6, 6).await;
    check("sum_over_time(one[20s:10s] offset 1m)", 240, 2, 2).await;
    check("sum_over_time(three[1m:10s] @ 200 offset 1m)", 300, 18, 18).await;
    check("sum_over_time(max_over_time(three[60s] @ 300)[5m:1m] @ 600)[10m:2m]", 800, 75, 18).await;
    check("rate(sum_over_time(one[30s])[1m:30s])", 240, 2, 6).await;
    // What the subquery's filter leaves nothing of.
    check("max_over_time((one > 1000)[1m:10s])", 240, 0, 6).await;
    // The neighbourhood counts, on the left and on both sides; the lookback is five minutes.
    check("increase(one[60s] anchored)", 601, 36, 36).await;
    check("increase(one[60s] smoothed)", 601, 66, 66).await;
    check("info(of_target)", 201, 2, 2).await;
}

#[tokio::test]
async fn a_range_looks_at_as_many_samples_as_in_prometheus() {
    let check = async |text: &str, (start, end, step): (i64, i64, i64), queryable: &[u64], read: &[u64]| {
        let got = step_samples(text, At::Every { start, end, step }).await;
        let want = StepSamples {
            start: Timestamp::from_ms(start * 1000),
            step_ms: step * 1000,
            queryable: queryable.to_vec(),
            read: read.to_vec(),
        };
        assert_eq!(got, want, "{text}");
    };
    let four = (201, 220, 5);
    check("1", four, &[0; 4], &[0; 4]).await;
    check("three{a=\"1\"}", four, &[1; 4], &[1; 4]).await;
    check("native", (204, 223, 5), &[WEIGHT; 4], &[WEIGHT; 4]).await;
    check("timestamp(native)", four, &[1; 4], &[1; 4]).await;
    check("three offset 10s", four, &[3; 4], &[3; 4]).await;
    check("max_over_time(one[10s])", (991, 1021, 10), &[1, 1, 0, 0], &[1, 1, 0, 0]).await;
    check("max_over_time(three[60s] @ 30)", four, &[12; 4], &[12, 0, 0, 0]).await;
    check("max_over_time(three[60s])", four, &[18; 4], &[18, 0, 3, 0]).await;
    check("max_over_time(three[60s:5s])", (201, 216, 5), &[36; 4], &[36, 3, 3, 3]).await;
    check("sum by (b) (max_over_time(one[60s:5s]))", four, &[12; 4], &[12, 1, 1, 1]).await;
    let both = "sum(max_over_time(three[60s:5s])) + sum(max_over_time(one[60s:5s]))";
    check(both, four, &[48; 4], &[48, 4, 4, 4]).await;
    check("max_over_time(one[30s:10s])", (201, 231, 30), &[3, 3], &[3, 3]).await;
    check("max_over_time(one[20s:10s])", (201, 261, 10), &[2; 7], &[2, 1, 1, 1, 1, 1, 1]).await;
    // What lies between two ranges of a subquery is computed, and read for nobody.
    check("max_over_time(one[30s:10s])", (201, 261, 60), &[3, 3], &[3, 3]).await;
    let (once, twice) = (WEIGHT, 2 * WEIGHT);
    check("avg_over_time(native[2m:1m])", (120, 240, 60), &[twice; 3], &[twice, once, once]).await;
    check("max_over_time(three[60s:10s])", (200, 400, 30), &[18; 7], &[18, 9, 9, 9, 9, 9, 9]).await;
    check("predict_linear(one[60s] @ 100, 60)", (100, 300, 100), &[6; 3], &[6, 0, 0]).await;
    check("sum(one @ 100) + one", four, &[2; 4], &[2, 1, 1, 1]).await;
}

/// A node with its counts.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    kind: &'static str,
    text: String,
    series_samples_points: [u64; 3],
    is_selected: bool,
    below: Vec<Counted>,
}

fn counted(node: &Explanation) -> Counted {
    Counted {
        kind: node.kind,
        text: node.text.clone(),
        series_samples_points: [node.series, node.samples, node.points],
        is_selected: node.select.is_some(),
        below: node.children.iter().map(counted).collect(),
    }
}

fn node(kind: &'static str, text: &str, series_samples_points: [u64; 3], below: Vec<Counted>) -> Counted {
    let is_selected = kind.ends_with("Selector");
    Counted { kind, text: text.to_owned(), series_samples_points, is_selected, below }
}

#[tokio::test]
async fn an_explanation_counts_what_every_node_gives() {
    let check = async |text: &str, want: Counted| {
        let at = At::Every { start: 201, end: 216, step: 5 };
        let detail = Detail { explanation: true, ..Detail::default() };
        let result = ask(text, at, detail).await;
        let explanation = result.explanation.expect("it was asked for");
        assert_eq!(counted(&explanation), want, "{text}");
        check_times(&explanation);
        assert!(explanation.total <= result.times.evaluation, "{text}");
        assert!(ask(text, at, Detail::default()).await.explanation.is_none());
    };
    let matrix = |text| node("matrixSelector", text, [3, 21, 21], vec![]);
    let rate = || node("call", "rate(…)", [3, 0, 12], vec![matrix("three[1m]")]);
    check("(three)", node("vectorSelector", "three", [3, 3 * 22, 12], vec![])).await;
    check(
        "sum by (b) ((rate(three[60s]))) > 0.05",
        node("binaryExpr", "… > 0.05", [2, 0, 8], vec![node("aggregation", "sum by (b) (…)", [2, 0, 8], vec![rate()])]),
    )
    .await;
    check("topk(1, rate(three[60s]))", node("aggregation", "topk(1, …)", [1, 0, 4], vec![rate()])).await;
    // 22 samples are within the lookback of these times.
    let one = || node("vectorSelector", "one", [1, 22, 4], vec![]);
    check("one + on () one", node("binaryExpr", "… + on () …", [1, 0, 4], vec![one(), one()])).await;
    check("+one", node("unaryExpr", "+…", [1, 0, 4], vec![one()])).await;
    check(
        "timestamp(-(one))",
        node("call", "timestamp(…)", [1, 0, 4], vec![node("unaryExpr", "-…", [1, 0, 4], vec![one()])]),
    )
    .await;
    check("timestamp((one))", node("call", "timestamp(…)", [1, 0, 4], vec![one()])).await;
    check("one == 1000", node("binaryExpr", "… == 1000", [0, 0, 0], vec![one()])).await;
    // Evaluated once, and given at all steps.
    let fixed = node("vectorSelector", "one @ 100.000", [1, 11, 4], vec![]);
    check("one @ 100", fixed).await;
    let scalar = node("call", "scalar(…)", [1, 0, 4], vec![one()]);
    let time = node("call", "time()", [1, 0, 4], vec![]);
    check(
        "vector(scalar(one) * time())",
        node("call", "vector(…)", [1, 0, 4], vec![node("binaryExpr", "… * …", [1, 0, 4], vec![scalar, time])]),
    )
    .await;
    check("1", node("numberLiteral", "1", [0, 0, 0], vec![])).await;
    // Every five seconds from 145 to 215, each with a point.
    let inner = node("vectorSelector", "one", [1, 22, 15], vec![]);
    let subquery = node("subquery", "…[1m:5s]", [1, 0, 15], vec![inner]);
    check("max_over_time(one[1m:5s])", node("call", "max_over_time(…)", [1, 0, 4], vec![subquery])).await;
}

#[tokio::test]
async fn a_call_that_reads_series_itself_tells_of_them() {
    let detail = Detail { explanation: true, ..Detail::default() };
    let result = ask("info(of_target)", At::Once(201), detail).await;
    let info = result.explanation.expect("it was asked for");
    assert_eq!((info.series, info.samples, info.select.is_some()), (1, 21, true));
    assert_eq!((info.children[0].samples, info.children[0].points), (21, 1));
    let text = ask("\"text\"", At::Once(201), detail).await.explanation.expect("it was asked for");
    assert_eq!(counted(&text), node("stringLiteral", "\"text\"", [0, 0, 0], vec![]));
}

#[tokio::test]
async fn the_deepest_expressions_are_explained() {
    let detail = Detail { step_samples: true, explanation: true };
    let depth = |root: &Explanation| {
        let (mut deepest, mut level) = (0, vec![root]);
        while !level.is_empty() {
            deepest += 1;
            level = level.iter().flat_map(|node| &node.children).collect();
        }
        deepest
    };
    let nested = format!("{}one{}", "abs(".repeat(120), ")".repeat(120));
    let chain = vec!["one"; 500].join(" + ");
    for (text, samples, want) in [(nested, 1, 121), (chain, 500, 500)] {
        let result = ask(&text, At::Once(21), detail).await;
        assert_eq!(result.step_samples.expect("it was asked for").queryable, [samples]);
        let root = result.explanation.expect("it was asked for");
        assert_eq!(depth(&root), want);
        check_times(&root);
    }
}

/// What the nodes took themselves is what the root took.
fn check_times(root: &Explanation) {
    fn own(node: &Explanation) -> Duration {
        node.own + node.children.iter().map(own).sum::<Duration>()
    }
    assert_eq!(own(root), root.total);
    assert!(root.total > Duration::ZERO || root.series == 0, "{root:?}");
}

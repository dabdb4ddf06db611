//! Generated expressions: the evaluation never panics, and a step of a range query is what an instant query gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Labels, STALE_NAN, Timestamp};
use promql::testlang::MemoryStorage;
use promql::{Engine, EngineOptions, Expr, ParseOptions, QueryFailure, Value, parse_with};
use proptest::prelude::*;
use storage::{Queryable, Samples};

const STEP_MS: i64 = 45_000;
const START_MS: i64 = 100_000;
const STEPS: i64 = 8;

fn series() -> Arc<dyn Queryable> {
    let one = |name: &str, x: &str, y: &str, value: fn(i64) -> f64, gap: i64| {
        let labels = Labels::from_pairs([("__name__", name), ("x", x), ("y", y)]);
        let times: Vec<i64> = (0..40).filter(|at| at % gap != 3).map(|at| at * 15_000).collect();
        let values = times.iter().map(|time| value(time / 15_000)).collect();
        (labels, Samples::of_floats(times, values))
    };
    Arc::new(MemoryStorage::new([
        one("a", "1", "", |at| at as f64, 100),
        one("a", "2", "", |at| (at % 7) as f64, 7),
        one("a", "2", "z", |at| if at % 9 == 5 { STALE_NAN } else { 1.5 * at as f64 }, 5),
        one("b", "1", "z", |at| if at % 4 == 0 { f64::NAN } else { -at as f64 }, 100),
        one("b", "2", "", |at| if at > 20 { STALE_NAN } else { 1e308 }, 4),
        one("c_bucket", "1", "", |at| at as f64, 6),
    ]))
}

fn vector() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a",
        "b",
        "a{x='2'}",
        "{__name__=~'a|b'}",
        "{x='1'}",
        "vector(2)",
        "a offset 1m",
        "b @ 200",
        "a @ end()",
        "a offset -30s",
        "vector(time())",
        "rate(a[1m])",
        "increase({x='2'}[2m])",
        "last_over_time(b[30s])",
        "none",
        "absent(none{x='3'})",
        "absent_over_time(a[10s])",
        "timestamp(a)",
        "deriv(a[2m])",
        "c_bucket",
        "day_of_year()",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(5, 40, 3, |inner| {
        let op = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "< bool", ">=", "and", "or", "unless",
        ]);
        let matching = prop::sample::select(vec!["", "on (x)", "ignoring (y)", "on ()"]);
        let group = prop::sample::select(vec!["group_left ()", "group_right (y)"]);
        let aggregation = prop::sample::select(vec![
            "sum",
            "avg by (x)",
            "count without (y)",
            "min",
            "max by (__name__)",
            "stddev",
            "group",
            "stdvar by (y)",
        ]);
        let function = prop::sample::select(vec![
            "abs",
            "sgn",
            "exp",
            "ln",
            "sqrt",
            "timestamp",
            "absent",
            "minute",
            "year",
            "histogram_count",
            "ceil",
        ]);
        let over = prop::sample::select(vec![
            "rate",
            "max_over_time",
            "mad_over_time",
            "changes",
            "avg_over_time",
            "stddev_over_time",
            "idelta",
            "deriv",
            "absent_over_time",
            "ts_of_min_over_time",
            "sum_over_time",
            "present_over_time",
            "first_over_time",
        ]);
        let range = prop::sample::select(vec!["2m:", "1m:20s", "90:7", "30s:1m"]);
        let number = prop::sample::select(vec!["0", "1", "-2.5", "0.5", "NaN", "Inf", "scalar(a{x='1'})", "time()"]);
        prop_oneof![
            (inner.clone(), op.clone(), matching, inner.clone())
                .prop_map(|(a, op, on, b)| format!("({a} {op} {on} {b})")),
            (inner.clone(), group, inner.clone()).prop_map(|(a, group, b)| format!("({a} * on (x) {group} {b})")),
            (inner.clone(), number.clone()).prop_map(|(a, b)| format!("({a} - {b})")),
            (number.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} >= bool {b})")),
            inner.clone().prop_map(|a| format!("-{a}")),
            (aggregation, inner.clone()).prop_map(|(name, a)| format!("{name} ({a})")),
            (number.clone(), inner.clone()).prop_map(|(q, a)| format!("quantile by (x) ({q}, {a})")),
            inner.clone().prop_map(|a| format!("count_values('x', {a})")),
            (function, inner.clone()).prop_map(|(name, a)| format!("{name}({a})")),
            (over, inner.clone(), range).prop_map(|(name, a, range)| format!("{name}(({a})[{range}])")),
            (number.clone(), inner.clone()).prop_map(|(q, a)| format!("quantile_over_time({q}, ({a})[1m:15s])")),
            (inner.clone(), number.clone()).prop_map(|(a, b)| format!("clamp({a}, {b}, 5)")),
            (inner.clone(), number.clone()).prop_map(|(a, s)| format!("predict_linear(({a})[1m:15s], {s})")),
            inner.clone().prop_map(|a| format!("label_replace({a}, 'y', 'v$1', 'x', '(.*)')")),
            (number, inner).prop_map(|(q, a)| format!("histogram_quantile({q}, label_join({a}, 'le', '', 'x'))")),
        ]
    })
}

async fn instant(engine: &Engine, expr: &Expr, time: i64) -> Result<BTreeMap<Labels, u64>, QueryFailure> {
    let result = engine.instant(series(), expr, Timestamp::from_ms(time)).await?;
    let Value::Vector(vector) = result.value else { panic!("{expr} is no vector") };
    Ok(vector.into_iter().map(|sample| (sample.labels, bits(sample.value))).collect())
}

/// The bits of a value; all NaN are one.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

async fn check(text: &str) {
    let engine = Engine::new(EngineOptions::default());
    let expr = parse_with(text, ParseOptions::everything()).expect("a valid expression");
    let time = |step: i64| START_MS + step * STEP_MS;
    // The end of the query is the same for both, as `@ end()` looks at it only in a range.
    let ends_matter = text.contains("end()");
    let range =
        engine.range(series(), &expr, Timestamp::from_ms(START_MS), Timestamp::from_ms(time(STEPS - 1)), STEP_MS).await;
    match range {
        Err(QueryFailure::Execution(message)) => assert!(!message.contains("unexpectedly"), "{text}: {message}"),
        Err(error) => panic!("{text}: {error}"),
        Ok(result) => {
            let Value::Matrix(matrix) = result.value else { panic!("{text} is no matrix") };
            for step in (0..STEPS).filter(|_| !ends_matter) {
                let at_step: BTreeMap<Labels, u64> = matrix
                    .iter()
                    .filter_map(|series| {
                        let sample = series.samples.iter().find(|sample| sample.time.as_ms() == time(step))?;
                        Some((series.labels.clone(), bits(sample.value)))
                    })
                    .collect();
                assert_eq!(instant(&engine, &expr, time(step)).await, Ok(at_step), "{text} at step {step}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_step_of_a_range_is_an_instant(text in vector()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(check(&text));
    }
}

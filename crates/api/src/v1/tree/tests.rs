use promql::{ParseOptions, parse_with};

use super::*;

#[track_caller]
fn check(query: &str, want: &Value) {
    let expr = parse_with(query, ParseOptions::everything()).unwrap_or_else(|e| panic!("{query}: {e}"));
    assert_eq!(tree(&expr), *want, "{query}");
}

fn number(val: &str) -> Value {
    json!({"type": "numberLiteral", "val": val})
}

/// A selector without anything but its name.
fn named(name: &str) -> Value {
    json!({
        "type": "vectorSelector", "name": name, "offset": 0, "offsetExpr": null,
        "matchers": [{"name": "__name__", "value": name, "type": "="}],
        "timestamp": null, "startOrEnd": null, "anchored": false, "smoothed": false,
    })
}

#[test]
fn literals() {
    check("1e3", &number("1000"));
    check("-0.5", &number("-0.5"));
    check("1h", &number("3600"));
    check("Inf", &number("+Inf"));
    check("NaN", &number("NaN"));
    check("\"a\\n\"", &json!({"type": "stringLiteral", "val": "a\n"}));
}

#[test]
fn selectors() {
    check("foo", &named("foo"));
    check(
        "foo{a!=\"1\", b=~\"x.*\", c!~\"y\"} offset 5m",
        &json!({
            "type": "vectorSelector", "name": "foo", "offset": 300_000, "offsetExpr": null,
            "matchers": [
                {"name": "a", "value": "1", "type": "!="},
                {"name": "b", "value": "x.*", "type": "=~"},
                {"name": "c", "value": "y", "type": "!~"},
                {"name": "__name__", "value": "foo", "type": "="},
            ],
            "timestamp": null, "startOrEnd": null, "anchored": false, "smoothed": false,
        }),
    );
    let mut at = named("foo");
    at["timestamp"] = json!(1_603_774_568_500_i64);
    check("foo @ 1603774568.5", &at);
    let mut end = named("foo");
    (end["startOrEnd"], end["offset"]) = (json!("end"), json!(-60_000));
    check("foo @ end() offset -1m", &end);
}

#[test]
fn ranges() {
    let mut matrix = named("foo");
    (matrix["type"], matrix["range"], matrix["rangeExpr"]) = (json!("matrixSelector"), json!(300_000), Value::Null);
    check("foo[5m]", &matrix);
    check("foo[300]", &matrix);
    let mut anchored = matrix.clone();
    anchored["anchored"] = json!(true);
    check("foo[5m] anchored", &anchored);
    let mut smoothed = matrix.clone();
    (smoothed["smoothed"], smoothed["startOrEnd"]) = (json!(true), json!("start"));
    check("foo[5m] smoothed @ start()", &smoothed);
    check(
        "foo[1h:5m] @ 60 offset 1m",
        &json!({
            "type": "subquery", "expr": named("foo"), "range": 3_600_000, "rangeExpr": null,
            "offset": 60_000, "offsetExpr": null, "step": 300_000, "stepExpr": null,
            "timestamp": 60_000, "startOrEnd": null,
        }),
    );
    check(
        "foo[1h:]",
        &json!({
            "type": "subquery", "expr": named("foo"), "range": 3_600_000, "rangeExpr": null,
            "offset": 0, "offsetExpr": null, "step": 0, "stepExpr": null, "timestamp": null, "startOrEnd": null,
        }),
    );
}

#[test]
fn computed_durations() {
    let duration = |op: &str, lhs: Value, rhs: Value, wrapped: bool| json!({"type": "durationExpr", "op": op, "lhs": lhs, "rhs": rhs, "wrapped": wrapped});
    let literal = |val: &str, duration: bool| json!({"type": "numberLiteral", "val": val, "duration": duration});
    let range = |range: Value| {
        let mut matrix = named("foo");
        (matrix["type"], matrix["range"], matrix["rangeExpr"]) = (json!("matrixSelector"), json!(0), range);
        matrix
    };
    check("foo[5m * 2]", &range(duration("*", literal("300", true), literal("2", false), false)));
    let step = duration("step", Value::Null, Value::Null, false);
    check("foo[(step() + 1)]", &range(duration("+", step.clone(), literal("1", false), true)));
    check("foo[max_of(step(), 5m)]", &range(duration("max_of", step, literal("300", true), false)));
    let mut offset = named("foo");
    offset["offsetExpr"] = duration("-", Value::Null, duration("range", Value::Null, Value::Null, false), false);
    check("foo offset -range()", &offset);
}

#[test]
fn operators() {
    check(
        "1 + 2",
        &json!({
            "type": "binaryExpr", "op": "+", "lhs": number("1"), "rhs": number("2"), "matching": null, "bool": false,
        }),
    );
    let matching = |card: &str, labels: Value, on: bool, include: Value| {
        json!({
            "card": card, "labels": labels, "on": on, "include": include,
            "fillValues": {"lhs": null, "rhs": null},
        })
    };
    let binary = |op: &str, matching: Value, bool: bool| {
        json!({
            "type": "binaryExpr", "op": op, "lhs": named("a"), "rhs": named("b"), "matching": matching, "bool": bool,
        })
    };
    check("a >= bool b", &binary(">=", matching("one-to-one", json!([]), false, json!([])), true));
    check("a and on (x) b", &binary("and", matching("many-to-many", json!(["x"]), true, json!([])), false));
    check(
        "a * ignoring (x) group_left (y, z) b",
        &binary("*", matching("many-to-one", json!(["x"]), false, json!(["y", "z"])), false),
    );
    check("a / on (x) group_right b", &binary("/", matching("one-to-many", json!(["x"]), true, json!([])), false));
    let mut filled = matching("one-to-one", json!([]), false, json!([]));
    filled["fillValues"] = json!({"lhs": 0.0, "rhs": 1.0});
    check("a + fill_left (0) fill_right (1) b", &binary("+", filled, false));
    check("-a", &json!({"type": "unaryExpr", "op": "-", "expr": named("a")}));
    check("(a)", &json!({"type": "parenExpr", "expr": named("a")}));
}

#[test]
fn aggregations_and_functions() {
    check(
        "sum by (x) (a)",
        &json!({
            "type": "aggregation", "op": "sum", "expr": named("a"), "param": null, "grouping": ["x"], "without": false,
        }),
    );
    check(
        "topk without () (3, a)",
        &json!({
            "type": "aggregation", "op": "topk", "expr": named("a"), "param": number("3"), "grouping": [],
            "without": true,
        }),
    );
    check(
        "round(a, 5)",
        &json!({
            "type": "call",
            "func": {"name": "round", "argTypes": ["vector", "scalar"], "variadic": 1, "returnType": "vector"},
            "args": [named("a"), number("5")],
        }),
    );
    check(
        "time()",
        &json!({
            "type": "call",
            "func": {"name": "time", "argTypes": [], "variadic": 0, "returnType": "scalar"},
            "args": [],
        }),
    );
}

//! The parser over generated input.

use promql::{ParseOptions, parse, parse_with};
use proptest::prelude::*;

/// Expressions of type instant vector, as text.
fn vector() -> impl Strategy<Value = String> {
    let selector = prop_oneof![
        "[a-z]{1,5}(:[a-z]{1,3})?",
        ("[a-z]{1,4}", "[a-z]{1,3}", prop::sample::select(vec!["=", "!=", "=~", "!~"]), "[a-z0-9 é\\\\.]{0,4}")
            .prop_map(|(name, label, op, value)| format!("m{name}{{{label}{op}`{value}x?`}}")),
        "[a-z.\" ]{1,6}".prop_map(|name| format!("{{`x{name}`, \"a.b\"='1'}}")),
    ];
    let moved = (
        selector,
        prop::sample::select(vec![
            "",
            " offset 5m",
            " offset -90",
            " @ 12.5",
            " @ end() offset 1h",
            " offset (step() * 2)",
            " offset -min_of(1m, range())",
        ]),
    );
    let leaf = moved.prop_map(|(selector, modifier)| format!("m{selector}{modifier}").replace("m{", "{"));
    leaf.prop_recursive(6, 48, 3, |inner| {
        let op = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "^", " atan2 ", "==", "!=", ">", "<", ">=", "<=", " and ", " or ", " unless ",
        ]);
        let matching = prop::sample::select(vec![
            "",
            " on (a)",
            " ignoring(a, `b c`)",
            " on()",
            " fill(0)",
            " on (a) fill_right(-NaN)",
        ]);
        let aggregation = prop::sample::select(vec!["sum", "avg by (a)", "count without(a, b)", "group by ()"]);
        let function = prop::sample::select(vec!["abs", "ceil", "sort", "timestamp", "day_of_week"]);
        let over = prop::sample::select(vec!["rate", "max_over_time", "mad_over_time", "changes"]);
        let range = prop::sample::select(vec!["1h:", "5m:30s", "90:1", "1d2h:5m", "step()+1:", "5m*(2^2):-1+range()"]);
        prop_oneof![
            (inner.clone(), op, matching, inner.clone()).prop_map(|(a, op, on, b)| format!("{a}{op}{on} {b}")),
            (inner.clone(), "[-+*/^]", "[0-9]{1,3}(\\.[0-9])?").prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("-{a}")),
            (aggregation, inner.clone()).prop_map(|(name, a)| format!("{name}({a})")),
            ("[0-9]", inner.clone()).prop_map(|(k, a)| format!("topk({k}, {a})")),
            (function, inner.clone()).prop_map(|(name, a)| format!("{name}({a})")),
            (over, inner.clone(), range).prop_map(|(name, a, range)| format!("{name}(({a})[{range}])")),
            inner.prop_map(|a| format!("label_replace({a}, \"x\", '$1', \"y\", `(.*)`)")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(text in vector()) {
        let options = ParseOptions::everything();
        let expr = parse_with(&text, options);
        // Printing may not change what a valid text means; some generated ones are refused (a fixed type, two names).
        if let Ok(expr) = expr {
            let printed = expr.to_string();
            let again = parse_with(&printed, options).map_err(|e| TestCaseError::fail(format!("{printed}: {e}")))?;
            prop_assert_eq!(&again, &expr, "{}", printed);
            prop_assert_eq!(again.to_string(), printed);
        }
    }

    #[test]
    fn most_generated_expressions_are_valid(texts in prop::collection::vec(vector(), 30)) {
        let valid = texts.iter().filter(|text| parse_with(text, ParseOptions::everything()).is_ok());
        prop_assert!(valid.count() > 15);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_tokens_are_read_or_refused(words in prop::collection::vec(prop::sample::select(vec![
        "sum", "by", "(", ")", "[", "]", "{", "}", "5m", "1", "foo", "a:b", "offset", "@", "-", "+", "^", "=", "==", "=~", "!",
        "\"x\"", "'", "`", ":", ",", "and", "on", "group_left", "bool", "start", "rate", "#", "\n", "0x", "1e", "\\", "é", "</", "fill", "step()", "min_of(",
    ]), 0..40)) {
        let _ = parse(&words.concat());
        let _ = parse(&words.join(" "));
    }
}

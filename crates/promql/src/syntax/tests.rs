//! What is read, what is printed, what is refused and with which words.

use crate::syntax::{ParseOptions, parse, parse_selectors, parse_with};

fn everything() -> ParseOptions {
    ParseOptions { experimental_functions: true }
}

#[test]
fn prints_the_canonical_form() {
    let check = |text: &str, want: &str| {
        let expr = parse_with(text, everything()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(expr.to_string(), want, "{text}");
        assert_eq!(parse_with(want, everything()), Ok(expr), "{want}");
    };
    check("1", "1");
    check("  -1.5e3 ", "-1500");
    check("0x1F", "31");
    check("1_000", "1000");
    check("+Inf", "+Inf");
    check("5m", "5m");
    check("'a\\n'", "\"a\\n\"");
    check("foo", "foo");
    check("SUM(foo)BY(a,b)", "sum by (a, b) (foo)");
    check("sum without()(foo)", "sum without () (foo)");
    check("sum by()(foo)", "sum(foo)");
    check("topk(5,foo)", "topk(5, foo)");
    check("foo{b='1',a=~\"x|y\"}", "foo{a=~\"x|y\",b=\"1\"}");
    check("{\"my.metric\",\"label.x\"='v'}", "{\"label.x\"=\"v\",__name__=\"my.metric\"}");
    check("foo[5m] offset -1h @ 100", "foo[5m] @ 100.000 offset -1h");
    check("foo[300]", "foo[5m]");
    check("foo @ start() offset 90", "foo @ start() offset 1m30s");
    check("rate(foo[1m])[1h:]", "rate(foo[1m])[1h:]");
    check("(a+b)[1h:30s] @ end() offset 5m", "(a + b)[1h:30s] @ end() offset 5m");
    check("a+b*c^d^e", "a + b * c ^ d ^ e");
    check("a == bool b", "a == bool b");
    check("a/ignoring(x,\"y.z\")group_left b", "a / ignoring (x, \"y.z\") group_left () b");
    check("a and on() b", "a and on () b");
    check("a or ignoring() b", "a or b");
    check("- - -foo", "---foo");
    check("-1^2", "-1 ^ 2");
    check("by{x=\"y\"} + sum + offset", "by{x=\"y\"} + sum + offset");
    check("foo # comment\n + bar", "foo + bar");
    check("job:foo:sum", "job:foo:sum");
    check("count_values(\"v\", foo)", "count_values(\"v\", foo)");
    check("label_join(foo, \"a\", \",\")", "label_join(foo, \"a\", \",\")");
    check("fill + fill", "fill + fill");
}

#[test]
fn binds_as_prometheus_does() {
    let check = |text: &str, explicit: &str| {
        let strip = |text: &str| parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let (loose, bound) = (strip(text), strip(explicit));
        assert_eq!(shape(&loose), shape(&bound), "{text}");
    };
    check("a + b * c", "a + (b * c)");
    check("a - b - c", "(a - b) - c");
    check("a ^ b ^ c", "a ^ (b ^ c)");
    check("a or b and c unless d", "a or ((b and c) unless d)");
    check("-a ^ b", "-(a ^ b)");
    check("-a * b", "(-a) * b");
    check("2 ^ -a * b", "(2 ^ (-a)) * b");
    check("a == b + c", "a == (b + c)");
    check("a atan2 b + c", "(a atan2 b) + c");
    check("a % b / c", "(a % b) / c");
}

/// The tree with every operator in parentheses.
fn shape(expr: &crate::syntax::Expr) -> String {
    use crate::syntax::ExprKind::{Binary, Paren, Unary};
    match &expr.kind {
        Paren(inner) => shape(inner),
        Unary(_, inner) => format!("(- {})", shape(inner)),
        Binary(b) => format!("({} {} {})", shape(&b.lhs), b.op.as_str(), shape(&b.rhs)),
        _ => expr.to_string(),
    }
}

#[test]
fn refuses_with_prometheus_s_words_and_position() {
    let check = |text: &str, want: &str| match parse(text) {
        Ok(expr) => panic!("{text} was read as {expr}"),
        Err(error) => assert_eq!(error.to_string(), want, "{text}"),
    };
    check("", "1:1: parse error: no expression found in input");
    check("# nothing", "1:1: parse error: no expression found in input");
    check("1 +", "1:4: parse error: unexpected end of input");
    check("foo bar", "1:5: parse error: unexpected identifier \"bar\"");
    check("foo{", "1:5: parse error: unexpected end of input inside braces");
    check("(foo", "1:5: parse error: unclosed left parenthesis");
    check("foo)", "1:4: parse error: unexpected right parenthesis ')'");
    check("foo[5m", "1:7: parse error: unclosed left bracket");
    check("foo{a}", "1:6: parse error: unexpected \"}\" in label matching, expected label matching operator");
    check("foo{a=1}", "1:7: parse error: unexpected character inside braces: '1'");
    check("foo{a=b}", "1:7: parse error: unexpected identifier \"b\" in label matching, expected string");
    check("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher");
    check("{a=\"\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher");
    check("foo{__name__=\"bar\"}", "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\"");
    check("rate(foo)", "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector");
    check("sum(foo[5m])", "1:5: parse error: expected type instant vector in aggregation expression, got range vector");
    check("foo(bar)", "1:1: parse error: unknown function with name \"foo\"");
    check("rate()", "1:1: parse error: expected 1 argument(s) in call to \"rate\", got 0");
    check("rate(foo[5m],)", "1:13: parse error: trailing commas not allowed in function call args");
    check("label_join(foo)", "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 1");
    check("round(foo, 1, 2)", "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3");
    check("1 > 2", "1:3: parse error: comparisons between scalars must use BOOL modifier");
    check("foo + bool bar", "1:5: parse error: bool modifier can only be used on comparison operators");
    check("1 and foo", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression");
    check("foo and on(a) group_left(b) bar", "1:1: parse error: no grouping allowed for \"and\" operation");
    check(
        "foo + on(a) group_left(a) bar",
        "1:5: parse error: label \"a\" must not occur in ON and GROUP clause at once",
    );
    check("foo[5m] + 1", "1:1: parse error: binary expression must contain only scalar and instant vector types");
    check("foo offset 5m offset 5m", "1:1: parse error: offset may not be set multiple times");
    check("foo offset 5m [1m]", "1:15: parse error: no offset modifiers allowed before range");
    check("(foo)[1m]", "1:6: parse error: ranges only allowed for vector selectors");
    check("foo[0m]", "1:5: parse error: duration must be greater than 0");
    check("foo[5m:0s]", "1:8: parse error: duration must be greater than 0");
    check("foo[1h/2]", "1:7: parse error: experimental duration expression is not enabled");
    check("1[5m:]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead");
    check("mad_over_time(foo[5m])", "1:1: parse error: function \"mad_over_time\" is not enabled");
    check(
        "limitk(1, foo)",
        "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
    );
    check(
        "topk(foo)",
        "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1",
    );
    check("foo\n+ 5x", "2:3: parse error: bad number or duration syntax: \"5x\"");
    check("\"abc", "1:1: parse error: unterminated quoted string");
    check("foo = bar", "1:5: parse error: unexpected \"=\"");
    check("foo @ bar", "1:7: parse error: unexpected identifier \"bar\" in @, expected timestamp");
}

#[test]
fn selectors_need_a_condition() {
    let check = |text: &str, want: Option<&str>| {
        let got = parse_selectors(text).ok();
        let printed = got.map(|m| m.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
        assert_eq!(printed.as_deref(), want, "{text}");
    };
    check("up", Some("__name__=\"up\""));
    check("up{job=\"a\"}", Some("job=\"a\",__name__=\"up\""));
    check("{job=~\".+\"}", Some("job=~\".+\""));
    check("{\"a.b\"}", Some("__name__=\"a.b\""));
    check("{}", None);
    check("{job=~\".*\"}", None);
    check("up[5m]", None);
    check("up offset 5m", None);
    check("1", None);
    check("", None);
}

#[test]
fn depth_and_length_are_bounded() {
    let nested = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(parse(&nested).is_err_and(|e| e.message.contains("levels deep")));
    assert!(parse(&"-".repeat(100_000)).is_err_and(|e| e.message.contains("levels deep")));
    let chain = vec!["1"; 100_000].join("+");
    assert!(parse(&chain).is_err_and(|e| e.message.contains("in a row")));
    let subqueries = format!("foo{}", "[1m:]".repeat(100_000));
    assert!(parse(&subqueries).is_err());
    assert!(parse(&vec!["foo"; 500].join(" or ")).is_ok());
}

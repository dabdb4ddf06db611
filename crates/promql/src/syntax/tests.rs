//! What is read, what is printed, what is refused and with which words.

use crate::syntax::{ParseOptions, QueryTimes, parse, parse_selectors, parse_with};

#[test]
fn prints_the_canonical_form() {
    let check = |text: &str, want: &str| {
        let expr = parse_with(text, ParseOptions::everything()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(expr.to_string(), want, "{text}");
        assert_eq!(parse_with(want, ParseOptions::everything()), Ok(expr), "{want}");
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
    check("a + on(x) group_left fill(-1e-5) b", "a + on (x) group_left () fill (-1e-05) b");
    check("a == bool fill_right ( 5m ) fill_left(+Inf) b", "a == bool fill_left (+Inf) fill_right (300) b");
    check("a + fill_left(NaN) fill_right(NaN) b", "a + fill_left (NaN) fill_right (NaN) b");
    check("fill_left + fill (0) fill", "fill_left + fill (0) fill");
    check("foo[5m] offset 1m anchored @ 5", "foo[5m] anchored @ 5.000 offset 1m");
    check("foo smoothed offset 1m @ start()", "foo @ start() smoothed offset 1m");
    check("anchored + smoothed", "anchored + smoothed");
    check("foo[5m*2]", "foo[5m * 2]");
    check("foo[ -5m + 2*(1h30m % 1h)^2 : STEP()+1 ]", "foo[-5m + 2 * (1h30m % 1h) ^ 2:step() + 1]");
    check("foo[max_of(min_of(range(),1h),+(30s))]", "foo[max_of(min_of(range(), 1h), (30s))]");
    check("foo offset -(1h/2)", "foo offset -(1h / 2)");
    check("foo offset (20) * 2", "foo offset (20) * 2");
    check("foo offset -min_of(step(), 1s) + 1", "foo offset -min_of(step(), 1s) + 1");
    check("foo[(5m)] @ 1", "foo[(5m)] @ 1.000");
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
    check("foo[(1h)]", "1:6: parse error: experimental duration expression is not enabled");
    check("foo offset step()", "1:12: parse error: experimental duration expression is not enabled");
    check("foo[1h/2]", "1:5: parse error: experimental duration expression is not enabled");
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

#[test]
fn refuses_boundaries_of_what_has_none() {
    let check = |text: &str, want: &str| {
        let error = parse_with(text, ParseOptions::everything()).expect_err(text);
        assert_eq!(error.to_string(), want, "{text}");
    };
    check("foo[5m:1m] anchored", "1:1: parse error: anchored modifier is not supported for subqueries");
    check("(foo) smoothed", "1:1: parse error: smoothed modifier not implemented");
    check("foo[1m] smoothed anchored", "1:1: parse error: anchored and smoothed modifiers cannot be used together");
}

#[test]
fn refuses_infos_of_what_is_no_label_selector() {
    let check = |text: &str, want: &str| {
        let error = parse_with(text, ParseOptions::everything()).expect_err(text);
        assert_eq!(error.to_string(), want, "{text}");
    };
    check("info(a, b)", "1:9: parse error: expected label selectors only, got vector selector instead");
    check("info(a, (b))", "1:9: parse error: expected label selectors only");
    let expected = "expected type instant vector in call to function \"info\", got scalar";
    check("info(a, 1)", &format!("1:1: parse error: {expected}"));
    check("info()", "1:1: parse error: expected at least 1 argument(s) in call to \"info\", got 0");
    assert!(parse_with("info(a, {b=~\".*\"})", ParseOptions::everything()).is_ok());
    let error = parse("info(a)").expect_err("behind a flag");
    assert_eq!(error.to_string(), "1:1: parse error: function \"info\" is not enabled");
}

#[test]
fn refuses_fills_that_fill_nothing() {
    let check = |text: &str, want: &str| {
        let error = parse_with(text, ParseOptions::everything()).expect_err(text);
        assert_eq!(error.to_string(), want, "{text}");
    };
    check("1 + fill(0) a", "1:1: parse error: filling in missing series only allowed between instant vectors");
    check("a and fill(0) b", "1:1: parse error: filling in missing series not allowed for set operators");
    check("a + fill(x) b", "1:10: parse error: unexpected identifier \"x\"");
    check("a + fill(1) fill_left(2) b", "1:13: parse error: unexpected <fill_left>");
    let error = parse("x + fill(0) b").expect_err("behind a flag");
    assert_eq!(error.to_string(), "1:1: parse error: binop fill modifiers are experimental and not enabled");
}

#[test]
fn refuses_durations_that_are_none() {
    let check = |text: &str, want: &str| {
        let error = parse_with(text, ParseOptions::everything()).expect_err(text);
        assert_eq!(error.to_string(), want, "{text}");
    };
    check("foo[1h/0]", "1:7: parse error: division by zero");
    check("foo[1h%0s]", "1:7: parse error: modulo by zero");
    check("foo[-5m]", "1:5: parse error: duration must be greater than 0");
    check("foo[1e300 * 2]", "1:5: parse error: duration out of range");
    check("foo offset -inf", "1:13: parse error: duration out of range");
    let expected = "in subquery or range selector, expected number, duration, step(), or range()";
    check("foo[5m * ]", &format!("1:10: parse error: unexpected \"]\" {expected}"));
    check("foo[step]", &format!("1:9: parse error: unexpected \"]\" {expected}"));
    check("foo[min_of(1)]", &format!("1:13: parse error: unexpected \")\" {expected}"));
    check("foo[(5m]", &format!("1:8: parse error: unexpected \"]\" {expected}"));
    check("foo[5m == 1]", "1:8: parse error: unexpected <op:==> in subquery or range, expected \":\" or \"]\"");
    let expected = "in offset, expected number, duration, step(), or range()";
    check("foo offset bar", &format!("1:12: parse error: unexpected identifier \"bar\" {expected}"));
    let deep = format!("foo[{}1{}]", "(".repeat(200), ")".repeat(200));
    check(&deep, "1:132: parse error: expression is nested more than 128 levels deep");
}

#[test]
fn computed_durations_are_resolved() {
    let check = |text: &str, want: Result<&str, &str>| {
        let mut expr = parse_with(text, ParseOptions::everything()).expect(text);
        let resolved = expr.resolve(QueryTimes { step_ms: 30_000, range_ms: 3_600_000 });
        let found = resolved.map(|()| expr.to_string()).map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), want, "{text}");
    };
    check("foo[step() * 2] offset (range() / 4 - 2^2)", Ok("foo[1m] offset 14m56s"));
    check("sum(topk(2, -rate(foo[max_of(step(), 1m)])) + 1)", Ok("sum(topk(2, -rate(foo[1m])) + 1)"));
    check("(a offset -(1m % 42s))[min_of(1h, range()):step()/3]", Ok("(a offset -18s)[1h:10s]"));
    check("foo[step() - 30s]", Err("4:16: duration must be greater than 0"));
    check("foo offset (1 / (step() - 30))", Err("12:29: division by zero"));
    check("foo offset (1 % (step() - 30))", Err("12:29: modulo by zero"));
    check("foo[(-2) ^ 0.5]", Err("4:14: duration is NaN or infinite"));
    check("foo offset (10 ^ step())", Err("12:23: duration is out of range"));
}

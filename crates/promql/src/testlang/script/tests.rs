use super::*;

fn evaluation(text: &str) -> Evaluation {
    match parse_script(text).unwrap_or_else(|e| panic!("{text:?}: {e}")).pop() {
        Some(Command::Eval(evaluation)) => evaluation,
        other => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn reads_commands() {
    let text =
        "# a comment\nclear\nLOAD 1m\n  a 1 2\n  # ends it\n\nload_with_nhcb 30s\n\n\neval instant at 5m a\n  a 2\n";
    let commands = parse_script(text).expect("a script");
    let [Command::Clear, Command::Load(load), Command::Load(native), Command::Eval(eval)] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!((load.step_ms, load.series.len()), (60_000, 1));
    assert_eq!((native.step_ms, native.series.len()), (30_000, 0));
    assert_eq!((eval.line, eval.query.as_str(), eval.series.len()), (10, "a", 1));
    assert_eq!(eval.written, ["a 2"]);
}

#[test]
fn reads_starts_in_front_of_values() {
    let commands = parse_script("load 1m\n  a 1\n  b@st -1m _\n  b 1 2\n  c 3").expect("a script");
    let [Command::Load(load)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((load.series.len(), &load.starts[..]), (3, &[(1, vec![Some(-60_000), None])][..]));
    // A query's result has no starts, so this is a series of another form.
    assert!(parse_script("eval instant at 1m x\n  b@st 1").is_err());
}

#[test]
fn reads_classic_histograms_as_native_ones() {
    let lines = "  x_bucket{le=\"1\"} 2\n  x_bucket{le=\"+Inf\"} 5\n  x_count ";
    let natives = |text: &str| match &parse_script(text).expect("a script")[..] {
        [Command::Load(load)] => load.natives.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(natives(&format!("load 1m\n{lines}5")), 0);
    assert_eq!(natives(&format!("load_with_nhcb 1m\n{lines}5")), 1);
    let error = parse_script(&format!("clear\nload_with_nhcb 1m\n{lines}6")).expect_err("inconsistent");
    let message = "value 1 of the histogram x: its largest bucket has 5 observations, but its count is 6";
    assert_eq!((error.line, error.column, error.message.as_str()), (2, 1, message));
}

#[test]
fn reads_when() {
    let check = |text: &str, want: When, query: &str| {
        let evaluation = evaluation(text);
        assert_eq!((evaluation.when, evaluation.query.as_str()), (want, query), "{text}");
    };
    let ms = Timestamp::from_ms;
    check("eval instant at 5m a  +  b", When::Instant(ms(300_000)), "a  +  b");
    check("eval instant at 0 1", When::Instant(ms(0)), "1");
    check("eval range from 0 to 1m step 10s x", When::Range(ms(0), ms(60_000), 10_000), "x");
    check("eval_ordered instant at 1ms x", When::Instant(ms(1)), "x");
}

#[test]
fn reads_expectations() {
    let check = |line: &str, want: Expectation| {
        let text = format!("eval instant at 1m x\n\t{line}\n");
        assert_eq!(evaluation(&text).expectations, [want], "{line}");
    };
    check("expect fail", Expectation::Fail(TextMatch::Any));
    check("expect fail msg: a:b", Expectation::Fail(TextMatch::Exact("a:b".to_owned())));
    check("expect warn regex:^a.*", Expectation::Warn(TextMatch::Regex("^a.*".to_owned())));
    check("expect info msg: x", Expectation::Info(TextMatch::Exact("x".to_owned())));
    check("expect no_warn", Expectation::NoWarn);
    check("expect  no_info", Expectation::NoInfo);
    check("expect ordered", Expectation::Ordered);
    check("expect string `a\\b`", Expectation::Text("a\\b".to_owned()));
    let ms = Timestamp::from_ms;
    check("expect range vector from 10s to 1m step 5s", Expectation::RangeVector(ms(10_000), ms(60_000), 5_000));
    // A metric may be called so.
    assert_eq!(evaluation("eval instant at 1m x\nexpect{} 1").series.len(), 1);
}

#[test]
fn deprecated_commands_say_what_they_expect() {
    let check = |text: &str, want: &[Expectation]| assert_eq!(evaluation(text).expectations, want, "{text}");
    check("eval_fail instant at 1m x", &[Expectation::Fail(TextMatch::Any)]);
    check("eval_warn range from 0 to 1m step 1m x", &[Expectation::Warn(TextMatch::Any)]);
    check("eval_info instant at 1m x", &[Expectation::Info(TextMatch::Any)]);
    check("eval_ordered instant at 1m x", &[Expectation::Ordered]);
    check(
        "eval_fail instant at 1m x\n expected_fail_message no luck",
        &[Expectation::Fail(TextMatch::Any), Expectation::Fail(TextMatch::Exact("no luck".to_owned()))],
    );
    check(
        "eval_fail instant at 1m x\n expected_fail_regexp lu.k",
        &[Expectation::Fail(TextMatch::Any), Expectation::Fail(TextMatch::Regex("lu.k".to_owned()))],
    );
}

#[test]
fn errors_have_their_place() {
    let check = |text: &str, place: (usize, usize), words: &str| {
        let error = parse_script(text).expect_err(text);
        assert_eq!((error.line, error.column), place, "{text:?}: {error}");
        assert!(error.message.contains(words), "{text:?}: {error}");
    };
    check("clear\n  evil", (2, 3), "invalid command");
    check("load", (1, 1), "needs a step");
    check("load 1y1", (1, 6), "1y1");
    check("load 1m\n  a{b=1} 1", (2, 7), "expected a string");
    check("load 1m\n  a 1 2 three", (2, 9), "no value");
    check("load 1m\n  a@st 0 1\n  a 1 2", (2, 10), "no start timestamp");
    check("load 1m\n  a@st 0 0", (2, 3), "without its values");
    check("load 1m\n  a@st 0\n\n  a 0", (2, 3), "without its values");
    check("load 1m\n  b 1\n  a@st 0\n  b 1", (3, 3), "without its values");
    check("load 1m\n  a@st 0\n  a@st 0\n  a 1", (2, 3), "without its values");
    check("load 1m\n  a@st 0 0\n  a 1", (3, 3), "1 values, but 2 start timestamps");
    check("eval", (1, 5), "invalid eval");
    check("eval often at 1m x", (1, 6), "invalid eval");
    check("eval instant at soon x", (1, 17), "soon");
    check("eval instant at 1m", (1, 19), "no query");
    check("eval range from 1m to 0 step 1m x", (1, 23), "before the start");
    check("eval range from 0 to 1m step 0s x", (1, 30), "longer than 0");
    check("eval range from 0 to 1m each 1m x", (1, 25), "invalid eval");
    check("eval_ordered range from 0 to 1m step 1m x", (1, 1), "invalid eval");
    check("eval instant at 1m x\n  expect nothing", (2, 10), "unknown expectation");
    check("eval instant at 1m x\n  expect fail if: x", (2, 15), "want msg:");
    check("eval instant at 1m x\n  expect fail regex: a(", (2, 22), "");
    check("eval instant at 1m x\n  expect string x", (2, 17), "in quotes");
    check("eval instant at 1m x\n  expect range 5", (2, 16), "want expect range vector");
    check("eval instant at 1m x\n  x 1 2", (2, 3), "one value");
    check("eval instant at 1m x\n expect info\n expect no_info", (3, 2), "info and no_info");
    check("eval instant at 1m x\n expect no_warn\n expect warn", (3, 2), "warn and no_warn");
    check("eval instant at 1m x\n expect fail msg: a\n expect fail msg: b", (3, 2), "one way");
}

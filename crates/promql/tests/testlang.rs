//! The test language itself: what fails, and how it is told.

use promql::testlang::{CaseFailure, Report, run};
use promql::{Engine, EngineOptions, ParseOptions};

const LOADED: &str = "load 1m\n  a{x=\"1\"} 1+1x10\n  a{x=\"2\"} 10+10x10\n\n";

async fn report_of(cases: &str, language: ParseOptions) -> Report {
    let engine = Engine::new(EngineOptions { language, ..EngineOptions::default() });
    run(&format!("{LOADED}{cases}"), &engine).await.unwrap_or_else(|e| panic!("{cases}: {e}"))
}

async fn failure(case: &str) -> CaseFailure {
    let mut report = report_of(case, ParseOptions::everything()).await;
    assert_eq!((report.passed, report.failed.len()), (0, 1), "{case}: {report:?}");
    report.failed.remove(0)
}

#[tokio::test]
async fn a_failing_case_says_what_was_expected_and_what_came() {
    let failed = failure("eval instant at 2m a\n  a{x=\"1\"} 3\n  a{x=\"2\"} 31\n").await;
    assert_eq!((failed.line, failed.query.as_str()), (5, "a"));
    assert_eq!(failed.difference, "a{x=\"2\"} has another value");
    assert_eq!(failed.expected, ["a{x=\"1\"} 3", "a{x=\"2\"} 31"]);
    assert_eq!(failed.got, ["a{x=\"1\"} 3", "a{x=\"2\"} 30"]);
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let cases = [
        ("eval instant at 2m sum(a)\n  {} 33\n  {x=\"1\"} 1", "expected 2 series, got 1", "{} 33"),
        ("eval instant at 2m a\n  33", "expected the number 33", "a{x=\"1\"} 3"),
        ("eval instant at 2m 1\n  2", "expected 2", "1"),
        ("eval instant at 2m \"a\"\n  expect string \"b\"", "expected another text", "expect string \"a\""),
        ("eval instant at 2m a +\n  1", "expected an answer, got an error", "expect fail msg: 1:4: parse error"),
        ("eval instant at 2m sum(a)\n  expect fail", "expected an error, got an answer", "{} 33"),
        ("eval instant at 2m sum(a)\n  expect warn\n  {} 33", "expected a warning of any kind", "{} 33"),
        ("eval instant at 2m sum(a)\n  expect info regex: x.\n  {} 33", "in which \"x.\" is found", "{} 33"),
        ("eval instant at 10m rate(a[5m])\n  expect no_info\n  {x=\"1\"} 1", "expected no info", "expect info msg: "),
        (
            "eval instant at 2m sort_desc(a)\n  expect ordered\n  a{x=\"1\"} 3\n  a{x=\"2\"} 30",
            "in place 1",
            "a{x=\"2\"} 30",
        ),
        ("eval range from 1m to 3m step 1m sum(a)\n  {} 22 33 45", "{} has other samples", "{} 22 33 44"),
        ("eval range from 14m to 16m step 1m a{x=\"1\"}\n  {} 1", "is missing", "a{x=\"1\"} 11 _ _"),
    ];
    for (case, difference, got) in cases {
        let failed = failure(case).await;
        assert!(failed.difference.contains(difference), "{case}: {}", failed.difference);
        assert!(failed.got.iter().any(|line| line.starts_with(got)), "{case}: {:?}", failed.got);
    }
}

#[tokio::test]
async fn of_the_annotations_of_a_kind_all_have_to_be_expected() {
    let case = "eval instant at 10m quantile(7, a) + quantile(8, a)\n  expect warn regex: got 7\n  {} Inf\n";
    let failed = failure(case).await;
    assert!(failed.difference.starts_with("did not expect the warning"), "{}", failed.difference);
    let all = "eval instant at 10m quantile(7, a) + quantile(8, a)\n  expect warn regex: got [78]\n  {} Inf\n";
    let report = report_of(all, ParseOptions::everything()).await;
    assert_eq!((report.passed, report.failed), (1, Vec::new()));
}

#[tokio::test]
async fn features_are_those_of_the_engine() {
    let case = "eval instant at 5m limitk(5, a{x=\"1\"})\n  a{x=\"1\"} 6\n";
    assert_eq!(report_of(case, ParseOptions::everything()).await.passed, 1);
    let report = report_of(case, ParseOptions::default()).await;
    assert_eq!(report.passed, 0);
    assert!(report.failed[0].got[0].contains("limitk"), "{:?}", report.failed);
}

#[tokio::test]
async fn a_broken_script_runs_nothing() {
    let engine = Engine::new(EngineOptions::default());
    let error = run("eval instant at 1m 1\n  1\n\n  lod 5m\n", &engine).await.expect_err("broken");
    assert_eq!(error.to_string(), "4:3: invalid command \"lod 5m\"");
}

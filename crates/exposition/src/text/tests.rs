//! What Prometheus accepts and refuses, and that what is written reads back.

use model::{Labels, LabelsScratch};
use proptest::prelude::*;

use crate::escaping::Escaping;
use crate::lines::{Dialect, LineWriter};
use crate::text::{Description, Entry, ParseError, Parser, parse_series};
use model::MetricType;

#[derive(Debug, PartialEq)]
enum Read {
    Help(String, String),
    Type(String, MetricType),
    Comment,
    Sample(Labels, u64, Option<i64>),
}

fn read(input: &[u8]) -> Result<Vec<Read>, ParseError> {
    let mut scratch = LabelsScratch::default();
    Parser::new(input)
        .map(|entry| {
            Ok(match entry? {
                Entry::Remark(remark) => match remark.parse()? {
                    Description::Help { metric, text } => Read::Help(metric.into_owned(), text.into_owned()),
                    Description::Type { metric, kind } => Read::Type(metric.into_owned(), kind),
                    Description::Comment => Read::Comment,
                },
                Entry::Sample(line) => {
                    line.labels(&mut scratch)?;
                    Read::Sample(scratch.build(), line.value.to_bits(), line.timestamp)
                }
            })
        })
        .collect()
}

fn sample(pairs: &[(&str, &str)], value: f64, timestamp: Option<i64>) -> Read {
    Read::Sample(Labels::from_pairs(pairs.iter().copied()), value.to_bits(), timestamp)
}

#[test]
fn reads_samples_as_prometheus_does() {
    let check = |line: &str, pairs: &[(&str, &str)], value: f64, timestamp: Option<i64>| {
        let want = vec![sample(pairs, value, timestamp)];
        assert_eq!(read(line.as_bytes()).as_ref(), Ok(&want), "{line}");
        assert_eq!(read(format!("{line}\n").as_bytes()), Ok(want), "{line} with a newline");
    };
    let q = |quantile| [("__name__", "m"), ("q", quantile), ("a", "b")];
    check("m 1", &[("__name__", "m")], 1.0, None);
    check("m\t1", &[("__name__", "m")], 1.0, None);
    check("m+1", &[("__name__", "m")], 1.0, None);
    check("  m 1  ", &[("__name__", "m")], 1.0, None);
    check("m{} 1", &[("__name__", "m")], 1.0, None);
    check("m{ } 1", &[("__name__", "m")], 1.0, None);
    check(":m:_9 1", &[("__name__", ":m:_9")], 1.0, None);
    check("m{q=\"0\",a=\"b\"} 4.9351e-05", &q("0"), 4.9351e-05, None);
    check("m{q=\"0\",a=\"b\",}1", &q("0"), 1.0, None);
    check("m{ q=\"1.0\", a=\"b\" } 1", &q("1.0"), 1.0, None);
    check("m { q = \"1.0\" , a = \"b\" , } 1", &q("1.0"), 1.0, None);
    check("m { q = \"2.0\" a = \"b\" } 1", &q("2.0"), 1.0, None);
    check("m{q=\"\",a=\"b\"} 1", &[("__name__", "m"), ("a", "b")], 1.0, None);
    check("m 33  \t123123\t ", &[("__name__", "m")], 33.0, Some(123_123));
    check("m{a=\"}\"} 1", &[("__name__", "m"), ("a", "}")], 1.0, None);
    check("m{a=\"{} 5 \",b=\"}} 7\"} 1 9", &[("__name__", "m"), ("a", "{} 5 "), ("b", "}} 7")], 1.0, Some(9));
    check(r#"m{a="\"b\" \\ \n \t"} 1"#, &[("__name__", "m"), ("a", "\"b\" \\ \n \\t")], 1.0, None);
    check(r#"m{a="C:\\x\\"} 1"#, &[("__name__", "m"), ("a", r"C:\x\")], 1.0, None);
    check("m{a=\"b\nc\"} 1", &[("__name__", "m"), ("a", "b\nc")], 1.0, None);
    check("m{a=\"x} 1\ny\"} 2", &[("__name__", "m"), ("a", "x} 1\ny")], 2.0, None);
    check("m{a=\"abc\0\"} 1", &[("__name__", "m"), ("a", "abc\0")], 1.0, None);
    check("m{a=\"größe\"} 1", &[("__name__", "m"), ("a", "größe")], 1.0, None);
    check("m -Inf", &[("__name__", "m")], f64::NEG_INFINITY, None);
    check("m NaN", &[("__name__", "m")], f64::from_bits(0x7ff8_0000_0000_0001), None);
    // Prometheus 3: names in quotes
    check("{\"my.m\"} 1", &[("__name__", "my.m")], 1.0, None);
    check("{ \"my.m\" , a=\"b\" } 1", &[("__name__", "my.m"), ("a", "b")], 1.0, None);
    check("{\"my.m\",\"a.b\"=\"c\",} 1 2", &[("__name__", "my.m"), ("a.b", "c")], 1.0, Some(2));
    check("{a=\"b\",\"my.m\"} 1", &[("__name__", "my.m"), ("a", "b")], 1.0, None);
    check("m{\"a b\"=\"c\"} 1", &[("__name__", "m"), ("a b", "c")], 1.0, None);
    check(r#"{"m \"x\"\n{y}","l\\"="6"} 10.0"#, &[("__name__", "m \"x\"\n{y}"), ("l\\", "6")], 10.0, None);
}

#[test]
fn reads_metadata_as_prometheus_does() {
    let check = |line: &str, want: Read| assert_eq!(read(line.as_bytes()), Ok(vec![want]), "{line}");
    let help = |metric: &str, text: &str| Read::Help(metric.to_owned(), text.to_owned());
    let kind = |metric: &str, kind| Read::Type(metric.to_owned(), kind);
    check("# HELP m A summary.", help("m", "A summary."));
    check("# HELP m", help("m", ""));
    check("# HELP m  ", help("m", ""));
    check("# HELP m  two", help("m", " two"));
    check("#\tHELP\t m\tx", help("m", "x"));
    check("# HELP m foo\0bar", help("m", "foo\0bar"));
    check(r#"# HELP m a\\b\nc \"d\" \x"#, help("m", "a\\b\nc \\\"d\\\" \\x"));
    check("# HELP \"my.m\" x", help("my.m", "x"));
    check("# \tTYPE m summary", kind("m", MetricType::Summary));
    check("# TYPE m counter\n", kind("m", MetricType::Counter));
    check("# TYPE m untyped", kind("m", MetricType::Unknown));
    check("  # TYPE \"my.m\" gauge", kind("my.m", MetricType::Gauge));
    for comment in
        ["#", "# ", "# Hrandom", "#HELP m x", "# HELPm x", "# HELP", "# TYPE\n", "# EOF", "# UNIT m s", "# ü"]
    {
        check(comment, Read::Comment);
    }
}

#[test]
fn blank_lines_are_nothing() {
    assert_eq!(read(b""), Ok(vec![]));
    assert_eq!(read(b"\n \n\t\n\nm 1\n\n"), Ok(vec![sample(&[("__name__", "m")], 1.0, None)]));
}

#[test]
fn refuses_what_prometheus_refuses() {
    let check = |input: &[u8], line: usize, column: usize, part: &str| match read(input) {
        Ok(read) => panic!("{} was read as {read:?}", String::from_utf8_lossy(input)),
        Err(error) => {
            let text = String::from_utf8_lossy(input).into_owned();
            assert!(error.message.contains(part), "{text:?}: {error}");
            assert_eq!((error.line, error.column), (line, column), "{text:?}: {error}");
        }
    };
    check(b"a", 1, 2, "expected a value");
    check(b"a\n1\n", 1, 2, "expected a value");
    check(b"ok 1\n9a 1\n", 2, 1, "expected a metric name");
    check(b"ok 1\n# c\n\n  -x 1\n", 4, 3, "expected a metric name");
    check(b"a{b='c'} 1\n", 1, 5, "expected a label value in double quotes");
    check(b"a{b=\n", 1, 5, "expected `}`");
    check(b"a{b=\"c\"\n", 1, 8, "expected `}`");
    check(b"a{b=\"c\" 1\n", 1, 10, "expected `}`");
    check(b"x 1\na{\xff=\"foo\"} 1\n", 2, 3, "invalid UTF-8");
    check(b"x 1\na{b=\"\xff\"} 1\n", 2, 6, "invalid UTF-8");
    check(br#"{"a", "b = "c"} 1"#, 1, 14, "the quoted text is not closed");
    check(br#"{"a",b\nc="d"} 1"#, 1, 7, "expected `=`");
    check(b"a true\n", 1, 3, "expected a number");
    check(b"something_weird{problem=\"", 1, 25, "not closed");
    check(b"m{a=\"x\\\ny\"} 1", 1, 5, "not closed");
    check(b"empty_label_name{=\"\"} 0", 1, 18, "expected a label name");
    check(b"{A}0", 1, 3, "expected `=`");
    check(b"foo 1_2\n", 1, 5, "expected a number");
    check(b"foo 0x1p-3\n", 1, 5, "expected a number");
    check(b"foo 1e999\n", 1, 5, "out of range");
    check(b"foo 0 1_2\n", 1, 7, "expected a timestamp");
    check(b"foo 0 -1\n", 1, 7, "expected a timestamp");
    check(b"foo 0 1 2\n", 1, 9, "expected the end of the line");
    check(b"foo 0 99999999999999999999\n", 1, 7, "out of range");
    check(b"foo 1\r\n", 1, 5, "expected a number");
    check(b"{a=\"ok\"} 1", 1, 9, "no metric name");
    check(b"# TYPE #\n#EOF\n", 1, 8, "expected a metric name");
    check(b"# HELP #\n#EOF\n", 1, 8, "expected a metric name");
    check(b"# HELP  \n", 1, 9, "expected a metric name");
    check(b"# TYPE m\n", 1, 9, "invalid metric type");
    check(b"# TYPE m counter \n", 1, 9, "invalid metric type");
    check(b"# TYPE m unknown\n", 1, 9, "invalid metric type");
    check(b"# HELP m \xff\n", 1, 9, "not valid UTF-8");
    check(b"m{a=\"b\",,} 1", 1, 9, "expected a label name");
    check(b"m{,} 1", 1, 3, "expected a label name");
    check(b"m{a=\"b\"}{c=\"d\"} 1", 1, 9, "expected a value");
    check(b"m{a=\"b\"} 1 # {} 5", 1, 9, "expected a value");
    check(b"m {a=\"b\"} {} 1", 1, 10, "expected a value");
    check(b"m{\"n\"} 1", 1, 6, "given twice");
    check(b"m{a=\"b\",a=\"c\"} 1", 1, 1, "given twice");
    check(b"m{__name__=\"n\"} 1", 1, 1, "given twice");
    check(b"{\"\"} 1", 1, 4, "expected a label name");
    check(b"m\0 1", 1, 2, "expected a number");
    check(b"ok 1\n\0", 2, 1, "expected a metric name");
    check(b"m{a=\"1\n2\"} 1\nn{a=\"\n\",b} 1", 4, 4, "expected `=`");
}

#[test]
fn after_an_error_there_is_nothing_more() {
    let mut parser = Parser::new(b"a 1\nb x\nc 3\n");
    assert!(matches!(parser.next(), Some(Ok(Entry::Sample(line))) if line.line == 1 && line.series == b"a"));
    assert!(matches!(parser.next(), Some(Err(error)) if error.line == 2));
    assert_eq!(parser.next(), None);
}

#[test]
fn the_series_is_cut_out_as_it_stands() {
    let check = |line: &str, want: &str| match Parser::new(line.as_bytes()).next() {
        Some(Ok(Entry::Sample(sample))) => assert_eq!(sample.series, want.as_bytes(), "{line}"),
        other => panic!("{line}: {other:?}"),
    };
    check("a_b 1", "a_b");
    check("  a 1 5", "a");
    check("a {b=\"c\", } 1", "a {b=\"c\", }");
    check("a{b=\"c\\\"}\"} 1", "a{b=\"c\\\"}\"}");
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        name in "[a-z:_][a-z0-9:_]{0,5}|.{1,8}",
        labels in proptest::collection::btree_map("[a-z_]{1,4}|[^_].{0,5}", "(?s)(.|[\\\\\"\n{} ]){1,20}", 0..5),
        bits in any::<u64>(),
        timestamp in proptest::option::of(0..i64::MAX),
    ) {
        let value = f64::from_bits(bits);
        let mut writer = LineWriter::new(Dialect::Text, Escaping::AllowUtf8);
        writer.metric_type(&name, MetricType::Gauge);
        writer.sample(&name, labels.iter().map(|(n, v)| (n.as_str(), v.as_str())), value, timestamp);
        let text = writer.take();
        let mut pairs: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        pairs.push(("__name__", &name));
        let value = if value.is_nan() { f64::from_bits(0x7ff8_0000_0000_0001) } else { value };
        let want = vec![Read::Type(name.clone(), MetricType::Gauge), sample(&pairs, value, timestamp)];
        prop_assert_eq!(read(&text), Ok(want), "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn arbitrary_bytes_never_panic(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&input);
        let _ = parse_series(&input, &mut LabelsScratch::default());
    }

    #[test]
    fn bytes_of_the_grammar_never_panic(input in "([a-c]|[ \t\n]|[{}\",=\\\\#.]|1|HELP|TYPE|\0|ü|# |a\\{b=\"){0,40}") {
        let _ = read(input.as_bytes());
        let _ = parse_series(input.as_bytes(), &mut LabelsScratch::default());
    }
}

//! What Prometheus accepts and refuses.

use model::{Labels, LabelsScratch, MetricType};
use proptest::prelude::*;

use crate::openmetrics::{EXEMPLAR_LABEL_CHARS_MAX, Entry, Parser, parse_series};
use crate::text::ParseError;

#[derive(Debug, Clone, PartialEq)]
enum Read {
    Help(String, String),
    Type(String, MetricType),
    Unit(String, String),
    Sample(Labels, u64, Option<i64>, Option<(Labels, u64, Option<i64>)>),
}

fn take(entry: Entry<'_>) -> Result<Read, ParseError> {
    let mut scratch = LabelsScratch::default();
    Ok(match entry {
        Entry::Help { metric, text } => Read::Help(metric.into_owned(), text.into_owned()),
        Entry::Type { metric, kind } => Read::Type(metric.into_owned(), kind),
        Entry::Unit { metric, unit } => Read::Unit(metric.into_owned(), unit.to_owned()),
        Entry::Sample(line) => {
            line.labels(&mut scratch)?;
            let labels = scratch.build();
            let mut exemplar = None;
            if let Some(text) = line.exemplar {
                text.labels(&mut scratch)?;
                exemplar = Some((scratch.build(), text.value.to_bits(), text.timestamp));
            }
            Read::Sample(labels, line.value.to_bits(), line.timestamp, exemplar)
        }
    })
}

fn read(input: &[u8]) -> Result<Vec<Read>, ParseError> {
    Parser::new(input).map(|entry| take(entry?)).collect()
}

/// Reads the way a file is read that doesn't fit into memory.
fn read_in_pieces(input: &[u8], piece_bytes: usize) -> Result<Vec<Read>, ParseError> {
    let (mut out, mut start, mut line, mut end) = (Vec::new(), 0, 1, piece_bytes.min(input.len()));
    loop {
        let mut parser = Parser::piece(&input[start..end], line, end < input.len());
        let mut failed = None;
        for entry in parser.by_ref() {
            match entry {
                Ok(entry) => out.push(take(entry)?),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if end == input.len() => return Err(error),
            None if end == input.len() => return Ok(out),
            _ => {}
        }
        assert!(!parser.is_at_eof(), "the last piece has it");
        (start, line) = (start + parser.position(), parser.line());
        end = (end + piece_bytes).min(input.len());
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

fn nan() -> f64 {
    f64::from_bits(0x7ff8_0000_0000_0001)
}

#[test]
fn reads_samples_as_prometheus_does() {
    let check = |line: &str, pairs: &[(&str, &str)], value: f64, timestamp: Option<i64>| {
        let want = vec![Read::Sample(labels(pairs), value.to_bits(), timestamp, None)];
        assert_eq!(read(format!("{line}\n# EOF\n").as_bytes()).as_ref(), Ok(&want), "{line}");
        assert_eq!(read(format!("{line}\n# EOF").as_bytes()), Ok(want), "{line} without a last newline");
    };
    let m = [("__name__", "m")];
    check("m 1", &m, 1.0, None);
    check("m{} 1", &m, 1.0, None);
    check(":m:_9 1", &[("__name__", ":m:_9")], 1.0, None);
    check("m 1 123", &m, 1.0, Some(123_000));
    check("m 1 1520879607.789", &m, 1.0, Some(1_520_879_607_789));
    check("m 1 -1.5", &m, 1.0, Some(-1500));
    check("m +Inf 1e3", &m, f64::INFINITY, Some(1_000_000));
    check("m NaN", &m, nan(), None);
    check("m{a=\"b\"} 1", &[("__name__", "m"), ("a", "b")], 1.0, None);
    check("m{a=\"b\",} 1", &[("__name__", "m"), ("a", "b")], 1.0, None);
    check("m{a=\"b\",c=\"d\"} 1", &[("__name__", "m"), ("a", "b"), ("c", "d")], 1.0, None);
    check("m{a=\"\"} 1", &m, 1.0, None);
    check("m{a=\"} # {\"} 1", &[("__name__", "m"), ("a", "} # {")], 1.0, None);
    check(r#"m{a="\"b\" \\ \n \t"} 1"#, &[("__name__", "m"), ("a", "\"b\" \\ \n \\t")], 1.0, None);
    check("m{a=\"abc\0\"} 1", &[("__name__", "m"), ("a", "abc\0")], 1.0, None);
    check("m_created 1520872607.123", &[("__name__", "m_created")], 1520872607.123, None);
    check("{\"my.m\"} 1 2", &[("__name__", "my.m")], 1.0, Some(2000));
    check("{\"my.m\",\"a.b\"=\"c\"} 1", &[("__name__", "my.m"), ("a.b", "c")], 1.0, None);
    check("{q=\"0.9\",\"my.m\",a=\"b\"} 1", &[("__name__", "my.m"), ("a", "b"), ("q", "0.9")], 1.0, None);
    check("{\"my\nm\"} 1", &[("__name__", "my\nm")], 1.0, None);
    check(r#"{"m \"x\"\n{y}","l\\"="6"} 10.0"#, &[("__name__", "m \"x\"\n{y}"), ("l\\", "6")], 10.0, None);
}

#[test]
fn reads_exemplars() {
    let check = |tail: &str, pairs: &[(&str, &str)], value: f64, timestamp: Option<i64>, own: Option<i64>| {
        let want = Read::Sample(
            labels(&[("__name__", "m"), ("le", "1")]),
            4.0_f64.to_bits(),
            own,
            Some((labels(pairs), value.to_bits(), timestamp)),
        );
        let text = format!("m{{le=\"1\"}} 4{tail}\n# EOF\n");
        assert_eq!(read(text.as_bytes()), Ok(vec![want]), "{text}");
    };
    check(" # {} 5", &[], 5.0, None, None);
    check(" # {trace_id=\"x\"} 0.5 1.25", &[("trace_id", "x")], 0.5, Some(1250), None);
    check(" 7.5 # {a=\"b\",\"c.d\"=\"e\"} -1", &[("a", "b"), ("c.d", "e")], -1.0, None, Some(7500));
    check(" 7 # {a=\"} # {\",} NaN 0", &[("a", "} # {")], nan(), Some(0), Some(7000));
    check(" # {a=\"\\\"\\n\"} 1", &[("a", "\"\n")], 1.0, None, None);
}

#[test]
fn tells_which_exemplars_are_too_long() {
    let check = |chars: usize, fits: bool| {
        let text = format!("m 1 # {{a=\"{}\"}} 1\n# EOF\n", "ü".repeat(chars - 1));
        let Some(Ok(Entry::Sample(line))) = Parser::new(text.as_bytes()).next() else { panic!("{text}") };
        let exemplar = line.exemplar.expect("an exemplar");
        assert_eq!(exemplar.labels(&mut LabelsScratch::default()), Ok(fits), "{chars}");
    };
    check(EXEMPLAR_LABEL_CHARS_MAX, true);
    check(EXEMPLAR_LABEL_CHARS_MAX + 1, false);
}

#[test]
fn reads_metadata_as_prometheus_does() {
    let check = |line: &str, want: Read| {
        assert_eq!(read(format!("{line}\n# EOF\n").as_bytes()), Ok(vec![want]), "{line}");
    };
    let help = |metric: &str, text: &str| Read::Help(metric.to_owned(), text.to_owned());
    let kind = |metric: &str, kind| Read::Type(metric.to_owned(), kind);
    let unit = |metric: &str, unit: &str| Read::Unit(metric.to_owned(), unit.to_owned());
    check("# HELP m A summary.", help("m", "A summary."));
    check("# HELP m ", help("m", ""));
    check("# HELP m  two", help("m", " two"));
    check(r#"# HELP m a\\b\nc \"d\" \x"#, help("m", "a\\b\nc \"d\" \\x"));
    check("# HELP m foo\0bar", help("m", "foo\0bar"));
    check("# HELP \"my.m\" x", help("my.m", "x"));
    check("# HELP \"my\nm\" x", help("my\nm", "x"));
    check("# TYPE m counter", kind("m", MetricType::Counter));
    check("# TYPE m gauge", kind("m", MetricType::Gauge));
    check("# TYPE m histogram", kind("m", MetricType::Histogram));
    check("# TYPE m gaugehistogram", kind("m", MetricType::GaugeHistogram));
    check("# TYPE m summary", kind("m", MetricType::Summary));
    check("# TYPE m info", kind("m", MetricType::Info));
    check("# TYPE m stateset", kind("m", MetricType::StateSet));
    check("# TYPE \"my.m\" unknown", kind("my.m", MetricType::Unknown));
    check("# UNIT m_seconds seconds", unit("m_seconds", "seconds"));
    check("# UNIT m ", unit("m", ""));
}

#[test]
fn an_exposition_ends_with_eof() {
    assert_eq!(read(b"# EOF"), Ok(vec![]));
    assert_eq!(read(b"# EOF\n"), Ok(vec![]));
}

#[test]
fn refuses_what_prometheus_refuses() {
    let check = |input: &[u8], line: usize, column: usize, part: &str| {
        let text = String::from_utf8_lossy(input).into_owned();
        for result in [read(input), read_in_pieces(input, 5)] {
            match result {
                Ok(read) => panic!("{text:?} was read as {read:?}"),
                Err(error) => {
                    assert!(error.message.contains(part), "{text:?}: {error}");
                    assert_eq!((error.line, error.column), (line, column), "{text:?}: {error}");
                }
            }
        }
    };
    check(b"", 1, 1, "does not end with `# EOF`");
    check(b"\n", 1, 1, "expected a metric name");
    check(b"metric", 1, 7, "expected a space and a value");
    check(b"metric 1", 1, 9, "does not end with `# EOF`");
    check(b"metric 1\n", 2, 1, "does not end with `# EOF`");
    check(b"metric_total 1 # {aa=\"bb\"} 4", 1, 29, "does not end with `# EOF`");
    check(b"a\n# EOF\n", 1, 2, "expected a space and a value");
    check(b" a 1\n# EOF\n", 1, 1, "expected a metric name");
    check(b"a 1\n\n# EOF\n", 2, 1, "expected a metric name");
    check(b"9\n# EOF\n", 1, 1, "expected a metric name");
    check(b"# TYPE u untyped\n# EOF\n", 1, 10, "invalid metric type");
    check(b"# TYPE c counter \n# EOF\n", 1, 10, "invalid metric type");
    check(b"#  TYPE c counter\n# EOF\n", 1, 1, "expected `# HELP`");
    check(b"#\tTYPE c counter\n# EOF\n", 1, 1, "expected `# HELP`");
    check(b"# a comment\n# EOF\n", 1, 1, "expected `# HELP`");
    check(b"# TYPE c  counter\n# EOF\n", 1, 10, "invalid metric type");
    check(b"# TYPE \n# EOF\n", 1, 8, "expected a metric name");
    check(b"# TYPE m\n# EOF\n", 1, 9, "expected a space behind");
    check(b"# TYPE \"\" counter\n# EOF\n", 1, 8, "expected a metric name");
    check(b"# HELP m\n# EOF\n", 1, 9, "expected a space behind");
    check(b"# HELP m \xff\n# EOF\n", 1, 10, "not valid UTF-8");
    check(b"# HELP m x", 1, 11, "does not end with `# EOF`");
    check(b"# UNIT metric suffix\n# EOF\n", 1, 15, "not the end of the metric's name");
    check(b"# UNIT metricsuffix suffix\n# EOF\n", 1, 21, "not the end of the metric's name");
    check(b"# UNIT suffix suffix\n# EOF\n", 1, 15, "not the end of the metric's name");
    check(b"a\t1\n# EOF\n", 1, 2, "expected a space and a value");
    check(b"a  1\n# EOF\n", 1, 2, "expected a space and a value");
    check(b"a 1\t2\n# EOF\n", 1, 3, "expected a number");
    check(b"a 1 \n# EOF\n", 1, 4, "expected a space and a timestamp");
    check(b"a 1 2 \n# EOF\n", 1, 6, "expected the end of the line");
    check(b"a 1 2 #\n# EOF\n", 1, 6, "expected the end of the line");
    check(b"a 1 2 3\n# EOF\n", 1, 6, "expected the end of the line");
    check(b"a 1 1z\n# EOF\n", 1, 5, "expected a timestamp");
    check(b"a 1 NaN\n# EOF\n", 1, 5, "out of range");
    check(b"a 1 Inf\n# EOF\n", 1, 5, "out of range");
    check(b"a 1 # x\n# EOF\n", 1, 5, "expected a timestamp");
    check(b"a 1\r\n# EOF\n", 1, 3, "expected a number");
    check(b"# EOF\na 1", 2, 1, "unexpected data after");
    check(b"# EOF\n\n", 2, 1, "unexpected data after");
    check(b"# EOFa 1", 1, 6, "unexpected data after");
    check(b"a{b='c'} 1\n# EOF\n", 1, 5, "expected a label value in double quotes");
    check(b"a{,b=\"c\"} 1\n# EOF\n", 1, 3, "expected a label name");
    check(b"a{b=\"c\"d=\"e\"} 1\n# EOF\n", 1, 8, "expected `,` or `}`");
    check(b"a{b=\"c\", d=\"e\"} 1\n# EOF\n", 1, 9, "expected a label name");
    check(b"a{ b=\"c\"} 1\n# EOF\n", 1, 3, "expected a label name");
    check(b"a {b=\"c\"} 1\n# EOF\n", 1, 2, "expected `{`");
    check(b"a{b=\"c\"}1\n# EOF\n", 1, 9, "expected a space and a value");
    check(b"a{b=\"c\",,d=\"e\"} 1\n# EOF\n", 1, 9, "expected a label name");
    check(b"a{b=\"c\"\n# EOF\n", 1, 8, "expected `}`");
    check(b"a{\xff=\"foo\"} 1\n# EOF\n", 1, 3, "invalid UTF-8");
    check(b"x 1\na{b=\"\xff\"} 1\n# EOF\n", 2, 6, "invalid UTF-8");
    check(b"{\"a\",\"b = \"c\"}\n# EOF\n", 1, 13, "not closed");
    check(b"{a=\"ok\"} 1\n# EOF\n", 1, 9, "no metric name");
    check(b"{\"a\",\"b\"} 1\n# EOF\n", 1, 9, "given twice");
    check(b"m{a=\"b\",a=\"c\"} 1\n# EOF\n", 1, 1, "given twice");
    check(b"m{a=\"1\n2\"} 1\n# EOF\n", 1, 5, "not closed");
    check(b"a true\n# EOF\n", 1, 3, "expected a number");
    check(b"foo 1_2\n# EOF\n", 1, 5, "expected a number");
    check(b"foo 0x1p-3\n# EOF\n", 1, 5, "expected a number");
    check(b"m 1 # {a=\"b\"}\n# EOF\n", 1, 14, "expected a space and a value");
    check(b"m 1 # {a=\"b\"} x\n# EOF\n", 1, 15, "expected a number");
    check(b"m 1 # {a=\"b\"} 1 \n# EOF\n", 1, 16, "expected a space and a timestamp");
    check(b"m 1 # {a=\"b\"} 1 2 3\n# EOF\n", 1, 18, "expected the end of the line");
    check(b"m 1 # {\"a\"} 1\n# EOF\n", 1, 11, "expected `=`");
    check(b"m 1 # {a=\"b\"\n# EOF\n", 1, 13, "expected `}`");
    check(b"{\"a\n\"} 1\nb x\n# EOF\n", 3, 3, "expected a number");
}

#[test]
fn after_an_error_there_is_nothing_more() {
    let mut parser = Parser::new(b"a 1\nb x\nc 3\n# EOF\n");
    assert!(matches!(parser.next(), Some(Ok(Entry::Sample(line))) if line.line == 1 && line.series == b"a"));
    assert!(matches!(parser.next(), Some(Err(error)) if error.line == 2));
    assert_eq!(parser.next(), None);
}

/// A text that is an exposition, line by line.
fn exposition() -> impl Strategy<Value = String> {
    let quoted = "\"([a-c{}#, ]|\\\\\\\\|\\\\n|\\\\\"|ü){0,6}\"";
    let name = "(a|b|c|\"[.x\n]y\")";
    let sample = format!(
        "[m-o]\\{{(d={quoted},)?({name}={quoted})?\\}} (1|-2\\.5|NaN|\\+Inf)( [0-9]{{1,10}}(\\.[0-9]{{1,3}})?)?( # \\{{(t={quoted})?\\}} 1( 2\\.5)?)?\n"
    );
    let line = prop_oneof![
        proptest::string::string_regex(&sample).expect("an expression"),
        "\\{\"m\\.[\na]x\"\\} 1\n".prop_map(String::from),
        "# (HELP|TYPE) m gauge\n".prop_map(String::from),
    ];
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.concat() + "# EOF\n")
}

proptest! {
    #[test]
    fn pieces_give_what_the_whole_gives(text in exposition(), piece_bytes in 1..40_usize) {
        let whole = read(text.as_bytes());
        prop_assert!(whole.is_ok(), "{:?} {}", whole, text);
        prop_assert_eq!(read_in_pieces(text.as_bytes(), piece_bytes), whole);
    }

    #[test]
    fn arbitrary_bytes_never_panic(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&input);
        let _ = parse_series(&input, &mut LabelsScratch::default());
    }

    #[test]
    fn bytes_of_the_grammar_never_panic(input in "([a-c]|[ \t\n]|[{}\",=\\\\#.]|1|# HELP |# UNIT |# EOF|\0|ü|# |a\\{b=\"){0,40}") {
        let whole = read(input.as_bytes());
        prop_assert_eq!(read_in_pieces(input.as_bytes(), 7).is_ok(), whole.is_ok());
    }
}

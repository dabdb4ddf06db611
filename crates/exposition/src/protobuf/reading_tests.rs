//! What is read, of messages that are made field by field.

use model::{
    CounterReset, FloatHistogram, Histogram, Labels, LabelsScratch, MetricType, NativeHistogram, bucket_counts,
};
use proptest::prelude::*;

use super::fields::{
    write_double, write_doubles, write_integer, write_message, write_signed, write_string, write_varint,
    write_with_length,
};
use super::{Content, DecodeError, Exemplar, Family, HistogramMessage, Metric, Parser, Value, Writer};
use crate::escaping::Escaping;

type Bytes = Vec<u8>;

fn family(name: &str, kind: i64, write: impl FnOnce(&mut Bytes)) -> Bytes {
    let mut out = Vec::new();
    write_with_length(&mut out, |out| {
        write_string(out, 1, name);
        write_string(out, 2, "Help.");
        write_integer(out, 3, kind);
        write(out);
        write_string(out, 5, "seconds");
    });
    out
}

fn metric(out: &mut Bytes, labels: &[(&str, &str)], write: impl FnOnce(&mut Bytes)) {
    write_message(out, 4, |out| {
        write_labels(out, labels);
        write(out);
    });
}

fn write_labels(out: &mut Bytes, labels: &[(&str, &str)]) {
    for (name, value) in labels {
        write_message(out, 1, |out| {
            write_string(out, 1, name);
            write_string(out, 2, value);
        });
    }
}

fn write_time(out: &mut Bytes, field: u32, seconds: i64, nanos: i64) {
    write_message(out, field, |out| {
        write_integer(out, 1, seconds);
        write_integer(out, 2, nanos);
    });
}

fn write_exemplar(out: &mut Bytes, field: u32, trace: &str, value: f64, time: Option<i64>) {
    write_message(out, field, |out| {
        write_labels(out, &[("trace_id", trace)]);
        write_double(out, 2, value);
        if let Some(seconds) = time {
            write_time(out, 3, seconds, 2_999_999);
        }
    });
}

fn write_deltas(out: &mut Bytes, field: u32, deltas: &[i64]) {
    write_message(out, field, |out| deltas.iter().for_each(|d| write_varint(out, (d << 1 ^ d >> 63) as u64)));
}

fn write_span(out: &mut Bytes, field: u32, offset: i32, length: i64) {
    write_message(out, field, |out| {
        write_signed(out, 1, offset);
        write_integer(out, 2, length);
    });
}

fn read(input: &[u8]) -> Result<Vec<Family<'_>>, DecodeError> {
    Parser::new(input).collect()
}

fn only<'a>(input: &'a [u8]) -> (Family<'a>, Metric<'a>, Content<'a>) {
    let family = read(input).expect("good")[0];
    let metrics: Vec<Metric<'a>> = family.metrics().collect::<Result<_, _>>().expect("good");
    assert_eq!(metrics.len(), 1);
    (family, metrics[0], metrics[0].content().expect("good"))
}

fn labels_of(metric: &Metric<'_>) -> Labels {
    let mut scratch = LabelsScratch::default();
    metric.labels(&mut scratch).expect("good");
    scratch.build()
}

fn trace_of(exemplar: &Exemplar<'_>) -> (String, f64, Option<i64>) {
    let mut scratch = LabelsScratch::default();
    exemplar.labels(&mut scratch).expect("good");
    (scratch.build().value("trace_id").to_owned(), exemplar.value, exemplar.timestamp)
}

#[test]
fn numbers_with_all_that_belongs_to_them() {
    let counter = family("c_total", 0, |out| {
        metric(out, &[("a", "1"), ("ü.b", "")], |out| {
            write_integer(out, 6, 1_700_000_000_123);
            write_message(out, 3, |out| {
                write_double(out, 1, 7.5);
                write_exemplar(out, 2, "t", 0.5, Some(1_700_000_000));
                write_time(out, 3, -1, -5_000_000);
            });
        });
    });
    let (family_read, metric_read, content) = only(&counter);
    assert_eq!(
        (family_read.name, family_read.help, family_read.unit, family_read.kind),
        ("c_total", "Help.", "seconds", MetricType::Counter)
    );
    assert_eq!(metric_read.timestamp, Some(1_700_000_000_123));
    assert_eq!(labels_of(&metric_read), Labels::from_pairs([("a", "1")]));
    let Content::Number { value, exemplar: Some(exemplar), start } = content else { panic!("{content:?}") };
    assert_eq!((value, start, content.start()), (7.5, Some(-1005), Some(-1005)));
    assert_eq!(trace_of(&exemplar), ("t".to_owned(), 0.5, Some(1_700_000_000_002)));

    for (kind, field, want) in [(1, 2, MetricType::Gauge), (3, 5, MetricType::Unknown)] {
        let input = family("g", kind, |out| {
            metric(out, &[], |out| {
                write_message(out, field, |out| write_double(out, 1, -2.0));
                write_message(out, 8, |out| write_string(out, 77, "a field of later"));
            });
        });
        let (family, metric, content) = only(&input);
        assert_eq!((family.kind, metric.timestamp, metric.label_bytes()), (want, None, &b""[..]));
        assert_eq!(content, Content::Number { value: -2.0, exemplar: None, start: None });
    }
    let empty = family("c", 0, |out| metric(out, &[], |_| {}));
    assert_eq!(only(&empty).2, Content::Number { value: 0.0, exemplar: None, start: None }, "missing is zero");
}

#[test]
fn summaries() {
    let input = family("s", 2, |out| {
        metric(out, &[("a", "1")], |out| {
            write_message(out, 4, |out| {
                write_integer(out, 1, 3);
                write_double(out, 2, 4.5);
                for (quantile, value) in [(0.5, 1.0), (0.99, f64::NAN)] {
                    write_message(out, 3, |out| {
                        write_double(out, 1, quantile);
                        write_double(out, 2, value);
                    });
                }
                write_time(out, 4, 5, 0);
            });
        });
    });
    let content = only(&input).2;
    let Content::Summary(summary) = content else { panic!("no summary") };
    assert_eq!((summary.count, summary.sum, summary.start, content.start()), (3, 4.5, Some(5000), Some(5000)));
    let quantiles: Vec<(f64, f64)> = summary.quantiles().collect::<Result<_, _>>().expect("good");
    assert_eq!((quantiles.len(), quantiles[0], quantiles[1].0), (2, (0.5, 1.0), 0.99));
    assert!(quantiles[1].1.is_nan());
}

fn histogram_of(kind: i64, write: impl FnOnce(&mut Bytes)) -> Bytes {
    family("h", kind, |out| metric(out, &[], |out| write_message(out, 7, write)))
}

fn with_histogram<T>(input: &[u8], look: impl FnOnce(HistogramMessage<'_>) -> T) -> T {
    let Content::Histogram(histogram) = only(input).2 else { panic!("no histogram") };
    look(histogram)
}

#[test]
fn classic_buckets_with_whole_counts_and_fractions() {
    let write = |float: bool| {
        move |out: &mut Bytes| {
            for (bound, count) in [(0.5, 1), (f64::INFINITY, 3)] {
                write_message(out, 3, |out| {
                    write_double(out, 2, bound);
                    if float {
                        write_double(out, 4, count as f64 + 0.5);
                    } else {
                        write_integer(out, 1, count);
                    }
                    write_exemplar(out, 3, "b", bound, None);
                });
            }
            write_integer(out, 1, 3);
            write_double(out, 2, 9.0);
        }
    };
    for (float, more) in [(false, 0.0), (true, 0.5)] {
        with_histogram(&histogram_of(4, write(float)), |histogram| {
            assert_eq!((histogram.count(), histogram.sum, histogram.is_gauge()), (3.0, 9.0, false));
            assert!(!histogram.is_native() && histogram.has_buckets());
            let buckets: Vec<_> = histogram.buckets().map(|bucket| bucket.expect("good")).collect();
            let read: Vec<_> = buckets.iter().map(|bucket| (bucket.upper_bound, bucket.cumulative_count)).collect();
            assert_eq!(read, [(0.5, 1.0 + more), (f64::INFINITY, 3.0 + more)]);
            let exemplar = trace_of(&buckets[0].exemplar.expect("an exemplar"));
            assert_eq!(exemplar, ("b".to_owned(), 0.5, None));
        });
    }
}

#[test]
fn native_histograms_of_whole_counts() {
    let input = histogram_of(4, |out| {
        write_integer(out, 1, 9);
        write_double(out, 2, 1.5);
        write_signed(out, 5, -2);
        write_double(out, 6, 0.25);
        write_integer(out, 7, 1);
        write_span(out, 9, -3, 2);
        write_deltas(out, 10, &[1]);
        write_deltas(out, 10, &[1]);
        write_span(out, 12, 1, 1);
        write_span(out, 12, 0, 0);
        write_span(out, 12, 2, 2);
        write_deltas(out, 13, &[2, -2, 3]);
        write_time(out, 15, 7, 0);
        write_exemplar(out, 16, "x", 1.0, Some(1));
        write_exemplar(out, 16, "y", 2.0, None);
    });
    with_histogram(&input, |message| {
        assert!(message.is_native() && !message.has_buckets());
        assert_eq!(message.start, Some(7000));
        let traces: Vec<_> = message.exemplars().map(|exemplar| trace_of(&exemplar.expect("good"))).collect();
        assert_eq!(traces, [("x".to_owned(), 1.0, Some(1002)), ("y".to_owned(), 2.0, None)]);
        let NativeHistogram::Int(histogram) = message.native().expect("good") else { panic!("not of whole counts") };
        assert_eq!(histogram.validate(), Ok(()));
        assert_eq!((histogram.count, histogram.zero_count, histogram.sum), (9, 1, 1.5));
        assert_eq!((histogram.buckets.schema, histogram.buckets.zero_threshold), (-2, 0.25));
        assert_eq!(bucket_counts(&histogram.positive).collect::<Vec<_>>(), [2, 3], "without the empty one");
        let spans: Vec<_> = histogram.buckets.positive_spans.iter().map(|span| (span.offset, span.length)).collect();
        assert_eq!(spans, [(1, 1), (3, 1)]);
        assert_eq!(bucket_counts(&histogram.negative).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(histogram.counter_reset, CounterReset::Unknown);
    });
}

#[test]
fn an_empty_span_makes_a_histogram_native() {
    let plain = histogram_of(4, |out| write_integer(out, 1, 0));
    assert!(with_histogram(&plain, |histogram| !histogram.is_native()));
    let marked = histogram_of(5, |out| write_span(out, 12, 0, 0));
    with_histogram(&marked, |histogram| {
        assert!(histogram.is_native() && histogram.is_gauge());
        let want = Histogram { counter_reset: CounterReset::Gauge, ..Histogram::default() };
        assert_eq!(histogram.native(), Ok(want.into()));
    });
    let zero = histogram_of(4, |out| write_double(out, 6, 1e-9));
    assert!(with_histogram(&zero, |histogram| histogram.is_native()));
}

#[test]
fn native_histograms_come_back_as_they_were_written() {
    let check = |histogram: &FloatHistogram, kind| {
        let mut writer = Writer::new(Escaping::AllowUtf8);
        writer.family("h.é", kind);
        writer.metric([("a", "b")], Value::Histogram(histogram), Some(5));
        let input = writer.take();
        with_histogram(&input, |message| match message.native().expect("good") {
            NativeHistogram::Float(read) => assert_eq!(*read, *histogram),
            NativeHistogram::Int(read) => assert_eq!(read.to_float(), *histogram),
        });
    };
    check(&FloatHistogram::default(), MetricType::Histogram);
    let buckets = model::Buckets {
        schema: 3,
        zero_threshold: 0.5,
        positive_spans: vec![model::Span { offset: -300, length: 2 }, model::Span { offset: 9, length: 1 }],
        negative_spans: vec![model::Span { offset: 4, length: 1 }],
        custom_values: vec![],
    };
    let histogram = FloatHistogram {
        counter_reset: CounterReset::Gauge,
        buckets,
        zero_count: 0.5,
        count: 8.5,
        sum: -3.0,
        positive: vec![1.0, 2.0, 4.0],
        negative: vec![1.0],
    };
    check(&histogram, MetricType::GaugeHistogram);
}

#[test]
fn families_without_metrics_say_nothing() {
    let input = [family("", 99, |_| {}), family("g", 1, |out| metric(out, &[], |_| {}))].concat();
    let names: Vec<&str> = read(&input).expect("good").iter().map(|family| family.name).collect();
    assert_eq!(names, ["g"]);
    assert_eq!(read(b""), Ok(vec![]));
}

/// Reads everything.
fn all(input: &[u8]) -> Result<(), DecodeError> {
    let mut scratch = LabelsScratch::default();
    for family in Parser::new(input) {
        for metric in family?.metrics() {
            let metric = metric?;
            metric.labels(&mut scratch)?;
            match metric.content()? {
                Content::Number { .. } => {}
                Content::Summary(summary) => summary.quantiles().try_for_each(|quantile| quantile.map(drop))?,
                Content::Histogram(histogram) => {
                    histogram.buckets().try_for_each(|bucket| bucket.map(drop))?;
                    histogram.native().map(drop)?;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let check = |input: &[u8], want: &str| {
        assert_eq!(all(input).expect_err(want).to_string(), want, "{input:?}");
    };
    check(&[5, 1, 2], "byte 0: expected 5 bytes, found 2");
    check(&[0x80], "byte 0: expected a number, found one that doesn't end");
    check(&[0xff; 11], "byte 0: expected a number, found one that doesn't end");
    check(&[2, 0, 1], "byte 1: expected a field");
    check(&[2, 11, 12], "byte 1: field 1 has an unknown form");
    check(&[2, 8, 1], "byte 1: field 1 is not a message or a text");
    check(&[3, 10, 1, 0xff], "byte 3: invalid UTF-8");
    check(&[3, 10, 5, b'a'], "byte 2: expected 5 bytes, found 1");
    check(&family("", 1, |out| metric(out, &[], |_| {})), "byte 1: the family has no name");
    check(&family("m", 6, |out| metric(out, &[], |_| {})), "byte 1: unknown metric type 6 of \"m\"");
    let unnamed = family("m", 1, |out| metric(out, &[("", "x")], |_| {}));
    check(&unnamed, "byte 17: the label has no name");
    let uneven = histogram_of(4, |out| write_message(out, 14, |out| out.extend_from_slice(&[0; 9])));
    assert_eq!(all(&uneven), Ok(()), "fractions of a histogram of whole counts aren't read");
    let uneven = histogram_of(4, |out| {
        write_double(out, 4, 1.0);
        write_message(out, 14, |out| out.extend_from_slice(&[0; 9]));
    });
    check(&uneven, "byte 28: packed doubles break off");
    let hostile = histogram_of(4, |out| write_span(out, 12, 0, i64::from(u32::MAX)));
    check(&hostile, "byte 17: positive side: spans require 4294967295 buckets, have 0");
    let short = histogram_of(4, |out| {
        write_double(out, 8, 1.0);
        write_span(out, 9, 0, 1);
        write_doubles(out, 11, &[1.0, 2.0]);
    });
    check(&short, "byte 17: negative side: spans require 1 buckets, have 2");
    let integer = family("m", 1, |out| metric(out, &[], |out| write_message(out, 2, |out| write_integer(out, 1, 5))));
    check(&integer, "byte 17: field 1 is not a double");
}

#[test]
fn after_an_error_there_is_nothing_more() {
    let input = [vec![2, 0, 1], family("g", 1, |out| metric(out, &[], |_| {}))].concat();
    let mut parser = Parser::new(&input);
    assert!(matches!(parser.next(), Some(Err(_))));
    assert!(parser.next().is_none());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = all(&input);
    }
}

#[test]
fn a_gauge_histogram_does_not_count_since_some_time() {
    for (kind, want) in [(4, Some(7000)), (5, None)] {
        let input = family("h", kind, |out| {
            metric(out, &[], |out| {
                write_message(out, 7, |out| {
                    write_integer(out, 1, 9);
                    write_time(out, 15, 7, 0);
                });
            });
        });
        assert_eq!(only(&input).2.start(), want, "type {kind}");
    }
}

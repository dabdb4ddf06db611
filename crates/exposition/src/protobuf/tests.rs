//! What is written is taken apart again by a reader that knows nothing but the encoding.

use model::{Buckets, CUSTOM_BUCKETS_SCHEMA, CounterReset, FloatHistogram, MetricType, Span};

use crate::escaping::Escaping;
use crate::protobuf::{Value, Writer};

/// A field as text: `number=content`, messages in brackets.
fn read(bytes: &[u8], shape: &Shape) -> String {
    let mut rest = bytes;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest);
        let (number, inner) = ((tag >> 3) as u32, shape.0.iter().find(|(field, _)| u64::from(*field) == tag >> 3));
        let content = match tag & 7 {
            0 => varint(&mut rest).to_string(),
            1 => double(&mut rest).to_string(),
            2 => {
                let len = varint(&mut rest) as usize;
                let (content, behind) = rest.split_at(len);
                rest = behind;
                match inner {
                    Some((_, Content::Message(shape))) => format!("{{{}}}", read(content, shape)),
                    Some((_, Content::Doubles)) => {
                        let mut content = content;
                        let mut all = Vec::new();
                        while !content.is_empty() {
                            all.push(double(&mut content));
                        }
                        format!("{all:?}")
                    }
                    None => format!("{:?}", String::from_utf8_lossy(content)),
                }
            }
            wire => panic!("wire type {wire} in {bytes:?}"),
        };
        fields.push(format!("{number}={content}"));
    }
    fields.join(" ")
}

/// What else than a text is in a field with a length.
struct Shape(&'static [(u32, Content)]);

enum Content {
    Message(&'static Shape),
    Doubles,
}

use Content::{Doubles, Message};

const FLAT: Shape = Shape(&[]);
const HISTOGRAM: Shape =
    Shape(&[(3, Message(&FLAT)), (9, Message(&FLAT)), (11, Doubles), (12, Message(&FLAT)), (14, Doubles)]);
const METRIC: Shape = Shape(&[(1, Message(&FLAT)), (5, Message(&FLAT)), (7, Message(&HISTOGRAM))]);
const FAMILY: Shape = Shape(&[(4, Message(&METRIC))]);

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = rest[0];
        *rest = &rest[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn double(rest: &mut &[u8]) -> f64 {
    let (bytes, behind) = rest.split_first_chunk().expect("eight bytes");
    *rest = behind;
    f64::from_le_bytes(*bytes)
}

fn families(mut bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let len = varint(&mut bytes) as usize;
        let (family, behind) = bytes.split_at(len);
        bytes = behind;
        found.push(read(family, &FAMILY));
    }
    found
}

#[test]
fn families_with_their_metrics() {
    let mut writer = Writer::new(Escaping::Underscores);
    assert!(writer.is_empty() && writer.take().is_empty());
    writer.family("a.b", MetricType::Unknown);
    writer.metric([("x.y", "1.2"), ("instance", "")], Value::Untyped(0.0), Some(1_700_000_000_000));
    writer.metric([], Value::Untyped(-2.5), Some(-1));
    writer.family("none", MetricType::Gauge);
    writer.family("c", MetricType::Counter);
    let long = "v".repeat(300);
    writer.metric([("l", long.as_str())], Value::Untyped(f64::INFINITY), None);
    assert!(!writer.is_empty());
    assert_eq!(
        families(&writer.take()),
        [
            "1=\"a_b\" 3=3 4={1={1=\"x_y\" 2=\"1.2\"} 1={1=\"instance\" 2=\"\"} 5={1=0} 6=1700000000000} \
             4={5={1=-2.5} 6=18446744073709551615}"
                .to_owned(),
            format!("1=\"c\" 3=0 4={{1={{1=\"l\" 2=\"{long}\"}} 5={{1=inf}}}}"),
        ]
    );
    assert!(writer.is_empty());
    writer.metric([], Value::Untyped(1.0), None);
    assert_eq!(families(&writer.take()), ["1=\"c\" 3=0 4={5={1=1}}"], "a family that goes on is told again");
}

#[test]
fn histograms() {
    let write = |histogram: &FloatHistogram, kind| {
        let mut writer = Writer::new(Escaping::AllowUtf8);
        writer.family("h.é", kind);
        writer.metric([], Value::Histogram(histogram), Some(5));
        families(&writer.take()).remove(0)
    };
    let histogram = FloatHistogram {
        counter_reset: CounterReset::Unknown,
        buckets: Buckets {
            schema: -3,
            zero_threshold: 0.25,
            positive_spans: vec![Span { offset: -2, length: 2 }, Span { offset: 200, length: 1 }],
            negative_spans: vec![Span { offset: 1, length: 1 }],
            custom_values: vec![],
        },
        zero_count: 2.0,
        count: 10.5,
        sum: -1.0,
        positive: vec![1.0, 2.0, 4.5],
        negative: vec![1.0],
    };
    assert_eq!(
        write(&histogram, MetricType::GaugeHistogram),
        "1=\"h.é\" 3=5 4={6=5 7={2=-1 4=10.5 5=5 6=0.25 8=2 9={1=2 2=1} 11=[1.0] 12={1=3 2=2} 12={1=400 2=1} \
         14=[1.0, 2.0, 4.5]}}"
    );
    assert_eq!(
        write(&FloatHistogram::default(), MetricType::Histogram),
        "1=\"h.é\" 3=4 4={6=5 7={2=0 4=0 5=0 6=0 8=0 12={1=0 2=0}}}",
        "an empty span tells that it is no classic one"
    );
    let listed = FloatHistogram {
        buckets: Buckets {
            schema: CUSTOM_BUCKETS_SCHEMA,
            positive_spans: vec![Span { offset: 0, length: 3 }],
            custom_values: vec![0.5, 1.0],
            ..Buckets::default()
        },
        count: 7.0,
        sum: 9.0,
        positive: vec![1.0, 2.0, 4.0],
        ..FloatHistogram::default()
    };
    assert_eq!(write(&listed, MetricType::Histogram), "1=\"h.é\" 3=4 4={6=5 7={2=9 3={2=0.5 4=1} 3={2=1 4=3} 4=7}}");
}

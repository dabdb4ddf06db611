//! The records of `docs/format/wal.md` are what we write and what we read.

use model::{
    Buckets, CUSTOM_BUCKETS_SCHEMA, CounterReset, Exemplar, FloatHistogram, Histogram, Labels, Metadata, MetricType,
    NativeHistogram, Span, TimeRange, Timestamp,
};

use super::*;

/// The `hex` blocks behind the heading, each as bytes.
fn examples() -> Vec<Vec<u8>> {
    let document = include_str!("../../../../../docs/format/wal.md");
    let (_, section) = document.split_once("### One record of each other kind").expect("the heading");
    let blocks = section.split("```hex\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let bytes = |block: &str| {
        let words = block.lines().flat_map(|line| line.split(';').next().unwrap_or_default().split_whitespace());
        words.map(|word| u8::from_str_radix(word, 16).expect("two hexadecimal digits")).collect()
    };
    blocks.map(bytes).collect()
}

const AT: Timestamp = Timestamp::from_ms(1000);

fn check_histogram(record: &[u8], histogram: NativeHistogram) {
    let logged = LoggedHistogram { series: 1, time: AT, histogram };
    let (mut written, mut read) = (Vec::new(), Vec::new());
    let Ok(()) = encode_histograms(std::slice::from_ref(&logged), |record| {
        written = record.to_vec();
        Ok::<(), std::convert::Infallible>(())
    });
    assert_eq!(written, record);
    assert_eq!(decode_histograms(record, &mut read), Ok(0));
    assert_eq!(read, [logged]);
}

#[test]
fn wal_md() {
    let examples = examples();
    let [stone, exemplar, metadata, whole, listed, note] = &examples[..] else { panic!("{} examples", examples.len()) };

    let want = LoggedTombstone { series: 1, range: TimeRange::new(AT, Timestamp::from_ms(2000)) };
    let (mut written, mut read) = (Vec::new(), Vec::new());
    encode_tombstones(&mut written, &[want]);
    decode_tombstones(stone, &mut read).expect("valid");
    assert_eq!((&written, read), (stone, vec![want]));

    let labels = Labels::from_pairs([("trace_id", "ab")]);
    let want = LoggedExemplar { series: 1, exemplar: Exemplar { labels, value: 0.5, time: AT } };
    let (mut written, mut read) = (Vec::new(), Vec::new());
    encode_exemplars(&mut written, std::slice::from_ref(&want));
    decode_exemplars(exemplar, |exemplar| read.push(exemplar)).expect("valid");
    assert_eq!((&written, read), (exemplar, vec![want]));

    let of_counter = Metadata { kind: MetricType::Counter, unit: "seconds".into(), help: "Busy.".into() };
    let (mut written, mut read) = (Vec::new(), Vec::new());
    encode_metadata(&mut written, 1, &of_counter);
    decode_metadata(metadata, |metadata| read.push(metadata)).expect("valid");
    assert_eq!((&written, read), (metadata, vec![LoggedMetadata { series: 1, metadata: of_counter }]));

    let positive_spans = vec![Span { offset: 0, length: 2 }];
    let buckets = Buckets {
        schema: 1,
        zero_threshold: 2f64.powi(-128),
        positive_spans: positive_spans.clone(),
        ..Buckets::default()
    };
    let positive = vec![1, 2];
    let histogram = Histogram { buckets, zero_count: 1, count: 5, sum: 4.5, positive, ..Histogram::default() };
    check_histogram(whole, NativeHistogram::Int(Box::new(histogram)));

    let schema = CUSTOM_BUCKETS_SCHEMA;
    let buckets = Buckets { schema, positive_spans, custom_values: vec![1.0], ..Buckets::default() };
    let histogram = FloatHistogram {
        counter_reset: CounterReset::Gauge,
        buckets,
        count: 3.0,
        sum: 2.5,
        positive: vec![1.0, 2.0],
        ..FloatHistogram::default()
    };
    check_histogram(listed, NativeHistogram::Float(Box::new(histogram)));

    let (mut written, mut read) = (Vec::new(), Vec::new());
    encode_note(&mut written, "cursor", &[10, 11]);
    decode_notes(note, |name, content| read.push((name.to_owned(), content.to_vec()))).expect("valid");
    assert_eq!((&written, read), (note, vec![("cursor".to_owned(), vec![10, 11])]));
}

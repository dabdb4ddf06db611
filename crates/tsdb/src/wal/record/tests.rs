//! Every kind of record comes back as it was written, and no bytes make a reader panic or take much memory.

use model::{
    Buckets, CUSTOM_BUCKETS_SCHEMA, CounterReset, Exemplar, FloatHistogram, Histogram, Labels, Metadata, MetricType,
    NativeHistogram, Span, TimeRange, Timestamp,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![(-10_000..10_000_i64), any::<i64>()].prop_map(Timestamp::from_ms)
}

fn series() -> impl Strategy<Value = u64> {
    prop_oneof![1..1000_u64, any::<u64>()]
}

fn buckets() -> impl Strategy<Value = Buckets> {
    let spans = || {
        (any::<i32>(), vec((0..=i32::MAX, 0..4_u32), 0..4)).prop_map(|(first, spans)| {
            let mut spans: Vec<Span> = spans.into_iter().map(|(offset, length)| Span { offset, length }).collect();
            spans.first_mut().into_iter().for_each(|span| span.offset = first);
            spans
        })
    };
    let schema = prop_oneof![(-4..=8_i32), Just(CUSTOM_BUCKETS_SCHEMA)];
    (schema, 0.0..1.0_f64, spans(), spans(), vec(-1e9..1e9_f64, 0..4)).prop_map(
        |(schema, zero_threshold, positive_spans, negative_spans, listed)| Buckets {
            schema,
            zero_threshold,
            positive_spans,
            negative_spans,
            custom_values: if schema == CUSTOM_BUCKETS_SCHEMA { listed } else { Vec::new() },
        },
    )
}

fn reset() -> impl Strategy<Value = CounterReset> {
    prop_oneof![
        Just(CounterReset::Unknown),
        Just(CounterReset::Reset),
        Just(CounterReset::NotReset),
        Just(CounterReset::Gauge)
    ]
}

/// As many of the numbers as there are buckets in the spans, of which there are at most nine.
fn of_spans<T>(mut numbers: Vec<T>, spans: &[Span]) -> Vec<T> {
    numbers.truncate(model::bucket_count(spans) as usize);
    numbers
}

fn histogram() -> impl Strategy<Value = NativeHistogram> {
    let deltas = || vec(any::<i64>(), 9);
    let whole = (reset(), buckets(), any::<(u64, u64)>(), -1e9..1e9_f64, deltas(), deltas()).prop_map(
        |(counter_reset, buckets, (zero_count, count), sum, positive, negative)| {
            let (positive, negative) =
                (of_spans(positive, &buckets.positive_spans), of_spans(negative, &buckets.negative_spans));
            NativeHistogram::Int(Box::new(Histogram {
                counter_reset,
                buckets,
                zero_count,
                count,
                sum,
                positive,
                negative,
            }))
        },
    );
    let counts = || vec(0.0..1e9_f64, 9);
    let float = (reset(), buckets(), (0.0..1e9_f64, 0.0..1e9_f64, -1e9..1e9_f64), counts(), counts()).prop_map(
        |(counter_reset, buckets, (zero_count, count, sum), positive, negative)| {
            let (positive, negative) =
                (of_spans(positive, &buckets.positive_spans), of_spans(negative, &buckets.negative_spans));
            NativeHistogram::Float(Box::new(FloatHistogram {
                counter_reset,
                buckets,
                zero_count,
                count,
                sum,
                positive,
                negative,
            }))
        },
    );
    prop_oneof![whole, float]
}

fn exemplar() -> impl Strategy<Value = LoggedExemplar> {
    (series(), time(), -1e9..1e9_f64, vec(("[a-z]{1,8}", ".{1,20}"), 0..3)).prop_map(|(series, time, value, pairs)| {
        LoggedExemplar { series, exemplar: Exemplar { labels: Labels::from_pairs(pairs), value, time } }
    })
}

fn metadata() -> impl Strategy<Value = LoggedMetadata> {
    let kind = prop_oneof![
        Just(MetricType::Counter),
        Just(MetricType::Gauge),
        Just(MetricType::Histogram),
        Just(MetricType::GaugeHistogram),
        Just(MetricType::Summary),
        Just(MetricType::Info),
        Just(MetricType::StateSet),
        Just(MetricType::Unknown)
    ];
    (series(), kind, ".{0,10}", ".{0,40}")
        .prop_map(|(series, kind, unit, help)| LoggedMetadata { series, metadata: Metadata { kind, unit, help } })
}

/// Hands a record to whoever reads its kind; the answer is how many things were in it.
fn read_any(record: &[u8]) -> usize {
    let mut seen = 0;
    // What is wrong with the record is not of interest here, only that it is told and not suffered.
    match RecordKind::of(record) {
        RecordKind::Series => drop(decode_series(record, |_, labels| seen += labels.len() + 1)),
        RecordKind::Samples => {
            let mut out = Vec::new();
            drop(decode_samples(record, &mut out));
            seen = out.len();
        }
        RecordKind::Tombstones => {
            let mut out = Vec::new();
            drop(decode_tombstones(record, &mut out));
            seen = out.len();
        }
        RecordKind::Exemplars => drop(decode_exemplars(record, |_| seen += 1)),
        RecordKind::MmapMarker => {
            let mut out = Vec::new();
            drop(decode_markers(record, &mut out));
            seen = out.len();
        }
        RecordKind::Metadata => drop(decode_metadata(record, |_| seen += 1)),
        RecordKind::Histograms | RecordKind::FloatHistograms => {
            let mut out = Vec::new();
            drop(decode_histograms(record, &mut out));
            seen = out.len();
        }
        RecordKind::Notes => drop(decode_notes(record, |_, _| seen += 1)),
        RecordKind::MinValidTime | RecordKind::Unread(_) | RecordKind::Unknown(_) => {}
    }
    seen
}

/// One record of each kind, as a seed for bytes that are nearly right.
fn good_records() -> Vec<Vec<u8>> {
    let mut records = vec![Vec::new(); 7];
    let at = Timestamp::from_ms(1000);
    encode_series(&mut records[0], 7, [("__name__", "up"), ("job", "a")].into_iter());
    encode_samples(&mut records[1], &[LoggedSample { series: 7, time: at, value: 1.5 }]);
    encode_tombstones(&mut records[2], &[LoggedTombstone { series: 7, range: TimeRange::new(at, at) }]);
    let exemplar = Exemplar { labels: Labels::from_pairs([("trace_id", "ab")]), value: 0.5, time: at };
    encode_exemplars(&mut records[3], &[LoggedExemplar { series: 7, exemplar }]);
    encode_markers(&mut records[4], &[LoggedMarker { series: 7, chunk: 9 }]);
    let of_metric = Metadata { kind: MetricType::Counter, unit: "seconds".into(), help: "Busy.".into() };
    encode_metadata(&mut records[5], 7, &of_metric);
    encode_note(&mut records[6], "cursor", b"x");
    let buckets = |schema| Buckets {
        schema,
        zero_threshold: 1e-128,
        positive_spans: vec![Span { offset: 1, length: 2 }, Span { offset: 3, length: 1 }],
        custom_values: if schema == CUSTOM_BUCKETS_SCHEMA { vec![1.0, 5.0] } else { Vec::new() },
        ..Buckets::default()
    };
    let histograms: Vec<LoggedHistogram> = [3, CUSTOM_BUCKETS_SCHEMA]
        .into_iter()
        .flat_map(|schema| {
            let whole =
                Histogram { buckets: buckets(schema), count: 4, positive: vec![1, 1, -1], ..Histogram::default() };
            let float =
                FloatHistogram { buckets: buckets(schema), positive: vec![1.0, 2.5, 0.5], ..FloatHistogram::default() };
            [NativeHistogram::Int(Box::new(whole)), NativeHistogram::Float(Box::new(float))]
        })
        .map(|histogram| LoggedHistogram { series: 7, time: at, histogram })
        .collect();
    let Ok(()) = encode_histograms(&histograms, |record| {
        records.push(record.to_vec());
        Ok::<(), std::convert::Infallible>(())
    });
    records
}

proptest! {
    #[test]
    fn samples_come_back(samples in vec((series(), time(), any::<u64>()), 1..50)) {
        let samples: Vec<LoggedSample> = samples
            .into_iter()
            .map(|(series, time, bits)| LoggedSample { series, time, value: f64::from_bits(bits) })
            .collect();
        let (mut record, mut back) = (Vec::new(), Vec::new());
        encode_samples(&mut record, &samples);
        decode_samples(&record, &mut back).expect("valid");
        let key = |s: &LoggedSample| (s.series, s.time, s.value.to_bits());
        prop_assert_eq!(back.iter().map(key).collect::<Vec<_>>(), samples.iter().map(key).collect::<Vec<_>>());
    }

    #[test]
    fn histograms_come_back(histograms in vec((series(), time(), histogram()), 0..8)) {
        let all: Vec<LoggedHistogram> = histograms
            .into_iter()
            .map(|(series, time, histogram)| LoggedHistogram { series, time, histogram })
            .collect();
        let mut back = Vec::new();
        let Ok(()) = encode_histograms(&all, |record| {
            assert_eq!(decode_histograms(record, &mut back), Ok(0));
            Ok::<(), std::convert::Infallible>(())
        });
        // By kind, in the order of each kind.
        prop_assert_eq!(back.len(), all.len());
        for logged in &all {
            prop_assert!(back.contains(logged));
        }
    }

    #[test]
    fn exemplars_come_back(exemplars in vec(exemplar(), 1..10)) {
        let (mut record, mut back) = (Vec::new(), Vec::new());
        encode_exemplars(&mut record, &exemplars);
        decode_exemplars(&record, |exemplar| back.push(exemplar)).expect("valid");
        prop_assert_eq!(back, exemplars);
    }

    #[test]
    fn metadata_come_back(all in vec(metadata(), 1..10)) {
        let (mut record, mut back) = (Vec::new(), Vec::new());
        for one in &all {
            encode_metadata(&mut record, one.series, &one.metadata);
        }
        decode_metadata(&record, |one| back.push(one)).expect("valid");
        prop_assert_eq!(back, all);
    }

    #[test]
    fn tombstones_and_markers_come_back(all in vec((series(), time(), time(), any::<u64>()), 1..10)) {
        let stones: Vec<LoggedTombstone> = all
            .iter()
            .map(|(series, a, b, _)| LoggedTombstone { series: *series, range: TimeRange::new(*a.min(b), *a.max(b)) })
            .collect();
        let (mut record, mut back) = (Vec::new(), Vec::new());
        encode_tombstones(&mut record, &stones);
        decode_tombstones(&record, &mut back).expect("valid");
        prop_assert_eq!(back, stones);
        let markers: Vec<LoggedMarker> =
            all.iter().map(|(series, _, _, chunk)| LoggedMarker { series: *series, chunk: *chunk }).collect();
        let (mut record, mut back) = (Vec::new(), Vec::new());
        encode_markers(&mut record, &markers);
        decode_markers(&record, &mut back).expect("valid");
        prop_assert_eq!(back, markers);
    }

    #[test]
    fn any_bytes_are_read_or_refused(kind in 0..16_u8, rest in vec(any::<u8>(), 0..200)) {
        let record: Vec<u8> = std::iter::once(kind).chain(rest).collect();
        prop_assert!(read_any(&record) <= record.len());
    }

    #[test]
    fn nearly_right_records_are_read_or_refused(
        which in 0..10_usize,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut record = good_records().swap_remove(which);
        for (at, byte) in changes {
            let at = at.index(record.len());
            record[at] = byte;
        }
        record.truncate(cut.index(record.len()) + 1);
        prop_assert!(read_any(&record) <= record.len());
    }
}

#[test]
fn every_kind_is_known_by_its_first_byte() {
    let kinds: Vec<RecordKind> = good_records().iter().map(|record| RecordKind::of(record)).collect();
    use RecordKind::{
        Exemplars, FloatHistograms, Histograms, Metadata, MmapMarker, Notes, Samples, Series, Tombstones,
    };
    let wanted = [
        Series,
        Samples,
        Tombstones,
        Exemplars,
        MmapMarker,
        Metadata,
        Notes,
        Histograms,
        Histograms,
        FloatHistograms,
        FloatHistograms,
    ];
    assert_eq!(kinds, wanted);
    assert!(good_records().iter().all(|record| read_any(record) > 0));
    let names: Vec<&str> = (11..=15_u8).map(|byte| RecordKind::of(&[byte]).name()).collect();
    let newer = ["samples_v2", "histogram_samples_v2", "float_histogram_samples_v2", "min_valid_time", "unknown"];
    assert_eq!(names, newer);
}

#[test]
fn series_come_back() {
    let mut record = Vec::new();
    encode_series(&mut record, 7, [("__name__", "up"), ("job", "a")].into_iter());
    encode_series(&mut record, 8, [("__name__", "down")].into_iter());
    let mut seen = Vec::new();
    decode_series(&record, |series, labels| seen.push((series, labels.len(), labels[0].1))).expect("valid");
    assert_eq!(seen, [(7, 2, "up"), (8, 1, "down")]);
    assert!(decode_series(&record[..record.len() - 1], |_, _| {}).is_err());
}

#[test]
fn a_count_that_lies_asks_for_no_memory() {
    // A histogram that claims 2^60 spans.
    let mut record = vec![7; 1];
    record.extend_from_slice(&[0; 16]); // base
    record.extend_from_slice(&[0, 0, 0, 0]); // place, hint, schema
    record.extend_from_slice(&[0; 8]); // zero threshold
    record.extend_from_slice(&[0, 0]); // zero count, count
    record.extend_from_slice(&[0; 8]); // sum
    record.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert!(decode_histograms(&record, &mut Vec::new()).is_err());
}

#[test]
fn what_can_t_be_worked_with_is_left_out_and_counted() {
    let of_schema = |schema| LoggedHistogram {
        series: 1,
        time: Timestamp::from_ms(1),
        histogram: NativeHistogram::Int(Box::new(Histogram {
            buckets: Buckets { schema, ..Buckets::default() },
            ..Histogram::default()
        })),
    };
    let mut back = Vec::new();
    let mut misfit = of_schema(3);
    if let NativeHistogram::Int(whole) = &mut misfit.histogram {
        whole.buckets.positive_spans = vec![Span { offset: 0, length: u32::MAX }];
    }
    let Ok(()) = encode_histograms(&[of_schema(3), of_schema(53), misfit, of_schema(-10)], |record| {
        assert_eq!(decode_histograms(record, &mut back), Ok(3));
        Ok::<(), std::convert::Infallible>(())
    });
    assert_eq!(back, [of_schema(3)]);
}

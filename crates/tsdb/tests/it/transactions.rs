//! Native histograms in transactions, beside floats: checked, logged, in order, all or nothing.

use model::{
    Buckets, CUSTOM_BUCKETS_SCHEMA, CounterReset, FloatHistogram, Histogram, Matcher, NativeHistogram, STALE_NAN, Span,
    TimeRange,
};
use storage::chunk::{Encoding, Value};
use storage::{AppendError, Appendable, Queryable, SelectRequest};
use tsdb::{Db, Options, WalCompression};

use crate::fixture::{append, block_on, copy_dir, labels, metric, ms, open, options, scratch};

fn whole(count: u64) -> NativeHistogram {
    let buckets = Buckets { schema: 1, positive_spans: vec![Span { offset: 0, length: 2 }], ..Buckets::default() };
    let positive = vec![count as i64, 0];
    let counter_reset = CounterReset::Unknown;
    let (count, sum) = (2 * count, count as f64);
    NativeHistogram::Int(Box::new(Histogram { counter_reset, buckets, count, sum, positive, ..Histogram::default() }))
}

fn float(count: f64) -> NativeHistogram {
    let NativeHistogram::Int(whole) = whole(1) else { panic!("it is whole") };
    let buckets = whole.buckets;
    let positive = vec![count, count];
    let (count, sum) = (2.0 * count, count);
    NativeHistogram::Float(Box::new(FloatHistogram { buckets, count, sum, positive, ..FloatHistogram::default() }))
}

fn listed(count: u64) -> NativeHistogram {
    let NativeHistogram::Int(mut histogram) = whole(count) else { panic!("it is whole") };
    histogram.buckets.schema = CUSTOM_BUCKETS_SCHEMA;
    histogram.buckets.custom_values = vec![1.0, 5.0];
    NativeHistogram::Int(histogram)
}

/// Everything of `m`, with the encodings of its chunks.
fn read(db: &Db) -> (Vec<Encoding>, Vec<(i64, String)>) {
    let request = SelectRequest::new(vec![Matcher::equal("__name__", "m")], TimeRange::ALL);
    let set = block_on(db.select(&request)).expect("selects");
    let (mut encodings, mut values) = (Vec::new(), Vec::new());
    for series in set.series {
        for chunk in series.expect("series").chunks {
            encodings.push(chunk.encoding);
            let mut reader = chunk.values();
            while let Some((time, value)) = reader.next().expect("readable") {
                let text = match value {
                    Value::Float(value) => format!("{value}"),
                    Value::Histogram(histogram) if histogram.is_stale() => "stale".to_owned(),
                    Value::Histogram(NativeHistogram::Int(h)) => format!("{} of schema {}", h.count, h.buckets.schema),
                    Value::Histogram(NativeHistogram::Float(h)) => format!("{:?} in fractions", h.count),
                };
                values.push((time, text));
            }
        }
    }
    (encodings, values)
}

fn wanted(values: &[(i64, &str)]) -> Vec<(i64, String)> {
    values.iter().map(|(time, text)| (*time, (*text).to_owned())).collect()
}

#[test]
fn kinds_of_samples_follow_each_other() {
    for compression in [WalCompression::None, WalCompression::Snappy, WalCompression::Zstd] {
        let (dir, copy) = (scratch(), scratch());
        let (db, registry) = open(Options { wal_compression: compression, ..options(dir.path()) });
        let m = labels(&[("__name__", "m")]);
        // All in one transaction, so that the kinds must stay in order inside of it.
        let mut appender = db.appender();
        appender.append(&m, ms(1000), 0.5).expect("taken");
        appender.append_histogram(&m, ms(2000), whole(1)).expect("taken");
        appender.append_histogram(&m, ms(3000), whole(2)).expect("taken");
        appender.append_histogram(&m, ms(4000), float(1.5)).expect("taken");
        appender.append(&m, ms(5000), 1.5).expect("taken");
        appender.append_histogram(&m, ms(6000), listed(3)).expect("taken");
        assert_eq!(read(&db).1, []);
        appender.commit().expect("stored");
        let want = wanted(&[
            (1000, "0.5"),
            (2000, "2 of schema 1"),
            (3000, "4 of schema 1"),
            (4000, "3.0 in fractions"),
            (5000, "1.5"),
            (6000, "6 of schema -53"),
        ]);
        let (encodings, values) = read(&db);
        assert_eq!(values, want);
        use Encoding::{FloatHistogram, Histogram, Xor};
        assert_eq!(encodings, [Xor, Histogram, FloatHistogram, Xor, Histogram]);
        assert_eq!(metric(&registry, "prometheus_tsdb_head_samples_appended_total"), 6.0);
        copy_dir(dir.path(), copy.path());
        let (back, registry) = open(options(copy.path()));
        assert_eq!(read(&back).1, want, "{compression:?}");
        assert_eq!(metric(&registry, "prometheus_tsdb_wal_corruptions_total"), 0.0);
    }
}

#[test]
fn histograms_are_checked() {
    let dir = scratch();
    let (db, registry) = open(options(dir.path()));
    let m = labels(&[("__name__", "m")]);
    let mut appender = db.appender();
    appender.append_histogram(&m, ms(2000), whole(1)).expect("taken");
    appender.commit().expect("stored");
    let mut appender = db.appender();
    let NativeHistogram::Int(mut wrong) = whole(1) else { panic!("it is whole") };
    wrong.count = 99;
    let refused = appender.append_histogram(&m, ms(3000), NativeHistogram::Int(wrong));
    assert!(matches!(refused, Err(AppendError::InvalidHistogram(_))), "{refused:?}");
    let mut check = |time: i64, histogram: NativeHistogram, want: Result<(), AppendError>| {
        assert_eq!(appender.append_histogram(&m, ms(time), histogram).map(|_| ()), want);
    };
    check(2000, whole(1), Ok(()));
    check(2000, whole(2), Err(AppendError::DuplicateTimestamp));
    check(1000, whole(1), Err(AppendError::OutOfOrder));
    appender.commit().expect("nothing to store");
    assert_eq!(read(&db).1, wanted(&[(2000, "2 of schema 1")]));
    assert_eq!(metric(&registry, "prometheus_tsdb_out_of_order_samples_total"), 1.0);
}

#[test]
fn a_stale_marker_is_of_the_series_kind() {
    let (dir, copy) = (scratch(), scratch());
    let (db, _registry) = open(options(dir.path()));
    let m = labels(&[("__name__", "m")]);
    let mut appender = db.appender();
    appender.append_histogram(&m, ms(1000), whole(1)).expect("taken");
    appender.commit().expect("stored");
    append(&db, &[(&m, 2000, STALE_NAN)]);
    let want = (vec![Encoding::Histogram], wanted(&[(1000, "2 of schema 1"), (2000, "stale")]));
    assert_eq!(read(&db), want);
    copy_dir(dir.path(), copy.path());
    assert_eq!(read(&open(options(copy.path())).0).1, want.1);
}

#[test]
fn many_at_once_are_as_one_by_one() {
    for out_of_order_window_ms in [0, 10_000] {
        let tell = |together: bool| {
            let dir = scratch();
            let (db, registry) = open(Options { out_of_order_window_ms, ..options(dir.path()) });
            let all = ["new", "same", "other", "older", "stale", "histogram", "twice", "plain"]
                .map(|name| labels(&[("__name__", "m"), ("is", name)]));
            let mut appender = db.appender();
            let mut refs: Vec<_> = all.iter().map(|m| appender.append(m, ms(1000), 1.0).expect("taken")).collect();
            appender.commit().expect("stored");
            append(&db, &[(&all[1], 2000, 5.0), (&all[2], 2000, 6.0), (&all[3], 3000, 5.0)]);
            let mut appender = db.appender();
            appender.append_histogram(&all[5], ms(1500), whole(1)).expect("taken");
            appender.commit().expect("stored");
            let mut appender = db.appender();
            // Not in the log yet.
            refs[0] = appender.append(&labels(&[("__name__", "unlogged")]), ms(1000), 1.0).expect("taken");
            let mut samples: Vec<_> = refs.iter().map(|series| (*series, 5.0)).collect();
            samples[5].1 = STALE_NAN;
            samples.push((refs[6], 7.0));
            samples.push((storage::SeriesRef(7 << 32 | 1), 1.0));
            samples.push((storage::SeriesRef(u64::from(u32::MAX)), 1.0));
            let mut refused = Vec::new();
            if together {
                appender.append_refs(&samples, ms(2000), &mut |at, error| refused.push((at, error)));
                appender.append_refs(&samples[7..8], ms(i64::MIN), &mut |_, error| refused.push((99, error)));
            } else {
                for (at, (series, value)) in samples.iter().enumerate() {
                    let result = appender.append_ref(*series, ms(2000), *value);
                    refused.extend(result.err().map(|error| (at, error)));
                }
                let result = appender.append_ref(samples[7].0, ms(i64::MIN), samples[7].1);
                refused.extend(result.err().map(|error| (99, error)));
            }
            appender.commit().expect("stored");
            let counted = ["out_of_order_samples_total", "out_of_bound_samples_total", "head_samples_appended_total"]
                .map(|name| metric(&registry, &format!("prometheus_tsdb_{name}")).to_bits());
            (refused, counted, read(&db))
        };
        let (together, single) = (tell(true), tell(false));
        assert_eq!(together, single, "window {out_of_order_window_ms}");
        let places: Vec<usize> = together.0.iter().map(|(at, _)| *at).collect();
        let want = if out_of_order_window_ms == 0 { vec![2, 3, 9, 10, 99] } else { vec![2, 9, 10, 99] };
        assert_eq!(places, want, "{:?}", together.0);
    }
}

/// Between append and commit a cut may take the range of what was appended: then it is late, where late samples are taken.
#[test]
fn what_is_cut_meanwhile_is_late() {
    for (window_ms, is_there) in [(600_000, true), (0, false)] {
        let dir = scratch();
        let (db, registry) = open(Options { out_of_order_window_ms: window_ms, ..options(dir.path()) });
        let (float, histogram) =
            (labels(&[("__name__", "m"), ("kind", "float")]), labels(&[("__name__", "m"), ("kind", "histogram")]));
        append(&db, &[(&float, 1000, 1.0), (&labels(&[("__name__", "other")]), 1000, 1.0)]);
        let mut appender = db.appender();
        appender.append(&float, ms(2000), 2.0).expect("taken");
        appender
            .append_histogram(
                &histogram,
                ms(2000),
                Histogram { count: 1, zero_count: 1, ..Histogram::default() }.into(),
            )
            .expect("taken");
        append(&db, &[(&labels(&[("__name__", "other")]), 70_000, 1.0)]);
        db.flush_head(ms(70_000)).expect("a block");
        appender.commit().expect("stored");
        let check = |db: &Db| {
            let (_, found) = read(db);
            let count = found.iter().filter(|(time, _)| *time == 2000).count();
            assert_eq!(count, if is_there { 2 } else { 0 }, "{found:?}");
        };
        check(&db);
        let refused = metric(&registry, "prometheus_tsdb_out_of_bound_samples_total");
        assert_eq!(refused, if is_there { 0.0 } else { 2.0 });
        drop(db);
        check(&open(Options { out_of_order_window_ms: window_ms, ..options(dir.path()) }).0);
    }
}

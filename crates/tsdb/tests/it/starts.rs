//! Zeros at the times since when series count: newer than all that the series has, or not there at all.

use std::sync::Arc;

use model::{Buckets, CounterReset, Histogram, ManualClock, NativeHistogram, TimeRange, Timestamp};
use prometheus_client::registry::Registry;
use storage::chunk::Value;
use storage::{AppendError, Appendable, Queryable, SelectRequest};
use tsdb::{Db, Options};

use crate::fixture::{append, block_on, content, labels, metric, ms, open, options, scratch};

const ZERO: Value = Value::Float(0.0);
/// What a chunk of histograms knows of a counter reset before it: the two highest bits of its third byte.
const KNOWN: u8 = 0b1100_0000;
const KNOWN_RESET: u8 = 0b1000_0000;

/// Appends a zero at `start` and a sample at `time`; the answer is what became of the zero.
fn begin(db: &Db, start: i64, time: i64, value: f64) -> Result<(), AppendError> {
    let (series, mut appender) = (labels(&[("__name__", "m")]), db.appender());
    let result = appender.append_start(&series, ms(start), ms(time), ZERO);
    appender.append(&series, ms(time), value).expect("the sample is taken");
    appender.commit().expect("the log is written");
    result
}

fn times(db: &Db) -> Vec<(i64, f64)> {
    let all = content(db).into_values().next().unwrap_or_default();
    all.into_iter().map(|(time, bits)| (time, f64::from_bits(bits))).collect()
}

#[test]
fn a_zero_is_newer_than_all_and_never_late() {
    for out_of_order_window_ms in [0, 50_000] {
        let dir = scratch();
        let options = Options { out_of_order_window_ms, ..options(dir.path()) };
        let (db, registry) = open(options.clone());
        assert_eq!(begin(&db, 99_000, 100_000, 5.0), Ok(()));
        let mut want = vec![(99_000, 0.0), (100_000, 5.0)];
        for (start, time) in [(99_000, 101_000), (100_000, 102_000), (103_000, 103_000), (110_000, 104_000)] {
            let refused = begin(&db, start, time, 6.0);
            assert_eq!(refused, Err(AppendError::OutOfOrder), "{start} before {time}");
            want.push((time, 6.0));
        }
        assert_eq!(begin(&db, 104_500, 105_000, 1.0), Ok(()));
        want.extend([(104_500, 0.0), (105_000, 1.0)]);
        assert_eq!(times(&db), want);
        for counted in
            ["out_of_order_samples", "too_old_samples", "out_of_bound_samples", "out_of_order_samples_appended"]
        {
            let count = metric(&registry, &format!("prometheus_tsdb_{counted}_total"));
            assert!(count.is_nan() || count == 0.0, "{counted}: {count}");
        }
        drop(db);
        let (db, _) = open(options);
        assert_eq!(times(&db), want, "read back from the log");
    }
}

#[test]
fn a_zero_is_not_behind_what_its_transaction_has_of_the_series() {
    let dir = scratch();
    let (db, _) = open(Options { out_of_order_window_ms: 50_000, ..options(dir.path()) });
    let (series, mut appender) = (labels(&[("__name__", "m")]), db.appender());
    appender.append(&series, ms(100_000), 1.0).expect("the sample is taken");
    assert_eq!(appender.append_start(&series, ms(99_000), ms(101_000), ZERO), Err(AppendError::OutOfOrder));
    assert_eq!(appender.append_start(&series, ms(100_500), ms(101_000), ZERO), Ok(()));
    appender.append(&series, ms(101_000), 2.0).expect("the sample is taken");
    appender.commit().expect("the log is written");
    assert_eq!(times(&db), [(100_000, 1.0), (100_500, 0.0), (101_000, 2.0)]);
}

/// A process that has run for a year doesn't make the head reach back a year, not even as the first that is stored.
#[test]
fn a_zero_is_at_most_half_a_block_before_its_sample() {
    let dir = scratch();
    let (db, _) = open(options(dir.path()));
    let refused = AppendError::TooOld { time: ms(1_000_000 - 30_001), oldest: ms(1_000_000 - 30_000) };
    assert_eq!(begin(&db, 1_000_000 - 30_001, 1_000_000, 5.0), Err(refused));
    let refused = AppendError::TooOld { time: ms(-5), oldest: ms(1_001_000 - 30_000) };
    assert_eq!(begin(&db, -5, 1_001_000, 5.0), Err(refused));
    assert_eq!(times(&db), [(1_000_000, 5.0), (1_001_000, 5.0)]);
    let dir = scratch();
    let (db, _) = open(options(dir.path()));
    assert_eq!(begin(&db, 1_000_000 - 30_000, 1_000_000, 5.0), Ok(()));
}

#[test]
fn a_zero_histogram_is_a_reset() {
    let dir = scratch();
    let (db, _) = open(options(dir.path()));
    let (series, mut appender) = (labels(&[("__name__", "m")]), db.appender());
    let buckets = Buckets { schema: 2, zero_threshold: 0.001, ..Buckets::default() };
    let of = |count: u64, counter_reset| {
        let (buckets, sum) = (buckets.clone(), count as f64);
        Histogram { counter_reset, buckets, zero_count: count, count, sum, ..Histogram::default() }
    };
    let zero = Value::from(of(0, CounterReset::Reset));
    for (start, time, count) in [(1_000, 2_000, 5_u64), (2_500, 3_000, 7)] {
        appender.append_start(&series, ms(start), ms(time), zero.clone()).expect("the zero is taken");
        let histogram = NativeHistogram::from(of(count, CounterReset::Unknown));
        appender.append_histogram(&series, ms(time), histogram).expect("the sample is taken");
        appender.commit().expect("the log is written");
        appender = db.appender();
    }
    let broken = Histogram { count: 3, ..of(0, CounterReset::Reset) };
    let refused = appender.append_start(&series, ms(3_500), ms(4_000), Value::from(broken));
    assert!(matches!(refused, Err(AppendError::InvalidHistogram(_))), "{refused:?}");
    assert_eq!(counts(&db), [(1_000, 0), (2_000, 5), (2_500, 0), (3_000, 7)]);
    let set = block_on(db.select(&SelectRequest::new(vec![], TimeRange::ALL))).expect("selects");
    let chunks = set.series.flat_map(|series| series.expect("series").chunks);
    let known: Vec<_> = chunks.map(|chunk| (chunk.min_time.as_ms(), chunk.data[2] & KNOWN)).collect();
    assert_eq!(known, [(1_000, KNOWN_RESET), (2_500, KNOWN_RESET)], "a chunk for each life of the target");
}

/// The times and counts of histograms.
fn counts(db: &Db) -> Vec<(i64, u64)> {
    let set = block_on(db.select(&SelectRequest::new(vec![], TimeRange::ALL))).expect("selects");
    let mut all = Vec::new();
    for chunk in set.series.flat_map(|series| series.expect("series").chunks) {
        let mut values = chunk.values();
        while let Some((time, value)) = values.next().expect("readable") {
            let Value::Histogram(NativeHistogram::Int(histogram)) = value else { panic!("{value:?}") };
            all.push((time, histogram.count));
        }
    }
    all
}

/// The history may have newer samples of a series than those that are known while it is still being read.
#[test]
fn there_are_no_zeros_while_the_history_is_being_read() {
    let dir = scratch();
    let (db, _) = open(options(dir.path()));
    let up = labels(&[("__name__", "m")]);
    for time in 0..20_000 {
        append(&db, &[(&up, time, 1.0)]);
    }
    drop(db);
    let mut registry = Registry::default();
    let clock = Arc::new(ManualClock::new(Timestamp::from_ms(1_000_000)));
    let options = Options { load_in_background: true, out_of_order_window_ms: 50_000, ..options(dir.path()) };
    let db = Db::open(options, clock, &mut registry).expect("the directory opens");
    assert_eq!(begin(&db, 19_500, 20_500, 1.0), Err(AppendError::OutOfOrder));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let loaded = runtime.block_on(db.select(&SelectRequest::new(vec![], TimeRange::ALL))).expect("selects");
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let all = times(&db);
    assert_eq!(all.len(), 20_001);
    assert!(all.iter().all(|(_, value)| *value == 1.0));
    assert_eq!(begin(&db, 20_600, 21_000, 1.0), Ok(()));
}

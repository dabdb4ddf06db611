//! Appending, reading, cutting, forgetting.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use model::{MatchOp, Matcher, STALE_NAN, TimeRange, Timestamp};
use storage::{AppendError, Appendable, LabelRequest, Queryable, SeriesRef};
use tsdb::{Db, LockError, OpenError, Options};

use crate::fixture::{append, block_on, content, labels, metric, ms, open, options, scratch, select};

#[test]
fn a_commit_is_seen_whole_and_a_rollback_not_at_all() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    let (a, b) = (labels(&[("__name__", "a")]), labels(&[("__name__", "b")]));
    let mut first = db.appender();
    first.append(&a, ms(1000), 1.0).expect("taken");
    first.append(&b, ms(1000), STALE_NAN).expect("taken");
    assert!(content(&db).is_empty());
    first.commit().expect("stored");
    let mut second = db.appender();
    second.append(&a, ms(2000), 2.0).expect("taken");
    second.append(&labels(&[("__name__", "c")]), ms(2000), 2.0).expect("taken");
    second.rollback();
    let got = content(&db);
    assert_eq!(got.len(), 2);
    assert_eq!(got["a"], [(1000, 1.0_f64.to_bits())]);
    assert_eq!(got["b"], [(1000, STALE_NAN.to_bits())]);
    // What was rolled back leaves no trace for the next start either.
    drop(db);
    let (db, _registry) = open(options(dir.path()));
    assert_eq!(content(&db), got);
    assert_eq!(db.head_stats().series, 2);
}

#[test]
fn refuses_what_prometheus_refuses() {
    let dir = scratch();
    let (db, registry) = open(options(dir.path()));
    let a = labels(&[("__name__", "a")]);
    append(&db, &[(&a, 100_000, 1.0)]);
    let mut appender = db.appender();
    let mut check = |time: i64, value: f64, want: Result<(), AppendError>| {
        assert_eq!(appender.append(&a, ms(time), value).map(|_| ()), want, "{time} {value}");
    };
    check(100_000, 1.0, Ok(()));
    check(100_000, 2.0, Err(AppendError::DuplicateTimestamp));
    check(99_999, 1.0, Err(AppendError::OutOfOrder));
    check(69_999, 1.0, Err(AppendError::TooOld { time: ms(69_999), oldest: ms(70_000) }));
    check(100_001, 1.0, Ok(()));
    let empty = appender.append(&labels(&[]), ms(100_000), 1.0);
    assert!(matches!(empty, Err(AppendError::InvalidLabels { .. })), "{empty:?}");
    let unknown = appender.append_ref(SeriesRef(77), ms(100_000), 1.0);
    assert_eq!(unknown, Err(AppendError::UnknownSeries(SeriesRef(77))));
    appender.commit().expect("stored");
    assert_eq!(metric(&registry, "prometheus_tsdb_out_of_order_samples_total"), 1.0);
    assert_eq!(metric(&registry, "prometheus_tsdb_out_of_bound_samples_total"), 1.0);
    assert_eq!(metric(&registry, "prometheus_tsdb_head_samples_appended_total"), 2.0);
}

#[test]
fn of_two_racing_transactions_the_later_sample_stands() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    let a = labels(&[("__name__", "a")]);
    let (mut slow, mut quick) = (db.appender(), db.appender());
    slow.append(&a, ms(1000), 1.0).expect("taken");
    quick.append(&a, ms(2000), 2.0).expect("taken");
    quick.commit().expect("stored");
    slow.commit().expect("stored");
    assert_eq!(content(&db)["a"], [(2000, 2.0_f64.to_bits())]);
}

/// Readers see each commit in all its series or in none, also where a commit brings new series.
#[test]
fn readers_never_see_half_a_commit() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (db, done) = (&db, &done);
            scope.spawn(move || {
                for step in 0..400 {
                    let mut appender = db.appender();
                    for i in 0..20 {
                        // Half of the series are new with every commit.
                        let generation = if i % 2 == 0 { 0 } else { step };
                        let pairs = [("writer", writer), ("i", i), ("generation", generation)];
                        let labels = model::Labels::from_pairs(pairs.map(|(name, number)| (name, number.to_string())));
                        appender.append(&labels, ms(step * 20), step as f64).expect("taken");
                    }
                    appender.commit().expect("stored");
                }
                done.store(true, Ordering::SeqCst);
            });
        }
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                for writer in ["0", "1"] {
                    let all = select(&*db, vec![Matcher::equal("writer", writer)], TimeRange::ALL);
                    let count: usize = all.values().map(Vec::len).sum();
                    assert_eq!(count % 20, 0, "{count} samples");
                }
            }
        });
    });
    assert_eq!(content(&db).values().map(Vec::len).sum::<usize>(), 2 * 400 * 20);
}

#[test]
fn a_reference_is_a_short_way_to_a_series_until_the_series_is_gone() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    let (a, b) = (labels(&[("__name__", "a")]), labels(&[("__name__", "b")]));
    let mut appender = db.appender();
    let reference = appender.append(&a, ms(0), 1.0).expect("taken");
    appender.append_ref(reference, ms(1), 2.0).expect("taken");
    appender.append(&b, ms(200_000), 1.0).expect("taken");
    appender.append(&b, ms(230_000), 1.0).expect("taken");
    appender.commit().expect("stored");
    db.maintain().expect("maintained");
    let mut appender = db.appender();
    assert_eq!(appender.append_ref(reference, ms(200_000), 2.0), Err(AppendError::UnknownSeries(reference)));
    let again = appender.append(&a, ms(200_000), 2.0).expect("taken");
    assert_ne!(again, reference);
    appender.commit().expect("stored");
    assert_eq!(content(&db)["a"].len(), 3);
}

/// Series over ten minutes, one sample each ten seconds, cut into blocks of one minute.
fn fill(db: &Db, minutes: i64) {
    let series: Vec<_> =
        (0..5).map(|i| labels(&[("__name__", "m"), ("i", &i.to_string()), ("odd", ["", "yes"][i % 2])])).collect();
    for step in 0..minutes * 6 {
        let batch: Vec<_> =
            series.iter().enumerate().map(|(i, l)| (l, step * 10_000, (step * 10) as f64 + i as f64)).collect();
        append(db, &batch);
        if step % 7 == 0 {
            db.maintain().expect("maintained");
        }
    }
}

#[test]
fn blocks_and_head_are_one_answer() {
    let dir = scratch();
    let (db, registry) = open(options(dir.path()));
    fill(&db, 10);
    let blocks = db.blocks();
    assert!(blocks.len() >= 7, "{}", blocks.len());
    assert!(blocks.windows(2).all(|pair| pair[0].max_time <= pair[1].min_time));
    let all = content(&db);
    assert_eq!(all.len(), 5);
    assert!(all.values().all(|samples| samples.len() == 60));
    assert_eq!(metric(&registry, "prometheus_tsdb_blocks_loaded"), blocks.len() as f64);
    assert_eq!(metric(&registry, "prometheus_tsdb_compactions_total"), blocks.len() as f64);
    // The head holds what blocks don't.
    assert!(db.head_stats().min_time >= blocks.last().map(|block| block.max_time));
    let range = TimeRange::new(ms(55_000), ms(125_000));
    let some = select(&*db, vec![Matcher::equal("i", "3")], range);
    assert_eq!(some.values().map(Vec::len).collect::<Vec<_>>(), [7]);
    let none_odd = Matcher::new(MatchOp::NotRegex, "odd", "y.*").expect("valid");
    assert_eq!(select(&*db, vec![none_odd], TimeRange::ALL).len(), 3);
    drop(db);
    let (db, _registry) = open(options(dir.path()));
    assert_eq!(content(&db), all);
}

#[test]
fn names_and_values_of_labels() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    fill(&db, 5);
    let request = |matchers: Vec<Matcher>, limit| LabelRequest { matchers, range: TimeRange::ALL, limit };
    let even = || vec![Matcher::equal("odd", ""), Matcher::equal("__name__", "m")];
    assert_eq!(block_on(db.label_names(&request(vec![], 0))).expect("names"), ["__name__", "i", "odd"]);
    assert_eq!(block_on(db.label_names(&request(even(), 0))).expect("names"), ["__name__", "i"]);
    assert_eq!(block_on(db.label_values("i", &request(vec![], 2))).expect("values"), ["0", "1"]);
    assert_eq!(block_on(db.label_values("i", &request(even(), 0))).expect("values"), ["0", "2", "4"]);
    assert_eq!(block_on(db.label_values("none", &request(vec![], 0))).expect("values"), [""; 0]);
    let status = db.status(1);
    assert_eq!(status.series_count_by_metric_name[0].name, "m");
    assert_eq!(status.label_value_count_by_label_name[0].value, 5);
    assert_eq!(db.min_time(), Some(ms(0)));
}

#[test]
fn blocks_beyond_the_retention_are_deleted() {
    let dir = scratch();
    let (db, _registry) = open(Options { retention_ms: 180_000, ..options(dir.path()) });
    fill(&db, 10);
    let blocks = db.blocks();
    assert!(blocks.len() <= 3, "{}", blocks.len());
    let folders = fs::read_dir(dir.path()).expect("dir").filter(|e| e.as_ref().expect("entry").file_name().len() == 26);
    assert_eq!(folders.count(), blocks.len());
    assert_eq!(db.min_time(), blocks.first().map(|block| block.min_time));
}

#[test]
fn a_held_block_stays_beyond_the_retention() {
    let dir = scratch();
    let (db, _registry) = open(Options { retention_ms: 180_000, ..options(dir.path()) });
    db.hold_blocks(|_| true);
    fill(&db, 10);
    assert_eq!(db.min_time(), Some(ms(0)), "nothing was deleted");
    db.hold_blocks(|_| false);
    db.maintain().expect("retention");
    assert!(db.min_time() > Some(ms(0)), "what is no longer held went");
}

#[test]
fn the_log_is_shortened_and_nothing_is_lost() {
    let dir = scratch();
    let (db, _registry) = open(Options { wal_segment_bytes: 32 << 10, ..options(dir.path()) });
    fill(&db, 60);
    let all = content(&db);
    let segments = fs::read_dir(dir.path().join("wal")).expect("dir").count();
    assert!(segments < 12, "{segments} files in the log");
    assert!(
        fs::read_dir(dir.path().join("wal"))
            .expect("dir")
            .any(|entry| { entry.expect("entry").file_name().to_string_lossy().starts_with("checkpoint.") })
    );
    drop(db);
    let (db, registry) = open(options(dir.path()));
    assert_eq!(content(&db), all);
    assert_eq!(metric(&registry, "prometheus_tsdb_wal_corruptions_total"), 0.0);
}

#[test]
fn the_same_data_makes_the_same_blocks() {
    let names = |dir: &std::path::Path| {
        let (db, _registry) = open(options(dir));
        fill(&db, 5);
        db.blocks().iter().map(|block| block.ulid).collect::<Vec<_>>()
    };
    let (one, two) = (scratch(), scratch());
    assert_eq!(names(one.path()), names(two.path()));
}

#[test]
fn everything_can_be_flushed_and_a_snapshot_is_a_database() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    fill(&db, 5);
    let all = content(&db);
    let name = db.snapshot_name();
    assert_eq!(name.find("Z-").map(|at| name.len() - at), Some(18), "{name}");
    let copy = dir.path().join("snapshots").join(name);
    db.snapshot(&copy, true).expect("snapshot");
    let (from_copy, _registry) = open(options(&copy));
    assert_eq!(content(&from_copy), all);
    assert_eq!(from_copy.head_stats().series, 0);
    db.flush_head(Timestamp::MAX).expect("flushed");
    assert_eq!(db.head_stats().series, 0);
    assert_eq!(content(&db), all);
    // The head takes samples again afterwards.
    append(&db, &[(&labels(&[("__name__", "m")]), 1_000_000, 1.0)]);
    assert_eq!(content(&db).len(), 6);
}

#[test]
fn a_second_database_on_a_directory_is_refused() {
    let dir = scratch();
    let (_db, mut registry) = open(options(dir.path()));
    let clock = std::sync::Arc::new(model::ManualClock::default());
    let error = Db::open(options(dir.path()), clock, &mut registry).expect_err("locked");
    assert!(matches!(error, OpenError::Lock(LockError::Held { .. })), "{error}");
}

#[test]
fn a_broken_block_is_set_aside_and_the_rest_goes_on() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    fill(&db, 5);
    let blocks = db.blocks();
    drop(db);
    let index = dir.path().join(blocks[1].ulid.to_string()).join("index");
    let mut bytes = fs::read(&index).expect("index");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&index, bytes).expect("written");
    let (db, registry) = open(options(dir.path()));
    assert_eq!(db.blocks().len(), blocks.len() - 1);
    assert_eq!(db.blocks_set_aside().len(), 1);
    assert_eq!(metric(&registry, "watershed_tsdb_blocks_set_aside"), 1.0);
    assert!(index.exists());
    assert_eq!(content(&db).values().map(Vec::len).collect::<Vec<_>>(), [24; 5]);
}

#[test]
fn a_clean_stop_is_told_from_a_death() {
    let dir = scratch();
    let starts = [true, false, true].map(|close| {
        let (db, registry) = open(options(dir.path()));
        if close {
            db.close().expect("closed");
        }
        metric(&registry, "prometheus_tsdb_clean_start")
    });
    assert_eq!(starts, [1.0, 1.0, 0.0]);
    assert!(!dir.path().join("lock").exists());
}

/// The bytes of the files of full chunks.
fn head_chunk_bytes(dir: &std::path::Path) -> u64 {
    let files = fs::read_dir(dir.join("chunks_head")).into_iter().flatten().flatten();
    files.map(|entry| entry.metadata().expect("metadata").len()).sum()
}

#[test]
fn full_chunks_are_written_when_told_and_only_then() {
    let dir = scratch();
    let (db, _registry) = open(Options { min_block_ms: 7_200_000, max_block_ms: 7_200_000, ..options(dir.path()) });
    let a = labels(&[("__name__", "a")]);
    (0..200).for_each(|step| append(&db, &[(&a, step * 1000, step as f64)]));
    let all = content(&db);
    assert_eq!(head_chunk_bytes(dir.path()), 0, "it waits");
    db.flush();
    let bytes = head_chunk_bytes(dir.path());
    assert!(bytes > 8, "{bytes}");
    db.flush();
    assert_eq!(head_chunk_bytes(dir.path()), bytes, "nothing waits any more");
    assert_eq!(content(&db), all);
    drop(db);
    let (db, registry) = open(Options { min_block_ms: 7_200_000, max_block_ms: 7_200_000, ..options(dir.path()) });
    assert_eq!(content(&db), all);
    assert_eq!(metric(&registry, "watershed_tsdb_head_chunks_loaded_total"), 1.0);
}

//! What hangs on series besides samples: exemplars and metadata; and the bound on the future.

use std::sync::Arc;

use model::{Exemplar, Labels, ManualClock, Matcher, Metadata, MetricType, TimeRange};
use prometheus_client::registry::Registry;
use storage::{AppendError, Appendable, ExemplarQueryable, SeriesRef};
use tsdb::{Db, Options};

use crate::fixture::{append, block_on, content, copy_dir, labels, metric, ms, open, options, scratch};

fn exemplar(time: i64, trace: &str) -> Exemplar {
    Exemplar { labels: Labels::from_pairs([("trace_id", trace)]), value: 0.5, time: ms(time) }
}

fn help(text: &str) -> Metadata {
    Metadata { kind: MetricType::Counter, unit: "seconds".to_owned(), help: text.to_owned() }
}

/// The times of the exemplars of `m`, with the series they belong to.
fn exemplars(db: &Db) -> Vec<(String, Vec<i64>)> {
    let found = block_on(db.exemplars(&[vec![Matcher::equal("__name__", "m")]], TimeRange::ALL)).expect("answers");
    found
        .iter()
        .map(|s| (s.labels.value("i").to_owned(), s.exemplars.iter().map(|e| e.time.as_ms()).collect()))
        .collect()
}

fn series(i: usize) -> Labels {
    labels(&[("__name__", "m"), ("i", &i.to_string())])
}

/// One sample, one exemplar, metadata, all in one commit.
fn append_all(db: &Db, i: usize, time: i64, text: &str) {
    let mut appender = db.appender();
    let reference = appender.append(&series(i), ms(time), 1.0).expect("taken");
    appender.append_exemplar(reference, &exemplar(time, "abc")).expect("taken");
    appender.append_metadata(reference, &help(text)).expect("taken");
    appender.commit().expect("stored");
}

#[test]
fn exemplars_and_metadata_are_there_after_a_kill() {
    let (dir, copy) = (scratch(), scratch());
    let (db, registry) = open(options(dir.path()));
    for time in [1000, 2000, 3000] {
        for i in 0..3 {
            append_all(&db, i, time + i as i64, if time < 3000 { "Busy." } else { "Idle." });
        }
    }
    let want: Vec<_> = (0..3).map(|i| (i.to_string(), vec![1000 + i, 2000 + i, 3000 + i])).collect();
    assert_eq!(exemplars(&db), want);
    assert_eq!(metric(&registry, "prometheus_tsdb_exemplar_exemplars_appended_total"), 9.0);
    assert_eq!(metric(&registry, "prometheus_tsdb_exemplar_series_with_exemplars_in_storage"), 3.0);
    copy_dir(dir.path(), copy.path());
    let (back, registry) = open(options(copy.path()));
    assert_eq!(exemplars(&back), want);
    assert_eq!(back.series_metadata(&series(1)).as_deref(), Some(&help("Idle.")));
    assert_eq!(back.series_metadata(&series(9)), None);
    assert_eq!(metric(&registry, "prometheus_tsdb_wal_corruptions_total"), 0.0);
}

#[test]
fn a_rollback_leaves_nothing() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    let mut appender = db.appender();
    let reference = appender.append(&series(1), ms(1000), 1.0).expect("taken");
    appender.append_exemplar(reference, &exemplar(1000, "abc")).expect("taken");
    appender.append_metadata(reference, &help("Busy.")).expect("taken");
    assert_eq!((exemplars(&db), db.series_metadata(&series(1))), (vec![], None));
    appender.rollback();
    assert_eq!((exemplars(&db), db.series_metadata(&series(1))), (vec![], None));
}

#[test]
fn what_cannot_be_attached_is_refused() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    append_all(&db, 1, 5000, "Busy.");
    let mut appender = db.appender();
    let reference = appender.append(&series(1), ms(6000), 1.0).expect("taken");
    assert_eq!(appender.append_exemplar(reference, &exemplar(5000, "abc")), Ok(()), "a repeat is taken");
    assert_eq!(appender.append_exemplar(reference, &exemplar(4000, "abc")), Err(AppendError::OutOfOrder));
    let long = appender.append_exemplar(reference, &exemplar(6000, &"x".repeat(121)));
    assert!(matches!(long, Err(AppendError::InvalidExemplar(_))), "{long:?}");
    let unknown = SeriesRef(77);
    let error = Err(AppendError::UnknownSeries(unknown));
    assert_eq!(appender.append_exemplar(unknown, &exemplar(6000, "abc")), error);
    assert_eq!(appender.append_metadata(unknown, &help("Busy.")), error);
    appender.commit().expect("stored");
    assert_eq!(exemplars(&db), [("1".to_owned(), vec![5000])]);
}

#[test]
fn the_ring_is_as_long_as_it_is_told_to_be() {
    let (dir, copy) = (scratch(), scratch());
    let (db, registry) = open(Options { max_exemplars: 4, ..options(dir.path()) });
    (1..=6).for_each(|i| append_all(&db, 0, i * 1000, "Busy."));
    assert_eq!(exemplars(&db), [("0".to_owned(), vec![3000, 4000, 5000, 6000])]);
    db.set_max_exemplars(2);
    assert_eq!(exemplars(&db), [("0".to_owned(), vec![5000, 6000])]);
    assert_eq!(metric(&registry, "prometheus_tsdb_exemplar_max_exemplars"), 2.0);
    copy_dir(dir.path(), copy.path());
    let (none, _registry) = open(Options { max_exemplars: 0, ..options(copy.path()) });
    append_all(&none, 0, 7000, "Busy.");
    assert_eq!(exemplars(&none), []);
}

/// Blocks are cut, the log becomes a checkpoint: exemplars from the head's time on and the newest metadata stay.
#[test]
fn a_checkpoint_keeps_exemplars_and_metadata() {
    let (dir, copy) = (scratch(), scratch());
    let (db, _registry) = open(Options { wal_segment_bytes: 32 << 10, ..options(dir.path()) });
    let mut checkpoints = 0;
    for step in 0..3000_i64 {
        append_all(&db, 0, step * 1000, if step < 10 { "Busy." } else { "Idle." });
        append(&db, &[(&series(1), step * 1000, step as f64)]);
        if step % 60 == 0 {
            checkpoints += i32::from(db.maintain().expect("maintained").checkpointed);
        }
    }
    assert!(checkpoints > 2, "{checkpoints}");
    copy_dir(dir.path(), copy.path());
    let (back, registry) = open(options(copy.path()));
    assert_eq!(content(&back), content(&db));
    assert_eq!(back.series_metadata(&series(0)).as_deref(), Some(&help("Idle.")));
    let (all, kept) = (exemplars(&db), exemplars(&back));
    assert!(all[0].1.ends_with(&kept[0].1) && kept[0].1.len() >= 60, "{} of {}", kept[0].1.len(), all[0].1.len());
    assert_eq!(metric(&registry, "prometheus_tsdb_wal_corruptions_total"), 0.0);
}

#[test]
fn a_sample_from_the_future_is_refused() {
    let dir = scratch();
    let mut registry = Registry::default();
    let clock = Arc::new(ManualClock::new(ms(1_000_000)));
    let db = Db::open(options(dir.path()), clock.clone(), &mut registry).expect("opens");
    let mut appender = db.appender();
    let newest = ms(1_600_000);
    assert!(appender.append(&series(1), newest, 1.0).is_ok());
    let time = ms(1_600_001);
    let error = AppendError::TooNew { time, newest };
    assert_eq!(appender.append(&series(1), time, 1.0), Err(error));
    appender.commit().expect("stored");
    assert_eq!(metric(&registry, "watershed_tsdb_too_new_samples_total"), 1.0);
    clock.advance(1);
    append(&db, &[(&series(1), 1_600_001, 1.0)]);
    drop(db);
    // Tools that fill in history know no future.
    let mut registry = Registry::default();
    let db = Db::open(Options { max_future_ms: 0, ..options(dir.path()) }, clock, &mut registry).expect("opens");
    append(&db, &[(&series(1), i64::MAX / 2, 1.0)]);
}

#[test]
fn the_written_log_can_be_synced() {
    let dir = scratch();
    let (db, registry) = open(Options { wal_segment_bytes: 32 << 10, ..options(dir.path()) });
    let count = || metric(&registry, "prometheus_tsdb_wal_fsync_duration_seconds_count");
    db.sync_log().expect("synced");
    let first = count();
    db.sync_log().expect("nothing to sync");
    assert_eq!(count(), first);
    (1..2000).for_each(|i| append_all(&db, 0, i, "Busy."));
    db.sync_log().expect("synced");
    assert_eq!(count(), first + 1.0);
}

//! Samples that come after newer ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use model::{Labels, NativeHistogram, TimeRange};
use proptest::prelude::*;
use storage::chunk::Value;
use storage::{AppendError, Appendable};
use tsdb::{Db, Options};

use crate::fixture::{Content, append, content, copy_dir, labels, metric, ms, open, options, scratch, select};

fn late_options(dir: &Path) -> Options {
    Options { out_of_order_window_ms: 50_000, ..options(dir) }
}

fn a() -> Labels {
    labels(&[("__name__", "a")])
}

fn times(db: &Db) -> Vec<i64> {
    content(db).get("a").or(content(db).get("{__name__=\"a\"}")).map_or(Vec::new(), |s| s.iter().map(|s| s.0).collect())
}

/// The database as it would be after a kill.
fn killed(dir: &Path) -> (tempfile::TempDir, std::sync::Arc<Db>, prometheus_client::registry::Registry) {
    let copy = scratch();
    copy_dir(dir, copy.path());
    let (db, registry) = open(late_options(copy.path()));
    (copy, db, registry)
}

fn late_segments(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir.join("wbl"))
        .expect("a log")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    names
}

#[test]
fn late_samples_are_taken_merged_and_survive() {
    let dir = scratch();
    let (db, registry) = open(late_options(dir.path()));
    append(&db, &[(&a(), 50_000, 5.0)]);
    append(&db, &[(&a(), 20_000, 2.0), (&labels(&[("__name__", "new")]), 15_000, 1.0)]);
    append(&db, &[(&a(), 60_000, 6.0), (&a(), 30_000, 3.0), (&a(), 55_000, 5.5), (&a(), 61_000, 6.1)]);
    let want = vec![20_000, 30_000, 50_000, 55_000, 60_000, 61_000];
    assert_eq!(times(&db), want);
    assert_eq!(metric(&registry, "prometheus_tsdb_head_out_of_order_samples_appended_total"), 4.0);
    // Repeats and conflicts, with samples in order and late ones.
    append(&db, &[(&a(), 20_000, 2.0), (&a(), 50_000, 5.0), (&a(), 61_000, 6.1)]);
    let mut appender = db.appender();
    for (time, value) in [(20_000, 9.0), (50_000, 9.0), (61_000, 9.0)] {
        let refused = appender.append(&a(), ms(time), value).expect_err("another value is there");
        assert_eq!(refused, AppendError::DuplicateTimestamp, "{time}");
    }
    let refused = appender.append(&a(), ms(10_999), 1.0).expect_err("too old");
    assert!(matches!(refused, AppendError::BeyondWindow { oldest, .. } if oldest == ms(11_000)), "{refused}");
    appender.commit().expect("nothing to do");
    assert_eq!(metric(&registry, "prometheus_tsdb_too_old_samples_total"), 1.0);
    assert_eq!(metric(&registry, "prometheus_tsdb_out_of_order_samples_total"), 0.0);
    assert_eq!(times(&db), want);
    let range = select(&*db, vec![], TimeRange::new(ms(15_000), ms(15_000)));
    assert_eq!(range.len(), 1, "{range:?}");
    let (_copy, back, _registry) = killed(dir.path());
    assert_eq!(content(&back), content(&db));
}

#[test]
fn without_a_window_they_are_refused() {
    let dir = scratch();
    let (db, registry) = open(options(dir.path()));
    append(&db, &[(&a(), 50_000, 5.0)]);
    let refused = db.appender().append(&a(), ms(49_000), 2.0).expect_err("late");
    assert_eq!(refused, AppendError::OutOfOrder);
    assert_eq!(metric(&registry, "prometheus_tsdb_out_of_order_samples_total"), 1.0);
    assert!(!dir.path().join("wbl").exists());
}

#[test]
fn many_late_samples_become_chunks_with_markers() {
    let dir = scratch();
    let (db, _registry) = open(late_options(dir.path()));
    append(&db, &[(&a(), 40_000, 0.0)]);
    for step in 0..150_i64 {
        let time = 1 + (step * 7919) % 40_000;
        append(&db, &[(&a(), time, time as f64)]);
    }
    assert_eq!(times(&db).len(), 151);
    let (copy, back, registry) = killed(dir.path());
    assert_eq!(content(&back), content(&db));
    assert_eq!(metric(&registry, "watershed_tsdb_head_chunks_loaded_total"), 4.0);
    assert_eq!(metric(&registry, "prometheus_tsdb_head_chunks"), 6.0, "one in order, four full late ones, one open");
    drop(back);
    // Without the chunks, their samples are in the log.
    fs::remove_dir_all(copy.path().join("chunks_head")).expect("removed");
    let (back, registry) = open(late_options(copy.path()));
    assert_eq!(content(&back), content(&db));
    assert_eq!(metric(&registry, "watershed_tsdb_head_chunks_loaded_total"), 0.0);
}

#[test]
fn a_cut_takes_late_samples_along_and_shortens_their_log() {
    let dir = scratch();
    let (db, _registry) = open(late_options(dir.path()));
    for step in 0..11_i64 {
        append(&db, &[(&a(), step * 10_000, step as f64)]);
    }
    append(&db, &[(&a(), 69_000, 6.9), (&a(), 75_000, 7.5)]);
    db.maintain().expect("cut");
    assert_eq!(db.blocks().len(), 1);
    let want = content(&db);
    assert_eq!(db.blocks()[0].stats.num_samples, 6);
    // Into a range that is cut: a block of its own with the next cut.
    append(&db, &[(&a(), 59_999, 6.0), (&a(), 61_000, 6.1)]);
    append(&db, &[(&a(), 101_000, 10.1)]);
    let (_copy, back, _) = killed(dir.path());
    assert_eq!(content(&back), content(&db));
    for step in 11..17_i64 {
        append(&db, &[(&a(), step * 10_000, step as f64)]);
    }
    db.maintain().expect("cut");
    assert_eq!(late_segments(dir.path()).len(), 1, "what was sealed is gone");
    let blocks = db.blocks();
    let late: Vec<_> = blocks.iter().filter(|block| block.compaction.hints == ["from-out-of-order"]).collect();
    assert_eq!(late.len(), 1, "{blocks:?}");
    assert_eq!((late[0].stats.num_samples, late[0].max_time), (1, ms(60_000)));
    let all = content(&db);
    assert!(want.iter().all(|(series, samples)| samples.iter().all(|sample| all[series].contains(sample))));
    assert_eq!(all.values().map(Vec::len).sum::<usize>(), 22);
    let (_copy, back, _) = killed(dir.path());
    assert_eq!(content(&back), all);
}

/// The counts of all histograms of the database, by time.
fn histogram_counts(db: &Db) -> Vec<(i64, u64)> {
    let request = storage::SelectRequest::new(vec![], TimeRange::ALL);
    let set = crate::fixture::block_on(storage::Queryable::select(db, &request)).expect("selects");
    let mut out = BTreeMap::new();
    for chunk in set.series.flat_map(|series| series.expect("readable").chunks) {
        let mut values = chunk.values();
        while let Some((time, value)) = values.next().expect("valid") {
            let Value::Histogram(NativeHistogram::Int(histogram)) = value else { continue };
            out.insert(time, histogram.count);
        }
    }
    out.into_iter().collect()
}

#[test]
fn late_histograms_are_kept_as_they_are() {
    let dir = scratch();
    let (db, registry) = open(late_options(dir.path()));
    let histogram = |count: u64| {
        let buckets =
            model::Buckets { positive_spans: vec![model::Span { offset: 0, length: 1 }], ..model::Buckets::default() };
        let positive = vec![count as i64];
        NativeHistogram::Int(Box::new(model::Histogram {
            count,
            sum: count as f64,
            buckets,
            positive,
            ..model::Histogram::default()
        }))
    };
    let mut want = Vec::new();
    for step in 0..101_i64 {
        // The newest first, then 100 late ones criss-cross, each in a commit with a float of another series.
        let time = if step == 0 { 40_000 } else { (step * 37 % 101) * 100 };
        let mut appender = db.appender();
        appender.append_histogram(&a(), ms(time), histogram(time as u64 + 1)).expect("taken");
        appender.append(&labels(&[("__name__", "f")]), ms(40_000 + step), 1.0).expect("taken");
        appender.commit().expect("stored");
        want.push((time, time as u64 + 1));
    }
    want.sort_unstable();
    assert_eq!(histogram_counts(&db), want);
    assert_eq!(metric(&registry, "watershed_tsdb_head_chunk_writes_failed_total"), 0.0);
    let refused = db.appender().append_histogram(&a(), ms(100), histogram(7)).expect_err("another value is there");
    assert_eq!(refused, AppendError::DuplicateTimestamp);
    let (_copy, back, registry) = killed(dir.path());
    assert_eq!(histogram_counts(&back), want);
    assert!(metric(&registry, "watershed_tsdb_head_chunks_loaded_total") >= 3.0);
    db.flush_head(ms(50_000)).expect("cut");
    assert_eq!(histogram_counts(&db), want);
    let (_copy, back, _registry) = killed(dir.path());
    assert_eq!(histogram_counts(&back), want);
}

#[test]
fn the_window_counts_from_blocks_when_the_head_is_empty() {
    let dir = scratch();
    let (db, _registry) = open(late_options(dir.path()));
    append(&db, &[(&a(), 100_000, 1.0)]);
    db.flush_head(ms(100_001)).expect("cut");
    for reopened in [false, true] {
        let again;
        let db = if reopened {
            again = killed(dir.path());
            &again.1
        } else {
            &db
        };
        let refused = db.appender().append(&a(), ms(50_000), 2.0).expect_err("too old");
        assert!(matches!(refused, AppendError::BeyondWindow { oldest, .. } if oldest == ms(50_001)), "{refused}");
        append(db, &[(&a(), 50_001, 2.0)]);
        assert_eq!(times(db), [50_001, 100_000]);
    }
}

/// A series that was removed and came back has two numbers in the log; its late chunks may be under either.
#[test]
fn a_series_of_two_numbers_keeps_its_late_chunks() {
    let dir = scratch();
    let (db, _registry) = open(late_options(dir.path()));
    append(&db, &[(&a(), 99_000, 0.0)]);
    db.flush_head(ms(100_000)).expect("flushed"); // the series is removed
    append(&db, &[(&a(), 130_000, 0.0)]);
    let mut want = vec![99_000, 130_000];
    let late = |db: &Db, first: i64, want: &mut Vec<i64>| {
        // Forty make a chunk, which is written when one more comes.
        let (labels, more): (_, Vec<i64>) = (a(), (0..40).map(|i| first + i * 10).collect());
        append(db, &more.iter().map(|time| (&labels, *time, 1.0)).collect::<Vec<_>>());
        append(db, &[(&labels, first + 1000, 1.0)]);
        want.extend(more);
        want.push(first + 1000);
    };
    late(&db, 112_000, &mut want);
    let (dir, db, _registry) = killed(dir.path());
    // The head is cut before these chunks, so that they are logged again, under the other number.
    append(&db, &[(&a(), 101_000, 1.0)]);
    want.push(101_000);
    db.flush_head(ms(105_000)).expect("flushed");
    late(&db, 121_000, &mut want);
    want.sort_unstable();
    assert_eq!(times(&db), want);
    let (_dir, db, _registry) = killed(dir.path());
    assert_eq!(times(&db), want);
}

#[derive(Debug, Clone)]
enum Step {
    /// A transaction: (series, milliseconds after the newest so far).
    Append(Vec<(u8, i32)>),
    Maintain,
    Flush,
    Compact,
    Restart,
    Kill(Damage),
}

/// What happens to a directory beside the kill.
#[derive(Debug, Clone)]
enum Damage {
    None,
    /// All head chunks are gone.
    NoChunks,
    /// One byte of a file of head chunks is another.
    Chunks(prop::sample::Index, prop::sample::Index),
    /// The newest file of head chunks ends early: complete ones are on disk before the next is begun.
    TornChunks(prop::sample::Index),
    /// The newest segment of the log ends early.
    TornLog(prop::sample::Index),
}

fn any_damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => Just(Damage::None),
        1 => Just(Damage::NoChunks),
        2 => (index(), index()).prop_map(|(file, byte)| Damage::Chunks(file, byte)),
        2 => index().prop_map(Damage::TornChunks),
        1 => index().prop_map(Damage::TornLog),
    ]
}

fn files_in(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .map(|entries| entries.map(|entry| entry.expect("entry").path()).filter(|path| path.is_file()).collect())
        .unwrap_or_default();
    files.sort();
    files
}

impl Damage {
    /// Does it; tells whether the log lost something.
    fn to(&self, dir: &Path) -> bool {
        let chunks = files_in(&dir.join("chunks_head"));
        match self {
            Damage::None => {}
            Damage::NoChunks => fs::remove_dir_all(dir.join("chunks_head")).expect("removed"),
            Damage::Chunks(..) | Damage::TornChunks(..) if chunks.is_empty() => {}
            Damage::Chunks(file, byte) => {
                let path = file.get(&chunks);
                let mut bytes = fs::read(path).expect("a file");
                let at = byte.index(bytes.len());
                bytes[at] ^= 0x21;
                fs::write(path, bytes).expect("written");
            }
            Damage::TornChunks(end) => {
                let path = chunks.last().expect("a file");
                let bytes = fs::read(path).expect("a file");
                fs::write(path, &bytes[..end.index(bytes.len())]).expect("written");
            }
            Damage::TornLog(end) => {
                let segments = files_in(&dir.join("wal"));
                let Some(path) = segments.last() else { return false };
                let bytes = fs::read(path).expect("a file");
                fs::write(path, &bytes[..end.index(bytes.len() + 1)]).expect("written");
                return true;
            }
        }
        false
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let samples = proptest::collection::vec((0..4_u8, -55_000..3_000_i32), 1..80);
    prop_oneof![
        12 => samples.prop_map(Step::Append),
        3 => Just(Step::Maintain),
        1 => Just(Step::Flush),
        1 => Just(Step::Compact),
        1 => Just(Step::Restart),
        3 => any_damage().prop_map(Step::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_order_they_come_in(steps in proptest::collection::vec(any_step(), 1..30)) {
        let mut dirs = vec![scratch()];
        let small = |dir: &tempfile::TempDir| Options { wal_segment_bytes: 32 << 10, ..late_options(dir.path()) };
        let (mut db, mut _registry) = open(small(&dirs[0]));
        let mut want: BTreeMap<String, BTreeMap<i64, u64>> = BTreeMap::new();
        let mut now = 100_000;
        let mut log_is_whole = true;
        let mut done = Vec::new();
        for step in steps {
            done.push(format!("{step:?}").chars().take(8).collect::<String>());
            match step {
                Step::Append(samples) => {
                    let mut appender = db.appender();
                    for (series, after) in samples {
                        let time = now + i64::from(after);
                        now = now.max(time);
                        let labels = labels(&[("__name__", "m"), ("series", &series.to_string())]);
                        // The same time has the same value, whoever brings it: a late one can't be compared with blocks.
                        let value = (time * 31 + i64::from(series)) as f64;
                        if appender.append(&labels, ms(time), value).is_ok() {
                            want.entry(labels.to_string()).or_default().insert(time, value.to_bits());
                        }
                    }
                    appender.commit().expect("stored");
                }
                Step::Maintain => { db.maintain().expect("maintained"); }
                Step::Flush => { db.flush_head(ms(now)).expect("flushed"); }
                Step::Compact => { while db.compact().expect("compacted").is_some() {} }
                Step::Restart => {
                    db.close().expect("closed");
                    drop(db);
                    (db, _registry) = open(small(&dirs[dirs.len() - 1]));
                }
                Step::Kill(damage) => {
                    let next = scratch();
                    copy_dir(dirs[dirs.len() - 1].path(), next.path());
                    // Once the log has lost something, head chunks may be the only ones to have it.
                    log_is_whole &= !damage.to(next.path());
                    drop(db);
                    (db, _registry) = open(small(&next));
                    dirs.push(next);
                    if !log_is_whole {
                        // What the log has lost is lost, and nothing else comes of it.
                        let got = content(&db);
                        for (series, samples) in &mut want {
                            let there: BTreeMap<i64, u64> = got.get(series).into_iter().flatten().copied().collect();
                            prop_assert!(there.iter().all(|(time, bits)| samples.get(time) == Some(bits)));
                            *samples = there;
                        }
                        want.retain(|_, samples| !samples.is_empty());
                    }
                }
            }
            let got = content(&db);
            let want: Content =
                want.iter().map(|(series, samples)| (series.clone(), samples.iter().map(|(t, v)| (*t, *v)).collect())).collect();
            let lost: Vec<_> = want
                .iter()
                .flat_map(|(series, samples)| samples.iter().map(move |sample| (series, sample)))
                .filter(|(series, sample)| !got.get(*series).is_some_and(|got| got.contains(sample)))
                .take(5)
                .collect();
            prop_assert!(got == want, "after {:?}: lost {lost:?}, at {now}", done);
        }
    }
}

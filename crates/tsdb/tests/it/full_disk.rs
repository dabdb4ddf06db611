//! A disk without room: commits fail and say so, nothing half-written stays, reading goes on, and storing resumes by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::Labels;
use storage::Appendable;
use tsdb::{Db, Options};

use crate::fixture::{Content, content, labels, metric, ms, open, options};

/// A file system of half a MiB. Only root can mount one.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().ok()?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"]).arg(dir.path()).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            eprintln!("full_disk: skipped, a small file system can't be mounted here");
            return None;
        }
        Some(SmallDisk { dir })
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn ballast(&self) -> PathBuf {
        self.dir.path().join("ballast")
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut ballast = fs::File::create(self.ballast()).expect("a file");
        let _full = std::io::copy(&mut std::io::repeat(7), &mut ballast);
    }

    fn free(&self) {
        fs::remove_file(self.ballast()).expect("it is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It may be busy for a moment; the machine's cleaning takes what stays.
        let _unmounted = Command::new("umount").arg("-l").arg(self.dir.path()).status();
    }
}

fn small_options(dir: &Path) -> Options {
    Options { wal_segment_bytes: 32 << 10, ..options(dir) }
}

fn series() -> Vec<Labels> {
    (0..50).map(|i| labels(&[("__name__", "m"), ("i", &i.to_string())])).collect()
}

/// Appends a sample to every series; whether that was stored.
fn try_append(db: &Db, series: &[Labels], step: i64) -> Result<(), std::io::ErrorKind> {
    let mut appender = db.appender();
    for (i, labels) in series.iter().enumerate() {
        // Values that don't compress, so that the disk is full soon.
        appender.append(labels, ms(step * 1000), (step * 50 + i as i64) as f64 * 0.37).expect("taken");
    }
    appender.commit().map_err(|error| error.source.expect("a cause").kind())
}

/// Appends until the disk is full; the answer is the step that failed.
fn append_until_full(db: &Db, series: &[Labels], from: i64) -> i64 {
    for step in from..from + 5000 {
        if let Err(kind) = try_append(db, series, step) {
            assert_eq!(kind, std::io::ErrorKind::StorageFull);
            return step;
        }
    }
    panic!("the disk never became full");
}

#[test]
fn a_full_disk_costs_what_was_not_acknowledged_and_nothing_else() {
    let Some(disk) = SmallDisk::mount() else { return };
    let series = series();
    let (db, registry) = open(small_options(&disk.data()));
    let mut step = 0;
    let mut before = Content::new();
    for round in 0..3 {
        disk.fill();
        step = append_until_full(&db, &series, step);
        assert_eq!(metric(&registry, "watershed_tsdb_storing_failed"), 1.0);
        // Still full: it fails again, and reading goes on.
        assert!(try_append(&db, &series, step + 1).is_err());
        before = content(&db);
        assert!(before.values().all(|samples| samples.len() as i64 >= step - 2 * round), "{step}");
        disk.free();
        step += 2;
        try_append(&db, &series, step).expect("there is room again");
        assert_eq!(metric(&registry, "watershed_tsdb_storing_failed"), 0.0);
        step += 1;
    }
    assert!(metric(&registry, "prometheus_tsdb_wal_writes_failed_total") >= 6.0);
    let want = content(&db);
    assert!(want.len() == series.len() && want != before);
    drop(db);
    let (back, registry) = open(small_options(&disk.data()));
    assert_eq!(content(&back), want);
    assert_eq!(metric(&registry, "prometheus_tsdb_wal_corruptions_total"), 0.0);
}

#[test]
fn maintenance_on_a_full_disk_loses_nothing_and_catches_up() {
    let Some(disk) = SmallDisk::mount() else { return };
    let series = series();
    let (db, _registry) = open(small_options(&disk.data()));
    for step in 0..200 {
        try_append(&db, &series, step).expect("stored");
    }
    let want = content(&db);
    disk.fill();
    for _ in 0..3 {
        let error = db.maintain().expect_err("a block is due and there is no room for it");
        assert!(error.to_string().starts_with("cannot "), "{error}");
        assert_eq!(content(&db), want);
    }
    disk.free();
    while !db.maintain().expect("there is room again").cut.is_empty() {}
    assert!(!db.blocks().is_empty());
    assert_eq!(content(&db), want);
    drop(db);
    assert_eq!(content(&open(small_options(&disk.data())).0), want);
}

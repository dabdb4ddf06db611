//! What a start costs: reading the whole log, or beginning with a chunk snapshot; and what writing that takes.
//!
//! `cargo bench -p tsdb --bench start -- [SERIES] [SAMPLES]`, by default 100 000 series and 240 samples each, 15 s apart: an hour. The
//! files are in the system's cache.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use model::{Labels, ManualClock, Timestamp};
use prometheus_client::registry::Registry;
use storage::{Appendable, SeriesRef};
use tsdb::{Db, Options};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn labels(i: usize) -> Labels {
    let (target, of_target) = (i / 500, i % 500);
    Labels::from_pairs([
        ("__name__", format!("container_metric_{}_total", of_target % 42)),
        ("cluster", "eu-1".to_owned()),
        ("instance", format!("10.0.{}.{}:9100", target / 250, target % 250)),
        ("job", "kubelet".to_owned()),
        ("namespace", format!("team-{}", target % 20)),
        ("pod", format!("app-{}-{:08x}", of_target / 42, target * 7919 + of_target / 42)),
        ("id", format!("{of_target}")),
    ])
}

/// 40 % counters, 25 % integers that change, 35 % constants.
fn value(series: usize, step: usize) -> f64 {
    match series % 20 {
        0..8 => (step * (series % 90 + 10) + step * step % 7) as f64,
        8..13 => ((series * 31 + step * 17) % 1000) as f64,
        _ => series as f64,
    }
}

fn open(dir: &Path, chunk_snapshot: bool) -> Arc<Db> {
    let options = Options { max_future_ms: 0, chunk_snapshot, ..Options::new(dir) };
    Db::open(options, Arc::new(ManualClock::default()), &mut Registry::default()).expect("opens")
}

fn fill(db: &Db, count: usize, steps: usize) {
    let mut references: Vec<SeriesRef> = Vec::with_capacity(count);
    for step in 0..steps {
        let time = Timestamp::from_ms(1_700_000_000_000 + step as i64 * 15_000);
        for begin in (0..count).step_by(1000) {
            let mut appender = db.appender();
            for i in begin..count.min(begin + 1000) {
                match references.get(i) {
                    Some(series) => appender.append_ref(*series, time, value(i, step)).expect("taken"),
                    None => references.push(appender.append(&labels(i), time, value(i, step)).expect("taken")),
                }
            }
            appender.commit().expect("stored");
        }
        if step % 20 == 0 {
            db.maintain().expect("maintained");
        }
    }
}

fn bytes_below(dir: &Path) -> u64 {
    let size = |entry: fs::DirEntry| match entry.metadata().expect("there") {
        metadata if metadata.is_dir() => bytes_below(&entry.path()),
        metadata => metadata.len(),
    };
    fs::read_dir(dir).expect("listed").map(|entry| size(entry.expect("an entry"))).sum()
}

fn snapshot_bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).expect("listed").map(|entry| entry.expect("an entry"));
    let of_snapshot = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("chunk_snapshot."));
    of_snapshot.map(|entry| bytes_below(&entry.path())).sum()
}

#[expect(clippy::print_stdout, reason = "a benchmark's result is its output")]
fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let (count, steps) = (numbers.first().copied().unwrap_or(100_000), numbers.get(1).copied().unwrap_or(240));
    let dir = tempfile::tempdir().expect("a folder");
    let db = open(dir.path(), false);
    fill(&db, count, steps);
    db.close().expect("closes");
    drop(db);
    println!("{count} series, {} samples, log of {} MB", count * steps, bytes_below(&dir.path().join("wal")) >> 20);
    for round in 1..=3 {
        let start = Instant::now();
        let db = open(dir.path(), false);
        println!("round {round}: whole log {} ms", start.elapsed().as_millis());
        db.close().expect("closes");
        drop(db);
        let db = open(dir.path(), true);
        let start = Instant::now();
        db.close().expect("closes");
        println!("  closing with snapshot {} ms, {} MB", start.elapsed().as_millis(), snapshot_bytes(dir.path()) >> 20);
        drop(db);
        let start = Instant::now();
        let db = open(dir.path(), true);
        println!("  from snapshot {} ms", start.elapsed().as_millis());
        drop(db);
    }
}

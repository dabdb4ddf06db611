//! What compaction costs: CPU per sample and growth of memory per series.
//!
//! `cargo bench -p tsdb --bench compaction -- [SERIES] [SAMPLES]`, by default 100 000 series with 60 samples in each of three
//! blocks, and one series in ten of each block that is in no other. The blocks are written by a process of their own, so that the
//! memory of their making isn't counted.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::{Labels, ManualClock, Timestamp};
use prometheus_client::registry::Registry;
use storage::{Appendable, SeriesRef};
use tsdb::{Compaction, Db, Options};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BLOCK_MS: i64 = 600_000;
const BLOCKS: i64 = 4;

/// Resident memory that is no mapped file, in bytes.
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// User and system time of this process.
fn cpu() -> Duration {
    const TICKS_PER_SECOND: u64 = 100;
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the program's name, which may hold anything, these are the twelfth and the thirteenth field.
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or(Vec::new(), |(_, rest)| rest.split_whitespace().collect());
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

fn labels(i: usize, block: i64) -> Labels {
    let (target, of_target) = (i / 500, i % 500);
    let generation = if i.is_multiple_of(10) { block } else { 0 };
    Labels::from_pairs([
        ("__name__", format!("container_metric_{}_total", of_target % 42)),
        ("cluster", "eu-1".to_owned()),
        ("container", format!("app-{}", of_target % 7)),
        ("instance", format!("10.0.{}.{}:9100", target / 250, target % 250)),
        ("job", "kubelet".to_owned()),
        ("namespace", format!("team-{}", target % 20)),
        ("pod", format!("app-{}-{:08x}-{generation}", of_target / 42, target * 7919 + of_target / 42)),
        ("id", format!("{of_target}")),
    ])
}

fn options(dir: &Path) -> Options {
    Options { min_block_ms: BLOCK_MS, max_block_ms: BLOCK_MS * 3, retention_ms: 0, ..Options::new(dir) }
}

fn open(dir: &Path) -> Arc<Db> {
    Db::open(options(dir), Arc::new(ManualClock::default()), &mut Registry::default()).expect("opens")
}

fn fill(dir: &Path, count: usize, samples: i64) {
    let db = open(dir);
    let step_ms = BLOCK_MS / samples;
    for block in 0..BLOCKS {
        let mut references: Vec<SeriesRef> = Vec::with_capacity(count);
        for step in 0..samples {
            let time = Timestamp::from_ms(block * BLOCK_MS + step * step_ms);
            for begin in (0..count).step_by(1000) {
                let mut appender = db.appender();
                for i in begin..count.min(begin + 1000) {
                    let value = (i as i64 * 31 + step * 17) as f64;
                    match references.get(i) {
                        Some(reference) => appender.append_ref(*reference, time, value).expect("taken"),
                        None => references.push(appender.append(&labels(i, block), time, value).expect("taken")),
                    }
                }
                appender.commit().expect("stored");
            }
        }
        db.flush_head(Timestamp::from_ms((block + 1) * BLOCK_MS)).expect("cut");
    }
    db.close().expect("closed");
}

#[expect(clippy::print_stdout, reason = "a benchmark's result is its output")]
fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let number = |at: usize, default: usize| args.get(at).and_then(|arg| arg.parse().ok()).unwrap_or(default);
    let (count, samples) = (number(0, 100_000), number(1, 60));
    if let Some(dir) = args.get(2) {
        return fill(Path::new(dir), count, samples as i64);
    }
    let dir = tempfile::tempdir().expect("a folder");
    let program = std::env::current_exe().expect("this program");
    let args = [count.to_string(), samples.to_string(), dir.path().display().to_string()];
    assert!(Command::new(program).args(args).status().expect("started").success());
    fs::remove_dir_all(dir.path().join("wal")).expect("the log is of no use here");
    let db = open(dir.path());
    let (before, peak, done) = (resident_bytes(), AtomicU64::new(0), AtomicBool::new(false));
    let (start, cpu_before) = (Instant::now(), cpu());
    let compaction = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(resident_bytes(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let compaction = db.compact().expect("compacted");
        done.store(true, Ordering::Relaxed);
        compaction
    });
    let (elapsed, spent) = (start.elapsed(), cpu().saturating_sub(cpu_before));
    let Some(Compaction::Replaced { parents, block: Some(block) }) = compaction else { panic!("{compaction:?}") };
    let stats = &block.stats;
    println!("{} blocks to one of {} series, {} samples", parents.len(), stats.num_series, stats.num_samples);
    println!("time: {} ms, CPU {} ms", elapsed.as_millis(), spent.as_millis());
    println!("CPU: {} ns per sample", spent.as_nanos() / u128::from(stats.num_samples));
    let grown = peak.load(Ordering::Relaxed).saturating_sub(before);
    println!("memory: {} kB more, {} bytes per series", grown / 1024, grown / stats.num_series);
}

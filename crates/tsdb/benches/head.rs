//! What an append costs: time per sample and resident bytes per series.
//!
//! `cargo bench -p tsdb --bench head -- [SERIES] [SAMPLES]`, by default 100 000 series and 130 samples each, 5 s apart, in
//! transactions of 1 000 series, with labels and values like those of a real target.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use model::{Labels, ManualClock, Timestamp};
use prometheus_client::registry::Registry;
use storage::{Appendable, SeriesRef};
use tsdb::{Db, Options};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Resident memory that is no mapped file, in bytes.
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn labels(i: usize) -> Labels {
    let (target, of_target) = (i / 500, i % 500);
    Labels::from_pairs([
        ("__name__", format!("container_metric_{}_total", of_target % 42)),
        ("cluster", "eu-1".to_owned()),
        ("container", format!("app-{}", of_target % 7)),
        ("instance", format!("10.0.{}.{}:9100", target / 250, target % 250)),
        ("job", "kubelet".to_owned()),
        ("namespace", format!("team-{}", target % 20)),
        ("pod", format!("app-{}-{:08x}", of_target / 42, target * 7919 + of_target / 42)),
        ("id", format!("{}", of_target)),
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

#[expect(clippy::print_stdout, reason = "a benchmark's result is its output")]
fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let (count, steps) = (numbers.first().copied().unwrap_or(100_000), numbers.get(1).copied().unwrap_or(130));
    let dir = tempfile::tempdir().expect("a folder");
    let db = Db::open(
        Options { max_future_ms: 0, ..Options::new(dir.path()) },
        Arc::new(ManualClock::default()),
        &mut Registry::default(),
    )
    .expect("opens");
    let before = resident_bytes();
    let (mut references, mut time): (Vec<SeriesRef>, i64) = (Vec::with_capacity(count), 1_700_000_000_000);
    let start = Instant::now();
    for begin in (0..count).step_by(1000) {
        let mut appender = db.appender();
        for i in begin..count.min(begin + 1000) {
            references.push(appender.append(&labels(i), Timestamp::from_ms(time), value(i, 0)).expect("taken"));
        }
        appender.commit().expect("stored");
    }
    println!("create: {} ns per series", start.elapsed().as_nanos() / count as u128);
    println!("resident: {} bytes per series with 1 sample", (resident_bytes() - before) / count as u64);
    let start = Instant::now();
    for step in 1..steps {
        time += 5000;
        for (batch, series) in references.chunks(1000).enumerate() {
            let mut appender = db.appender();
            for (at, reference) in series.iter().enumerate() {
                let value = value(batch * 1000 + at, step);
                appender.append_ref(*reference, Timestamp::from_ms(time), value).expect("taken");
            }
            appender.commit().expect("stored");
        }
    }
    println!("append and commit: {} ns per sample", start.elapsed().as_nanos() / (count * (steps - 1)) as u128);
    println!("resident: {} bytes per series with {steps} samples", (resident_bytes() - before) / count as u64);
    println!("log: {:.1} bytes per sample", db.disk_bytes() as f64 / (count * steps) as f64);
    let start = Instant::now();
    db.flush_head(Timestamp::from_ms(time + 1)).expect("cut");
    println!("cut: {} ms, blocks of {:.2} bytes per sample", start.elapsed().as_millis(), {
        let bytes: u64 = db.blocks().iter().map(|block| block_bytes(dir.path(), &block.ulid.to_string())).sum();
        bytes as f64 / (count * steps) as f64
    });
}

fn block_bytes(dir: &std::path::Path, block: &str) -> u64 {
    let size = |path: std::path::PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    size(dir.join(block).join("index")) + size(dir.join(block).join("chunks/000001"))
}

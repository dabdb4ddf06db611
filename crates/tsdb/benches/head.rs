//! What an append costs: time per sample and resident bytes per series; and what it takes to find some series of many.
//!
//! `cargo bench -p tsdb --bench head -- [SERIES] [SAMPLES]`, by default 100 000 series and 130 samples each, 5 s apart, in
//! transactions of 1 000 series, with labels and values like those of a real target. Finding 1 of 500 000 by two labels is to take less
//! than 1 ms: `cargo bench -p tsdb --bench head -- 500000 20`.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Labels, ManualClock, MatchOp, Matcher, TimeRange, Timestamp};
use prometheus_client::registry::Registry;
use storage::{Appendable, Queryable, SelectRequest, SeriesRef};
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
    selects(&db, count, TimeRange::new(Timestamp::from_ms(time - 300_000), Timestamp::from_ms(time)));
    let start = Instant::now();
    db.flush_head(Timestamp::from_ms(time + 1)).expect("cut");
    println!("cut: {} ms, blocks of {:.2} bytes per sample", start.elapsed().as_millis(), {
        let bytes: u64 = db.blocks().iter().map(|block| block_bytes(dir.path(), &block.ulid.to_string())).sum();
        bytes as f64 / (count * steps) as f64
    });
}

/// Instant selections: matchers with their operators, of a series in the middle.
fn selections(count: usize) -> Vec<Vec<Matcher>> {
    let labels = labels(count / 2);
    let of = |name: &str| labels.get(name).unwrap_or_default();
    let same = |name: &str| Matcher::equal(name, of(name));
    let with = |op: MatchOp, name: &str, value: &str| Matcher::new(op, name, value).expect("valid");
    let (metric, pod_prefix) = (same("__name__"), &of("pod")[..of("pod").len() - 4]);
    vec![
        vec![metric.clone(), same("pod")],
        vec![same("instance"), same("id")],
        vec![metric.clone(), same("instance")],
        vec![metric.clone(), with(MatchOp::Regex, "pod", &format!("{pod_prefix}.*"))],
        vec![with(MatchOp::Regex, "pod", &format!("{pod_prefix}.*"))],
        vec![metric.clone(), with(MatchOp::Regex, "instance", "10\\.0\\.0\\.(1|2|3):9100")],
        vec![metric.clone(), with(MatchOp::Regex, "pod", ".*00ff")],
        vec![same("instance"), with(MatchOp::NotEqual, "container", "app-3")],
        vec![same("instance"), with(MatchOp::NotRegex, "pod", "app-[0-5]-.*")],
        vec![metric, with(MatchOp::NotRegex, "namespace", "team-1?[0-9]")],
        vec![same("instance"), with(MatchOp::NotEqual, "nothing", "x")],
    ]
}

/// Times each selection, with the series and their chunks taken: the best and the middle of up to 200 runs in half a second.
#[expect(clippy::print_stdout, reason = "a benchmark's result is its output")]
fn selects(db: &Db, count: usize, range: TimeRange) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for matchers in selections(count) {
        let request = SelectRequest::new(matchers, range);
        let (begin, mut times, mut found) = (Instant::now(), Vec::new(), 0);
        while times.len() < 200 && (times.len() < 3 || begin.elapsed() < Duration::from_millis(500)) {
            let start = Instant::now();
            let set = runtime.block_on(db.select(&request)).expect("selects");
            found = set.series.inspect(|series| assert!(series.is_ok(), "readable")).count();
            times.push(start.elapsed());
        }
        times.sort_unstable();
        let text = request.matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let (best, middle) = (times[0].as_micros(), times[times.len() / 2].as_micros());
        println!("select {found} of {count}: {best} us at best, {middle} in the middle: {{{text}}}");
    }
}

fn block_bytes(dir: &std::path::Path, block: &str) -> u64 {
    let size = |path: std::path::PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    size(dir.join(block).join("index")) + size(dir.join(block).join("chunks/000001"))
}

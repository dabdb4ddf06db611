//! Head chunks and late samples: a real Prometheus on ours, and we on its.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model::{Clock, Labels, SystemClock};
use storage::Appendable;
use tsdb::{Db, Options};

use crate::fixture::{copy_dir, dump, labels, metric, ms, open, scratch};
use crate::peers::{Prometheus, free_port, has};

const STEPS: i64 = 500;
const STEP_MS: i64 = 5000;

fn late_options(dir: &Path) -> Options {
    Options { out_of_order_window_ms: 3_600_000, ..Options::new(dir) }
}

/// The second that is so many milliseconds ago.
fn ago(time_ms: i64) -> i64 {
    SystemClock.now().as_ms() / 1000 * 1000 - time_ms
}

fn series(i: i64) -> Labels {
    labels(&[("__name__", "m"), ("i", &i.to_string())])
}

/// Several chunks for each of ten series; every third series gets a tenth of its samples late.
fn fill(db: &Db, start: i64) {
    let commit = |step: i64, late: bool| {
        let mut appender = db.appender();
        for i in (0..10).filter(|i| (i % 3 == 0 && step % 10 == 3) == late) {
            let value = (step * (i + 1)) as f64 * 0.5;
            appender.append(&series(i), ms(start + step * STEP_MS), value).expect("taken");
        }
        appender.commit().expect("stored");
    };
    (0..STEPS).for_each(|step| commit(step, false));
    db.maintain().expect("head chunks are written");
    (0..STEPS).map(|step| step * 37 % STEPS).filter(|step| step % 10 == 3).for_each(|step| commit(step, true));
}

fn config(interval: &str, jobs: &str) -> String {
    let global = format!("global: {{scrape_interval: {interval}, scrape_timeout: {interval}}}");
    format!("{global}\nstorage: {{tsdb: {{out_of_order_time_window: 1h}}}}\nscrape_configs: {jobs}\n")
}

/// The value of a metric that Prometheus has of itself.
fn own_metric(prometheus: &Prometheus, name: &str) -> f64 {
    let page = prometheus.get("/metrics").expect("metrics");
    let line = page.lines().find(|line| line.split([' ', '{']).next() == Some(name));
    line.and_then(|line| line.rsplit(' ').next()).and_then(|value| value.parse().ok()).unwrap_or(f64::NAN)
}

fn same(got: &BTreeSet<String>, want: &BTreeSet<String>) {
    let (missing, more) = (want.difference(got).next(), got.difference(want).next());
    assert!(got == want, "missing {missing:?}, more {more:?}, {} instead of {}", got.len(), want.len());
}

#[test]
fn prometheus_reads_head_chunks_and_late_samples_of_a_killed_shard() {
    if !has("prometheus_reads_head_chunks_and_late_samples_of_a_killed_shard", "prometheus") {
        return;
    }
    let (dir, killed) = (scratch(), scratch());
    let (db, _registry) = open(late_options(dir.path()));
    fill(&db, ago(STEPS * STEP_MS));
    let data = killed.path().join("data");
    copy_dir(dir.path(), &data);
    assert!(data.join("chunks_head/000001").exists() && data.join("wbl/00000000").exists());
    let want = dump(&db);
    assert_eq!(want.len() as i64, 10 * STEPS);
    for start in ["after the shard", "after itself"] {
        let prometheus = Prometheus::run(killed.path(), &data, free_port(), &config("1s", "[]"));
        same(&prometheus.samples(""), &want);
        for damage in ["prometheus_tsdb_mmap_chunk_corruptions_total", "prometheus_tsdb_wal_corruptions_total"] {
            assert_eq!(own_metric(&prometheus, damage), 0.0, "{damage} {start}");
        }
        // Series of 500 samples in at least four chunks, those of 450 in three (where the border of a block lies decides), and the
        // 50 late ones of these in chunks of 32.
        assert!(own_metric(&prometheus, "prometheus_tsdb_head_chunks") >= 6.0 * 4.0 + 4.0 * (3.0 + 2.0));
    }
}

/// Serves a page on which each sample is a second older than that of the scrape before; the count is that of scrapes.
fn serve_late_samples(newest_ms: i64) -> (u16, Arc<AtomicI64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("address").port();
    let count = Arc::new(AtomicI64::new(0));
    let scrapes = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 2048];
            let _ = stream.read(&mut request);
            let scrape = scrapes.fetch_add(1, Ordering::SeqCst);
            let body: String =
                (0..3).map(|i| format!("late{{i=\"{i}\"}} {scrape} {}\n", newest_ms - scrape * 1000)).collect();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close";
            let _ = stream.write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
        }
    });
    (port, count)
}

#[test]
fn we_read_head_chunks_and_late_samples_of_prometheus() {
    if !has("we_read_head_chunks_and_late_samples_of_prometheus", "prometheus") {
        return;
    }
    for killed in [true, false] {
        let (dir, theirs) = (scratch(), scratch());
        let (db, _registry) = open(late_options(dir.path()));
        fill(&db, ago(STEPS * STEP_MS + 60_000));
        let filled = dump(&db);
        let data = theirs.path().join("data");
        copy_dir(dir.path(), &data);
        // Prometheus makes its own out of the logs.
        fs::remove_dir_all(data.join("chunks_head")).expect("removed");
        let (page, scrapes) = serve_late_samples(ago(0));
        let jobs = format!("[{{job_name: late, static_configs: [{{targets: ['127.0.0.1:{page}']}}]}}]");
        let prometheus = Prometheus::run(theirs.path(), &data, free_port(), &config("100ms", &jobs));
        prometheus.wait("to scrape 80 times", || scrapes.load(Ordering::SeqCst) >= 80);
        let want = prometheus.samples("");
        assert!(filled.is_subset(&want), "missing {:?}", filled.difference(&want).next());
        assert!(want.iter().filter(|line| line.contains("\"late\"")).count() > 3 * 60);
        if killed {
            drop(prometheus);
        } else {
            prometheus.stop();
        }
        let (db, registry) = open(late_options(&data));
        let got = dump(&db);
        assert!(
            got.is_superset(&want),
            "killed {killed}: missing {} {:?}",
            want.difference(&got).count(),
            want.difference(&got).collect::<Vec<_>>()
        );
        let loaded = metric(&registry, "watershed_tsdb_head_chunks_loaded_total");
        // In order at least three of each series, two of the four that lack a tenth (where the border of a block lies decides);
        // one late one of these four, two of three others.
        assert!(killed || loaded >= 6.0 * 3.0 + 4.0 * 2.0 + 4.0 + 3.0 * 2.0, "{loaded} chunks of Prometheus's");
        assert_eq!(metric(&registry, "prometheus_tsdb_mmap_chunk_corruptions_total"), 0.0);
        assert_eq!(metric(&registry, "prometheus_tsdb_wal_corruptions_total"), 0.0);
        // And back to Prometheus once more.
        drop(db);
        let prometheus = Prometheus::run(theirs.path(), &data, free_port(), &config("1s", "[]"));
        let back = prometheus.samples("");
        let recent: BTreeSet<_> = want.iter().filter(|line| !line.contains("\"scrape_")).cloned().collect();
        assert!(back.is_superset(&recent), "killed {killed}: missing {:?}", recent.difference(&back).next());
    }
}

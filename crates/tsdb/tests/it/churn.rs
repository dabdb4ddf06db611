//! Rolling deployments: series come, go, and never come again. What they took comes back when the head is cut.

use model::{Exemplar, Labels, Metadata, MetricType};
use mutation::live_bytes;
use storage::Appendable;
use tsdb::{Db, Options};

use crate::fixture::{labels, metric, ms, open, options, scratch};

const SERIES: usize = 5_000;
const GENERATIONS: i64 = 20;
/// The first generation after which the head is what it will be: older ones are cut while newer ones come.
const STEADY: i64 = 4;
/// What a generation may leave behind: nothing that adds up. Vectors and tables that grow by steps make up for the rest.
const FACTOR_MAX: f64 = 1.1;

/// The series of one deployment: every name of a pod is new, and so is a text of help.
fn deployment(generation: i64) -> Vec<Labels> {
    let label = |i: usize| {
        let (pod, path) = (format!("web-{generation:05x}-{:03}", i / 50), format!("/api/v1/{}", i % 50));
        labels(&[("__name__", "http_requests_total"), ("job", "web"), ("path", &path), ("pod", &pod)])
    };
    (0..SERIES).map(label).collect()
}

/// A minute in the life of a deployment.
fn live(db: &Db, generation: i64) {
    let deployed = deployment(generation);
    for step in 0..6 {
        let time = ms((generation * 6 + step) * 10_000);
        let mut appender = db.appender();
        for (i, labels) in deployed.iter().enumerate() {
            let series = appender.append(labels, time, (step * i as i64) as f64).expect("taken");
            if step == 0 {
                let help = format!("Requests as of release {generation}.");
                let metadata = Metadata { kind: MetricType::Counter, unit: String::new(), help };
                appender.append_metadata(series, &metadata).expect("taken");
            }
            if i % 100 == 0 {
                let labels = crate::fixture::labels(&[("trace_id", &format!("{generation}-{step}-{i}"))]);
                appender.append_exemplar(series, &Exemplar { labels, value: 1.0, time }).expect("taken");
            }
        }
        appender.commit().expect("stored");
        db.maintain().expect("maintained");
    }
}

#[test]
fn series_that_are_gone_give_their_memory_back() {
    let (dir, before) = (scratch(), live_bytes());
    // Blocks would add their tables, so old ones go; exemplars have a ring of fixed size.
    let small =
        Options { retention_ms: 120_000, wal_segment_bytes: 1 << 20, max_exemplars: 500, ..options(dir.path()) };
    let (db, registry) = open(small.clone());
    let mut taken = Vec::new();
    for generation in 0..GENERATIONS {
        live(&db, generation);
        taken.push(live_bytes() - before);
        assert!(metric(&registry, "prometheus_tsdb_head_series") <= 3.0 * SERIES as f64);
    }
    assert!(taken[0] > 0, "memory is counted");
    let steady = taken[STEADY as usize] as f64;
    let most = *taken.iter().max().expect("generations") as f64;
    assert!(most <= steady * FACTOR_MAX, "after {STEADY} generations {steady} bytes, {most} at most: {taken:?}");
    // A start takes in what the log has: no more than that was before.
    db.close().expect("closed");
    drop(db);
    let (db, _registry) = open(small);
    let again = (live_bytes() - before) as f64;
    assert!(again <= most * FACTOR_MAX, "{again} bytes after a start, {most} before");
    drop(db);
}

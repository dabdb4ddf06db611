//! Taking samples while those of before the start are still being read.

use std::sync::Arc;
use std::time::Duration;

use model::{ManualClock, Timestamp};
use prometheus_client::registry::Registry;
use storage::{Appendable, Queryable, Samples, SelectRequest};
use tsdb::{Db, Options};

use crate::fixture::{append, content, labels, ms, open, options, scratch};

const SERIES: usize = 3_000;

fn in_background(dir: &std::path::Path) -> (Arc<Db>, Registry) {
    let mut registry = Registry::default();
    let clock = Arc::new(ManualClock::new(Timestamp::from_ms(1_000_000)));
    let options = Options { load_in_background: true, out_of_order_window_ms: 50_000, ..options(dir) };
    let db = Db::open(options, clock, &mut registry).expect("the directory opens");
    (db, registry)
}

#[test]
fn what_is_appended_meanwhile_goes_on_from_there() {
    let dir = scratch();
    let series: Vec<_> = (0..SERIES).map(|i| labels(&[("__name__", "m"), ("i", &i.to_string())])).collect();
    let all = |time: i64, value: f64| series.iter().map(|labels| (labels, time, value)).collect::<Vec<_>>();
    let (db, _) = open(Options { out_of_order_window_ms: 50_000, ..options(dir.path()) });
    for round in 0..150 {
        append(&db, &all(round * 100, round as f64));
    }
    append(&db, &[(&series[7], 55, 0.5)]); // late, so in the other log
    drop(db); // not closed: as after a kill

    let (db, _registry) = in_background(dir.path());
    assert_eq!(db.head_stats().series, SERIES as u64, "all series are known before their samples");
    append(&db, &[(&series[9], 14_850, 0.5)]); // late, though nobody may know it yet
    append(&db, &all(15_000, 150.0));
    append(&db, &all(15_100, 151.0));
    append(&db, &[(&labels(&[("__name__", "new")]), 15_100, 1.0)]);
    append(&db, &[(&series[7], 15_050, 1.5)]); // late among what is new
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let set = runtime.block_on(db.select(&SelectRequest::new(vec![], model::TimeRange::ALL))).expect("selects");
    assert!(set.warnings.is_empty(), "{:?}", set.warnings);
    let (mut samples, mut count) = (Samples::default(), 0);
    for series in set.series {
        let series = series.expect("readable");
        series.decode(model::TimeRange::ALL, &mut samples).expect("readable");
        let want = match (series.labels.get("i"), series.labels.get("__name__")) {
            (Some("7"), _) => 154,
            (Some("9"), _) => 153,
            (_, Some("new")) => 1,
            _ => 152,
        };
        assert_eq!(samples.len(), want, "{}", series.labels);
        count += 1;
    }
    assert_eq!(count, SERIES + 1);
    assert_eq!(db.head_stats().series, SERIES as u64 + 1, "nothing has a second number");
    // What went before the newest of then is out of order now, as if it had all been there.
    let mut appender = db.appender();
    assert!(appender.append(&series[3], ms(15_100), 9.0).is_err());
    drop(appender);
    db.flush_head(ms(20_000)).expect("a block");
    let before = content(&db);
    drop(db);
    let (db, _) = open(options(dir.path()));
    assert!(content(&db) == before, "the same after another start");
}

#[test]
fn closing_does_not_wait_for_the_rest() {
    let dir = scratch();
    let (db, _) = open(options(dir.path()));
    let up = labels(&[("__name__", "up")]);
    for time in 0..2_000 {
        append(&db, &[(&up, time, 1.0)]);
    }
    drop(db);
    let (db, _registry) = in_background(dir.path());
    append(&db, &[(&up, 2_000, 1.0)]);
    db.close().expect("closes");
    // The thread that reads lets go of the directory in its own time.
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    let weak = Arc::downgrade(&db);
    drop(db);
    while weak.strong_count() > 0 && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    let (db, _) = open(options(dir.path()));
    assert_eq!(content(&db).values().map(Vec::len).sum::<usize>(), 2_001);
}

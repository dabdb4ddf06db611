//! What a selection leaves out because nobody looks at it.

use std::sync::Arc;

use model::{FloatHistogram, Labels, Matcher, NativeHistogram, STALE_NAN, TimeRange};
use proptest::prelude::*;
use storage::{Appendable, Hints, Queryable, Samples, SelectRequest};
use tsdb::{Db, Options};

use crate::fixture::{append, block_on, labels, ms, open, options, scratch};

#[derive(Debug, Clone)]
enum Op {
    /// One sample more of each of these series.
    Append(Vec<usize>),
    Stale(usize),
    Histogram(usize),
    Late(usize, i64),
    Delete(usize, i64, i64),
    Cut(i64),
}

fn op() -> impl Strategy<Value = Op> {
    let series = 0..6_usize;
    prop_oneof![
        8 => proptest::collection::btree_set(series.clone(), 1..6).prop_map(|all| Op::Append(all.into_iter().collect())),
        1 => series.clone().prop_map(Op::Stale),
        1 => series.clone().prop_map(Op::Histogram),
        2 => (series.clone(), 1..50_000_i64).prop_map(|(series, late)| Op::Late(series, late)),
        1 => (series, 0..200_000_i64, 0..60_000_i64).prop_map(|(series, from, length)| Op::Delete(series, from, length)),
        1 => (0..200_000_i64).prop_map(Op::Cut),
    ]
}

fn series(at: usize) -> Labels {
    let (name, job) = (["a", "b"][at % 2], ["x", "y", "z"][at % 3]);
    labels(&[("__name__", name), ("at", &at.to_string()), ("job", job)])
}

fn apply(db: &Db, op: &Op, time: i64) {
    match op {
        Op::Append(all) => {
            let all: Vec<Labels> = all.iter().map(|at| series(*at)).collect();
            append(db, &all.iter().map(|labels| (labels, time, time as f64)).collect::<Vec<_>>());
        }
        Op::Stale(at) => append(db, &[(&series(*at), time, STALE_NAN)]),
        Op::Histogram(at) => {
            let mut appender = db.appender();
            let histogram = NativeHistogram::Float(FloatHistogram { count: 1.0, ..FloatHistogram::default() }.into());
            appender.append_histogram(&series(*at), ms(time), histogram).expect("taken");
            appender.commit().expect("the log is written");
        }
        Op::Late(at, late) => {
            let mut appender = db.appender();
            // Where a sample is already, or too late, it is refused.
            let _ = appender.append(&series(*at), ms(time - late), -1.0);
            appender.commit().expect("the log is written");
        }
        Op::Delete(at, from, length) => {
            let matchers = [Matcher::equal("at", at.to_string())];
            db.delete_series(&matchers, TimeRange::new(ms(*from), ms(from + length))).expect("deleted");
        }
        Op::Cut(until) => db.flush_head(ms((*until).min(time - 60_000))).map(drop).expect("cut"),
    }
}

/// By series the times of the samples in the range, with the bits of their values or of a histogram's count.
fn select(db: &Arc<Db>, range: TimeRange, hints: Hints) -> Vec<(Labels, Vec<(i64, u64)>)> {
    let request = SelectRequest { hints, ..SelectRequest::new(vec![Matcher::equal("job", "x")], range) };
    let set = block_on(db.select(&request)).expect("selects");
    let decoded = set.series.map(|series| {
        let (series, mut samples) = (series.expect("readable"), Samples::default());
        series.decode(range, &mut samples).expect("sound chunks");
        let floats = samples.times.iter().zip(&samples.values).map(|(time, value)| (*time, value.to_bits()));
        let histograms = samples.histograms.iter().map(|sample| (sample.time, sample.histogram.count.to_bits()));
        let mut all: Vec<(i64, u64)> = floats.chain(histograms).collect();
        all.sort_unstable();
        (series.labels, all)
    });
    decoded.filter(|(_, samples)| !samples.is_empty()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_left_out_does_not_matter(
        ops in proptest::collection::vec(op(), 1..60),
        ranges in proptest::collection::vec((0..260_000_i64, 0..100_000_i64), 12),
    ) {
        let dir = scratch();
        let (db, _registry) = open(Options { out_of_order_window_ms: 40_000, ..options(dir.path()) });
        for (op, step) in ops.iter().zip(1..) {
            apply(&db, op, step * 5_000);
        }
        for (from, length) in ranges {
            let range = TimeRange::new(ms(from), ms(from + length));
            let whole = select(&db, range, Hints::default());
            let wanted = |labels: Labels| labels.filtered(|name| name == "__name__" || name == "job");
            let few = select(&db, range, Hints { newest_only: true, ..Hints::default() });
            let newest = |all: &[(Labels, Vec<(i64, u64)>)]| -> Vec<_> {
                all.iter().map(|(labels, samples)| (labels.clone(), samples.last().copied())).collect()
            };
            prop_assert_eq!(newest(&few), newest(&whole));
            let bare = select(&db, range, Hints { labels: Some(["job".to_owned()].into()), ..Hints::default() });
            let got: Vec<_> = bare.into_iter().map(|(labels, samples)| (wanted(labels), samples)).collect();
            let want: Vec<_> = whole.into_iter().map(|(labels, samples)| (wanted(labels), samples)).collect();
            prop_assert_eq!(got, want);
        }
    }
}

#[test]
fn labels_are_left_out_where_the_head_alone_answers() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    for time in [10_000, 70_000] {
        append(&db, &[(&series(0), time, 1.0), (&series(3), time, 2.0)]);
    }
    db.flush_head(ms(60_000)).expect("cut");
    let hints = || Hints { labels: Some([].into()), newest_only: true, ..Hints::default() };
    let labels = |from: i64| -> Vec<String> {
        let all = select(&db, TimeRange::new(ms(from), ms(80_000)), hints());
        all.into_iter().map(|(labels, _)| labels.to_string()).collect()
    };
    assert_eq!(labels(65_000), ["a", "b"].map(|name| labels_of(name).to_string()));
    // With a block, they are needed to tell which series of the two are one.
    assert_eq!(labels(0), [series(0), series(3)].map(|labels| labels.to_string()));
}

fn labels_of(name: &str) -> Labels {
    labels(&[("__name__", name)])
}

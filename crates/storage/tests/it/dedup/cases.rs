//! Cases one by one.

use model::{CounterReset, FloatHistogram, STALE_NAN, is_stale};
use storage::Samples;
use storage::dedup::{Kind, merge};

/// Samples at seconds; `S` stands for a stale marker.
const S: f64 = STALE_NAN;

fn samples(points: &[(i64, f64)]) -> Samples {
    Samples::of_floats(points.iter().map(|(s, _)| s * 1000).collect(), points.iter().map(|(_, value)| *value).collect())
}

/// From and to these seconds every 15 s, the value from the time.
fn scrapes(from: i64, to: i64, value: impl Fn(i64) -> f64) -> Vec<(i64, f64)> {
    (from..to).step_by(15).map(|s| (s, value(s))).collect()
}

/// What is shown of the samples at these seconds: the second, with its value or -1 for a marker.
fn shown(replicas: &[Vec<(i64, f64)>], kind: Kind, from: i64, to: i64) -> Vec<(i64, f64)> {
    let replicas: Vec<Samples> = replicas.iter().map(|points| samples(points)).collect();
    let merged = merge(&replicas, kind);
    std::iter::zip(merged.times, merged.values)
        .map(|(time, value)| (time / 1000, if is_stale(value) { -1.0 } else { value }))
        .filter(|(time, _)| (from..to).contains(time))
        .collect()
}

fn joined(parts: &[&[(i64, f64)]]) -> Vec<(i64, f64)> {
    parts.concat()
}

#[test]
fn gaps_are_filled_and_nothing_else() {
    let (a, b) = (|_| 1.0, |_| 2.0);
    let check = |first: Vec<(i64, f64)>, from: i64, to: i64, want: &[(i64, f64)]| {
        assert_eq!(shown(&[first, scrapes(7, 1000, b)], Kind::Unknown, from, to), want);
    };
    check(scrapes(0, 1000, a), 300, 350, &[(300, 1.0), (315, 1.0), (330, 1.0), (345, 1.0)]);
    // Missed: 315.
    let missed = joined(&[&scrapes(0, 310, a), &scrapes(330, 1000, a)]);
    check(missed, 300, 346, &[(300, 1.0), (322, 2.0), (330, 1.0), (345, 1.0)]);
    // A failed scrape is one that missed.
    let failed = joined(&[&scrapes(0, 310, a), &[(315, S)], &scrapes(330, 1000, a)]);
    check(failed, 300, 346, &[(300, 1.0), (322, 2.0), (330, 1.0), (345, 1.0)]);
    // Away, and back at another phase.
    let away = joined(&[&scrapes(0, 310, a), &scrapes(379, 1000, a)]);
    check(away, 300, 395, &[(300, 1.0), (322, 2.0), (337, 2.0), (352, 2.0), (367, 2.0), (379, 1.0), (394, 1.0)]);
    // Comes late, goes early.
    check(scrapes(60, 1000, a), 0, 80, &[(7, 2.0), (22, 2.0), (37, 2.0), (52, 2.0), (60, 1.0), (75, 1.0)]);
    check(scrapes(0, 310, a), 280, 340, &[(285, 1.0), (300, 1.0), (322, 2.0), (337, 2.0)]);
    // Away for an hour in a longer time.
    let long =
        shown(&[joined(&[&scrapes(0, 310, a), &scrapes(4000, 5000, a)]), scrapes(7, 5000, b)], Kind::Unknown, 0, 5000);
    assert_eq!(long.iter().filter(|(_, value)| *value == 2.0).count(), 245);
}

#[test]
fn a_sample_that_is_about_to_come_is_not_stood_in_for() {
    let (a, b) = (|_| 1.0, |_| 2.0);
    let check = |last: i64, want: &[(i64, f64)]| {
        assert_eq!(shown(&[scrapes(0, 310, a), scrapes(10, last, b)], Kind::Unknown, 300, 400), want);
    };
    check(311, &[(300, 1.0)]);
    check(320, &[(300, 1.0)]);
    check(326, &[(300, 1.0), (310, 2.0), (325, 2.0)]);
}

#[test]
fn markers_are_for_what_all_replicas_ended() {
    let (a, b) = (|_| 1.0, |_| 2.0);
    let check = |replicas: [Vec<(i64, f64)>; 2], want: &[(i64, f64)]| {
        assert_eq!(shown(&replicas, Kind::Unknown, 300, 500), want);
    };
    // The target went for both.
    let (ends_a, ends_b) = (joined(&[&scrapes(0, 310, a), &[(315, S)]]), joined(&[&scrapes(7, 310, b), &[(322, S)]]));
    check([ends_a.clone(), ends_b.clone()], &[(300, 1.0), (322, -1.0)]);
    check([ends_b, ends_a.clone()], &[(307, 2.0), (322, -1.0)]);
    // At the same time.
    let aligned = |value: f64| joined(&[&scrapes(0, 310, |_| value), &[(315, S)]]);
    check([aligned(1.0), aligned(2.0)], &[(300, 1.0), (315, -1.0)]);
    // One of them went on.
    check([ends_a.clone(), scrapes(7, 350, b)], &[(300, 1.0), (322, 2.0), (337, 2.0)]);
    // Only one was there.
    check([scrapes(0, 100, a), joined(&[&scrapes(7, 310, b), &[(322, S)]])], &[(307, 2.0), (322, -1.0)]);
    check([ends_a, scrapes(7, 100, b)], &[(300, 1.0), (315, -1.0)]);
    // Both missed a scrape at the same time, and both came back.
    let blink = |from: i64, value: f64| {
        joined(&[&scrapes(from, 310, |_| value), &[(from + 315, S)], &scrapes(from + 330, 360, |_| value)])
    };
    check([blink(0, 1.0), blink(7, 2.0)], &[(300, 1.0), (322, -1.0), (330, 1.0), (345, 1.0)]);
}

#[test]
fn counters_do_not_seem_to_be_reset() {
    let (a, lower, higher) = (|s: i64| (1000 + s) as f64, |s: i64| (970 + s) as f64, |s: i64| (1030 + s) as f64);
    let away =
        |until: i64, value: &dyn Fn(i64) -> f64| joined(&[&scrapes(0, 310, value), &scrapes(until, 1500, value)]);
    for kind in [Kind::Counter, Kind::Unknown] {
        // The other one lags: it is waited for until it has caught up.
        let got = shown(&[away(400, &a), scrapes(7, 1500, lower)], kind, 300, 401);
        assert_eq!(
            got,
            [(300, a(300)), (337, lower(337)), (352, lower(352)), (367, lower(367)), (382, lower(382)), (400, a(400))]
        );
        // The other one is ahead: the preferred one comes back to where it was.
        let got = shown(&[away(400, &a), scrapes(7, 1500, higher)], kind, 300, 401);
        assert_eq!(
            got,
            [
                (300, a(300)),
                (322, higher(322)),
                (337, higher(337)),
                (352, higher(352)),
                (367, higher(367)),
                (400, a(400))
            ]
        );
        // It will not catch up, but the preferred one is back within five minutes.
        let far = |s: i64| (100 + s) as f64;
        assert_eq!(shown(&[away(550, &a), scrapes(7, 1500, far)], kind, 300, 551), [(300, a(300)), (550, a(550))]);
        // It will not catch up, and there is nothing else for longer than five minutes.
        let got = shown(&[away(900, &a), scrapes(7, 1500, far)], kind, 300, 901);
        assert_eq!(got[..2], [(300, a(300)), (607, far(607))]);
        // A gauge is one where it falls.
    }
    let gauge = |s: i64| 1000.0 - (s % 30) as f64;
    let below = |s: i64| 500.0 - (s % 30) as f64;
    assert_eq!(
        shown(&[away(400, &gauge), scrapes(7, 1500, below)], Kind::Unknown, 300, 330),
        [(300, gauge(300)), (322, below(322))]
    );
}

#[test]
fn genuine_resets_pass() {
    let value = |s: i64| if s < 333 { (1000 + s) as f64 } else { (s - 333) as f64 };
    let first = joined(&[&scrapes(0, 310, value), &scrapes(390, 1500, value)]);
    let got = shown(&[first, scrapes(7, 1500, value)], Kind::Counter, 300, 391);
    let want = [300, 322, 337, 352, 367, 382, 390].map(|s| (s, value(s)));
    assert_eq!(got, want);
}

#[test]
fn the_third_fills_what_two_lack() {
    let value = |value: f64| move |_: i64| value;
    let first = joined(&[&scrapes(0, 310, value(1.0)), &scrapes(600, 700, value(1.0))]);
    let second = joined(&[&scrapes(5, 410, value(2.0)), &scrapes(500, 700, value(2.0))]);
    let got = shown(&[first, second, scrapes(10, 700, value(3.0))], Kind::Unknown, 300, 620);
    let count = |value: f64| got.iter().filter(|sample| sample.1 == value).count();
    assert_eq!((count(1.0), count(2.0), count(3.0)), (3, 13, 6), "{got:?}");
    assert!(got.windows(2).all(|pair| (8..=22).contains(&(pair[1].0 - pair[0].0))), "{got:?}");
}

#[test]
fn histograms_are_counters_unless_they_are_gauges() {
    let histogram = |count: f64, counter_reset: CounterReset| FloatHistogram {
        count,
        zero_count: count,
        counter_reset,
        ..FloatHistogram::default()
    };
    let replica = |seconds: &[i64], offset: f64, known: CounterReset| {
        let mut samples = Samples::default();
        seconds.iter().for_each(|s| samples.push_histogram(s * 1000, histogram(offset + *s as f64, known)));
        samples
    };
    let seconds = |from: i64, to: i64| (from..to).step_by(15).collect::<Vec<_>>();
    let first = [seconds(0, 310), seconds(400, 600)].concat();
    let check = |known: CounterReset, want: &[i64]| {
        let replicas = [replica(&first, 1000.0, known), replica(&seconds(7, 600), 960.0, known)];
        let merged = merge(&replicas, Kind::Unknown);
        assert!(merged.times.is_empty());
        let shown: Vec<_> = merged.histograms.iter().filter(|s| (300_000..=415_000).contains(&s.time)).collect();
        assert_eq!(shown.iter().map(|s| s.time / 1000).collect::<Vec<_>>(), want);
        let switch = if known == CounterReset::Gauge { known } else { CounterReset::Unknown };
        assert_eq!(shown[1].histogram.counter_reset, switch);
        assert_eq!(shown[2].histogram.counter_reset, known);
    };
    check(CounterReset::NotReset, &[300, 352, 367, 382, 400, 415]);
    check(CounterReset::Gauge, &[300, 322, 337, 352, 367, 382, 400, 415]);
}

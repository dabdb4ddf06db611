//! What holds for any scrapes. `WATERSHED_SEED` repeats a failed run, `WATERSHED_CASES` makes more cases.

use std::hash::{BuildHasher, RandomState};

use model::{Labels, TimeRange, Timestamp, is_stale};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use storage::chunk::{Chunk, Recoder, Value};
use storage::dedup::{Group, Kind, MARGIN_MS, groups, merge, merge_series};
use storage::{Samples, Series, SeriesSet};

use super::rate::{live, rate};
use super::scrapes::{START_MS, World, scatter, worlds};

const CASES: u32 = 300;

pub(crate) fn check_property<S: Strategy>(
    name: &str,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let setting = |variable: &str| std::env::var(variable).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seed = setting("WATERSHED_SEED").unwrap_or_else(|| RandomState::new().hash_one(name));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let cases = setting("WATERSHED_CASES").map_or(CASES, |cases| cases as u32);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    if let Err(error) = runner.run(strategy, test) {
        panic!("WATERSHED_SEED={seed}: {error}");
    }
}

/// Both ways to know a counter, and a gauge.
fn each_kind(
    world: &World,
    check: impl Fn(&[Samples], Kind, bool) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let counters = world.samples(|time| world.counter(time));
    check(&counters, Kind::Counter, true)?;
    check(&counters, Kind::Unknown, true)?;
    check(&world.samples(|time| world.gauge(time)), Kind::Unknown, false)
}

pub(crate) fn bits(samples: &Samples) -> Vec<(i64, u64)> {
    std::iter::zip(samples.times.iter().copied(), samples.values.iter().map(|value| value.to_bits())).collect()
}

#[test]
fn every_sample_is_one_of_a_replica() {
    check_property("own", &worlds(), |world| {
        each_kind(&world, |replicas, kind, _| {
            let merged = merge(replicas, kind);
            prop_assert!(merged.times.windows(2).all(|pair| pair[0] < pair[1]));
            let all: std::collections::BTreeSet<(i64, u64)> = replicas.iter().flat_map(bits).collect();
            prop_assert!(bits(&merged).iter().all(|sample| all.contains(sample)));
            // All of the preferred replica's live samples are there.
            let merged: std::collections::BTreeSet<(i64, u64)> = bits(&merged).into_iter().collect();
            let first = live(&replicas[0]);
            prop_assert!(first.iter().all(|(time, value)| merged.contains(&(*time, value.to_bits()))));
            Ok(())
        })
    });
}

#[test]
fn there_is_no_gap_where_a_replica_has_data() {
    check_property("no gap", &worlds(), |world| {
        each_kind(&world, |replicas, kind, counter| {
            let merged = live(&merge(replicas, kind));
            // One and a half intervals, which jitter stretches; where counters lag, up to two intervals for those who
            // wait for each other.
            let mut bound = world.interval * 3 / 2 + world.interval / 5;
            if counter && world.aligned {
                bound += 2 * world.interval;
            }
            for (time, _) in replicas.iter().flat_map(live) {
                let bound = bound + if counter { patience(&world, replicas, time) } else { 0 };
                let at = merged.partition_point(|(t, _)| *t < time);
                let near = |at: Option<usize>| {
                    at.and_then(|at| merged.get(at)).is_some_and(|(t, _)| (t - time).abs() <= bound)
                };
                prop_assert!(near(Some(at)) || near(at.checked_sub(1)), "nothing within {bound} ms of {time}");
            }
            Ok(())
        })
    });
}

#[test]
fn samples_keep_their_distance() {
    check_property("distance", &worlds(), |world| {
        each_kind(&world, |replicas, kind, _| {
            let replicas_closest = replicas.iter().map(|replica| closest(&live(replica))).min().unwrap_or(i64::MAX);
            let merged = closest(&live(&merge(replicas, kind)));
            // Half an interval, or what a restarted replica does by itself.
            let want = replicas_closest.min(world.interval / 2 - world.interval / 10);
            prop_assert!(merged >= want, "{merged} ms between two samples, at least {want} expected");
            Ok(())
        })
    });
}

/// How much longer counters are waited for here: a reset that no replica saw happen looks like lag.
fn patience(world: &World, replicas: &[Samples], time: i64) -> i64 {
    let longest = 300_000 + 2 * world.interval;
    let is_seen = |reset: i64| {
        replicas.iter().any(|replica| {
            let lag = if world.aligned { world.interval } else { 0 };
            let near = |pair: &[(i64, f64)]| {
                pair[0].0 < reset && reset <= pair[1].0 - lag && pair[1].0 - pair[0].0 <= 3 * world.interval
            };
            live(replica).windows(2).any(near)
        })
    };
    let unseen = world.reset_times().any(|reset| (reset - time).abs() <= longest && !is_seen(reset));
    if unseen { longest } else { 0 }
}

fn closest(samples: &[(i64, f64)]) -> i64 {
    samples.windows(2).map(|pair| pair[1].0 - pair[0].0).min().unwrap_or(i64::MAX)
}

#[test]
fn counters_grow_as_the_truth_does() {
    check_property("growth", &worlds(), |world| {
        for kind in [Kind::Counter, Kind::Unknown] {
            let replicas = world.samples(|time| world.counter(time));
            let merged = live(&merge(&replicas, kind));
            let lag = if world.aligned { world.interval } else { 0 };
            for pair in merged.windows(2) {
                let ((from, before), (to, after)) = (pair[0], pair[1]);
                let increase = if after < before { after } else { after - before };
                let growth = world.growth_between(from, to);
                let own = world.growth_between(0, lag) + 1.0; // whole numbers are seen
                prop_assert!(increase <= growth + own, "{increase} instead of {growth} from {from} to {to}");
                if !world.is_reset_within(from - lag, to) {
                    prop_assert!(after >= before, "a reset that never was, {before} to {after} from {from} to {to}");
                    prop_assert!(increase >= growth - own, "{increase} instead of {growth} from {from} to {to}");
                }
            }
        }
        Ok(())
    });
}

#[test]
fn rates_lie_within_those_of_the_replicas() {
    check_property("rate", &worlds(), |world| {
        let replicas = world.samples(|time| world.counter(time));
        let merged = merge(&replicas, Kind::Counter);
        let truth = world.growth_between(0, 1000);
        for window in [4, 10, 20] {
            let length = window * world.interval;
            for step in 0..world.length {
                let end = START_MS + step * world.interval + world.interval / 3;
                if patience(&world, &replicas, end) + patience(&world, &replicas, end - length) > 0 {
                    continue;
                }
                let own: Vec<f64> = replicas
                    .iter()
                    .filter_map(|replica| rate(replica, end, length))
                    .map(|rate| rate.per_second)
                    .collect();
                let Some(got) = rate(&merged, end, length) else {
                    let most = replicas.iter().map(|replica| in_window(replica, end, length)).max().unwrap_or(0);
                    // One may be left out at either end, for a sample of the other beyond it.
                    prop_assert!(most < 4, "{most} samples in a window of a replica, no rate");
                    continue;
                };
                let alone = replicas.iter().find(|replica| part(replica, end, length) == part(&merged, end, length));
                if let Some(alone) = alone {
                    prop_assert_eq!(Some(got), rate(alone, end, length));
                    continue;
                }
                // Where nobody has scraped for three quarters of the window, rates are extrapolations.
                if replicas.iter().all(|replica| in_window(replica, end, length) < window as usize * 3 / 4) {
                    continue;
                }
                // At either end a sample may be left out, with the distance to its neighbour; besides, extrapolated, there
                // are the lag and what resets swallow.
                let longest = replicas.iter().map(|replica| longest(&part(replica, end, length))).max().unwrap_or(0);
                let edge = longest.max(world.interval) as f64 / world.interval as f64;
                let resets = world.reset_times().filter(|at| (end - length..=end).contains(at)).count() as f64;
                let lag = if world.aligned { 1.0 } else { 0.0 };
                let intervals = 2.0 * edge + (lag + 2.0 * resets) * got.stretch;
                let slack = truth * intervals / window as f64 + 2.0 * got.stretch / (length as f64 / 1000.0);
                let got = got.per_second;
                let min = own.iter().copied().fold(f64::INFINITY, f64::min).min(truth) - slack;
                let max = own.iter().copied().fold(0.0, f64::max).max(truth) + slack;
                prop_assert!((min..=max).contains(&got), "{got} is not within {min} and {max} (true rate {truth})");
            }
        }
        Ok(())
    });
}

fn part(samples: &Samples, end: i64, length: i64) -> Vec<(i64, u64)> {
    let within = |time: i64| end - length < time && time <= end;
    live(samples).into_iter().filter(|(time, _)| within(*time)).map(|(time, value)| (time, value.to_bits())).collect()
}

fn longest(samples: &[(i64, u64)]) -> i64 {
    samples.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap_or(0)
}

fn in_window(samples: &Samples, end: i64, length: i64) -> usize {
    part(samples, end, length).len()
}

/// The samples within a range.
pub(crate) fn within(samples: &Samples, range: TimeRange) -> Samples {
    let mut out = Samples::default();
    for (time, value) in std::iter::zip(&samples.times, &samples.values) {
        if range.contains(Timestamp::from_ms(*time)) {
            out.push(*time, *value);
        }
    }
    out
}

#[test]
fn a_part_of_the_answer_is_the_answer_for_the_part() {
    let parts = (worlds(), 0..1000_i64, 0..1000_i64);
    check_property("part", &parts, |(world, from, length)| {
        each_kind(&world, |replicas, kind, _| {
            let whole = merge(replicas, kind);
            let range = part_of(&world, from, length);
            let wide = TimeRange::new(range.min.saturating_sub(MARGIN_MS), range.max.saturating_add(MARGIN_MS));
            let parts: Vec<Samples> = replicas.iter().map(|replica| within(replica, wide)).collect();
            prop_assert_eq!(bits(&within(&merge(&parts, kind), range)), bits(&within(&whole, range)));
            Ok(())
        })
    });
}

/// A part of a world, both numbers in thousandths of its length.
pub(crate) fn part_of(world: &World, from: i64, length: i64) -> TimeRange {
    let scale = world.length * world.interval;
    let from = START_MS + from * scale / 1000;
    TimeRange::new(Timestamp::from_ms(from), Timestamp::from_ms(from + length * scale / 1000))
}

/// A replica's series in chunks of random lengths.
pub(crate) fn series(labels: Labels, samples: &Samples, seed: u64) -> Series {
    let mut chunks: Vec<Chunk> = Vec::new();
    let all = bits(samples);
    let mut rest = &all[..];
    while !rest.is_empty() {
        let length = (scatter(seed ^ rest.len() as u64) % 120 + 1) as usize;
        let (head, tail) = rest.split_at(length.min(rest.len()));
        let mut recoder = Recoder::default();
        head.iter().for_each(|(time, value)| recoder.push(*time, Value::Float(f64::from_bits(*value))));
        chunks.extend(recoder.finish());
        rest = tail;
    }
    Series { labels, chunks }
}

/// Replicas of one series, which the label `replica` tells from each other.
pub(crate) fn group(replicas: Vec<Series>) -> Group {
    let found = groups(SeriesSet::from_sorted(replicas).series, &["replica".to_owned()]);
    found.expect("no errors").pop().expect("a series")
}

#[test]
fn blocks_hold_what_counts_however_it_came() {
    let parts = (worlds(), 0..1000_i64, 0..1000_i64, any::<u64>());
    check_property("blocks", &parts, |(world, from, length, seed)| {
        let replicas = world.samples(|time| world.counter(time));
        let range = part_of(&world, from, length);
        let make = |seed: u64| -> Vec<Series> {
            let label = |at: usize| Labels::from_pairs([("__name__", "x_total"), ("replica", &format!("r{at}"))]);
            replicas.iter().enumerate().map(|(at, samples)| series(label(at), samples, seed)).collect()
        };
        let chunks = merge_series(group(make(seed)), range).expect("valid chunks");
        let mut others = make(seed.wrapping_add(1));
        others.reverse();
        others.iter_mut().for_each(|series| series.chunks.reverse());
        let again = merge_series(group(others), range).expect("valid chunks");
        prop_assert!(chunks.iter().map(|chunk| &chunk.data).eq(again.iter().map(|chunk| &chunk.data)));
        let mut out = Samples::default();
        Series { labels: Labels::empty(), chunks }.decode(TimeRange::ALL, &mut out).expect("valid chunks");
        prop_assert_eq!(bits(&out), bits(&within(&merge(&replicas, Kind::Counter), range)));
        Ok(())
    });
}

#[test]
fn a_marker_ends_what_every_replica_ended() {
    check_property("markers", &worlds(), |world| {
        each_kind(&world, |replicas, kind, _| {
            let merged = merge(replicas, kind);
            let mut last_stale: Option<i64> = None;
            for (time, value) in std::iter::zip(&merged.times, &merged.values) {
                if is_stale(*value) {
                    // Nobody's last sample at this time is a live one that is younger than an interval.
                    for replica in replicas {
                        let at = replica.times.partition_point(|t| t <= time);
                        let live_before = at.checked_sub(1).is_some_and(|at| {
                            !is_stale(replica.values[at]) && time - replica.times[at] <= world.interval
                        });
                        prop_assert!(!live_before, "a replica is live at the marker {time}");
                    }
                    // A replica that comes back when all is over may have a late one.
                    prop_assert!(last_stale.is_none_or(|last| time - last > 450_000), "two markers in a row at {time}");
                }
                last_stale = is_stale(*value).then_some(*time);
            }
            Ok(())
        })
    });
}

//! The view: labels, matchers, limits, chunks that stay as they are, the same samples for any range.

use std::sync::Arc;

use futures::executor::block_on;
use model::{Buckets, Histogram, Labels, Matcher, STALE_NAN, Span, TimeRange, Timestamp};
use proptest::prelude::*;
use storage::chunk::{Chunk, Encoding, Recoder, TimedValue, Value};
use storage::dedup::{Dedup, Kind, MARGIN_MS, merge, merge_series};
use storage::{Hints, LabelRequest, Queryable, Samples, SelectRequest, Series};

use super::memory::Memory;
use super::properties::{bits, check_property, group, part_of, series, within};
use super::scrapes::worlds;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

/// A sample every 15 s, from and to these seconds.
fn steady(pairs: &[(&str, &str)], from: i64, to: i64) -> Series {
    let times: Vec<i64> = (from..to).step_by(15).map(|s| s * 1000).collect();
    let values = times.iter().map(|t| *t as f64).collect();
    series(labels(pairs), &Samples::of_floats(times, values), 7)
}

fn range(from: i64, to: i64) -> TimeRange {
    TimeRange::new(Timestamp::from_ms(from * 1000), Timestamp::from_ms(to * 1000))
}

fn view(series: Vec<Series>) -> Dedup {
    Dedup::new(Arc::new(Memory::new(series)), vec!["replica".to_owned(), "az".to_owned()])
}

fn select(view: &Dedup, request: &SelectRequest) -> Vec<Series> {
    let set = block_on(view.select(request)).expect("selects");
    set.series.map(|series| series.expect("can be read")).collect()
}

fn names(series: &[Series]) -> Vec<String> {
    series.iter().map(|series| series.labels.to_string()).collect()
}

#[test]
fn each_series_comes_once_in_order() {
    let view = view(vec![
        steady(&[("__name__", "m"), ("replica", "b")], 0, 3000),
        steady(&[("__name__", "m"), ("replica", "a")], 0, 3000),
        steady(&[("__name__", "m"), ("job", "x"), ("replica", "a")], 0, 3000),
        steady(&[("__name__", "m"), ("job", "x"), ("replica", "b"), ("az", "1")], 0, 3000),
        steady(&[("__name__", "m"), ("replica", "a"), ("zone", "1")], 0, 3000),
        steady(&[("__name__", "m"), ("replica", "b"), ("zone", "0")], 0, 3000),
        steady(&[("__name__", "n")], 0, 3000),
        // Only in the margin.
        steady(&[("__name__", "n"), ("replica", "a"), ("zone", "1")], 5000, 6000),
    ]);
    let mut request = SelectRequest::new(vec![], range(0, 3000));
    let want = ["m", r#"m{job="x"}"#, r#"m{zone="0"}"#, r#"m{zone="1"}"#, "n"];
    assert_eq!(names(&select(&view, &request)), want);
    request.hints = Hints { limit: 3, ..Hints::default() };
    assert_eq!(names(&select(&view, &request)), want[..3]);
    request.hints = Hints { labels_only: true, ..Hints::default() };
    assert_eq!(names(&select(&view, &request)), want);
    // To tell which sample is which replica's, the sources are asked for all of it.
    let chunks =
        |all: Vec<Series>| all.into_iter().flat_map(|series| series.chunks).map(|chunk| chunk.data).collect::<Vec<_>>();
    request.hints = Hints::default();
    let whole = chunks(select(&view, &request));
    request.hints = Hints { newest_only: true, labels: Some([].into()), ..Hints::default() };
    assert_eq!(names(&select(&view, &request)), want);
    assert_eq!(chunks(select(&view, &request)), whole);

    // Who names a replica gets it.
    let matcher = Matcher::equal("replica", "a");
    let request = SelectRequest::new(vec![Matcher::equal("__name__", "m"), matcher], range(0, 3000));
    let want = [r#"m{job="x", replica="a"}"#, r#"m{replica="a"}"#, r#"m{replica="a", zone="1"}"#];
    assert_eq!(names(&select(&view, &request)), want);

    let request = |limit| LabelRequest { matchers: vec![], range: TimeRange::ALL, limit };
    let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(block_on(view.label_names(&request(0))), Ok(strings(&["__name__", "job", "zone"])));
    assert_eq!(block_on(view.label_names(&request(2))), Ok(strings(&["__name__", "job"])));
    assert_eq!(block_on(view.label_values("replica", &request(0))), Ok(strings(&["a", "b"])));
    assert_eq!(view.min_time(), Some(Timestamp::from_ms(0)));

    view.set_replica_labels(vec![]);
    assert_eq!(select(&view, &SelectRequest::new(vec![], range(0, 3000))).len(), 7);
}

#[test]
fn what_counts_as_it_is_stays_as_it_is() {
    let check = |series: Vec<Series>, range: TimeRange, from: usize, untouched: bool| {
        let want = series[from].clone();
        let got = select(&view(series), &SelectRequest::new(vec![], range)).remove(0);
        let touched = want.chunks.iter().filter(|chunk| range.overlaps(TimeRange::new(chunk.min_time, chunk.max_time)));
        let same = got.chunks.iter().map(|chunk| chunk.data.as_ptr()).eq(touched.map(|chunk| chunk.data.as_ptr()));
        assert_eq!(same, untouched);
    };
    let a = |from, to| steady(&[("__name__", "m"), ("replica", "a")], from, to);
    let b = |from, to| steady(&[("__name__", "m"), ("replica", "b")], from, to);
    check(vec![steady(&[("__name__", "m")], 0, 3000)], range(100, 2000), 0, true);
    check(vec![a(0, 3000)], range(100, 2000), 0, true);
    check(vec![a(0, 3000), b(5, 3000)], range(100, 2000), 0, true);
    check(vec![a(0, 3000), b(5, 3000)], range(0, 4000), 0, true);
    check(vec![a(0, 3000), b(5, 3008)], range(0, 4000), 0, true);
    check(vec![a(0, 3000), b(5, 4000)], range(100, 2000), 0, true);
    check(vec![a(0, 3000), b(5, 4000)], range(100, 3300), 0, false);
    check(vec![a(0, 3000), b(5, 4000)], range(3300, 3600), 1, false);
    check(vec![a(0, 1000), b(5, 9000)], range(6000, 7000), 1, true);
}

#[test]
fn what_was_chosen_before_goes_on_as_it_would_have() {
    let parts = (worlds(), 0..1000_i64, 0..1000_i64, any::<u64>(), any::<bool>(), any::<bool>());
    check_property("goes on", &parts, |(world, border, from, seed, counter, overlaps)| {
        let replicas = match counter {
            true => world.samples(|time| world.counter(time)),
            false => world.samples(|time| world.gauge(time)),
        };
        let name = if counter { "x_total" } else { "x" };
        let whole = merge(&replicas, Kind::of(&labels(&[("__name__", name)])));
        // A block up to the border, and what replicas hold: all, or all since a while before the border.
        let end = part_of(&world, border, 0).min;
        let begin = if overlaps { Timestamp::MIN } else { end.saturating_sub(MARGIN_MS) };
        let block = within(&whole, TimeRange::new(Timestamp::MIN, end.saturating_sub(1)));
        let mut all = vec![series(labels(&[("__name__", name)]), &block, seed)];
        for (at, samples) in replicas.iter().enumerate() {
            let labels = labels(&[("__name__", name), ("replica", &format!("r{at}"))]);
            all.push(series(labels, &within(samples, TimeRange::new(begin, Timestamp::MAX)), seed));
        }
        let view = view(all);
        for asked in [TimeRange::ALL, part_of(&world, from, 300)] {
            let mut got = Samples::default();
            if let [series] = &select(&view, &SelectRequest::new(vec![], asked))[..] {
                series.decode(asked, &mut got).expect("valid chunks");
            }
            // Where the block is silent for long, less than the margin behind the replicas' beginning, more may be shown than was chosen.
            let want = bits(&within(&whole, asked));
            let mut got = bits(&got);
            got.retain(|sample| !(begin.as_ms()..end.as_ms()).contains(&sample.0) || overlaps || want.contains(sample));
            prop_assert_eq!(got, want);
        }
        Ok(())
    });
}

#[test]
fn histograms_stay_what_they_are() {
    let replica = |name: &str, seconds: &mut dyn Iterator<Item = i64>| {
        let mut recoder = Recoder::default();
        for s in seconds {
            let count = s as u64 + 1;
            let buckets = Buckets { positive_spans: vec![Span { offset: 0, length: 1 }], ..Buckets::default() };
            let histogram =
                Histogram { buckets, count, positive: vec![count as i64], sum: s as f64, ..Histogram::default() };
            recoder.push(s * 1000, histogram.into());
        }
        Series { labels: labels(&[("__name__", "h"), ("replica", name)]), chunks: recoder.finish() }
    };
    let away = |s: &i64| !(900..1200).contains(s);
    let a = replica("a", &mut (0..3600).step_by(15).filter(away));
    let b = replica("b", &mut (7..3600).step_by(15));
    let replicas = [&a, &b].map(|series| {
        let mut samples = Samples::default();
        series.decode(TimeRange::ALL, &mut samples).expect("valid chunks");
        samples
    });
    let want = merge(&replicas, Kind::Unknown);
    let hour = range(0, 3600);
    let block = merge_series(group(vec![b.clone(), a.clone()]), hour).expect("valid chunks");
    let shown = select(&view(vec![a, b]), &SelectRequest::new(vec![], hour)).remove(0);
    for series in [Series { labels: Labels::empty(), chunks: block }, shown] {
        assert!(series.chunks.iter().all(|chunk| chunk.encoding == Encoding::Histogram));
        let mut got = Samples::default();
        series.decode(TimeRange::ALL, &mut got).expect("valid chunks");
        assert_eq!(got.histograms.len(), 240);
        assert!(
            std::iter::zip(&got.histograms, &want.histograms)
                .all(|(got, want)| { got.time == want.time && got.histogram.same_as(&want.histogram) })
        );
    }
}

/// Of a replica's two values at one time, and of the kinds a stale marker may have, it makes no difference for a block which a node has first.
#[test]
fn a_block_does_not_depend_on_what_came_first() {
    let encode = |samples: &[(i64, Value)]| {
        let mut recoder = Recoder::default();
        samples.iter().for_each(|(second, value)| recoder.push(second * 1000, value.clone()));
        recoder.finish()
    };
    let counter = |seconds: std::ops::Range<i64>, lag: i64| -> Vec<(i64, Value)> {
        seconds.step_by(15).map(|second| (second, Value::Float((second - lag) as f64))).collect()
    };
    let of = |name: &str, chunks: Vec<Chunk>| Series {
        labels: labels(&[("__name__", "m_total"), ("replica", name)]),
        chunks,
    };
    // While the first is away the second would look like a reset.
    let b = of("b", encode(&counter(607..3600, 100)));
    let block = |marker: Value, late: &[(i64, Value)], late_first: bool| {
        let mut first = counter(0..1800, 0);
        first.push((1800, marker));
        first.extend(counter(1950..3600, 0));
        let mut chunks = [encode(&first), encode(late)];
        if late_first {
            chunks.reverse();
        }
        let group = group(vec![of("a", chunks.concat()), b.clone()]);
        let chunks = merge_series(group, range(0, 3600)).expect("valid chunks");
        chunks.iter().map(|chunk| chunk.data.clone()).collect::<Vec<_>>()
    };
    let stale = || Value::Float(STALE_NAN);
    let want = block(stale(), &[], false);
    assert_eq!(want, block(Histogram::stale().into(), &[], false));
    let late = [(1500, Value::Float(7.0)), (1800, Value::Float(1800.0)), (1950, stale())];
    assert_eq!(block(stale(), &late, false), block(Histogram::stale().into(), &late, true));
    assert_ne!(block(stale(), &late, false), want);
}

#[test]
fn any_range_shows_the_same_samples() {
    let parts = (worlds(), 0..1000_i64, 0..1000_i64, any::<u64>(), any::<bool>());
    check_property("ranges", &parts, |(world, from, length, seed, counter)| {
        let replicas = match counter {
            true => world.samples(|time| world.counter(time)),
            false => world.samples(|time| world.gauge(time)),
        };
        let asked = part_of(&world, from, length);
        let name = if counter { "x_total" } else { "x" };
        let label = |at: usize| labels(&[("__name__", name), ("replica", &format!("r{at}"))]);
        let all = replicas.iter().enumerate().map(|(at, samples)| series(label(at), samples, seed)).collect();
        let found = select(&view(all), &SelectRequest::new(vec![], asked));
        let mut got = Samples::default();
        if let [series] = &found[..] {
            series.decode(asked, &mut got).expect("valid chunks");
        }
        let whole = merge(&replicas, Kind::of(&label(0)));
        prop_assert_eq!(bits(&got), bits(&within(&whole, asked)));
        Ok(())
    });
}

#[test]
fn starts_stay_with_their_samples() {
    let replica = |name: &str, seconds: &mut dyn Iterator<Item = i64>| {
        let mut recoder = Recoder::default();
        for s in seconds {
            recoder.push_timed(TimedValue { time: s * 1000, start: s * 1000 - 1, value: Value::Float(s as f64) });
        }
        Series { labels: labels(&[("__name__", "g"), ("replica", name)]), chunks: recoder.finish() }
    };
    let away = |s: &i64| !(900..1200).contains(s);
    let a = replica("a", &mut (0..3600).step_by(15).filter(away));
    let b = replica("b", &mut (7..3600).step_by(15));
    let decoded = |series: &Series| {
        let mut samples = Samples::default();
        series.decode(TimeRange::ALL, &mut samples).expect("valid chunks");
        samples
    };
    let want = merge(&[&a, &b].map(decoded), Kind::Unknown);
    assert_eq!((want.times.len(), want.times.contains(&907_000)), (240, true));
    assert!(want.times.iter().zip(&want.starts).all(|(time, start)| time - 1 == *start));
    let hour = range(0, 3600);
    let block = merge_series(group(vec![b.clone(), a.clone()]), hour).expect("valid chunks");
    let shown = select(&view(vec![a, b]), &SelectRequest::new(vec![], hour)).remove(0);
    for series in [Series { labels: Labels::empty(), chunks: block }, shown] {
        assert_eq!(decoded(&series), want);
    }
}

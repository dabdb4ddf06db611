//! Two nodes get the same samples in different orders, are killed and restarted, look into the bucket at any time: in the end
//! their blocks are the same.

use model::{Buckets, FloatHistogram, Histogram, Labels, STALE_NAN, Span, TimeRange};
use proptest::prelude::*;
use storage::chunk::Value;

use crate::fixture::{Content, Node, WIDTH_MS, check_property, content, in_memory, marked, ms, objects, told, visible};

const SERIES: usize = 6;
const END_MS: i64 = 5 * WIDTH_MS;
const CASES: u32 = 48;

fn labels(series: usize) -> Labels {
    let (name, replica) = (format!("m{}", series / 2), ["a", "b"][series % 2]);
    Labels::from_pairs([("__name__", name.as_str()), ("replica", replica)])
}

/// Two series of each kind: floats, histograms, float histograms. Counters, that are reset now and then.
fn value(series: usize, time: i64, stale: bool) -> Value {
    if stale {
        return Value::Float(STALE_NAN);
    }
    let n = (time / 100) as u64;
    let since = n % 170;
    if series / 2 == 0 {
        return Value::Float(since as f64 * 1.5);
    }
    let counts: Vec<i64> = (0..=since / 20).map(|bucket| (since - bucket * 20) as i64).collect();
    let spans = vec![Span { offset: 3, length: counts.len() as u32 }];
    let histogram = Histogram {
        buckets: Buckets { positive_spans: spans, ..Buckets::default() },
        count: counts.iter().sum::<i64>() as u64,
        sum: since as f64,
        positive: model::bucket_deltas(counts),
        ..Histogram::default()
    };
    if series / 2 == 1 { histogram.into() } else { FloatHistogram { ..histogram.to_float() }.into() }
}

#[derive(Debug, Clone)]
struct Sample {
    series: usize,
    time: i64,
    stale: bool,
}

/// What happens to a node between two samples.
#[derive(Debug, Clone, Copy)]
enum Event {
    Nothing,
    Maintain,
    Restart,
    Sync(i64),
    /// Dies on the way, after so many waits.
    DieUploading(i64, usize),
}

/// How a node gets the samples: each so much later than in order, and what happens besides.
type Course = Vec<(u16, Event)>;

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let sample = (0..SERIES, 0..END_MS / 100, prop::bool::weighted(0.04));
    prop::collection::vec(sample, 1..400).prop_map(|raw| {
        let mut seen = std::collections::BTreeSet::new();
        raw.into_iter()
            .map(|(series, step, stale)| Sample { series, time: step * 100 + series as i64, stale })
            .filter(|sample| seen.insert((sample.series, sample.time)))
            .collect()
    })
}

fn course() -> impl Strategy<Value = Course> {
    let event = prop_oneof![
        60 => Just(Event::Nothing),
        3 => Just(Event::Maintain),
        1 => Just(Event::Restart),
        1 => (0..END_MS + WIDTH_MS).prop_map(Event::Sync),
        1 => (0..END_MS + WIDTH_MS, 0..60_usize).prop_map(|(until, waits)| Event::DieUploading(until, waits)),
    ];
    let delay = prop_oneof![6 => Just(0), 2 => 0..2_000_u16, 1 => 0..50_000_u16];
    prop::collection::vec((delay, event), 400)
}

/// Gives a node its samples, and uploads all windows.
async fn live(node: &mut Node, samples: &[Sample], course: &Course) {
    let mut order: Vec<(i64, &Sample, Event)> = samples
        .iter()
        .zip(course)
        .map(|(sample, (delay, event))| (sample.time + i64::from(*delay), sample, *event))
        .collect();
    order.sort_by_key(|(arrival, ..)| *arrival);
    for (_, sample, event) in order {
        node.append(&labels(sample.series), sample.time, &value(sample.series, sample.time, sample.stale));
        match event {
            Event::Nothing => {}
            Event::Maintain => drop(node.db().maintain().expect("maintained")),
            Event::Restart => node.start(),
            Event::Sync(complete_until) => drop(node.sync(complete_until).await.expect("uploaded")),
            Event::DieUploading(complete_until, waits) => {
                node.begin_sync(complete_until, waits).await;
                node.start();
            }
        }
    }
    // Late samples go into blocks when the next block is cut.
    for step in 1..6 {
        node.append_float("later", END_MS + step * WIDTH_MS / 2, 1.0);
    }
    node.db().maintain().expect("maintained");
    node.sync(END_MS + WIDTH_MS).await.expect("uploaded");
    assert_eq!(node.sync(END_MS + WIDTH_MS).await.expect("nothing to do"), 0);
}

fn wanted(samples: &[Sample]) -> Content {
    let mut out = Content::new();
    for sample in samples {
        let told = told(&value(sample.series, sample.time, sample.stale));
        out.entry(labels(sample.series).to_string()).or_default().push((sample.time, told));
    }
    out.values_mut().for_each(|samples| samples.sort());
    out
}

fn check(name: &str, replica_labels: &[&str]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    check_property(name, CASES, &(samples(), course(), course()), |(samples, one, other)| {
        runtime.block_on(async {
            let mut nodes = [Node::new(in_memory()), Node::new(in_memory())];
            for (node, course) in nodes.iter_mut().zip([&one, &other]) {
                node.replica_labels = replica_labels.iter().map(|name| (*name).to_owned()).collect();
                live(node, &samples, course).await;
            }
            let whole = TimeRange::new(ms(0), ms(END_MS - 1));
            let wanted = wanted(&samples);
            for node in &nodes {
                prop_assert_eq!(&content(&**node.db(), whole).await, &wanted);
                if replica_labels.is_empty() {
                    prop_assert_eq!(&content(&node.view().await, whole).await, &wanted);
                }
            }
            let (first, second) = (visible(&nodes[0]).await, visible(&nodes[1]).await);
            prop_assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
            prop_assert!(first == second, "the same names and other content");
            let ranges = nodes[0].ranges().await;
            prop_assert!(ranges.windows(2).all(|two| two[0].1 <= two[1].0), "{:?}", ranges);
            if !replica_labels.is_empty() {
                for (series, samples) in content(&nodes[0].view().await, whole).await {
                    let own = wanted.iter().filter(|(name, _)| name.starts_with(&series));
                    let own: Vec<_> = own.flat_map(|(_, samples)| samples).collect();
                    prop_assert!(samples.iter().all(|sample| own.contains(&sample)), "{} is made up", series);
                }
            }
            Ok(())
        })
    });
}

/// Both into one bucket: whatever they did to each other, each window is there once in the end, with all of its samples.
#[test]
fn in_one_bucket_each_window_is_there_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    check_property("one bucket", CASES, &(samples(), course(), course()), |(samples, one, other)| {
        runtime.block_on(async {
            let store = in_memory();
            let mut nodes = [Node::new(store.clone()), Node::new(store.clone())];
            let [first, second] = &mut nodes;
            tokio::join!(live(first, &samples, &one), live(second, &samples, &other));
            let ranges = nodes[0].ranges().await;
            prop_assert!(ranges.windows(2).all(|two| two[0].1 <= two[1].0), "{:?}", ranges);
            let whole = TimeRange::new(ms(0), ms(END_MS - 1));
            prop_assert_eq!(&content(&nodes[0].view().await, whole).await, &wanted(&samples));
            let all = objects(&*store).await;
            let complete = all.keys().filter(|name| name.ends_with("/meta.json")).count();
            prop_assert_eq!(complete, ranges.len() + marked(&*store).await.len(), "all that are not read are marked");
            Ok(())
        })
    });
}

#[test]
fn blocks_depend_on_nothing_but_the_samples() {
    check("identity", &[]);
}

#[test]
fn blocks_of_replicas_made_one_depend_on_nothing_but_the_samples() {
    check("identity of replicas", &["replica"]);
}

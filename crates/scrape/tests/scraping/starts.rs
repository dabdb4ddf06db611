//! Zeros at the times since when metrics count, as their targets show them.

use model::{Clock, CounterReset, NativeHistogram, SystemClock, is_stale};
use storage::chunk::Value;

use crate::formats::{OPENMETRICS, PROTOBUF, answer};
use crate::protobuf::{Bytes, bucket, deltas, double, family, integer, message, metric, span};
use crate::store::Store;
use crate::world::World;

/// Milliseconds before now, in whole seconds: what both formats can say exactly.
fn ago(seconds: i64) -> i64 {
    (SystemClock.now().as_ms() / 1000 - seconds) * 1000
}

/// A page in OpenMetrics whose metrics count since `start`, if they say so.
fn openmetrics(start: Option<i64>) -> Vec<u8> {
    let created = |line: &str| start.map_or(String::new(), |ms| format!("{line} {}\n", ms / 1000));
    let page = [
        "# TYPE requests counter\nrequests_total{code=\"200\"} 5\n",
        &created("requests_created{code=\"200\"}"),
        "# TYPE rpc summary\nrpc_count 3\nrpc_sum 4.5\nrpc{quantile=\"0.5\"} 1.0\n",
        &created("rpc_created"),
        "# TYPE latency histogram\nlatency_bucket{le=\"0.1\"} 1\nlatency_bucket{le=\"+Inf\"} 7\nlatency_count 7\nlatency_sum 12.25\n",
        &created("latency_created"),
        "# TYPE temperature gauge\ntemperature 3\n# EOF\n",
    ];
    page.concat().into_bytes()
}

/// The same in protocol buffers; the gauge says when it began, too, in a field that only counters have.
fn protobuf(start: Option<i64>) -> Bytes {
    let created = |number| start.map_or(Bytes::new(), |ms| message(number, &[integer(1, ms / 1000)]));
    let quantile = message(3, &[double(1, 0.5), double(2, 1.0)]);
    let latency = [integer(1, 7), double(2, 12.25), bucket(0.1, 1, vec![]), created(15)];
    [
        family("requests_total", 0, &[metric(&[("code", "200")], message(3, &[double(1, 5.0), created(3)]))]),
        family("rpc", 2, &[metric(&[], message(4, &[integer(1, 3), double(2, 4.5), quantile, created(4)]))]),
        family("latency", 4, &[metric(&[], message(7, &latency))]),
        family("temperature", 1, &[metric(&[], message(2, &[double(1, 3.0), created(3)]))]),
    ]
    .concat()
}

type Page = fn(Option<i64>) -> Vec<u8>;

const FORMATS: [(&str, Page); 2] = [(OPENMETRICS, openmetrics), (PROTOBUF, protobuf)];

/// The series that count, of the only target.
fn counting(world: &World) -> Vec<String> {
    let series = |name, more| world.series(name, more);
    vec![
        series("latency_bucket", ", le=\"+Inf\""),
        series("latency_bucket", ", le=\"0.1\""),
        series("latency_count", ""),
        series("latency_sum", ""),
        series("rpc", ", quantile=\"0.5\""),
        series("rpc_count", ""),
        series("rpc_sum", ""),
    ]
}

/// The series of a metric whose labels print on both sides of the target's.
fn requests(world: &World) -> String {
    let address = world.target().discovered_labels.value("__address__").to_owned();
    format!("requests_total{{code=\"200\", instance=\"{address}\", job=\"j\"}}")
}

fn zeros(store: &Store, series: &str) -> Vec<i64> {
    let samples = store.samples(series);
    assert!(samples.is_sorted_by(|one, next| one.0 < next.0), "{series}: {samples:?}");
    samples.into_iter().filter(|(_, value)| *value == 0.0).map(|(time, _)| time).collect()
}

#[tokio::test]
async fn each_series_that_counts_begins_with_a_zero() {
    for (content_type, page) in FORMATS {
        let start = ago(100);
        let (world, _server) = World::with_zeros(answer(content_type, &page(Some(start))), "").await;
        world.scrapes(4).await;
        for series in counting(&world).into_iter().chain([requests(&world)]) {
            assert_eq!(zeros(&world.store, &series), [start], "{content_type}: {series}");
            assert_eq!(world.store.samples(&series)[0].0, start, "{content_type}: {series}");
        }
        assert!(zeros(&world.store, &world.series("temperature", "")).is_empty(), "{content_type}");
        assert_eq!(world.store.starts_offered(), 8, "{content_type}: each once");
        let all = world.store.series();
        assert!(!all.iter().any(|series| series.contains("_created")), "{content_type}: {all:#?}");
        let count = world.store.last(&world.series("scrape_samples_scraped", ""));
        assert_eq!(count, Some(9.0), "{content_type}: zeros and _created lines are no samples of the target");
    }
}

#[tokio::test]
async fn a_restart_of_the_target_is_one_zero_between() {
    for (content_type, page) in FORMATS {
        let start = ago(100);
        let (world, server) = World::with_zeros(answer(content_type, &page(Some(start))), "").await;
        world.scrapes(3).await;
        // The second in which it starts anew has to lie between two scrapes, so it stands still for two.
        server.answer(answer("text/plain", b""));
        world.store.wait(|store| store.is_stale(&requests(&world)).then_some(())).await;
        let newest = world.store.samples(&requests(&world)).last().unwrap().0;
        let again = newest / 1000 * 1000 + 1000;
        while ago(0) <= again {
            world.scrapes(1).await;
        }
        server.answer(answer(content_type, &page(Some(again))));
        world.store.wait(|store| (zeros(store, &requests(&world)).len() == 2).then_some(())).await;
        world.scrapes(3).await;
        for series in counting(&world).into_iter().chain([requests(&world)]) {
            assert_eq!(zeros(&world.store, &series), [start, again], "{content_type}: {series}");
            let samples = world.store.samples(&series);
            let at = samples.iter().position(|(time, _)| *time == again).unwrap();
            assert!(is_stale(samples[at - 1].1) && samples[at + 1].1 > 0.0, "{content_type}: {series}");
        }
    }
}

/// A target that is scraped at a moment it says is yet to come: the zero waits for the sample that it is before.
#[tokio::test]
async fn a_time_that_has_not_come_is_tried_again() {
    for (content_type, page) in FORMATS {
        let start = ago(-2);
        let (world, _server) = World::with_zeros(answer(content_type, &page(Some(start))), "").await;
        world.scrapes(2).await;
        assert!(zeros(&world.store, &requests(&world)).is_empty(), "{content_type}");
        world.store.wait(|store| (zeros(store, &requests(&world)) == [start]).then_some(())).await;
        let times: Vec<i64> = world.store.samples(&requests(&world)).iter().map(|(time, _)| *time).collect();
        assert!(times[0] < start && *times.last().unwrap() > start, "{content_type}: {times:?}");
    }
}

#[tokio::test]
async fn a_zero_that_was_rolled_back_is_stored_with_the_next_scrape() {
    for (content_type, page) in FORMATS {
        let start = ago(100);
        let page = page(Some(start));
        let (world, server) = World::with_zeros(answer(content_type, &page[..page.len() - 3]), "").await;
        world.wait_up(0.0).await;
        assert!(world.store.starts_offered() >= 8, "{content_type}: all was read but the end");
        assert!(world.store.samples(&requests(&world)).is_empty(), "{content_type}");
        server.answer(answer(content_type, &page));
        world.wait_up(1.0).await;
        world.scrapes(2).await;
        for series in counting(&world).into_iter().chain([requests(&world)]) {
            assert_eq!(zeros(&world.store, &series), [start], "{content_type}: {series}");
        }
    }
}

#[tokio::test]
async fn native_and_converted_histograms_begin_with_an_empty_one() {
    let start = ago(100);
    let native = [double(6, 0.5), integer(7, 1), span(12, 0, 2), deltas(13, &[2, 1])].concat();
    let fields = [integer(1, 6), double(2, 7.5), native, message(15, &[integer(1, start / 1000)])];
    let native = family("latency", 4, &[metric(&[], message(7, &fields))]);
    let converted = "convert_classic_histograms_to_nhcb: true";
    for (content_type, page, words) in [
        (PROTOBUF, native, "scrape_native_histograms: true"),
        (PROTOBUF, protobuf(Some(start)), converted),
        (OPENMETRICS, openmetrics(Some(start)), converted),
    ] {
        let (world, _server) = World::with_zeros(answer(content_type, &page), words).await;
        world.scrapes(4).await;
        let values = world.store.values(&world.series("latency", ""));
        let [(time, Value::Histogram(zero)), (_, Value::Histogram(next)), ..] = &values[..] else {
            panic!("{words}: {values:?}")
        };
        assert_eq!((*time, zero.counter_reset()), (start, CounterReset::Reset), "{words}");
        assert!(matches!(zero, NativeHistogram::Int(zero) if zero.count == 0 && zero.sum == 0.0), "{words}: {zero:?}");
        let (like, own) = (zero.buckets(), next.buckets());
        assert_eq!((like.schema, like.zero_threshold), (own.schema, own.zero_threshold), "{words}");
        assert_eq!(like.custom_values, own.custom_values, "{words}");
        assert_eq!(values.iter().filter(|(_, value)| empty(value)).count(), 1, "{words}");
    }
}

fn empty(value: &Value) -> bool {
    matches!(value, Value::Histogram(histogram) if histogram.to_float().count == 0.0)
}

#[tokio::test]
async fn samples_with_times_of_their_own_have_zeros_before_them() {
    let (start, time) = (ago(100), ago(50));
    let page = format!(
        "# TYPE requests counter\nrequests_total{{code=\"200\"}} 5 {}\nrequests_created{{code=\"200\"}} {}\n# EOF\n",
        time / 1000,
        start / 1000
    );
    let (world, _server) = World::with_zeros(answer(OPENMETRICS, page.as_bytes()), "").await;
    world.scrapes(3).await;
    assert_eq!(world.store.samples(&requests(&world)), [(start, 0.0), (time, 5.0)]);
}

#[tokio::test]
async fn without_the_feature_all_is_as_it_was() {
    for (content_type, page) in FORMATS {
        let start = ago(100);
        let (world, server) = World::with(answer(content_type, &page(Some(start))), "").await;
        world.scrapes(3).await;
        assert_eq!(world.store.starts_offered(), 0, "{content_type}");
        for series in counting(&world).into_iter().chain([requests(&world)]) {
            assert!(zeros(&world.store, &series).is_empty(), "{content_type}: {series}");
            assert!(world.store.samples(&series).len() >= 2, "{content_type}: {series}");
        }
        let created = world.store.last(&world.series("latency_created", ""));
        let told = (content_type == OPENMETRICS).then_some((start / 1000) as f64);
        assert_eq!(created, told, "{content_type}");
        assert!(
            server.last_request().contains("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6")
        );
    }
}

#[tokio::test]
async fn the_format_that_tells_it_best_is_asked_for_first() {
    let (world, server) = World::with_zeros(answer(PROTOBUF, &protobuf(None)), "").await;
    world.scrapes(1).await;
    let request = server.last_request();
    assert!(request.contains("encoding=delimited;q=0.6,application/openmetrics-text"), "{request}");
    let words = "scrape_protocols: [PrometheusText0.0.4]";
    let (world, server) = World::with_zeros(answer(PROTOBUF, &protobuf(None)), words).await;
    world.scrapes(1).await;
    let request = server.last_request();
    assert!(!request.contains("delimited"), "as configured: {request}");
}

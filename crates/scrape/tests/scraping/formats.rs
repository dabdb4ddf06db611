//! The exposition formats: what they show alike is stored alike, and what only some of them have.

use model::{CounterReset, MetricType, NativeHistogram, is_stale};

use crate::protobuf::{Bytes, bucket, bytes, deltas, double, exemplar, family, integer, message, metric, signed, span};
use crate::server::Answer;
use crate::store::Store;
use crate::world::World;

pub(crate) const TEXT: &str = "text/plain; version=0.0.4";
pub(crate) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
pub(crate) const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

pub(crate) fn answer(content_type: &str, body: &[u8]) -> Answer {
    Answer::with(&format!("200 OK\r\nContent-Type: {content_type}"), body)
}

async fn stored(content_type: &str, body: &[u8], words: &str) -> World {
    let (world, _server) = World::with(answer(content_type, body), words).await;
    world.wait_up(1.0).await;
    world
}

/// The series that the target showed, with their first values, without what a scrape tells of itself.
fn shown(store: &Store) -> Vec<String> {
    let is_own = |series: &String| !series.starts_with("up{") && !series.starts_with("scrape_");
    let line = |series: String| {
        let value = &store.values(&series)[0].1;
        let (instance, rest) = series.split_once("instance=\"").unwrap();
        format!("{instance}{} {value:?}", rest.split_once('"').unwrap().1)
    };
    store.series().into_iter().filter(is_own).map(line).collect()
}

const FAMILIES: &str = "\
# TYPE requests_total counter
requests_total{code=\"200\"} 5
requests_total{code=\"500\"} 0
# TYPE temperature gauge
temperature{room=\"ü \\\"q\\\"\"} -1.5
# TYPE rpc summary
rpc_count 3
rpc_sum 4.5
rpc{quantile=\"0.5\"} 1
rpc{quantile=\"1\"} 2
# TYPE latency histogram
latency_count{path=\"/\"} 7
latency_sum{path=\"/\"} 12.25
latency_bucket{path=\"/\",le=\"0.1\"} 1
latency_bucket{path=\"/\",le=\"1\"} 4
latency_bucket{path=\"/\",le=\"+Inf\"} 7
# TYPE something untyped
something 1e10
";

fn families() -> Bytes {
    let of = |value: f64| double(1, value);
    let quantile = |quantile, value| message(3, &[double(1, quantile), double(2, value)]);
    let latency = [
        integer(1, 7),
        double(2, 12.25),
        bucket(0.1, 1, vec![]),
        bucket(1.0, 4, vec![]),
        bucket(f64::INFINITY, 7, vec![]),
    ];
    [
        family(
            "requests_total",
            0,
            &[metric(&[("code", "200")], message(3, &[of(5.0)])), metric(&[("code", "500")], message(3, &[of(0.0)]))],
        ),
        family("temperature", 1, &[metric(&[("room", "ü \"q\"")], message(2, &[of(-1.5)]))]),
        family(
            "rpc",
            2,
            &[metric(&[], message(4, &[integer(1, 3), double(2, 4.5), quantile(0.5, 1.0), quantile(1.0, 2.0)]))],
        ),
        family("latency", 4, &[metric(&[("path", "/")], message(7, &latency))]),
        family("something", 3, &[metric(&[], message(5, &[of(1e10)]))]),
    ]
    .concat()
}

fn openmetrics(text: &str) -> String {
    format!("{}# EOF\n", text.replace("TYPE requests_total", "TYPE requests").replace(" untyped", " unknown"))
}

#[tokio::test]
async fn all_formats_store_the_same() {
    let text = stored(TEXT, FAMILIES.as_bytes(), "").await;
    let want = shown(&text.store);
    assert_eq!(want.len(), 13, "{want:#?}");
    for normal in ["quantile=\"1.0\"", "le=\"1.0\"", "le=\"0.1\"", "le=\"+Inf\""] {
        assert!(want.iter().any(|series| series.contains(normal)), "{normal} not in {want:#?}");
    }
    let openmetrics = openmetrics(FAMILIES);
    let others = [
        ("PrometheusText1.0.0", "text/plain; version=1.0.0; escaping=allow-utf-8", FAMILIES.as_bytes().to_vec()),
        ("OpenMetricsText0.0.1", "application/openmetrics-text; version=0.0.1", openmetrics.clone().into_bytes()),
        ("OpenMetricsText1.0.0", OPENMETRICS, openmetrics.into_bytes()),
        ("PrometheusProto", PROTOBUF, families()),
    ];
    for (protocol, content_type, body) in others {
        // asked for by name, and taken where the target says nothing
        let world = stored(content_type, &body, &format!("scrape_protocols: [{protocol}]")).await;
        assert_eq!(shown(&world.store), want, "{protocol}");
        let world = stored("nonsense", &body, &format!("fallback_scrape_protocol: {protocol}")).await;
        assert_eq!(shown(&world.store), want, "{protocol} as the fallback");
        let count = world.store.last(&world.series("scrape_samples_scraped", ""));
        assert_eq!(count, Some(13.0), "{protocol}");
    }
}

#[tokio::test]
async fn known_lines_of_all_formats_are_appended_by_reference_and_end() {
    let openmetrics = openmetrics(FAMILIES);
    for (content_type, body, end) in [
        (TEXT, FAMILIES.as_bytes().to_vec(), &b"a 1\n"[..]),
        (OPENMETRICS, openmetrics.into_bytes(), b"# EOF\n"),
        (PROTOBUF, families(), b""),
    ] {
        let (world, server) = World::with(answer(content_type, &body), "").await;
        world.scrapes(2).await;
        let before = world.store.appends_by_labels();
        world.scrapes(3).await;
        assert_eq!(world.store.appends_by_labels(), before, "{content_type}");
        let latency = world.series("latency_count", ", path=\"/\"");
        assert_eq!(world.store.last(&latency), Some(7.0), "{content_type}");
        server.answer(answer(content_type, end));
        world.store.wait(|store| store.is_stale(&latency).then_some(())).await;
    }
}

/// A histogram with classic and native parts: in the buckets (0.5, 1] and (1, 2], and in the zero bucket.
fn both() -> Bytes {
    of_h(4, &[integer(1, 6), double(2, 7.5), bucket(1.0, 4, vec![]), native_parts()])
}

fn native_parts() -> Bytes {
    [double(6, 0.5), integer(7, 1), span(12, 0, 2), deltas(13, &[2, 1])].concat()
}

fn of_h(kind: i64, fields: &[Bytes]) -> Bytes {
    family("h", kind, &[metric(&[("a", "b")], message(7, fields))])
}

/// What is stored of one histogram: the suffixes of its series, `native` and `listed` for histograms.
async fn forms(body: &[u8], words: &str) -> Vec<String> {
    let world = stored(PROTOBUF, body, words).await;
    let of = |series: String| {
        let suffix = series.strip_prefix('h')?.split('{').next()?.to_owned();
        Some(match world.store.histogram(&series) {
            None => suffix,
            Some(histogram) if histogram.buckets().are_custom() => "listed".to_owned(),
            Some(_) => "native".to_owned(),
        })
    };
    let mut forms: Vec<String> = world.store.series().into_iter().filter_map(of).collect();
    forms.sort();
    forms
}

#[tokio::test]
async fn every_combination_of_classic_native_and_converted_is_as_in_the_docs() {
    let classic_only = of_h(4, &[integer(1, 6), double(2, 7.5), bucket(1.0, 4, vec![])]);
    let native_only = of_h(4, &[integer(1, 6), double(2, 7.5), native_parts()]);
    let (parts, sole) = (["_bucket", "_bucket", "_count", "_sum"], ["_bucket", "_count", "_sum"]);
    let with = |parts: &[&str], more: &str| {
        let mut all: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        all.extend(Some(more.to_owned()).filter(|more| !more.is_empty()));
        all
    };
    for (native, converted, classic) in
        [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)]
    {
        let words = format!(
            "scrape_native_histograms: {}\nconvert_classic_histograms_to_nhcb: {}\nalways_scrape_classic_histograms: {}",
            native == 1,
            converted == 1,
            classic == 1
        );
        let as_classic = |parts: &[&str]| match (converted, classic) {
            (0, _) => with(parts, ""),
            (_, 0) => with(&[], "listed"),
            _ => with(parts, "listed"),
        };
        assert_eq!(forms(&classic_only, &words).await, as_classic(&parts), "classic only, {words}");
        let want = if native == 1 { with(&[], "native") } else { as_classic(&sole) };
        assert_eq!(forms(&native_only, &words).await, want, "native only, {words}");
        let want = match (native, classic) {
            (0, _) => as_classic(&parts),
            (_, 0) => with(&[], "native"),
            _ => with(&parts, "native"),
        };
        assert_eq!(forms(&both(), &words).await, want, "both, {words}");
    }
}

#[tokio::test]
async fn native_histograms_are_stored_as_they_are_and_end() {
    let native = "scrape_native_histograms: true";
    let (world, server) = World::with(answer(PROTOBUF, &both()), native).await;
    world.wait_up(1.0).await;
    let name = format!("h{{a=\"b\", {}", world.series("", "").trim_start_matches('{'));
    let Some(NativeHistogram::Int(histogram)) = world.store.histogram(&name) else {
        panic!("{:?}", world.store.series())
    };
    assert_eq!((histogram.count, histogram.zero_count, histogram.sum), (6, 1, 7.5));
    assert_eq!((histogram.positive.as_slice(), histogram.buckets.zero_threshold), (&[2, 1][..], 0.5));
    assert_eq!(histogram.counter_reset, CounterReset::Unknown);
    assert_eq!(world.store.last(&world.series("scrape_samples_scraped", "")), Some(1.0));
    assert_eq!(world.store.last(&world.series("scrape_series_added", "")), Some(1.0));
    world.scrapes(2).await;
    assert_eq!(world.store.last(&world.series("scrape_series_added", "")), Some(0.0));
    // An empty page of a type that nobody knows has nothing, and is none the worse.
    server.answer(answer("text/html", b""));
    world.store.wait(|store| store.is_stale(&name).then_some(())).await;
    let markers = world
        .store
        .values(&name)
        .iter()
        .filter(|(_, value)| matches!(value, storage::chunk::Value::Histogram(h) if h.is_stale()))
        .count();
    assert_eq!(markers, 1, "the marker is a histogram");
    assert_eq!(world.target().last_error, "");

    let gauge = of_h(5, &[double(4, 2.5), double(8, 0.5), span(12, 0, 1), bytes(14, 2.0_f64.to_le_bytes())]);
    let world = stored(PROTOBUF, &gauge, native).await;
    let Some(NativeHistogram::Float(histogram)) = world.store.histogram(&name_of_h(&world)) else {
        panic!("no floats")
    };
    assert_eq!((histogram.count, histogram.counter_reset), (2.5, CounterReset::Gauge));
}

/// The series `h{a="b"}` of the only target.
fn name_of_h(world: &World) -> String {
    world.store.series().into_iter().find(|series| series.starts_with("h{a=\"b\"")).unwrap()
}

#[tokio::test]
async fn native_histograms_are_made_coarser_or_refused() {
    let fine =
        of_h(4, &[integer(1, 8), double(2, 1.0), signed(5, 3), span(12, 1, 8), deltas(13, &[1, 0, 0, 0, 0, 0, 0, 0])]);
    let schema = async |words: &str| {
        let world = stored(PROTOBUF, &fine, &format!("scrape_native_histograms: true\n{words}")).await;
        world.store.histogram(&name_of_h(&world)).unwrap().buckets().schema
    };
    assert_eq!(schema("").await, 3);
    assert_eq!(schema("native_histogram_bucket_limit: 4").await, 2);
    assert_eq!(schema("native_histogram_min_bucket_factor: 2").await, 0);
    let listed = of_h(4, &[integer(1, 3), bucket(1.0, 1, vec![]), bucket(2.0, 2, vec![])]);
    let words = "convert_classic_histograms_to_nhcb: true\nnative_histogram_bucket_limit: 2";
    let (world, _server) = World::with(answer(PROTOBUF, &listed), words).await;
    let status = world.wait_up(0.0).await;
    assert!(status.last_error.starts_with("histogram bucket limit exceeded: "), "{}", status.last_error);
    let metric = "prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total";
    assert!(!world.metrics().contains(&format!("{metric} 0")), "it is counted");
}

#[tokio::test]
async fn classic_lines_become_a_histogram_with_listed_bounds() {
    let text = "# TYPE h histogram\nh_bucket{a=\"b\",le=\"1\"} 2\nh_bucket{a=\"b\",le=\"+Inf\"} 5\nh_sum{a=\"b\"} 9\nh_count{a=\"b\"} 5\n\
                h_bucket{a=\"c\",le=\"1\"} 0\nh_count{a=\"c\"} 4\nh_other{a=\"c\"} 1\nother_count 6\n\
                # TYPE broken histogram\nbroken_bucket{le=\"1\"} 5\nbroken_count 4\nbroken_bucket{le=\"+Inf\"} 3\n\
                # TYPE c counter\nh_count{a=\"d\"} 1\n";
    for keep in [false, true] {
        let words = format!(
            "convert_classic_histograms_to_nhcb: true\nalways_scrape_classic_histograms: {keep}\n\
             metric_relabel_configs: [{{source_labels: [le], regex: '1.0', action: drop}}]"
        );
        let (world, server) = World::with(answer(TEXT, text.as_bytes()), &words).await;
        world.scrapes(3).await;
        let address = world.target().discovered_labels.value("__address__").to_owned();
        let name = |a: &str| format!("h{{a=\"{a}\", instance=\"{address}\", job=\"j\"}}");
        let Some(NativeHistogram::Int(histogram)) = world.store.histogram(&name("b")) else { panic!("{keep}") };
        assert_eq!((histogram.count, histogram.sum, histogram.buckets.custom_values.as_slice()), (5, 9.0, &[1.0][..]));
        assert_eq!(histogram.positive, [2, 1]);
        assert_eq!(world.store.histogram(&name("c")).unwrap().to_float().count, 4.0);
        let suffixes: Vec<String> = world
            .store
            .series()
            .iter()
            .filter_map(|s| s.strip_prefix('h'))
            .map(|s| s.split('{').next().unwrap().to_owned())
            .collect();
        let parts = suffixes.iter().filter(|suffix| ["_bucket", "_sum"].contains(&suffix.as_str())).count();
        // The buckets of bound 1 are dropped by relabelling, which doesn't keep them out of the histogram.
        assert_eq!(parts, if keep { 2 } else { 0 }, "{suffixes:?}");
        assert!(world.store.series().iter().all(|series| !series.starts_with("broken{")), "it contradicts itself");
        assert_eq!(
            world.store.last(&format!("h_count{{a=\"d\", instance=\"{address}\", job=\"j\"}}")),
            Some(1.0),
            "not of its family"
        );
        let scraped = world.store.last(&world.series("scrape_samples_scraped", ""));
        assert_eq!(scraped, Some(if keep { 14.0 } else { 5.0 }), "what the lines became");
        // Known lines are found, whatever order they come in; a histogram that is gone ends.
        let before = world.store.appends_by_labels();
        world.scrapes(2).await;
        assert_eq!(world.store.appends_by_labels(), before, "{keep}");
        server.answer(answer(TEXT, b"# TYPE h histogram\nh_count{a=\"c\"} 5\nh_bucket{a=\"c\",le=\"1\"} 1\n"));
        world.store.wait(|store| store.is_stale(&name("b")).then_some(())).await;
        assert_eq!(world.store.histogram(&name("c")).unwrap().to_float().positive, [1.0, 4.0]);
    }
}

#[tokio::test]
async fn exemplars_go_with_their_samples() {
    let text = "# TYPE c counter\nc_total 1 # {trace_id=\"a\"} 0.5 1700000000.25\n# TYPE h histogram\n\
                h_bucket{le=\"1\"} 2 # {trace_id=\"b\"} 0.75\nh_bucket{le=\"+Inf\"} 2 # {trace_id=\"d\"} 2 1700000001\nh_count 2\n\
                # TYPE long counter\nlong_total 1 # {t=\"";
    let text = format!("{text}{}\"}} 1\n# EOF\n", "x".repeat(128));
    let world = stored(OPENMETRICS, text.as_bytes(), "").await;
    let own = |store: &Store, series: &str| store.exemplars(series);
    let c = world.series("c_total", "");
    assert_eq!(own(&world.store, &c), [("{trace_id=\"a\"}".to_owned(), 0.5, 1_700_000_000_250)]);
    let bucket_series = world.series("h_bucket", ", le=\"1.0\"");
    let time = world.store.samples(&bucket_series)[0].0;
    let want = ("{trace_id=\"b\"}".to_owned(), 0.75, time);
    assert_eq!(own(&world.store, &bucket_series)[0], want, "without a time of its own it has the sample's");
    assert_eq!(own(&world.store, &world.series("long_total", "")), [], "too long");
    assert_eq!(world.store.last(&world.series("long_total", "")), Some(1.0), "which costs the exemplar only");

    let converted = stored(OPENMETRICS, text.as_bytes(), "convert_classic_histograms_to_nhcb: true").await;
    let listed = own(&converted.store, &converted.series("h", ""));
    assert_eq!(listed, [("{trace_id=\"d\"}".to_owned(), 2.0, 1_700_000_001_000)], "only those with a time");

    let own_field = of_h(
        4,
        &[
            integer(1, 3),
            double(2, 1.0),
            native_count(),
            exemplar(16, "n", 1.5, Some(9)),
            exemplar(16, "m", 1.0, Some(8)),
            exemplar(16, "none", 1.0, None),
        ],
    );
    let of_buckets =
        of_h(4, &[integer(1, 3), double(2, 1.0), native_count(), bucket(1.0, 3, exemplar(3, "p", 0.5, Some(7)))]);
    let counter = family("c_total", 0, &[metric(&[], message(3, &[double(1, 1.0), exemplar(2, "q", 4.0, Some(6))]))]);
    for (body, want) in [(own_field, &[("m", 1.0, 8000), ("n", 1.5, 9000)][..]), (of_buckets, &[("p", 0.5, 7000)])] {
        let body = [body, counter.clone()].concat();
        let world = stored(PROTOBUF, &body, "scrape_native_histograms: true").await;
        let want: Vec<_> = want.iter().map(|(t, v, at)| (format!("{{trace_id=\"{t}\"}}"), *v, *at)).collect();
        assert_eq!(own(&world.store, &name_of_h(&world)), want);
        assert_eq!(own(&world.store, &world.series("c_total", "")), [("{trace_id=\"q\"}".to_owned(), 4.0, 6000)]);
    }
}

fn native_count() -> Bytes {
    [span(12, 0, 1), deltas(13, &[3])].concat()
}

#[tokio::test]
async fn metadata_of_all_formats() {
    let openmetrics = "# HELP c_units Help.\n# TYPE c_units counter\n# UNIT c_units units\nc_units_total 1\n# EOF\n";
    let proto = family("c_units", 0, &[metric(&[], message(3, &[double(1, 1.0)]))]);
    for (content_type, body, series) in
        [(OPENMETRICS, openmetrics.as_bytes().to_vec(), "c_units_total"), (PROTOBUF, proto, "c_units")]
    {
        let world = stored(content_type, &body, "").await;
        let shown = world.manager.metadata().remove(0).metrics.remove(0);
        let told = (shown.metric.as_str(), shown.kind, shown.help.as_str(), shown.unit.as_str());
        assert_eq!(told, ("c_units", MetricType::Counter, "Help.", "units"), "{content_type}");
        let metadata = world.store.metadata(&world.series(series, "")).unwrap();
        assert_eq!((metadata.kind, metadata.unit.as_str()), (MetricType::Counter, "units"), "{content_type}");
    }
}

#[tokio::test]
async fn a_series_that_is_given_twice_counts_once() {
    let twice =
        family("g", 1, &[metric(&[], message(2, &[double(1, 1.0)])), metric(&[], message(2, &[double(1, 2.0)]))]);
    let native = family("h", 4, &[metric(&[("a", "b")], message(7, &[integer(1, 3), double(2, 1.0), native_count()]))]);
    let body = [twice, native.clone(), native].concat();
    let words = "scrape_native_histograms: true\nsample_limit: 2";
    let world = stored(PROTOBUF, &body, words).await;
    assert_eq!(world.store.last(&world.series("g", "")), Some(1.0), "the first counts");
    assert_eq!(world.store.last(&world.series("scrape_samples_post_metric_relabeling", "")), Some(4.0));
    assert!(world.store.samples(&name_of_h(&world)).iter().all(|(_, sum)| !is_stale(*sum)));
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_place() {
    let check = async |content_type: &str, body: &[u8], words: &str, want: &str| {
        let (world, _server) = World::with(answer(content_type, body), words).await;
        let status = world.wait_up(0.0).await;
        assert!(status.last_error.contains(want), "want {want:?}, got {:?}", status.last_error);
        let own = |s: &String| s.starts_with("up") || s.starts_with("scrape_");
        assert!(world.store.series().iter().all(own), "{want}");
    };
    check(OPENMETRICS, b"a 1\n", "", "line 2, column 1: the exposition does not end with `# EOF`").await;
    check(OPENMETRICS, b"a 1\nb  2\n# EOF\n", "", "line 2, column 2: expected a space and a value").await;
    check(PROTOBUF, b"a 1\n", "", "byte 0: expected 97 bytes, found 3").await;
    let bad_label = family("m", 1, &[metric(&[("a", "1"), ("a", "2")], message(2, &[]))]);
    check(PROTOBUF, &bad_label, "", ": the label \"a\" is given twice").await;
    let contradiction = of_h(4, &[integer(1, 9), double(2, 1.0), native_count()]);
    let native = "scrape_native_histograms: true";
    check(PROTOBUF, &contradiction, native, "observations found in buckets, but the Count field is 9").await;
    let legacy = "metric_name_validation_scheme: legacy";
    check(TEXT, b"ok 1\n{\"a.b\"} 1\n", legacy, "line 2: invalid metric name or label names: {\"a.b\"").await;
    check(TEXT, b"a{\"b.c\"=\"d\"} 1\n", legacy, "invalid metric name or label names").await;
    check("text/html", b"a 1\n", "", "received unsupported Content-Type \"text/html\"").await;
    check("text/plain; version", b"a 1\n", "", "cannot parse Content-Type").await;
}

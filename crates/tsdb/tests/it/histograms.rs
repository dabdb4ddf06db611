//! Native histograms that a real Prometheus scraped and stored are read back as they were served, our writer makes the same
//! bytes of them, and what we stored Prometheus serves.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{
    Buckets, Clock, CounterReset, Histogram, NativeHistogram, Span, SystemClock, TimeRange, bucket_deltas,
    bucket_indexes,
};
use storage::chunk::{Chunk, Recoder, Value};
use storage::{Appendable, Queryable, SelectRequest};
use tsdb::{Db, Options};

use crate::fixture::{block_on, copy_dir, labels, ms, open, options, scratch};
use crate::peers::{Prometheus, free_port, has};

/// So many scrapes are served, each for a quarter of a minute of the past.
const SCRAPES: usize = 90;
const STEP_MS: i64 = 15_000;

/// The parts of a protocol buffer message.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn uint(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn sint(self, field: u64, value: i64) -> Self {
        self.uint(field, ((value << 1) ^ (value >> 63)) as u64)
    }

    fn double(mut self, field: u64, value: f64) -> Self {
        self.varint(field << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn fold<T>(self, items: impl IntoIterator<Item = T>, add: impl Fn(Self, T) -> Self) -> Self {
        items.into_iter().fold(self, add)
    }

    fn spans(self, field: u64, spans: &[Span]) -> Self {
        self.fold(spans, |message, span| {
            let span = Message::default().sint(1, i64::from(span.offset)).uint(2, u64::from(span.length));
            message.bytes(field, &span.0)
        })
    }
}

/// io.prometheus.client.Histogram.
fn histogram_message(histogram: &NativeHistogram) -> Message {
    let buckets = histogram.buckets();
    let message = Message::default().sint(5, i64::from(buckets.schema)).double(6, buckets.zero_threshold);
    let message = message.spans(9, &buckets.negative_spans).spans(12, &buckets.positive_spans);
    match histogram {
        NativeHistogram::Int(h) => message
            .uint(1, h.count)
            .double(2, h.sum)
            .uint(7, h.zero_count)
            .fold(&h.negative, |message, delta| message.sint(10, *delta))
            .fold(&h.positive, |message, delta| message.sint(13, *delta)),
        NativeHistogram::Float(h) => message
            .double(4, h.count)
            .double(2, h.sum)
            .double(8, h.zero_count)
            .fold(&h.negative, |message, count| message.double(11, *count))
            .fold(&h.positive, |message, count| message.double(14, *count)),
    }
}

/// A delimited io.prometheus.client.MetricFamily of one histogram.
fn family(name: &str, time: i64, histogram: &NativeHistogram) -> Vec<u8> {
    let gauge = histogram.counter_reset() == CounterReset::Gauge;
    let metric = Message::default().bytes(7, &histogram_message(histogram).0).uint(6, time as u64);
    let family = Message::default().bytes(1, name.as_bytes()).uint(3, if gauge { 5 } else { 4 }).bytes(4, &metric.0);
    let mut delimited = Message::default();
    delimited.varint(family.0.len() as u64);
    delimited.0.extend_from_slice(&family.0);
    delimited.0
}

/// The histograms of one scrape by metric. Counters grow, get new buckets, start again, change their shape; gauges go up and
/// down. No bucket that is told is empty, because Prometheus drops such ones when it scrapes.
fn served(step: usize, gauges: bool) -> BTreeMap<&'static str, NativeHistogram> {
    let shape = |schema: i32, counts: &BTreeMap<i64, i64>| {
        let (mut spans, mut absolute): (Vec<Span>, Vec<i64>) = (Vec::new(), Vec::new());
        let mut next = 0;
        for (index, count) in counts.iter().filter(|(_, count)| **count != 0) {
            match spans.last_mut() {
                Some(span) if *index == next => span.length += 1,
                _ => spans.push(Span { offset: (*index - next) as i32, length: 1 }),
            }
            next = index + 1;
            absolute.push(*count);
        }
        let zero_threshold = if schema == 3 { 2_f64.powi(-128) } else { 0.001 };
        (Buckets { schema, zero_threshold, positive_spans: spans, ..Buckets::default() }, absolute)
    };
    let integer = |schema: i32, counts: BTreeMap<i64, i64>, both: bool, counter_reset: CounterReset| {
        let (mut buckets, positive) = shape(schema, &counts);
        let negative = if both { positive.clone() } else { Vec::new() };
        if both {
            buckets.negative_spans.clone_from(&buckets.positive_spans);
        }
        let zero_count = counts.values().sum::<i64>() as u64 / 7;
        let count = positive.iter().chain(&negative).sum::<i64>() as u64 + zero_count;
        let sum = count as f64 * 1.25;
        let (positive, negative) = (bucket_deltas(positive), bucket_deltas(negative));
        Histogram { counter_reset, buckets, zero_count, count, sum, positive, negative }
    };
    let at = step as i64;
    let growing = |since: i64| {
        (-2..6)
            .map(|index| (index, (at - since - (index * index) / 2).max(0) * (index + 3)))
            .collect::<BTreeMap<_, _>>()
    };
    let unknown = CounterReset::Unknown;
    let mut histograms = BTreeMap::new();
    histograms.insert("growing", integer(3, growing(-1), true, unknown).into());
    histograms.insert("restarted", integer(3, growing(if at < 40 { -1 } else { 38 }), false, unknown).into());
    histograms.insert("coarser", integer(if at < 50 { 2 } else { 1 }, growing(-1), false, unknown).into());
    if gauges {
        let moving = (-3..9).map(|index| (index, ((at * 7 + index * 13) % 11 - 4).max(0)));
        histograms.insert("gauge", integer(3, moving.collect(), true, CounterReset::Gauge).into());
    }
    let mut fractions = integer(0, growing(-1), true, unknown).to_float();
    fractions.positive.iter_mut().chain(&mut fractions.negative).for_each(|count| *count *= 0.3);
    (fractions.count, fractions.zero_count) = (fractions.count * 0.3, 0.5);
    histograms.insert("fractions", fractions.into());
    histograms
}

/// Serves one step after the other, and nothing more when all have been asked for.
struct Exporter {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Exporter {
    fn start(first_ms: i64, gauges: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                let step = counter.fetch_add(1, Ordering::SeqCst);
                let time = first_ms + step as i64 * STEP_MS;
                let body: Vec<u8> = match step < SCRAPES {
                    true => served(step, gauges)
                        .iter()
                        .flat_map(|(name, histogram)| family(name, time, histogram))
                        .collect(),
                    false => Vec::new(),
                };
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\nContent-Type: \
                     application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.write_all(&body));
            }
        });
        Exporter { address, asked }
    }
}

const FLAGS: [&str; 2] = ["--enable-feature=native-histograms", "--web.enable-admin-api"];

/// Lets a Prometheus scrape everything; gives it, its data directory, and the time of the first scrape.
fn scraped(dir: &Path, gauges: bool) -> (Prometheus, PathBuf, i64) {
    let data = dir.join("data");
    let first_ms = an_hour_ago();
    let exporter = Exporter::start(first_ms, gauges);
    let target = format!("static_configs: [{{targets: ['{}']}}]", exporter.address);
    let job = format!("{{job_name: h, scrape_interval: 50ms, scrape_timeout: 50ms, {target}}}");
    let config = format!("scrape_configs: [{job}]\n");
    let prometheus = Prometheus::run_with(dir, &data, free_port(), &config, &FLAGS);
    prometheus.wait("to scrape everything", || exporter.asked.load(Ordering::SeqCst) > SCRAPES);
    (prometheus, data, first_ms)
}

fn an_hour_ago() -> i64 {
    SystemClock.now().as_ms() - 3_600_000
}

/// The chunks of every metric.
fn chunks(db: &Db) -> BTreeMap<String, Vec<Chunk>> {
    let set = block_on(db.select(&SelectRequest::new(vec![], TimeRange::ALL))).expect("selects");
    set.series
        .map(|series| series.expect("readable"))
        .map(|series| (series.labels.metric_name().to_owned(), series.chunks))
        .collect()
}

fn samples(chunks: &[Chunk]) -> Vec<(i64, NativeHistogram)> {
    let mut out = Vec::new();
    for chunk in chunks {
        let mut values = chunk.values();
        while let Some((time, value)) = values.next().expect("prometheus's chunk") {
            let Value::Histogram(histogram) = value else { panic!("a float among histograms") };
            out.push((time, histogram));
        }
    }
    out
}

/// Whether both count the same observations, whatever empty buckets they tell.
fn same_observations(a: &NativeHistogram, b: &NativeHistogram) -> bool {
    let essence = |histogram: &NativeHistogram| {
        let h = histogram.to_float();
        let side = |spans: &[Span], counts: &[f64]| -> Vec<(i64, u64)> {
            let counts = counts.iter().map(|count| count.to_bits());
            bucket_indexes(spans).zip(counts).filter(|(_, count)| *count != 0).collect()
        };
        let sides = (side(&h.buckets.positive_spans, &h.positive), side(&h.buckets.negative_spans, &h.negative));
        (h.buckets.schema, [h.buckets.zero_threshold, h.zero_count, h.count, h.sum].map(f64::to_bits), sides)
    };
    std::mem::discriminant(a) == std::mem::discriminant(b) && essence(a) == essence(b)
}

/// The one chunk with these samples, written by us.
fn written(samples: &[(i64, NativeHistogram)]) -> Chunk {
    let mut recoder = Recoder::default();
    samples.iter().for_each(|(time, histogram)| recoder.push(*time, Value::Histogram(histogram.clone())));
    let mut chunks = recoder.finish();
    assert_eq!(chunks.len(), 1);
    chunks.remove(0)
}

/// What was served, by metric.
fn served_samples(first_ms: i64, gauges: bool) -> BTreeMap<&'static str, Vec<(i64, NativeHistogram)>> {
    let mut all: BTreeMap<&str, Vec<(i64, NativeHistogram)>> = BTreeMap::new();
    for step in 0..SCRAPES {
        for (name, histogram) in served(step, gauges) {
            all.entry(name).or_default().push((first_ms + step as i64 * STEP_MS, histogram));
        }
    }
    all
}

/// Checks that the chunks of every metric hold what was served; gives it by metric.
fn check_samples(
    stored: &BTreeMap<String, Vec<Chunk>>,
    first_ms: i64,
    gauges: bool,
) -> BTreeMap<&'static str, Vec<(i64, NativeHistogram)>> {
    let want = served_samples(first_ms, gauges);
    for (name, want) in &want {
        let got = samples(&stored[*name]);
        assert_eq!(got.len(), want.len(), "{name}");
        for ((time, got), (want_time, want)) in got.iter().zip(want) {
            assert_eq!(time, want_time, "{name}");
            assert!(same_observations(got, want), "{name} at {time}: {got:?} {want:?}");
        }
    }
    want
}

#[test]
fn prometheus_s_histograms_are_read_as_they_were_served() {
    if !has("prometheus_s_histograms_are_read_as_they_were_served", "prometheus") {
        return;
    }
    let dir = scratch();
    // Prometheus 2.42 takes gauges in but fails to write them into a block ("unexpected counter reset").
    let (prometheus, data, first_ms) = scraped(dir.path(), false);
    let answer = prometheus.post("/api/v1/admin/tsdb/snapshot");
    assert!(answer.contains("200"), "{answer}");
    drop(prometheus);
    let snapshot = fs::read_dir(data.join("snapshots")).expect("snapshots").next().expect("one").expect("readable");
    let (db, _registry) = open(Options::new(snapshot.path()));
    let stored = chunks(&db);
    for (name, served) in check_samples(&stored, first_ms, false) {
        // The same samples in the same chunks are the same bytes.
        let mut rest = &served[..];
        for chunk in &stored[name] {
            let (own, more) = rest.split_at(chunk.sample_count());
            rest = more;
            let ours = written(own);
            assert_eq!(ours.encoding, chunk.encoding, "{name}");
            // All but the flags: they are about the chunk before, which is not looked at here.
            let but_flags = |data: &[u8]| (data[..2].to_vec(), data[3..].to_vec());
            assert_eq!(but_flags(&ours.data), but_flags(&chunk.data), "{name}");
        }
    }
    // A reset and a change of schema each began a chunk; the end of a block's range may have begun another.
    assert!(["restarted", "coarser"].iter().all(|name| stored[*name].len() >= 2));
}

#[test]
fn histograms_of_a_killed_prometheus_are_replayed() {
    if !has("histograms_of_a_killed_prometheus_are_replayed", "prometheus") {
        return;
    }
    let dir = scratch();
    let (prometheus, data, first_ms) = scraped(dir.path(), true);
    drop(prometheus);
    let (db, _registry) = open(Options::new(&data));
    let stored = chunks(&db);
    check_samples(&stored, first_ms, true);
    assert!(["restarted", "coarser"].iter().all(|name| stored[*name].len() >= 2));
}

/// What Prometheus's API says of a metric's histograms: time, count, sum, and how many buckets are not empty.
fn answered(prometheus: &Prometheus, name: &str, newest_ms: i64) -> Vec<(i64, f64, f64, usize)> {
    let path = format!("/api/v1/query?query={name}%5B2h%5D&time={}", newest_ms / 1000 + 1);
    let answer: serde_json::Value = serde_json::from_str(&prometheus.get(&path).expect("an answer")).expect("JSON");
    let number = |value: &serde_json::Value| model::parse_float(value.as_str().expect("text")).expect("a float");
    let points = answer["data"]["result"][0]["histograms"].as_array().unwrap_or_else(|| panic!("{name}: {answer}"));
    let point = |point: &serde_json::Value| {
        let histogram = &point[1];
        let buckets = histogram["buckets"].as_array().map_or(0, Vec::len);
        let time = (point[0].as_f64().expect("a time") * 1000.0).round() as i64;
        (time, number(&histogram["count"]), number(&histogram["sum"]), buckets)
    };
    points.iter().map(point).collect()
}

#[test]
fn prometheus_serves_histograms_that_we_stored() {
    if !has("prometheus_serves_histograms_that_we_stored", "prometheus") {
        return;
    }
    let (dir, killed) = (scratch(), scratch());
    let (db, _registry) = open(options(dir.path()));
    let first_ms = an_hour_ago();
    for step in 0..SCRAPES {
        let mut appender = db.appender();
        for (name, histogram) in served(step, true) {
            let time = ms(first_ms + step as i64 * STEP_MS);
            appender.append_histogram(&labels(&[("__name__", name)]), time, histogram).expect("taken");
        }
        appender.commit().expect("logged");
    }
    // Only the log at first, then blocks, a checkpoint and the log.
    for maintained in [false, true] {
        if maintained {
            db.maintain().expect("maintained");
            assert!(!db.blocks().is_empty());
        }
        check_samples(&chunks(&db), first_ms, true);
        let data = killed.path().join(maintained.to_string());
        copy_dir(dir.path(), &data);
        let prometheus = Prometheus::run_with(killed.path(), &data, free_port(), "scrape_configs: []\n", &FLAGS);
        for (name, want) in served_samples(first_ms, true) {
            let want: Vec<_> = want
                .iter()
                .map(|(time, histogram)| {
                    let h = histogram.to_float();
                    let filled = h.positive.iter().chain(&h.negative).chain([&h.zero_count]).filter(|n| **n != 0.0);
                    (*time, h.count, h.sum, filled.count())
                })
                .collect();
            let newest_ms = first_ms + SCRAPES as i64 * STEP_MS;
            assert_eq!(answered(&prometheus, name, newest_ms), want, "{name}, maintained: {maintained}");
        }
    }
}

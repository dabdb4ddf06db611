//! A real Prometheus pulls from us, and we from it.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use model::{
    Buckets, Clock, CounterReset, Histogram, Labels, METRIC_NAME, Matcher, NativeHistogram, Span, SystemClock,
    Timestamp,
};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use storage::Appendable;
use tempfile::TempDir;
use tsdb::{Db, Options};

use crate::memory::Memory;
use crate::nodes::{config, eventually, puller, serve};

const PROGRAM: &str = "/usr/bin/prometheus";

struct Prometheus {
    child: Child,
    url: String,
    _dir: TempDir,
}

impl Prometheus {
    fn start(scrapes: &str, flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("prometheus.yml");
        fs::write(&file, scrapes).expect("a file");
        let free =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let child = Command::new(PROGRAM)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={free}"))
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus starts");
        Prometheus { child, url: format!("http://{free}"), _dir: dir }
    }

    /// The answer of the API to a query.
    async fn ask(&self, query: &str) -> Option<Value> {
        let query = [("query", query)];
        let response =
            reqwest::Client::new().get(format!("{}/api/v1/query", self.url)).query(&query).send().await.ok()?;
        response.json().await.ok()
    }

    /// The samples of a series as the API tells them: seconds and text.
    async fn samples(&self, series: &str) -> Option<Vec<(f64, String)>> {
        let answer = self.ask(&format!("{series}[5m]")).await?;
        let values = answer["data"]["result"][0]["values"].as_array()?;
        values.iter().map(|pair| Some((pair[0].as_f64()?, pair[1].as_str()?.to_owned()))).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_missing() -> bool {
    let is_missing = !std::path::Path::new(PROGRAM).exists();
    if is_missing {
        let _ = writeln!(std::io::stderr(), "SKIPPED: {PROGRAM} is not installed");
    }
    is_missing
}

#[tokio::test]
async fn a_real_prometheus_federates_from_us_and_we_from_it() {
    if is_missing() {
        return;
    }
    let shard = Memory::default();
    let now = SystemClock.now();
    let (time, odd) = (now - 1234, "a \"b\" \\ \n größe");
    shard.put(&[("__name__", "job:rate"), ("path", odd)], time, 1_234_567.25);
    shard.put(&[("__name__", "up"), ("instance", "h:1"), ("job", "node")], time, 1.0);
    shard.put(&[("__name__", "no_instance"), ("job", "x")], time, f64::INFINITY);
    let (url, _server) = serve(&shard, &[("cluster", "eu")]).await;
    let prometheus = Prometheus::start(
        &format!(
            "global: {{external_labels: {{tier: middle}}}}\nscrape_configs:\n- job_name: federate\n  scrape_interval: 1s\n  \
         honor_labels: true\n  metrics_path: /federate\n  params: {{'match[]': ['all']}}\n  static_configs: [{{targets: \
         ['{}']}}]\n",
            url.trim_start_matches("http://")
        ),
        &[],
    );
    let seconds = time.as_secs_f64();
    for (series, value) in [
        (r#"job:rate{path="a \"b\" \\ \n größe",cluster="eu",job="federate",instance=""}"#, "1234567.25"),
        (r#"up{instance="h:1",job="node",cluster="eu"}"#, "1"),
        (r#"no_instance{instance="",job="x"}"#, "+Inf"),
    ] {
        let found = eventually(series, async || prometheus.samples(series).await).await;
        assert_eq!(found, [(seconds, value.to_owned())], "{series}");
    }

    let global = Memory::default();
    let puller = puller(&global, &mut Registry::default());
    let text = format!(
        "selectors: ['job:rate', 'up{{job=\"node\"}}', no_instance]\nshards:\n- {{name: p, replicas: ['{}']}}",
        prometheus.url
    );
    puller.apply(config(&text), 100, 5000).await;
    eventually("samples out of Prometheus", async || (global.series().len() == 3).then_some(())).await;
    let want = |value| vec![(time.as_ms(), Some(value))];
    assert_eq!(global.of(r#"up{cluster="eu", instance="h:1", job="node", tier="middle"}"#), want(1.0));
    assert_eq!(global.of(r#"no_instance{cluster="eu", job="x", tier="middle"}"#), want(f64::INFINITY));
    let rate = r#"job:rate{cluster="eu", job="federate", path="a \"b\" \\ \n größe", tier="middle"}"#;
    assert_eq!(global.of(rate), want(1_234_567.25), "{:?}", global.series());
    puller.shutdown().await;
}

/// A database with native histograms, a gauge one among them, and a float beside them.
fn with_histograms(dir: &std::path::Path, time: Timestamp) -> Arc<Db> {
    let db = Db::open(Options::new(dir), Arc::new(SystemClock), &mut prometheus_client::registry::Registry::default());
    let db = db.expect("the directory opens");
    let histogram = Histogram {
        counter_reset: CounterReset::Unknown,
        buckets: Buckets {
            schema: 1,
            zero_threshold: 0.001,
            positive_spans: vec![Span { offset: -1, length: 2 }, Span { offset: 3, length: 1 }],
            negative_spans: vec![Span { offset: 0, length: 1 }],
            custom_values: vec![],
        },
        zero_count: 2,
        count: 13,
        sum: 18.5,
        positive: vec![4, -1, 0], // 4, 3 and 3
        negative: vec![1],
    };
    let mut appender = db.appender();
    let mut append = |name: &str, histogram: NativeHistogram| {
        let labels = Labels::from_pairs([(METRIC_NAME, name), ("instance", "h:1"), ("path", "größe")]);
        appender.append_histogram(&labels, time, histogram).expect("taken");
    };
    append("latency", histogram.clone().into());
    append("queue", Histogram { counter_reset: CounterReset::Gauge, ..histogram.clone() }.into());
    append("share", NativeHistogram::Float(Box::new(histogram.to_float())));
    appender.append(&Labels::from_pairs([(METRIC_NAME, "zone")]), time, 0.0).expect("taken");
    appender.commit().expect("stored");
    db
}

#[tokio::test]
async fn a_real_prometheus_gets_native_histograms() {
    if is_missing() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let time = SystemClock.now() - 1777;
    let (db, external) = (with_histograms(dir.path(), time), Labels::from_pairs([("cluster", "eu")]));
    let federate = federation::Federate::of_database(db, Arc::new(SystemClock), external, |_| {
        Ok(vec![Matcher::new(model::MatchOp::NotEqual, METRIC_NAME, "").map_err(|error| error.to_string())?])
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, federation::router(federate)).await });
    let prometheus = Prometheus::start(
        &format!(
            "scrape_configs:\n- job_name: federate\n  scrape_interval: 1s\n  honor_labels: true\n  metrics_path: /federate\n  \
             params: {{'match[]': ['all']}}\n  static_configs: [{{targets: ['{address}']}}]\n"
        ),
        &["--enable-feature=native-histograms"],
    );
    let zone = r#"zone{cluster="eu",instance=""}"#;
    let found = eventually(zone, async || prometheus.samples(zone).await).await;
    assert_eq!(found, [(time.as_secs_f64(), "0".to_owned())]);
    let buckets = json!([
        [1, "-1", "-0.7071067811865475", "1"],
        [3, "-0.001", "0.001", "2"],
        [0, "0.5", "0.7071067811865475", "4"],
        [0, "0.7071067811865475", "1", "3"],
        [0, "2.82842712474619", "4", "3"],
    ]);
    for name in ["latency", "queue", "share"] {
        let answer = prometheus.ask(&format!(r#"{name}{{cluster="eu",path="größe"}}[5m]"#)).await.expect("an answer");
        let [told] = answer["data"]["result"].as_array().expect("a list").as_slice() else {
            panic!("{name}: {answer}")
        };
        let histogram = &told["histograms"][0];
        assert_eq!(histogram[0].as_f64(), Some(time.as_secs_f64()), "{name}: {answer}");
        assert_eq!((&histogram[1]["count"], &histogram[1]["sum"]), (&json!("13"), &json!("18.5")), "{name}: {answer}");
        assert_eq!(histogram[1]["buckets"], buckets, "{name}: {answer}");
    }
}

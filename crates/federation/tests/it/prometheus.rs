//! A real Prometheus pulls from us, and we from it.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use model::{Clock, SystemClock};
use prometheus_client::registry::Registry;
use serde_json::Value;
use tempfile::TempDir;

use crate::memory::Memory;
use crate::nodes::{config, eventually, puller, serve};

const PROGRAM: &str = "/usr/bin/prometheus";

struct Prometheus {
    child: Child,
    url: String,
    _dir: TempDir,
}

impl Prometheus {
    fn start(scrapes: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("prometheus.yml");
        fs::write(&file, scrapes).expect("a file");
        let free =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let child = Command::new(PROGRAM)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={free}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus starts");
        Prometheus { child, url: format!("http://{free}"), _dir: dir }
    }

    /// The samples of a series as the API tells them: seconds and text.
    async fn samples(&self, series: &str) -> Option<Vec<(f64, String)>> {
        let query = [("query", format!("{series}[5m]"))];
        let response =
            reqwest::Client::new().get(format!("{}/api/v1/query", self.url)).query(&query).send().await.ok()?;
        let answer: Value = response.json().await.ok()?;
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

#[tokio::test]
async fn a_real_prometheus_federates_from_us_and_we_from_it() {
    if !std::path::Path::new(PROGRAM).exists() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: {PROGRAM} is not installed");
        return;
    }
    let shard = Memory::default();
    let now = SystemClock.now();
    let (time, odd) = (now - 1234, "a \"b\" \\ \n größe");
    shard.put(&[("__name__", "job:rate"), ("path", odd)], time, 1_234_567.25);
    shard.put(&[("__name__", "up"), ("instance", "h:1"), ("job", "node")], time, 1.0);
    shard.put(&[("__name__", "no_instance"), ("job", "x")], time, f64::INFINITY);
    let (url, _server) = serve(&shard, &[("cluster", "eu")]).await;
    let prometheus = Prometheus::start(&format!(
        "global: {{external_labels: {{tier: middle}}}}\nscrape_configs:\n- job_name: federate\n  scrape_interval: 1s\n  \
         honor_labels: true\n  metrics_path: /federate\n  params: {{'match[]': ['all']}}\n  static_configs: [{{targets: \
         ['{}']}}]\n",
        url.trim_start_matches("http://")
    ));
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

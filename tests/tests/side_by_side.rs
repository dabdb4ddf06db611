//! The same `prometheus.yml` is given to Debian's Prometheus and to a shard, with real targets of many kinds: both store the same series.
//!
//! `WATERSHED_SIDE_BY_SIDE_SECONDS` makes it longer (CI: 30).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{Client, Node, Process, eventually, find, free_port, node_exporter, prometheus, setting, write};

const TEST: &str = "a_prometheus_and_a_shard_store_the_same_series";
const SECONDS: u64 = 30;
const BOUND: Duration = Duration::from_secs(30);

/// A program that is scraped, and where.
struct Exporter {
    job: &'static str,
    address: String,
    _process: Process,
}

async fn exporter(job: &'static str, program: &Path, dir: &Path, flags: &[String], address: &str) -> Result<Exporter> {
    let mut process = Process::start(program, flags, &dir.join(format!("{job}.log")))?;
    let client = Client::new(format!("http://{address}"))?;
    eventually(&format!("{job} answers"), BOUND, || {
        let alive = process.check_alive();
        let client = client.clone();
        async move {
            alive?;
            client.text("/metrics").await.map(drop)
        }
    })
    .await?;
    Ok(Exporter { job, address: address.to_owned(), _process: process })
}

fn local() -> Result<String> {
    Ok(format!("127.0.0.1:{}", free_port()?))
}

/// nginx, which tells its own numbers on a page, and the exporter that asks for them.
async fn nginx(nginx: &Path, program: &Path, dir: &Path) -> Result<(Process, Exporter)> {
    let (address, page) = (local()?, local()?);
    let config = format!(
        "daemon off; pid {0}/nginx.pid; error_log {0}/nginx-error.log;\nevents {{}}\n\
         http {{ access_log off; client_body_temp_path {0}/a; proxy_temp_path {0}/b; fastcgi_temp_path {0}/c;\n\
         uwsgi_temp_path {0}/d; scgi_temp_path {0}/e; server {{ listen {page}; location /stub_status {{ stub_status; }} }} }}\n",
        dir.display()
    );
    let config = write(dir, "nginx.conf", &config)?;
    let arguments = ["-c".to_owned(), config.display().to_string(), "-p".to_owned(), dir.display().to_string()];
    let process = Process::start(nginx, arguments, &dir.join("nginx.log"))?;
    let flags = [
        format!("-web.listen-address={address}"),
        format!("-nginx.scrape-uri=http://{page}/stub_status"),
        "-nginx.retries=50".to_owned(),
        "-nginx.retry-interval=100ms".to_owned(),
    ];
    Ok((process, exporter("nginx", program, dir, &flags, &address).await?))
}

fn config(exporters: &[Exporter], blackbox: &str, page: &str) -> String {
    let mut text = "global: {scrape_interval: 2s, scrape_timeout: 2s}\nscrape_configs:\n".to_owned();
    for Exporter { job, address, .. } in exporters {
        text.push_str(&format!(
            "- job_name: {job}\n  static_configs: [{{targets: ['{address}'], labels: {{zone: eu, instance_copy: '{address}'}}}}]\n\
             \x20 relabel_configs:\n\
             \x20 - {{source_labels: [__address__], regex: '(.*):(.*)', target_label: port, replacement: '$2'}}\n\
             \x20 - {{source_labels: [__address__], modulus: 7, target_label: shard, action: hashmod}}\n\
             \x20 metric_relabel_configs:\n\
             \x20 - {{source_labels: [__name__], regex: 'go_gc_.*', action: drop}}\n\
             \x20 - {{regex: 'quantile_of_nothing', action: labeldrop}}\n"
        ));
    }
    text + &format!(
        "- job_name: probes\n  metrics_path: /probe\n  params: {{module: [http_2xx]}}\n\
         \x20 static_configs: [{{targets: ['http://{page}/metrics', 'http://127.0.0.1:9/nobody']}}]\n\
         \x20 relabel_configs:\n\
         \x20 - {{source_labels: [__address__], target_label: __param_target}}\n\
         \x20 - {{source_labels: [__param_target], target_label: instance}}\n\
         \x20 - {{target_label: __address__, replacement: '{blackbox}'}}\n\
         - job_name: nobody\n  static_configs: [{{targets: ['127.0.0.1:9']}}]\n"
    )
}

/// The label sets of series, with the bounds of buckets as numbers: Prometheus writes them as floats from 3.0 on.
fn label_sets(series: &Value) -> Result<BTreeSet<BTreeMap<String, String>>> {
    let mut sets = BTreeSet::new();
    for labels in series.as_array().context("no list of series")? {
        let mut labels: BTreeMap<String, String> = serde_json::from_value(labels.clone())?;
        for name in ["le", "quantile"] {
            if let Some(number) = labels.get(name).and_then(|text| text.parse::<f64>().ok()) {
                labels.insert(name.to_owned(), number.to_string());
            }
        }
        sets.insert(labels);
    }
    Ok(sets)
}

/// The newest value of each series of a metric.
async fn newest(client: &Client, metric: &str) -> Result<BTreeMap<String, String>> {
    let result = client.query(metric, None).await?;
    let entries = result.as_array().context("no vector")?.iter();
    Ok(entries.map(|entry| (entry["metric"].to_string(), entry["value"][1].to_string())).collect())
}

fn ensure_same<T: Ord + std::fmt::Debug>(what: &str, theirs: &BTreeSet<T>, ours: &BTreeSet<T>) -> Result<()> {
    let (missing, more): (Vec<_>, Vec<_>) =
        (theirs.difference(ours).take(5).collect(), ours.difference(theirs).take(5).collect());
    ensure!(missing.is_empty() && more.is_empty(), "{what}: only there {missing:#?}, only here {more:#?}");
    Ok(())
}

/// All programs, or nothing where one is missing.
fn programs<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let found: Vec<PathBuf> = names.iter().filter_map(|name| find(TEST, name)).collect();
    found.try_into().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prometheus_and_a_shard_store_the_same_series() -> Result<()> {
    let Some([peer, node, blackbox, alertmanager, victoria, nginx_server, nginx_exporter]) = programs([
        "prometheus",
        "prometheus-node-exporter",
        "prometheus-blackbox-exporter",
        "prometheus-alertmanager",
        "victoria-metrics",
        "nginx",
        "prometheus-nginx-exporter",
    ]) else {
        return Ok(());
    };
    let seconds = setting("WATERSHED_SIDE_BY_SIDE_SECONDS", || SECONDS)?;
    let dir = tempfile::tempdir()?;
    let path = dir.path();
    let (node, address) = node_exporter(&node, path).await?;
    let page = address.clone();
    let mut exporters = vec![Exporter { job: "node", address, _process: node }];
    let (_nginx, of_nginx) = nginx(&nginx_server, &nginx_exporter, path).await?;
    exporters.push(of_nginx);
    let address = local()?;
    let flags = [
        format!("--web.listen-address={address}"),
        format!("--storage.path={}", path.join("alertmanager").display()),
        format!(
            "--config.file={}",
            write(path, "am.yml", "route: {receiver: none}\nreceivers: [{name: none}]\n")?.display()
        ),
        "--cluster.listen-address=".to_owned(),
    ];
    exporters.push(exporter("alertmanager", &alertmanager, path, &flags, &address).await?);
    let address = local()?;
    let flags = [format!("-httpListenAddr={address}"), format!("-storageDataPath={}", path.join("victoria").display())];
    exporters.push(exporter("victoria", &victoria, path, &flags, &address).await?);
    let address = local()?;
    let modules = write(path, "blackbox.yml", "modules: {http_2xx: {prober: http, timeout: 1s}}\n")?;
    let flags = [format!("--web.listen-address={address}"), format!("--config.file={}", modules.display())];
    let blackbox = exporter("blackbox", &blackbox, path, &flags, &address).await?;
    let (_scraped, scraped) = prometheus(&peer, &subfolder(path, "scraped")?, "scrape_configs: []\n").await?;

    let mut text = config(&exporters, &blackbox.address, &page);
    text.push_str(&format!(
        "- job_name: prometheus\n  static_configs: [{{targets: ['{}']}}]\n",
        scraped.url.trim_start_matches("http://")
    ));
    let (_peer, theirs) = prometheus(&peer, &subfolder(path, "peer")?, &text).await?;
    let ours = Node::start("shard", path, &text, &[]).await?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;

    // Who was scraped first may have had series that were gone when the other came: what is there at one moment is compared.
    eventually("both have the same series", BOUND, || async {
        let now = "{job=~\".+\"}";
        let sets = async |client: &Client| {
            let result = client.query(now, None).await?;
            let metrics = result.as_array().context("no vector")?.iter().map(|entry| entry["metric"].clone());
            label_sets(&Value::Array(metrics.collect()))
        };
        let (there, here) = (sets(&theirs).await?, sets(&ours.client).await?);
        ensure!(there.len() > 1000, "only {} series", there.len());
        ensure_same("series", &there, &here)
    })
    .await?;
    for metric in ["up", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added"] {
        eventually(&format!("both have the same {metric}"), BOUND, || async {
            let (there, here) = (newest(&theirs, metric).await?, newest(&ours.client, metric).await?);
            ensure!(there.len() == exporters.len() + 4, "{there:#?}");
            ensure_same(metric, &there.into_iter().collect(), &here.into_iter().collect())
        })
        .await?;
    }
    for (job, want) in [("probes", 1.0), ("nobody", 0.0), ("victoria", 1.0)] {
        ensure!(ours.client.value(&format!("min(up{{job=\"{job}\"}})")).await? == want, "{job}");
    }
    ensure!(ours.client.value("sum(probe_success)").await? == 1.0, "one of two pages answers");
    Ok(())
}

fn subfolder(dir: &Path, name: &str) -> Result<PathBuf> {
    let folder = dir.join(name);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

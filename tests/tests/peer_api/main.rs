//! The same requests are asked of a real Prometheus and of a shard that runs on a copy of its data: status, error type
//! and data must agree.
//!
//! The peer is 2.42, the semantics that we follow are 3.x's. Where these differ the requests are chosen such that both
//! give the same: evaluation times lie off the scrapes' timestamps (ranges are left-open since 3.0), ranges under `rate`
//! begin after the series (extrapolation towards zero has changed), and the texts of errors aren't compared.

mod requests;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::{Client, Node, eventually, find, node_exporter, prometheus, write};

use crate::requests::{AT_ONE_TIME, EXPRESSIONS, FORMATTED, LISTS, PARAMETERS, REFUSED};

const BOUND: Duration = Duration::from_secs(60);
/// Two numbers are the same where they differ by less than this part of them: summation has changed since 2.42.
const RELATIVE: f64 = 1e-9;
/// Evaluation times are at least this far from every stored sample.
const OFF_SCRAPES_MS: i64 = 10;

const RULES: &str = r#"
groups:
  - name: peer
    interval: 1s
    rules:
      - {record: 'job:up:sum', expr: sum by (job) (up), labels: {kind: recorded}}
      - {record: 'job:samples:rate5s', expr: 'sum by (job) (rate(scrape_samples_scraped[5s]))'}
      - {alert: AlwaysOn, expr: up == 1, for: 2s, labels: {severity: page}, annotations: {summary: '{{ $labels.job }}'}}
      - {alert: NeverOn, expr: up == 7}
"#;

/// One request to both.
struct Request {
    endpoint: String,
    parameters: String,
    post: bool,
    /// The order of series is part of the answer.
    ordered: bool,
}

/// The times that requests name, in seconds.
struct Times {
    start: String,
    end: String,
    /// Later than any sample by more than a second, and by less than the lookback.
    late: String,
}

impl Times {
    /// Takes times that are as far as can be from the milliseconds at which samples lie within their second.
    fn choose(mut stored: Vec<i64>) -> Result<Self> {
        let last = *stored.iter().max().context("no samples")?;
        stored.iter_mut().for_each(|time| *time %= 1000);
        stored.sort_unstable();
        let wrapped = stored.first().map(|first| first + 1000);
        let next = stored.iter().copied().skip(1).chain(wrapped);
        let gaps = stored.iter().copied().zip(next);
        let (from, to) = gaps.max_by_key(|(from, to)| to - from).context("no samples")?;
        ensure!(to - from > 2 * OFF_SCRAPES_MS, "samples lie all over the second: {stored:?}");
        let end = last - last % 1000 - 2000 + (from + to) / 2;
        let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
        Ok(Times { start: seconds(end - 5000), end: seconds(end), late: seconds(end + 30_000) })
    }

    fn fill(&self, text: &str) -> String {
        text.replace("START", &self.start).replace("END", &self.end).replace("LATE", &self.late)
    }

    fn request(&self, endpoint: &str, parameters: &[(&str, &str)]) -> Request {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in parameters {
            form.append_pair(name, &self.fill(value));
        }
        Request { endpoint: endpoint.to_owned(), parameters: form.finish(), post: false, ordered: false }
    }

    fn requests(&self) -> Vec<Request> {
        let mut out = Vec::new();
        for query in EXPRESSIONS.iter().chain(REFUSED) {
            out.push(self.request("query", &[("query", query), ("time", "END")]));
            let steps = [("query", *query), ("start", "START"), ("end", "END"), ("step", "1")];
            out.push(Request { post: true, ..self.request("query_range", &steps) });
        }
        for query in AT_ONE_TIME {
            let request = self.request("query", &[("query", query), ("time", "END")]);
            out.push(Request { post: true, ordered: query.starts_with("sort"), ..request });
        }
        out.extend(FORMATTED.iter().map(|query| self.request("format_query", &[("query", query)])));
        out.extend(LISTS.iter().chain(PARAMETERS).map(|(endpoint, parameters)| self.request(endpoint, parameters)));
        out
    }
}

impl Request {
    async fn ask(&self, client: &Client) -> Result<(u16, Value)> {
        let path = format!("/api/v1/{}", self.endpoint);
        if self.post {
            client.answer(&path, Some(&self.parameters)).await
        } else {
            client.answer(&format!("{path}?{}", self.parameters), None).await
        }
    }

    /// How the two answers differ, if they do.
    async fn difference(&self, theirs: &Client, ours: &Client) -> Result<Option<String>> {
        let (mut want, mut got) = (self.ask(theirs).await?, self.ask(ours).await?);
        for (_, body) in [&mut want, &mut got] {
            if !self.ordered {
                sort(body);
            }
        }
        let head = |answer: &(u16, Value)| (answer.0, answer.1["status"].clone(), answer.1["errorType"].clone());
        if head(&want) == head(&got) && same(&want.1["data"], &got.1["data"]) {
            return Ok(None);
        }
        let shown = |answer: &(u16, Value)| format!("{} {:.600}", answer.0, answer.1.to_string());
        let asked: Vec<_> = url::form_urlencoded::parse(self.parameters.as_bytes()).collect();
        Ok(Some(format!("{} {asked:?}\n  theirs: {}\n  ours:   {}", self.endpoint, shown(&want), shown(&got))))
    }
}

/// Puts lists of series into one order: Prometheus promises none.
fn sort(answer: &mut Value) {
    let series = match &mut answer["data"] {
        Value::Object(data) => data.get_mut("result"),
        data => Some(data),
    };
    if let Some(Value::Array(series)) = series
        && series.first().is_some_and(Value::is_object)
    {
        series.sort_by_cached_key(|one| one.get("metric").unwrap_or(one).to_string());
    }
}

/// Equal, with numbers (which the API writes as strings) a little apart.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::String(a), Value::String(b)) => a == b || close(a, b),
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn close(a: &str, b: &str) -> bool {
    let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
    (a - b).abs() <= RELATIVE * a.abs().max(b.abs())
}

/// Scrapes for a while, and leaves the data in `dir/prometheus-data`.
async fn record(peer: &Path, exporter: &Path, dir: &Path) -> Result<()> {
    let (_exporter, target) = node_exporter(exporter, dir).await?;
    let rules = write(dir, "rules.yml", RULES)?;
    // It learns its own port from its address, which is chosen after the configuration: a file tells it.
    let itself = dir.join("itself.json");
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{}']\nscrape_configs:\n  \
         - job_name: node\n    static_configs: [{{targets: ['{target}']}}]\n  \
         - job_name: prometheus\n    file_sd_configs: [{{files: ['{}']}}]\n",
        rules.display(),
        itself.display()
    );
    let (mut process, client) = prometheus(peer, dir, &config).await?;
    let address = client.url.trim_start_matches("http://");
    fs::write(&itself, format!("[{{\"targets\": [\"{address}\"]}}]"))?;
    eventually("both jobs and the rules have samples", BOUND, || async {
        let scraped = client.value("min(count_over_time(up[1m])) * (count(up) == bool 2)").await?;
        let recorded = client.value("min(count_over_time(job:up:sum[1m]))").await?;
        let steady = client.value("count_over_time(prometheus_http_requests_total{handler=\"/metrics\"}[1m])").await?;
        ensure!(scraped.min(recorded).min(steady) >= 15.0, "{scraped} scrapes, {recorded} evaluations");
        Ok(())
    })
    .await?;
    ensure!(process.stop().await?, "prometheus did not end well: {}", process.log());
    Ok(())
}

/// How many samples each expression looks at that is answered.
async fn looked_at(times: &Times, theirs: &Client, ours: &Client, differences: &mut Vec<String>) -> Result<()> {
    const SAMPLES: &str = "/data/stats/samples/totalQueryableSamples";
    let at_end = EXPRESSIONS.iter().chain(AT_ONE_TIME).map(|query| ("query", vec![("query", *query), ("time", "END")]));
    let steps = |query| vec![("query", query), ("start", "START"), ("end", "END"), ("step", "1")];
    let by_step = EXPRESSIONS.iter().map(|query| ("query_range", steps(*query)));
    for (endpoint, mut parameters) in at_end.chain(by_step) {
        parameters.push(("stats", "all"));
        let request = times.request(endpoint, &parameters);
        let (want, got) = (request.ask(theirs).await?.1, request.ask(ours).await?.1);
        let (want, got) = (want.pointer(SAMPLES), got.pointer(SAMPLES));
        if want != got {
            differences.push(format!("{endpoint} {parameters:?} looks at {want:?} samples there and at {got:?} here"));
        }
    }
    Ok(())
}

/// What is newer than the peer: with a limit, what is left must be the beginning of the peer's whole answer; a lookback
/// may be asked for. Besides, lists over a range that ends before it starts, to which the peer gives an accidental answer.
async fn newer(times: &Times, theirs: &Client, ours: &Client, differences: &mut Vec<String>) -> Result<()> {
    for path in ["label/__name__/values", "labels", "label/mode/values?match[]=node_cpu_seconds_total"] {
        let whole = theirs.api(path).await?;
        let separator = if path.contains('?') { '&' } else { '?' };
        for limit in [1, 3, 100_000] {
            let path = format!("{path}{separator}limit={limit}");
            let (got, whole) = (ours.api(&path).await?, whole.as_array().context("no list")?);
            let want = &whole[..limit.min(whole.len())];
            if got.as_array().is_none_or(|got| got != want) {
                differences.push(format!("{path}\n  theirs: {want:?}\n  ours:   {got}"));
            }
        }
    }
    let all = theirs.api("series?match[]=node_cpu_seconds_total").await?;
    let some = ours.api("series?match[]=node_cpu_seconds_total&limit=2").await?;
    let (all, some) = (all.as_array().context("no list")?, some.as_array().context("no list")?);
    if some.len() != 2 || !some.iter().all(|one| all.contains(one)) {
        differences.push(format!("series with limit=2: {some:?}"));
    }
    let inverted = [("match[]", "up"), ("start", "END"), ("end", "START")];
    let late = |lookback| [("query", "up"), ("time", "LATE"), ("lookback_delta", lookback)];
    let cases = [
        (times.request("series", &inverted), (200, "/data", json!([]))),
        (times.request("labels", &inverted[1..]), (200, "/data", json!([]))),
        (times.request("label/job/values", &inverted), (200, "/data", json!([]))),
        (times.request("query", &late("5s")), (200, "/data/result", json!([]))),
        (times.request("query", &late("1m")), (200, "/data/result/0/value/1", json!("1"))),
        (times.request("query", &late("x")), (400, "/errorType", json!("bad_data"))),
    ];
    for (request, (status, pointer, want)) in cases {
        let (got, body) = request.ask(ours).await?;
        if got != status || body.pointer(pointer) != Some(&want) {
            differences
                .push(format!("{} {}: not {status} {want} but {got} {body}", request.endpoint, request.parameters));
        }
    }
    Ok(())
}

/// What promtool prints when it asks each of them, in one order.
fn promtool(
    program: &Path,
    times: &Times,
    theirs: &Client,
    ours: &Client,
    differences: &mut Vec<String>,
) -> Result<()> {
    let (start, end) = (format!("--start={}", times.start), format!("--end={}", times.end));
    let at = format!("--time={}", times.end);
    let cases: &[(&[&str], &[&str])] = &[
        (&["instant", &at], &["up"]),
        (&["instant", &at], &["sum by (mode) (node_cpu_seconds_total{cpu=\"0\"})"]),
        (&["instant", &at], &["up[3s]"]),
        (&["instant", &at], &["1 + 1"]),
        (&["instant", &at], &["up{"]),
        (&["range", &start, &end, "--step=1s"], &["count by (job) ({__name__=~\".+\"})"]),
        (&["range", &start, &end, "--step=2s"], &["nothing"]),
        (&["series", "--match=up", "--match=node_load1", &start, &end], &[]),
        (&["labels", &start, &end], &["mode"]),
        (&["labels", "--match=up"], &["job"]),
    ];
    for (before, after) in cases {
        let run = |client: &Client| -> Result<(Option<i32>, Vec<String>)> {
            let out = Command::new(program).arg("query").args(*before).arg(&client.url).args(*after).output()?;
            let text = String::from_utf8(out.stdout)?;
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            Ok((out.status.code(), lines))
        };
        let (want, got) = (run(theirs)?, run(ours)?);
        if want != got {
            differences.push(format!("promtool query {before:?} {after:?}\n  theirs: {want:?}\n  ours:   {got:?}"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn answers_agree_with_prometheus() -> Result<()> {
    let name = "answers_agree_with_prometheus";
    let programs = (find(name, "prometheus"), find(name, "prometheus-node-exporter"), find(name, "promtool"));
    let (Some(peer), Some(exporter), Some(tool)) = programs else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    record(&peer, &exporter, dir.path()).await?;
    let (from, to) = (dir.path().join("prometheus-data"), dir.path().join("shard-data"));
    ensure!(Command::new("cp").arg("-a").arg(&from).arg(&to).status()?.success(), "the data can't be copied");

    let (_process, theirs) = prometheus(&peer, dir.path(), "global: {scrape_interval: 1s}\n").await?;
    // Prometheus has no alerts of its own.
    let config = "global: {scrape_interval: 1s}\nbuilt_in_alerts: {GlobalUnreachable: {enabled: false}}\n";
    let shard = Node::start("shard", dir.path(), config, &[]).await?;
    let ours = &shard.client;

    let stored = theirs.query("{__name__=~\"up|ALERTS|job:.+\"}[5m]", None).await?;
    let stored = tests::points(&stored)?.into_values().flatten().map(|(time, _)| time).collect();
    let times = Times::choose(stored)?;
    let mut differences = Vec::new();
    let requests = times.requests();
    for request in &requests {
        differences.extend(request.difference(&theirs, ours).await?);
    }
    looked_at(&times, &theirs, ours, &mut differences).await?;
    newer(&times, &theirs, ours, &mut differences).await?;
    promtool(&tool, &times, &theirs, ours, &mut differences)?;
    for difference in &differences {
        println!("{difference}\n");
    }
    ensure!(differences.is_empty(), "{} of {} answers differ, see above", differences.len(), requests.len());
    Ok(())
}

//! The same requests are asked of a real Prometheus and of a shard that runs on a copy of its data: status, error type
//! and data must agree.
//!
//! The peer is 2.42, the semantics that we follow are 3.x's. Where these differ the requests are chosen such that both
//! give the same: evaluation times lie off the scrapes' timestamps (ranges are left-open since 3.0), ranges under `rate`
//! begin after the series (extrapolation towards zero has changed), and the texts of errors aren't compared.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::{Client, Node, eventually, find, node_exporter, prometheus, write};

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

/// Evaluated at one time and over a range.
const EXPRESSIONS: &[&str] = &[
    "up",
    "{job=\"node\",__name__=~\"node_load.+\"}",
    "node_cpu_seconds_total{mode!~\"idle|user\",cpu=\"0\"}",
    "up{job=~\"n.*\",instance!=\"\"}",
    "prometheus_build_info{job!=\"node\"}",
    "ALERTS",
    "ALERTS_FOR_STATE",
    "{__name__=~\"job:.+\"}",
    "nothing_of_this_name",
    "node_load1 offset 3s",
    "prometheus_http_requests_total{handler=\"/metrics\"} offset -2s",
    "up @ START",
    "rate(node_cpu_seconds_total[5s] @ START)",
    "node_cpu_seconds_total @ end()",
    "up @ start()",
    "1 + 2 * 3 ^ 2 ^ 0.5 % 5",
    "-up",
    "-(1/0)",
    "0/0",
    "vector(time())",
    "scalar(up{job=\"node\"}) + 1",
    "scalar(up)",
    "pi() / 2",
    // Aggregations.
    "sum(node_cpu_seconds_total)",
    "sum by (mode) (node_cpu_seconds_total)",
    "avg without (cpu, mode) (node_cpu_seconds_total)",
    "min by (job) ({__name__=~\".+_seconds_total\"})",
    "max(node_filesystem_size_bytes) by (fstype)",
    "count by (__name__) ({job=\"node\",__name__=~\"node_[a-f].+\"})",
    "count({__name__=~\".+\"})",
    "count_values(\"value\", up)",
    "count_values by (job) (\"job\", up)",
    "group by (instance) (up)",
    "stddev by (mode) (node_cpu_seconds_total)",
    "stdvar(scrape_samples_scraped)",
    "quantile(0.9, node_cpu_seconds_total)",
    "quantile by (job) (-0.5, up)",
    "topk(3, node_cpu_seconds_total{mode=~\"idle|user\"})",
    "topk by (job) (1, {__name__=~\"scrape_samples_scraped|up\"})",
    "bottomk(1, scrape_samples_scraped)",
    "topk(0, up)",
    // Over a range of samples.
    "rate(node_cpu_seconds_total[5s])",
    "irate(node_cpu_seconds_total[5s])",
    "increase(prometheus_http_requests_total{handler=\"/metrics\"}[6s])",
    "delta(node_memory_MemFree_bytes[5s])",
    "idelta(node_memory_MemFree_bytes[5s])",
    "deriv(node_memory_MemFree_bytes[5s])",
    "predict_linear(node_memory_MemFree_bytes[5s], 60)",
    "changes(node_memory_MemFree_bytes[5s])",
    "resets(node_memory_MemFree_bytes[5s])",
    "avg_over_time(node_memory_MemFree_bytes[5s])",
    "min_over_time(scrape_duration_seconds[5s])",
    "max_over_time(scrape_duration_seconds[5s])",
    "sum_over_time(scrape_duration_seconds[5s])",
    "count_over_time(up[5s])",
    "quantile_over_time(0.5, scrape_duration_seconds[5s])",
    "quantile_over_time(1.5, up[5s])",
    "stddev_over_time(scrape_duration_seconds[5s])",
    "stdvar_over_time(scrape_duration_seconds[5s])",
    "last_over_time(node_load1[5s])",
    "present_over_time(up[5s])",
    "absent_over_time(up{job=\"none\",x=\"y\"}[5s])",
    "absent_over_time(up[5s])",
    "rate(node_cpu_seconds_total[5s] offset 1s)",
    // Subqueries.
    "max_over_time(node_load1[5s:1s])",
    "rate(node_cpu_seconds_total{cpu=\"0\"}[5s:1s])",
    "count_over_time(up[6s:2s] offset 1s)",
    "avg_over_time(deriv(node_memory_MemFree_bytes[60s])[5s:1s])",
    "sum_over_time((up > bool 0)[4s:1s] @ START)",
    "min_over_time(sum by (job) (up)[3s:])",
    // Binary operators.
    "node_memory_MemFree_bytes / node_memory_MemTotal_bytes",
    "node_cpu_seconds_total / ignoring(cpu, mode) group_left node_load1",
    "node_load1 * on(job, instance) group_right node_cpu_seconds_total{mode=\"idle\"}",
    "node_cpu_seconds_total{mode=\"idle\"} * on(instance) group_left(nodename) node_uname_info",
    "node_cpu_seconds_total / on(cpu, mode) node_cpu_seconds_total",
    "node_cpu_seconds_total > 100",
    "100 < node_cpu_seconds_total",
    "node_cpu_seconds_total > bool 100",
    "up == bool 1",
    "1 >= bool 2",
    "up != 1",
    "sum(up) == sum(up)",
    "node_load1 <= node_load15",
    "node_load1 >= bool ignoring(x) node_load5",
    "node_load1 % 0.3",
    "2 ^ node_load1",
    "atan2(1, 2)",
    // By itself it keeps the name in 2.42.
    "sum by (job) (node_load1 atan2 node_load5)",
    "up and on(job) up{job=\"node\"}",
    "up unless on(job) up{job=\"node\"}",
    "up{job=\"node\"} or scrape_samples_scraped",
    "up or ignoring(job, instance) vector(1)",
    // Histograms.
    "histogram_quantile(0.9, prometheus_http_request_duration_seconds_bucket)",
    "histogram_quantile(0.5, sum by (le) (rate(prometheus_http_request_duration_seconds_bucket{handler=\"/metrics\"}[5s])))",
    "histogram_quantile(0.99, sum by (le, handler) (prometheus_http_response_size_bytes_bucket))",
    "histogram_quantile(-1, prometheus_http_response_size_bytes_bucket{handler=\"/metrics\"})",
    "histogram_quantile(0.5, up)",
    // Labels.
    "label_replace(up, \"host\", \"$1:${2}\", \"instance\", \"(.*):(.*)\")",
    "label_replace(up, \"job\", \"\", \"job\", \"node\")",
    "label_replace(up, \"x\", \"$name\", \"instance\", \"(?P<name>[0-9]+).*\")",
    "label_join(up, \"both\", \"/\", \"job\", \"instance\", \"none\")",
    // Functions of numbers and times.
    "absent(up{job=\"none\"})",
    "absent(up)",
    "absent(sum(nothing))",
    "abs(-node_load1)",
    "ceil(node_load1) + floor(node_load1)",
    "round(node_load1, 0.1)",
    "clamp(node_load1, 0.1, 0.2)",
    "clamp(node_load1, 2, 1)",
    "clamp_min(node_load1, 5) + clamp_max(node_load1, 5)",
    "exp(node_load1)",
    "ln(node_load1 - 100)",
    "log2(node_load1) + log10(node_load1)",
    "sqrt(node_memory_MemTotal_bytes)",
    "sgn(-node_load1)",
    "sin(node_load1) + cos(node_load1) + tan(node_load1)",
    "asinh(node_load1) + acosh(node_load1 + 2) + atanh(node_load1 / 1000)",
    "asin(node_load1 / 1000) + acos(node_load1 / 1000) + atan(node_load1)",
    "sinh(node_load1) + cosh(node_load1) + tanh(node_load1)",
    "deg(node_load1) + rad(node_load1)",
    "timestamp(up) - timestamp(up offset 2s)",
    "minute() + hour() * 60",
    "day_of_month() + day_of_week() * 100 + day_of_year() * 1000",
    "days_in_month(node_boot_time_seconds) + month() * 100 + year() * 10000",
    "sum(up) by (job) > 0 and on(job) (rate(node_cpu_seconds_total[5s]) >= 0 or up)",
];

/// Evaluated at one time only: these give a text, samples as stored, or an order.
const AT_ONE_TIME: &[&str] = &[
    "\"a text\"",
    "up[5s]",
    "node_load1[5s] offset 2s",
    "up[4s:1s]",
    "{__name__=~\"job:.+\"}[6s]",
    "sort(node_cpu_seconds_total{mode=\"idle\"})",
    "sort_desc(node_cpu_seconds_total{mode=\"idle\"})",
];

/// Refused both at one time and over a range.
const REFUSED: &[&str] = &[
    "up{",
    "up)",
    "sum(",
    "up{job=\"a\"",
    "up{job=a}",
    "nosuchfunction(up)",
    "rate(up)",
    "up + up[5s]",
    "sum(1)",
    "rate(up[5s], 1)",
    "topk(up)",
    "{}",
    "{job=~\".*\"}",
    "up{job=~\"(\"}",
    "up[5x]",
    "up offset 1s offset 2s",
    "1 == 2",
    "\"a\" + 1",
    "up and 1",
    "sum by (job) up",
    "up[5s][5s]",
    // Understood, and can't be answered.
    "node_load1 + on(job) node_cpu_seconds_total",
    "up * on() up",
    "label_replace(up, \"x\", \"$1\", \"job\", \"(\")",
    "label_replace(up, \"instance\", \"same\", \"job\", \".*\") + on(job) scrape_samples_scraped",
    "label_replace({__name__=~\"up|scrape_samples_scraped\"}, \"__name__\", \"x\", \"job\", \".*\")",
    "count_values(\"\", up)",
];

const FORMATTED: &[&str] = &[
    "sum(rate(up[5m]))by(job)>1",
    "up{job='a',x=~\"b\"}offset 1h",
    "a+on(x)group_left(y)b*2",
    "max_over_time(up[1h:5m]@100)",
    "-up",
    "up{",
    "",
    "sum by (job, instance, mode) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m])) / on (job, instance) group_left (mode) \
     histogram_quantile(0.9, sum by (le, job, instance) (rate(prometheus_http_request_duration_seconds_bucket[5m])))",
];

/// Lists of series and labels: the endpoint and its parameters.
const LISTS: &[(&str, &[(&str, &str)])] = &[
    ("series", &[("match[]", "up")]),
    (
        "series",
        &[("match[]", "up"), ("match[]", "node_load1"), ("match[]", "{job=\"node\",__name__=~\"node_load.*\"}")],
    ),
    ("series", &[("match[]", "{__name__=~\"prometheus_http.*\"}"), ("start", "START"), ("end", "END")]),
    ("series", &[("match[]", "ALERTS"), ("start", "START"), ("end", "END")]),
    ("series", &[("match[]", "up"), ("start", "1"), ("end", "2")]),
    ("series", &[("match[]", "nothing")]),
    ("series", &[]),
    ("series", &[("match[]", "")]),
    ("series", &[("match[]", "up{")]),
    ("series", &[("match[]", "sum(up)")]),
    ("series", &[("match[]", "{}")]),
    ("series", &[("match[]", "{job=~\".*\"}")]),
    ("series", &[("match[]", "up"), ("start", "x")]),
    ("series", &[("match[]", "up"), ("end", "x")]),
    ("labels", &[]),
    ("labels", &[("match[]", "up")]),
    ("labels", &[("match[]", "up"), ("match[]", "node_cpu_seconds_total")]),
    ("labels", &[("start", "START"), ("end", "END"), ("match[]", "ALERTS")]),
    ("labels", &[("match[]", "nothing")]),
    ("labels", &[("match[]", "{}")]),
    ("labels", &[("start", "x")]),
    ("labels", &[("match[]", "up["), ("start", "1")]),
    ("label/__name__/values", &[]),
    ("label/job/values", &[]),
    ("label/mode/values", &[("match[]", "node_cpu_seconds_total{cpu=\"0\"}")]),
    ("label/mode/values", &[("match[]", "up")]),
    ("label/handler/values", &[("match[]", "prometheus_http_requests_total"), ("start", "START"), ("end", "END")]),
    ("label/none/values", &[]),
    ("label/__name__/values", &[("match[]", "{job=\"node\"}"), ("match[]", "up")]),
    ("label/job/values", &[("match[]", "}")]),
    ("label/job/values", &[("end", "x")]),
    ("metadata", &[]),
    ("targets/metadata", &[]),
    ("rules", &[]),
    ("alerts", &[]),
    ("rules", &[("type", "x")]),
];

/// Parameters that are wrong, missing, or in another form than elsewhere.
const PARAMETERS: &[(&str, &[(&str, &str)])] = &[
    ("query", &[]),
    ("query", &[("query", "")]),
    ("query", &[("query", "up"), ("time", "x")]),
    ("query", &[("query", "up"), ("time", "2023-13-01T00:00:00Z")]),
    ("query", &[("query", "up"), ("time", "2023-12-01T00:00:00Z")]),
    ("query", &[("query", "up"), ("time", "END"), ("timeout", "x")]),
    ("query", &[("query", "up"), ("time", "END"), ("timeout", "10")]),
    ("query", &[("query", "up"), ("time", "END"), ("timeout", "1m30s")]),
    ("query", &[("query", "up"), ("time", "1e3")]),
    ("query", &[("query", "time()"), ("time", "1.5")]),
    ("query", &[("query", "time()"), ("time", "1970-01-01T01:00:00.25+01:00")]),
    ("query", &[("query", "up"), ("time", "LATE")]),
    ("query_range", &[]),
    ("query_range", &[("query", "up")]),
    ("query_range", &[("query", "up"), ("start", "START"), ("step", "1")]),
    ("query_range", &[("query", "up"), ("start", "START"), ("end", "END")]),
    ("query_range", &[("query", "up"), ("start", "START"), ("end", "END"), ("step", "0")]),
    ("query_range", &[("query", "up"), ("start", "START"), ("end", "END"), ("step", "-1")]),
    ("query_range", &[("query", "up"), ("start", "START"), ("end", "END"), ("step", "x")]),
    ("query_range", &[("query", "up"), ("start", "END"), ("end", "START"), ("step", "1")]),
    ("query_range", &[("query", "up"), ("start", "START"), ("end", "END"), ("step", "0.0001")]),
    ("query_range", &[("query", "up"), ("start", "0"), ("end", "11000"), ("step", "1")]),
    ("query_range", &[("query", "up"), ("start", "0"), ("end", "11001"), ("step", "1")]),
    ("query_range", &[("query", "up"), ("start", "START"), ("end", "END"), ("step", "2s")]),
    ("query_range", &[("query", "up"), ("start", "START"), ("end", "END"), ("step", "1m")]),
    ("query_range", &[("query", "up"), ("start", "START"), ("end", "START"), ("step", "1")]),
    ("query_range", &[("query", "up"), ("start", "START"), ("end", "END"), ("step", "1"), ("timeout", "x")]),
    ("query_range", &[("query", "up[5s]"), ("start", "START"), ("end", "END"), ("step", "1")]),
    ("query_range", &[("query", "\"a\""), ("start", "START"), ("end", "END"), ("step", "1")]),
];

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

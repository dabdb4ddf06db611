//! Prometheus and promtool on our directories, and we on theirs.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use model::{STALE_NAN, parse_float};
use serde_json::Value;
use tsdb::{Db, Options};

use crate::fixture::{append, copy_dir, dump, dump_line, labels, open, options, scratch};

const START_MS: i64 = 1_700_000_000_000;

/// Whether a peer is installed; says so where it is not.
pub(crate) fn has(test: &str, program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        std::io::stderr().write_all(format!("SKIPPED {test}: {program} not found\n").as_bytes()).expect("told");
    }
    found
}

pub(crate) fn promtool(args: &[&str]) -> String {
    let out = Command::new("promtool").args(args).output().expect("promtool runs");
    assert!(out.status.success(), "promtool {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("text")
}

pub(crate) fn promtool_dump(dir: &Path) -> BTreeSet<String> {
    let text = promtool(&["tsdb", "dump", dir.to_str().expect("path")]);
    let parse = |line: &str| {
        let (rest, time) = line.rsplit_once(' ')?;
        let (labels, value) = rest.rsplit_once(' ')?;
        Some(dump_line(labels, parse_float(value)?, time.parse().ok()?))
    };
    text.lines().map(|line| parse(line).unwrap_or_else(|| panic!("not a sample: {line}"))).collect()
}

/// Series of many kinds over five minutes, partly in blocks, partly in the head.
fn fill(db: &Db) {
    let series: Vec<_> = (0..40)
        .map(|i| {
            labels(&[("__name__", ["m", "n"][i % 2]), ("i", &i.to_string()), ("text", "ä \"quoted\" \\ line\nend")])
        })
        .collect();
    for step in 0..60_i64 {
        let value = |i: usize| match i % 5 {
            0 => 1.0,
            1 => step as f64,
            2 => (step as f64 * 0.1).sin() * 1e9,
            3 if step % 10 == 9 => STALE_NAN,
            3 => f64::INFINITY,
            _ => -1e-300 / (step + 1) as f64,
        };
        let batch: Vec<_> =
            series.iter().enumerate().map(|(i, l)| (l, START_MS + step * 5000 + i as i64 % 7, value(i))).collect();
        append(db, &batch);
    }
}

#[test]
fn promtool_reads_what_we_wrote() {
    if !has("promtool_reads_what_we_wrote", "promtool") {
        return;
    }
    let (dir, killed) = (scratch(), scratch());
    let (db, _registry) = open(options(dir.path()));
    fill(&db);
    // Only the log at first, then blocks, a checkpoint and the log.
    for maintained in [false, true] {
        if maintained {
            db.maintain().expect("maintained");
        }
        let copy = killed.path().join(maintained.to_string());
        copy_dir(dir.path(), &copy);
        let want = dump(&db);
        assert_eq!(want.len(), 40 * 60);
        let got = promtool_dump(&copy);
        assert!(got == want, "missing {:?}, more {:?}", want.difference(&got).next(), got.difference(&want).next());
    }
    let path = killed.path().join("true");
    let list = promtool(&["tsdb", "list", path.to_str().expect("path")]);
    for block in db.blocks() {
        assert!(list.contains(&block.ulid.to_string()), "{list}");
        let analysis = promtool(&["tsdb", "analyze", path.to_str().expect("path"), &block.ulid.to_string()]);
        assert!(analysis.contains("Series: 40"), "{analysis}");
        assert!(analysis.contains("text"), "{analysis}");
    }
}

#[test]
fn we_read_blocks_that_promtool_wrote() {
    if !has("we_read_blocks_that_promtool_wrote", "promtool") {
        return;
    }
    let dir = scratch();
    let mut text = String::from("# TYPE m gauge\n");
    let mut want = BTreeSet::new();
    for i in 0..100 {
        for step in 0..50 {
            let (value, secs) = (f64::from(i * step) * 0.5, START_MS / 1000 + i64::from(step) * 600);
            text.push_str(&format!("m{{i=\"{i}\"}} {value} {secs}\n"));
            want.insert(dump_line(&format!("{{__name__=\"m\", i=\"{i}\"}}"), value, secs * 1000));
        }
    }
    text.push_str("# EOF\n");
    let (input, data) = (dir.path().join("input"), dir.path().join("data"));
    fs::write(&input, text).expect("written");
    let path = |path: &Path| path.to_str().expect("path").to_owned();
    promtool(&["tsdb", "create-blocks-from", "openmetrics", &path(&input), &path(&data)]);
    let (db, _registry) = open(Options::new(&data));
    assert!(db.blocks().len() > 3);
    assert!(dump(&db) == want);
}

/// A Prometheus, killed when this is dropped.
pub(crate) struct Prometheus {
    child: Child,
    port: u16,
}

impl Prometheus {
    fn start(dir: &Path, data: &Path, scrape: bool) -> Self {
        let port = free_port();
        let jobs = format!("[{{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]");
        let jobs = if scrape { jobs } else { "[]".to_owned() };
        Prometheus::run(dir, data, port, &format!("global: {{scrape_interval: 1s}}\nscrape_configs: {jobs}\n"))
    }

    /// Starts with a configuration and waits until it answers.
    pub(crate) fn run(dir: &Path, data: &Path, port: u16, configuration: &str) -> Self {
        Prometheus::run_with(dir, data, port, configuration, &[])
    }

    /// Starts with more flags.
    pub(crate) fn run_with(dir: &Path, data: &Path, port: u16, configuration: &str, flags: &[&str]) -> Self {
        let config = dir.join("prometheus.yml");
        fs::write(&config, configuration).expect("written");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus starts");
        let prometheus = Prometheus { child, port };
        prometheus.wait("to be ready", || prometheus.get("/-/ready").is_some());
        prometheus
    }

    pub(crate) fn wait(&self, what: &str, level: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(90);
        while !level() {
            assert!(Instant::now() < deadline, "waited too long for prometheus {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The status line of an answer to a POST without a body.
    pub(crate) fn post(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connects");
        write!(stream, "POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer.lines().next().unwrap_or_default().to_owned()
    }

    /// The body of an answer with status 200.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.0 200").then(|| body.to_owned())
    }

    /// All samples of the hour before `time` (seconds), as lines of a dump.
    pub(crate) fn samples(&self, time: &str) -> BTreeSet<String> {
        let time = if time.is_empty() { String::new() } else { format!("&time={time}") };
        let body =
            self.get(&format!("/api/v1/query?query=%7B__name__=~%22.%2B%22%7D%5B1h%5D{time}")).expect("an answer");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        let mut lines = BTreeSet::new();
        for series in answer["data"]["result"].as_array().expect("a matrix") {
            let metric = series["metric"].as_object().expect("labels");
            let mut pairs: Vec<(&String, &str)> = metric.iter().map(|(n, v)| (n, v.as_str().expect("text"))).collect();
            pairs.sort();
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={}", model::quote(value))).collect();
            for point in series["values"].as_array().expect("samples") {
                let time = (point[0].as_f64().expect("a time") * 1000.0).round() as i64;
                let value = parse_float(point[1].as_str().expect("text")).expect("a float");
                lines.insert(dump_line(&format!("{{{}}}", pairs.join(", ")), value, time));
            }
        }
        lines
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("address").port()
}

impl Prometheus {
    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(asked.success());
        self.child.wait().expect("it ends");
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill(); // SIGKILL
        let _ = self.child.wait();
    }
}

#[test]
fn prometheus_serves_a_directory_we_were_killed_on() {
    if !has("prometheus_serves_a_directory_we_were_killed_on", "prometheus") {
        return;
    }
    let (dir, killed) = (scratch(), scratch());
    let (db, _registry) = open(options(dir.path()));
    fill(&db);
    db.maintain().expect("maintained");
    let data = killed.path().join("data");
    copy_dir(dir.path(), &data);
    let prometheus = Prometheus::start(killed.path(), &data, false);
    let got = prometheus.samples(&format!("{}", (START_MS + 600_000) / 1000));
    // Stale markers are not shown by the API.
    let want: BTreeSet<_> = dump(&db).into_iter().filter(|line| !line.contains(" NaN ")).collect();
    assert!(got == want, "missing {:?}, more {:?}", want.difference(&got).next(), got.difference(&want).next());
}

#[test]
fn we_serve_a_directory_prometheus_was_killed_on() {
    if !has("we_serve_a_directory_prometheus_was_killed_on", "prometheus") {
        return;
    }
    let dir = scratch();
    let data = dir.path().join("data");
    let prometheus = Prometheus::start(dir.path(), &data, true);
    prometheus.wait("to scrape itself five times", || {
        prometheus.samples("").iter().filter(|line| line.contains("\"up\"")).count() >= 5
    });
    let want = prometheus.samples("");
    drop(prometheus);
    let (db, _registry) = open(Options::new(&data));
    let got = dump(&db);
    assert!(want.len() > 1000, "{}", want.len());
    assert!(got.is_superset(&want), "missing {:?}", want.difference(&got).next());
    // And it goes on from here.
    let newest = db.head_stats().max_time.expect("samples").as_ms();
    append(&db, &[(&labels(&[("__name__", "after")]), newest + 1000, 1.0)]);
    assert_eq!(dump(&db).len(), got.len() + 1);
}

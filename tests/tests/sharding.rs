//! Five shards share the targets of a cluster: one is killed, one is added. Every target is scraped by two of those that live within two
//! intervals, none is ever left alone, and the alert of a dead target is told once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::HeaderMap;
use axum::routing::get;
use serde_json::{Value, json};
use tests::{Node, Receiver, eventually, free_port, free_ports, write};
use tokio::time::{Instant, sleep, sleep_until};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const TARGETS: usize = 40;
const INTERVAL: Duration = Duration::from_secs(5);
const BOUND: Duration = Duration::from_secs(40);

const RULES: &str =
    "groups:\n- name: made\n  interval: 1s\n  rules:\n  - {alert: TargetDown, expr: up == 0, for: 3s}\n";

/// Which shard scraped which target when.
type Scrapes = Arc<Mutex<Vec<(Instant, String, usize)>>>;

/// All targets on one socket. Each shard says who it is in a header. The address is not one that means another machine everywhere: such
/// targets aren't shared.
async fn targets() -> Result<(u16, Scrapes)> {
    let scrapes = Scrapes::default();
    let page = async |UrlPath(number): UrlPath<usize>, State(scrapes): State<Scrapes>, headers: HeaderMap| {
        let shard = headers.get("x-shard").and_then(|name| name.to_str().ok()).unwrap_or_default().to_owned();
        if let Ok(mut scrapes) = scrapes.lock() {
            scrapes.push((Instant::now(), shard, number));
        }
        format!("made {number}\n")
    };
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await?;
    let port = listener.local_addr()?.port();
    let router = Router::new().route("/{number}/metrics", get(page)).with_state(scrapes.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((port, scrapes))
}

struct Cluster {
    first_port: u16,
    shards: BTreeMap<&'static str, Node>,
    scrapes: Scrapes,
    dead_port: u16,
    targets_port: u16,
    hook: Receiver,
}

impl Cluster {
    fn name(&self, shard: &str) -> String {
        let at = NAMES.iter().position(|name| *name == shard).unwrap_or_default();
        format!("127.0.0.1:{}", self.first_port + at as u16)
    }

    /// The list of members that all shards read.
    fn list(&self, dir: &Path, shards: &[&str]) -> Result<()> {
        let names: Vec<String> = shards.iter().map(|shard| self.name(shard)).collect();
        write(dir, "members.json", &json!([{"targets": names}]).to_string())?;
        Ok(())
    }

    async fn start(&mut self, dir: &Path, shard: &'static str) -> Result<()> {
        let mut groups = vec![json!({"targets": [format!("0.0.0.0:{}", self.dead_port)], "labels": {"n": "dead"}})];
        groups.extend((0..TARGETS).map(|number| {
            let labels = json!({"n": number.to_string(), "__metrics_path__": format!("/{number}/metrics")});
            json!({"targets": [format!("0.0.0.0:{}", self.targets_port)], "labels": labels})
        }));
        let own = dir.join(shard);
        write(&own, "targets.json", &json!(groups).to_string())?;
        write(&own, "rules.yml", RULES)?;
        let alertmanager = format!(
            "route: {{receiver: hook, group_by: ['...'], group_wait: 200ms, group_interval: 1s}}\n\
             receivers: [{{name: hook, webhook_configs: [{{url: '{}'}}]}}]\n",
            self.hook.url
        );
        write(&own, "alertmanager.yml", &alertmanager)?;
        let peers = NAMES.iter().filter(|name| **name != shard).map(|name| format!("http://{}", self.name(name)));
        let config = json!({
            "global": {
                "scrape_interval": "5s", "scrape_timeout": "2s", "evaluation_interval": "1s",
                "external_labels": {"cluster": "eu", "replica": shard},
            },
            "alerting": {"local": {"config_file": "alertmanager.yml", "peers": peers.collect::<Vec<_>>()}},
            "rule_files": ["rules.yml"],
            "scrape_configs": [
                {"job_name": "made", "http_headers": {"x-shard": {"values": [shard]}}, "file_sd_configs": [{"files": ["targets.json"]}]},
                {"job_name": "self", "static_configs": [{"targets": [self.name(shard)]}]},
            ],
            "sharding": {"self": self.name(shard), "file_sd_configs": [{"files": [dir.join("members.json")]}]},
        });
        let port = self.first_port + NAMES.iter().position(|name| *name == shard).unwrap_or_default() as u16;
        let node = Node::start_on(port, "shard", &own, &config.to_string(), &[]).await?;
        self.shards.insert(shard, node);
        Ok(())
    }

    /// Which shards scraped each target in a span of time.
    fn scraped(&self, from: Instant, until: Instant) -> BTreeMap<usize, BTreeSet<String>> {
        let scrapes = self.scrapes.lock().map(|scrapes| scrapes.clone()).unwrap_or_default();
        let mut by_target: BTreeMap<usize, BTreeSet<String>> = (0..TARGETS).map(|n| (n, BTreeSet::new())).collect();
        for (time, shard, number) in scrapes {
            if (from..until).contains(&time) {
                by_target.entry(number).or_default().insert(shard);
            }
        }
        by_target
    }

    /// Waits until these do their shares, and each sees that of all others.
    async fn serving(&self, shards: &[&str]) -> Result<()> {
        let want: BTreeSet<String> = shards.iter().map(|shard| self.name(shard)).collect();
        for shard in shards {
            eventually("the shards have found together", BOUND, || async {
                let sharding = self.sharding(shard).await?;
                let serving: BTreeSet<String> =
                    serde_json::from_value(member(&sharding, &self.name(shard))?["serving"].clone())?;
                ensure!(serving == want, "{shard} sees {serving:?}");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    async fn sharding(&self, shard: &str) -> Result<Value> {
        self.shards.get(shard).context("no such shard")?.client.api("sharding").await
    }

    /// Once all is calm, two shards scrape each target and nobody else does.
    async fn two_each(&self) -> Result<()> {
        sleep(INTERVAL * 2).await; // scrapes of those who have just given a target away are over
        let from = Instant::now();
        sleep(INTERVAL + Duration::from_millis(500)).await;
        for (number, shards) in self.scraped(from, Instant::now()) {
            ensure!(shards.len() == 2, "target {number} is scraped by {shards:?}");
        }
        Ok(())
    }

    /// The longest time that a target was scraped by nobody.
    fn longest_gap(&self, from: Instant) -> Duration {
        let scrapes = self.scrapes.lock().map(|scrapes| scrapes.clone()).unwrap_or_default();
        let mut last = BTreeMap::new();
        let mut longest = Duration::ZERO;
        for (time, _, number) in scrapes.into_iter().filter(|(time, _, _)| *time >= from) {
            longest = longest.max(time - last.insert(number, time).unwrap_or(from));
        }
        last.values().fold(longest, |longest, time| longest.max(time.elapsed()))
    }
}

fn member<'a>(sharding: &'a Value, name: &str) -> Result<&'a Value> {
    let members = sharding["members"].as_array().context("no members")?;
    members.iter().find(|member| member["name"] == name).with_context(|| format!("{name} is not among {members:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_shards_share_targets_through_a_kill_and_an_arrival() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (targets_port, scrapes) = targets().await?;
    let mut cluster = Cluster {
        first_port: free_ports(5)?,
        shards: BTreeMap::new(),
        scrapes,
        dead_port: free_port()?,
        targets_port,
        hook: Receiver::start().await?,
    };
    cluster.list(dir.path(), &NAMES[..4])?;
    for shard in &NAMES[..4] {
        cluster.start(dir.path(), shard).await?;
    }
    cluster.serving(&NAMES[..4]).await?;
    cluster.two_each().await?;
    let calm = Instant::now();
    eventually("the alert is told", BOUND, || async {
        ensure!(!cluster.hook.all().is_empty(), "nothing is told");
        Ok(())
    })
    .await?;

    // All agree on who has what. Loopback addresses are everybody's own.
    let before = cluster.sharding("a").await?;
    for shard in &NAMES[1..4] {
        let other = cluster.sharding(shard).await?;
        let owners = |sharding: &Value| {
            let targets = sharding["targets"].as_array().cloned().unwrap_or_default();
            targets.iter().map(|target| (target["labels"].to_string(), target["owners"].clone())).collect::<Vec<_>>()
        };
        ensure!(owners(&before) == owners(&other), "{shard} shares otherwise");
    }
    ensure!(before["targetCount"] == TARGETS + 1, "{}", before["targetCount"]);
    let targets = before["targets"].as_array().context("no targets")?;
    let dead = targets.iter().find(|target| target["labels"]["n"] == "dead").context("the dead target is not there")?;
    let owner = dead["owners"][0].as_str().context("nobody has the dead target")?;
    let killed = *NAMES[..4].iter().find(|name| cluster.name(name) == owner).context("a stranger has it")?;

    cluster.shards.get_mut(killed).context("not started")?.kill().await?;
    let death = Instant::now();
    sleep_until(death + INTERVAL * 2).await;
    for (number, shards) in cluster.scraped(death, Instant::now()) {
        ensure!(
            shards.len() >= 2,
            "two intervals after the death of {killed}, target {number} is scraped by {shards:?}"
        );
    }
    let living: Vec<&str> = NAMES[..4].iter().copied().filter(|name| *name != killed).collect();
    cluster.serving(&living).await?;
    cluster.two_each().await?;

    cluster.list(dir.path(), &NAMES)?;
    let arrival = Instant::now();
    cluster.start(dir.path(), "e").await?;
    sleep_until(arrival + INTERVAL * 2).await;
    for (number, shards) in cluster.scraped(arrival, Instant::now()) {
        ensure!(shards.len() >= 2, "two intervals after the arrival, target {number} is scraped by {shards:?}");
    }
    let living: Vec<&str> = living.into_iter().chain(["e"]).collect();
    cluster.serving(&living).await?;
    cluster.two_each().await?;
    let sharding = cluster.sharding("e").await?;
    let share = member(&sharding, &cluster.name("e"))?["targetCount"].as_u64().context("no count")?;
    ensure!(share > 5, "the new shard has {share} of 41 targets, twice each, among four");
    ensure!(member(&sharding, owner)?["state"] == "silent", "{}", member(&sharding, owner)?);

    let gap = cluster.longest_gap(calm);
    ensure!(gap < INTERVAL * 3 / 2, "a target was scraped by nobody for {gap:?}");
    let told: Vec<Value> = cluster.hook.all();
    ensure!(told.len() == 1 && told[0]["status"] == "firing", "told {} times: {told:?}", told.len());
    println!("longest time without a scrape of a target: {gap:?}; the new shard has {share} of 41 targets");
    Ok(())
}

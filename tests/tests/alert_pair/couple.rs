//! Two shards that are a pair, with a link in each direction, and who tells them of alerts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::routing::get;
use model::{Clock, SystemClock, Timestamp};
use serde_json::{Value, json};
use tests::{Link, Node, Random, Weather, eventually, free_ports, link_report, write};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::hook::Hook;

/// The name of the alerts that come over the API.
pub(crate) const POSTED: &str = "Posted";
const BOUND: Duration = Duration::from_secs(40);
const HOUR_MS: i64 = 3_600_000;

const RULES: &str = "groups:\n- name: made\n  interval: 1s\n  rules:\n  - {alert: Broken, expr: made_broken == 1, labels: {severity: page}}\n";

/// Serves series that all break at once; the answer is host and port, and the switch.
pub(crate) async fn target(series: usize) -> Result<(String, Arc<AtomicBool>)> {
    let broken = Arc::new(AtomicBool::new(false));
    let switch = broken.clone();
    let page = move || {
        let value = u8::from(switch.load(Ordering::SeqCst));
        let page: String = (0..series).map(|n| format!("made_broken{{n=\"{n}\"}} {value}\n")).collect();
        async move { page }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/metrics", get(page))).await });
    Ok((address, broken))
}

pub(crate) struct Couple {
    shards: Vec<Node>,
    links: Vec<Link>,
    /// Since when the posted alerts fire: both shards say the same, as their rules would.
    since: Timestamp,
}

impl Couple {
    pub(crate) async fn start(dir: &Path, hook: &str, target: Option<&str>, seed: u64) -> Result<Self> {
        let first = free_ports(2)?;
        let (mut shards, mut links) = (Vec::new(), Vec::new());
        for (number, name) in ["a", "b"].into_iter().enumerate() {
            let own = first + number as u16;
            let peer = Link::to(format!("127.0.0.1:{}", first + 1 - number as u16), seed + number as u64).await?;
            let dir = dir.join(name);
            write(&dir, "rules.yml", RULES)?;
            let alertmanager = format!(
                "route: {{receiver: hook, group_by: ['...'], group_wait: 200ms, group_interval: 1s}}\n\
                 receivers: [{{name: hook, webhook_configs: [{{url: '{hook}', timeout: 5s}}]}}]\n"
            );
            write(&dir, "alertmanager.yml", &alertmanager)?;
            let scraping = target.map_or(String::new(), |target| {
                format!("scrape_configs: [{{job_name: made, static_configs: [{{targets: ['{target}']}}]}}]\nrule_files: [rules.yml]\n")
            });
            let config = format!(
                "global: {{scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{cluster: eu, replica: {name}}}}}\n\
                 alerting: {{local: {{config_file: alertmanager.yml, peers: ['http://127.0.0.1:{}']}}}}\n{scraping}",
                peer.port
            );
            shards.push(Node::start_on(own, "shard", &dir, &config, &[]).await?);
            links.push(peer);
        }
        Ok(Couple { shards, links, since: SystemClock.now() - 60_000 })
    }

    /// Waits until each knows the other.
    pub(crate) async fn joined(&self) -> Result<()> {
        for shard in &self.shards {
            eventually("the pair has found together", BOUND, || async {
                let status: Value = serde_json::from_str(&shard.client.text("/api/v2/status").await?)?;
                let peers = status["cluster"]["peers"].as_array().context("no peers")?.len();
                ensure!(peers == 2, "{}", status["cluster"]);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Waits until each has heard everything from the other, and something that begins only now has been told.
    pub(crate) async fn quiet(&self, hook: &Hook) -> Result<()> {
        for (number, shard) in self.shards.iter().enumerate() {
            eventually("the peer has heard everything", BOUND, || async {
                let metrics = shard.client.text("/metrics").await?;
                let behind = metrics.lines().find(|line| line.starts_with("watershed_alert_peer_behind{"));
                ensure!(behind.is_some_and(|line| line.ends_with(" 0")), "{behind:?}");
                Ok(())
            })
            .await?;
            post(&shard.client.url, &[number], "Last", self.since, HOUR_MS).await?;
        }
        eventually("the last alerts are told", BOUND, || async {
            let counts = hook.counts("Last", "firing");
            ensure!(counts.told == 2, "{counts:?}");
            Ok(())
        })
        .await
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.links.iter().for_each(|link| link.set_weather(weather));
    }

    pub(crate) fn link_report(&self) -> String {
        link_report(&self.links)
    }

    /// kill -9, and a start on the same data after a while.
    pub(crate) async fn kill_one(&mut self, random: &mut Random) -> Result<()> {
        let shard = &mut self.shards[random.below(2) as usize];
        shard.kill_for(Duration::from_millis(random.below(6000))).await
    }

    /// Says at both that all is over.
    pub(crate) async fn resolve_all(&self, alerts: usize) -> Result<()> {
        let all: Vec<usize> = (0..alerts).collect();
        for shard in &self.shards {
            post(&shard.client.url, &all, POSTED, self.since, 0).await?;
        }
        Ok(())
    }
}

/// Tells one shard of alerts that are good for so long.
async fn post(url: &str, numbers: &[usize], name: &str, since: Timestamp, good_for_ms: i64) -> Result<()> {
    let now = SystemClock.now();
    let alert = |n: &usize| {
        let labels = json!({"alertname": name, "n": n.to_string()});
        json!({"labels": labels, "startsAt": since.to_rfc3339(), "endsAt": (now + good_for_ms).to_rfc3339()})
    };
    let alerts: Vec<Value> = numbers.iter().map(alert).collect();
    let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?;
    let answer = client.post(format!("{url}/api/v2/alerts")).json(&alerts).send().await?;
    let (status, reason) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{status}: {reason}");
    Ok(())
}

/// Those who tell the shards of alerts.
pub(crate) struct Posting(Vec<JoinHandle<()>>);

impl Posting {
    /// Waits until both shards have taken everything.
    pub(crate) async fn done(self) -> Result<()> {
        for task in self.0 {
            tokio::time::timeout(BOUND, task).await.context("alerts are not taken")??;
        }
        Ok(())
    }
}

/// Tells both shards of alerts, each at a moment of its own within `time`; the other one a little later, and of each fourth
/// only one of them. A shard that is down hears of it when it is back, as from its rules.
pub(crate) fn post_on_plan(couple: &Couple, alerts: usize, time: Duration, random: &mut Random) -> Result<Posting> {
    let mut plans = [Vec::new(), Vec::new()];
    for n in 0..alerts {
        let at = random.below(time.as_millis() as u64);
        let only = random.below(8) as usize;
        for (shard, plan) in plans.iter_mut().enumerate() {
            if only > 1 || only == shard {
                plan.push((at + random.below(1000), n));
            }
        }
    }
    let begin = Instant::now();
    let tasks = plans.into_iter().zip(&couple.shards).map(|(mut plan, shard)| {
        let (url, since) = (shard.client.url.clone(), couple.since);
        plan.sort_unstable();
        tokio::spawn(async move {
            while !plan.is_empty() {
                let elapsed = begin.elapsed().as_millis() as u64;
                let due: Vec<usize> = plan.iter().take_while(|(at, _)| *at <= elapsed).map(|(_, n)| *n).collect();
                if !due.is_empty() && post(&url, &due, POSTED, since, HOUR_MS).await.is_ok() {
                    plan.drain(..due.len());
                }
                sleep(Duration::from_millis(50)).await;
            }
        })
    });
    Ok(Posting(tasks.collect()))
}

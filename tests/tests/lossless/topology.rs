//! Two clusters with two replicas each, a pair of globals, and a link from each global to each replica.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use model::{Clock, SystemClock};
use serde_json::Value;
use tests::{Link, Node, Points, Random, Weather, free_ports, link_report};

use crate::target;

/// Short, so that there are cuts, compactions and shortened logs in a minute.
const FLAGS: [&str; 2] = ["--storage.tsdb.min-block-duration=20s", "--log.level=debug"];
/// The same in milliseconds.
pub(crate) const BLOCK_MS: i64 = 20_000;
const NAMES: [&str; 4] = ["eu-a", "eu-b", "us-a", "us-b"];

/// Seconds since the epoch.
pub(crate) fn now() -> f64 {
    SystemClock.now().as_secs_f64()
}

/// Cluster and replica of a shard's name.
pub(crate) fn labels_of(name: &str) -> (&str, &str) {
    name.split_once('-').unwrap_or((name, ""))
}

/// With labels in one order, as the nodes print them.
pub(crate) fn sorted(points: Points) -> Points {
    let sort = |series: String| serde_json::from_str::<Value>(&series).map_or(series, |labels| labels.to_string());
    points.into_iter().map(|(series, points)| (sort(series), points)).collect()
}

pub(crate) struct Topology {
    replicas: Vec<Node>,
    globals: Vec<Node>,
    links: Vec<Link>,
    /// Where both globals put their blocks.
    pub(crate) bucket: PathBuf,
}

impl Topology {
    pub(crate) async fn start(dir: &Path, seed: u64) -> Result<Self> {
        let target = target::serve().await?;
        let mut ports = free_ports(6)?..;
        let mut port = || ports.next().unwrap_or_default();
        let mut replicas = Vec::new();
        let rules = "groups:\n- name: made\n  interval: 1s\n  rules:\n  - record: job:made_counter:rate\n    expr: sum(rate(made_counter_total[10s]))\n\
                     \x20 - record: job:made_gauge:avg\n    expr: avg by (series) (made_gauge)\n";
        for name in NAMES {
            let (cluster, replica) = labels_of(name);
            let dir = dir.join(name);
            tests::write(&dir, "rules.yml", rules)?;
            let targets = |number: u64| {
                format!(
                    "    - targets: ['{target}']\n      labels: {{__metrics_path__: /{number}/metrics, instance: target-{number}}}\n"
                )
            };
            let config = format!(
                "global: {{scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{cluster: {cluster}, replica: {replica}}}}}\n\
                 rule_files: [rules.yml]\nscrape_configs:\n- job_name: made\n  static_configs:\n{}{}",
                targets(1),
                targets(2)
            );
            replicas.push(Node::start_on(port(), "shard", &dir, &config, &FLAGS).await?);
        }
        let (mut globals, mut links) = (Vec::new(), Vec::new());
        let own = [port(), port()];
        let bucket = dir.join("bucket");
        for number in 0..2 {
            let mut urls = Vec::new();
            for replica in &replicas {
                let address = replica.client.url.trim_start_matches("http://").to_owned();
                let link = Link::to(address, seed.wrapping_add(links.len() as u64)).await?;
                urls.push(format!("'http://127.0.0.1:{}'", link.port));
                links.push(link);
            }
            let config = format!(
                "name: global-{number}\npeer: 'http://127.0.0.1:{peer}'\n\
                 global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, external_labels: {{tier: global}}}}\n\
                 federation:\n  selectors: ['{{__name__=~\"job:.*\"}}', up, '{{__name__=~\"made_.*\"}}']\n  replica_labels: [replica]\n  shards:\n\
                 \x20 - {{name: eu, replicas: [{}, {}]}}\n  - {{name: us, replicas: [{}, {}]}}\n",
                urls[0],
                urls[1],
                urls[2],
                urls[3],
                peer = own[1 - number],
            );
            let config =
                format!("{config}bucket: {{type: FILESYSTEM, config: {{directory: '{}'}}}}\n", bucket.display());
            let dir = dir.join(format!("global-{number}"));
            globals.push(Node::start_on(own[number], "global", &dir, &config, &FLAGS).await?);
        }
        Ok(Topology { replicas, globals, links, bucket })
    }

    pub(crate) fn replicas(&self) -> impl Iterator<Item = (&'static str, &Node)> {
        NAMES.into_iter().zip(&self.replicas)
    }

    pub(crate) fn globals(&self) -> &[Node] {
        &self.globals
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.links.iter().for_each(|link| link.set_weather(weather));
    }

    /// kill -9 of any node, and a start on the same data; the answer is who it was.
    pub(crate) async fn kill_one(&mut self, random: &mut Random) -> Result<String> {
        let at = random.below((self.replicas.len() + self.globals.len()) as u64) as usize;
        if let Some(node) = self.replicas.get_mut(at) {
            node.kill_for(Duration::ZERO).await?;
            return Ok(NAMES[at].to_owned());
        }
        let number = at - self.replicas.len();
        self.globals[number].kill_for(Duration::ZERO).await?;
        Ok(format!("global-{number}"))
    }

    /// What a replica has as the globals should have it: with its external labels.
    pub(crate) fn as_pulled(&self, name: &str, points: Points) -> Points {
        let (cluster, replica) = labels_of(name);
        let label = |series: String| {
            let mut labels: Value = serde_json::from_str(&series).unwrap_or_default();
            if let Some(labels) = labels.as_object_mut() {
                labels.insert("cluster".to_owned(), cluster.into());
                labels.insert("replica".to_owned(), replica.into());
            }
            labels.to_string()
        };
        points.into_iter().map(|(series, points)| (label(series), points)).collect()
    }

    pub(crate) fn link_report(&self) -> String {
        link_report(&self.links)
    }
}

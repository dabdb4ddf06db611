//! Who listens where.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The clusters of the demo, and the replicas of each shard.
const CLUSTERS: [&str; 2] = ["eu-1", "us-1"];
const REPLICAS: [&str; 2] = ["a", "b"];
/// The scrape job of the demo services.
pub(crate) const SERVICE_JOB: &str = "shop";

/// The addresses of the demo. Ports count up from the base: receiver, globals, then shards and services by cluster.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) dir: PathBuf,
    pub(crate) block_ms: i64,
    pub(crate) receiver: SocketAddr,
    pub(crate) globals: Vec<SocketAddr>,
    pub(crate) clusters: Vec<Cluster>,
}

/// One cluster: a shard pair and a service.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) name: &'static str,
    pub(crate) shards: Vec<Replica>,
    pub(crate) service: SocketAddr,
    pub(crate) control: SocketAddr,
}

/// One shard of a pair.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
}

impl Plan {
    /// Addresses from `port_base` on, all on 127.0.0.1.
    pub(crate) fn new(dir: &Path, port_base: u16, block_ms: i64) -> Option<Self> {
        let mut ports = port_base..=u16::MAX;
        let mut next = || Some(SocketAddr::from((Ipv4Addr::LOCALHOST, ports.next()?)));
        let receiver = next()?;
        let globals = vec![next()?, next()?];
        let mut clusters = Vec::new();
        for name in CLUSTERS {
            let mut shards = Vec::new();
            for replica in REPLICAS {
                shards.push(Replica { name: replica, address: next()? });
            }
            clusters.push(Cluster { name, shards, service: next()?, control: next()? });
        }
        Some(Plan { dir: dir.to_owned(), block_ms, receiver, globals, clusters })
    }

    /// The bucket's folder.
    pub(crate) fn bucket(&self) -> PathBuf {
        self.dir.join("bucket")
    }

    /// The directory of a node's configuration and data.
    pub(crate) fn node_dir(&self, node: &str) -> PathBuf {
        self.dir.join(node)
    }

    /// What a program needs to know of the running demo.
    pub(crate) fn addresses(&self) -> Addresses {
        let mut shards = Vec::new();
        let mut targets = Vec::new();
        for cluster in &self.clusters {
            for shard in &cluster.shards {
                shards.push(ShardAddress { cluster: cluster.name, replica: shard.name, url: url(shard.address) });
            }
            targets.push(TargetAddress {
                cluster: cluster.name,
                job: SERVICE_JOB,
                url: url(cluster.service),
                control: url(cluster.control),
            });
        }
        Addresses {
            shards,
            globals: self.globals.iter().copied().map(url).collect(),
            targets,
            receiver: url(self.receiver),
            bucket: self.bucket(),
        }
    }
}

/// The content of `--ready-file`.
#[derive(Debug, Serialize)]
pub(crate) struct Addresses {
    pub(crate) shards: Vec<ShardAddress>,
    pub(crate) globals: Vec<String>,
    pub(crate) targets: Vec<TargetAddress>,
    pub(crate) receiver: String,
    pub(crate) bucket: PathBuf,
}

/// A shard.
#[derive(Debug, Serialize)]
pub(crate) struct ShardAddress {
    pub(crate) cluster: &'static str,
    pub(crate) replica: &'static str,
    pub(crate) url: String,
}

/// A service.
#[derive(Debug, Serialize)]
pub(crate) struct TargetAddress {
    pub(crate) cluster: &'static str,
    pub(crate) job: &'static str,
    pub(crate) url: String,
    pub(crate) control: String,
}

pub(crate) fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_different_and_in_the_ready_file() {
        let plan = Plan::new(Path::new("/tmp/demo"), 9500, 60_000).expect("enough ports");
        let json = serde_json::to_value(plan.addresses()).expect("plain data");
        let mut urls: Vec<String> =
            vec![json["receiver"].to_string(), json["globals"][0].to_string(), json["globals"][1].to_string()];
        urls.extend(json["shards"].as_array().expect("a list").iter().map(|shard| shard["url"].to_string()));
        for target in json["targets"].as_array().expect("a list") {
            urls.extend([target["url"].to_string(), target["control"].to_string()]);
        }
        assert_eq!(urls.len(), 11);
        urls.sort();
        urls.dedup();
        assert_eq!(urls.len(), 11);
        assert!(Plan::new(Path::new("/tmp"), 65_530, 60_000).is_none());
    }
}

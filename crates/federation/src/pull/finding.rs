//! Shards that are found: what becomes of discovered targets.
//!
//! A target is a replica. After relabelling `__shard__` names its shard, `__address__` says where it is, `__scheme__` is `http` unless it
//! says something else, and `__path_prefix__` is what stands before `/federate`, nothing as a rule. Replicas of a shard that is listed
//! as well join it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use config::HttpClientConfig;
use discovery::relabel::{RelabelConfig, process};
use discovery::{Sources, TargetGroup, check_address};
use model::{Labels, LabelsBuilder};
use url::Url;

use crate::pull::shard::ShardConfig;
use crate::pull::url::base_url;

const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const PATH_PREFIX: &str = "__path_prefix__";
const SHARD: &str = "__shard__";

/// Where shards are found, and how they are pulled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finding {
    /// Who tells of replicas.
    pub sources: Sources,
    /// What is made of their labels.
    pub relabel_configs: Vec<RelabelConfig>,
    /// What is pulled of shards that are not listed.
    pub selectors: Vec<String>,
    /// How to talk to their replicas.
    pub http: HttpClientConfig,
    /// How far back the first pull of a replica goes, in milliseconds; `None` for as far as the replica goes by itself, five minutes.
    pub initial_lookback_ms: Option<i64>,
}

/// A target that can't be pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// Its labels before relabelling.
    pub(super) discovered: Labels,
    pub(super) reason: String,
}

impl Finding {
    /// The listed shards and those that are found, these behind the others and sorted by name. A replica that is there twice counts once.
    pub(super) fn shards(
        &self,
        listed: &[ShardConfig],
        groups: &[Arc<Vec<TargetGroup>>],
    ) -> (Vec<ShardConfig>, Vec<Refused>) {
        let mut found: BTreeMap<String, BTreeSet<Url>> = BTreeMap::new();
        let mut refused = Vec::new();
        for group in groups.iter().flat_map(|groups| groups.iter()) {
            for address in &group.targets {
                match self.replica(group, address) {
                    Ok(Some((shard, url))) => drop(found.entry(shard).or_default().insert(url)),
                    Ok(None) => {}
                    Err(error) => refused.push(error),
                }
            }
        }
        let mut shards = listed.to_vec();
        for (name, replicas) in found {
            match shards.iter_mut().find(|shard| shard.name == name) {
                Some(shard) => {
                    let new: Vec<Url> = replicas.into_iter().filter(|url| !shard.replicas.contains(url)).collect();
                    shard.replicas.extend(new);
                }
                None => shards.push(ShardConfig {
                    name,
                    replicas: replicas.into_iter().collect(),
                    selectors: self.selectors.clone(),
                    http: self.http.clone(),
                    initial_lookback_ms: self.initial_lookback_ms,
                }),
            }
        }
        (shards, refused)
    }

    /// Shard and base URL of a target; `None` where relabelling drops it.
    fn replica(&self, group: &TargetGroup, address: &str) -> Result<Option<(String, Url)>, Refused> {
        let mut labels = LabelsBuilder::new(&group.labels);
        labels.set(ADDRESS, address);
        if labels.get(SCHEME).is_none() {
            labels.set(SCHEME, "http");
        }
        let discovered = labels.build();
        if !process(&self.relabel_configs, &mut labels) {
            return Ok(None);
        }
        replica_of(&labels).map(Some).map_err(|reason| Refused { discovered, reason })
    }
}

fn replica_of(labels: &LabelsBuilder) -> Result<(String, Url), String> {
    let value = |name: &str| labels.get(name).unwrap_or_default();
    let address = value(ADDRESS);
    if address.is_empty() {
        return Err(format!("it has no {ADDRESS}"));
    }
    check_address(address)?;
    let shard = value(SHARD);
    if shard.is_empty() {
        return Err(format!("no label {SHARD} names its shard"));
    }
    let prefix = value(PATH_PREFIX).trim_matches('/');
    let url = base_url("replica", &format!("{}://{address}/{prefix}", value(SCHEME)))?;
    Ok((shard.to_owned(), url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(words: &str) -> Finding {
        let text = format!("selectors: [up]\n{words}");
        let raw: crate::pull::config::RawConfig = config::load(&text, "global.yml").expect("valid YAML");
        let mut report = config::Report::new("global.yml");
        let config = raw.validate(&mut report);
        report.finish(config).expect("a valid section").finding
    }

    fn group(targets: &[&str], labels: &[(&str, &str)]) -> TargetGroup {
        let targets = targets.iter().map(|&target| target.to_owned()).collect();
        TargetGroup { targets, labels: Labels::from_pairs(labels.iter().copied()) }
    }

    fn found(finding: &Finding, listed: &[ShardConfig], groups: Vec<TargetGroup>) -> (Vec<String>, Vec<String>) {
        let (shards, refused) = finding.shards(listed, &[Arc::new(groups)]);
        let shards = shards.iter().map(|shard| {
            let urls: Vec<&str> = shard.replicas.iter().map(Url::as_str).collect();
            format!("{} {} {:?}", shard.name, urls.join(" "), shard.selectors)
        });
        (
            shards.collect(),
            refused.into_iter().map(|refused| format!("{}: {}", refused.discovered, refused.reason)).collect(),
        )
    }

    #[test]
    fn targets_of_a_name_are_replicas_of_a_shard() {
        let listed = [ShardConfig {
            name: "us".to_owned(),
            replicas: vec![Url::parse("http://10.1.0.1:9090").expect("a URL")],
            selectors: vec!["ALERTS".to_owned()],
            http: HttpClientConfig::default(),
            initial_lookback_ms: None,
        }];
        let groups = vec![
            group(&["10.0.0.2:9090", "10.0.0.1:9090", "10.0.0.2:9090"], &[("__shard__", "eu")]),
            group(&["b:1"], &[("__shard__", "eu"), ("__scheme__", "https"), ("__path_prefix__", "/mon/")]),
            group(&["10.1.0.1:9090", "10.1.0.2:9090"], &[("__shard__", "us")]),
            group(&["nameless:1", "http://x"], &[("site", "x")]),
            group(&["ftp:1"], &[("__shard__", "eu"), ("__scheme__", "ftp")]),
        ];
        let (shards, refused) = found(&finding(""), &listed, groups);
        assert_eq!(
            shards,
            [
                r#"us http://10.1.0.1:9090/ http://10.1.0.2:9090/ ["ALERTS"]"#,
                r#"eu http://10.0.0.1:9090/ http://10.0.0.2:9090/ https://b:1/mon ["up"]"#,
            ]
        );
        assert_eq!(
            refused,
            [
                r#"{__address__="nameless:1", __scheme__="http", site="x"}: no label __shard__ names its shard"#,
                r#"{__address__="http://x", __scheme__="http", site="x"}: "http://x" is not a valid hostname"#,
                "{__address__=\"ftp:1\", __scheme__=\"ftp\", __shard__=\"eu\"}: the replica's URL must begin with http:// or https:// \
                 and name a host",
            ]
        );
    }

    #[test]
    fn relabelling_names_shards_and_drops_targets() {
        let finding = finding(
            "relabel_configs:\n\
             - {source_labels: [__meta_dns_srv_record_target], regex: 'shard-(.*)-[ab]\\.example\\.org\\.', target_label: __shard__}\n\
             - {source_labels: [__address__], regex: 'old.*', action: drop}\n",
        );
        let target = |address: &str, name: &str| group(&[address], &[("__meta_dns_srv_record_target", name)]);
        let groups = vec![
            target("shard-eu-a.example.org:1", "shard-eu-a.example.org."),
            target("shard-eu-b.example.org:2", "shard-eu-b.example.org."),
            target("old.example.org:2", "shard-eu-b.example.org."),
        ];
        let (shards, refused) = found(&finding, &[], groups);
        assert_eq!(shards, [r#"eu http://shard-eu-a.example.org:1/ http://shard-eu-b.example.org:2/ ["up"]"#]);
        assert!(refused.is_empty());
    }
}

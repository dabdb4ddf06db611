//! The configuration files of the demo: what a user would write, with short times so that a person sees things happen.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::plan::{Cluster, Plan, Replica, SERVICE_JOB, url};

const RULES: &str = r#"groups:
  - name: aggregates
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - record: job:http_requests:rate1m
        expr: sum by (job, handler, code) (rate(http_requests_total[1m]))
      - record: job:http_request_duration_seconds_bucket:rate1m
        expr: sum by (job, le) (rate(http_request_duration_seconds_bucket[1m]))
      - record: job:http_request_duration_seconds:p99
        expr: histogram_quantile(0.99, job:http_request_duration_seconds_bucket:rate1m)
  - name: alerts
    rules:
      - alert: InstanceDown
        expr: up == 0
        for: 5s
        labels:
          severity: critical
        annotations:
          summary: '{{ $labels.job }} on {{ $labels.instance }} does not answer'
      - alert: ApiErrorRate
        expr: |
          sum by (job) (rate(http_requests_total{code=~"5.."}[30s]))
            / sum by (job) (rate(http_requests_total[30s])) > 0.2
        for: 5s
        labels:
          severity: critical
        annotations:
          summary: '{{ $labels.job }} answers {{ $value | humanizePercentage }} of its requests with errors'
"#;

const GLOBAL_RULES: &str = r"groups:
  - name: fleet
    rules:
      - record: fleet:http_requests:rate1m
        expr: sum by (cluster, code) (job:http_requests:rate1m)
      - record: fleet:up:sum
        expr: sum by (cluster, job) (job:up:sum)
";

/// A node's configuration file, as written.
pub(crate) struct NodeFiles {
    pub(crate) config: PathBuf,
    pub(crate) data: PathBuf,
}

/// Writes the files of one shard.
pub(crate) fn write_shard(plan: &Plan, cluster: &Cluster, shard: &Replica) -> Result<NodeFiles> {
    let stack = cluster.shards.iter().map(|s| format!("'{}'", s.address)).collect::<Vec<_>>().join(", ");
    let config = format!(
        "global:\n  scrape_interval: 5s\n  evaluation_interval: 5s\n  external_labels: {{cluster: {cluster}, replica: {replica}}}\n\
         rule_files: [rules.yml]\n\
         alerting:\n  local:\n    config_file: alertmanager.yml\n\
         scrape_configs:\n\
         \x20 - job_name: {SERVICE_JOB}\n    static_configs:\n      - targets: ['{service}']\n\
         \x20 - job_name: watershed\n    static_configs:\n      - targets: [{stack}]\n",
        cluster = cluster.name,
        replica = shard.name,
        service = cluster.service,
    );
    let receiver = url(plan.receiver);
    let alertmanager = format!(
        "route:\n  receiver: demo\n  group_by: [alertname, job]\n  group_wait: 0s\n  group_interval: 5s\n  repeat_interval: 1h\n\
         receivers:\n  - name: demo\n    webhook_configs:\n      - url: {receiver}/webhook\n"
    );
    let dir = plan.node_dir(&format!("{}-{}", cluster.name, shard.name));
    write(&dir, &[("shard.yml", &config), ("rules.yml", RULES), ("alertmanager.yml", &alertmanager)])
}

/// Writes the files of one global.
pub(crate) fn write_global(plan: &Plan, number: usize) -> Result<NodeFiles> {
    let mut shards = String::new();
    for cluster in &plan.clusters {
        let replicas = cluster.shards.iter().map(|shard| url(shard.address)).collect::<Vec<_>>().join(", ");
        // Writing to a String can't fail.
        let _ = writeln!(shards, "    - name: {}\n      replicas: [{replicas}]", cluster.name);
    }
    let mut config = format!(
        "name: global-{number}\n\
         global:\n  scrape_interval: 5s\n  evaluation_interval: 5s\n  external_labels: {{tier: global}}\n\
         rule_files: [rules.yml]\n\
         federation:\n  selectors: ['{{__name__=~\"job:.*\"}}', up, ALERTS]\n  replica_labels: [replica]\n  shards:\n{shards}\
         bucket:\n  type: FILESYSTEM\n  config:\n    directory: {bucket}\n",
        bucket = plan.bucket().display(),
    );
    let others = (1..).zip(&plan.globals).filter(|(other, _)| *other != number);
    others.for_each(|(_, address)| config.push_str(&format!("peer: {}\n", url(*address))));
    let dir = plan.node_dir(&format!("global-{number}"));
    write(&dir, &[("global.yml", &config), ("rules.yml", GLOBAL_RULES)])
}

/// Writes the files; the first one is the node's configuration.
fn write(dir: &Path, files: &[(&str, &str)]) -> Result<NodeFiles> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    for (name, text) in files {
        let path = dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(NodeFiles { config: dir.join(files[0].0), data: dir.join("data") })
}

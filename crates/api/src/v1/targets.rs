//! `/targets`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use model::Labels;
use scrape::{TargetStatus, TargetsSnapshot, relabel};
use serde::Serialize;
use serde_json::{Value, json};

use crate::envelope::{Answer, ApiError};
use crate::node::Node;
use crate::params::Params;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Targets {
    active_targets: Vec<ActiveTarget>,
    dropped_targets: Vec<DroppedTarget>,
    dropped_target_counts: BTreeMap<String, u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActiveTarget {
    discovered_labels: Labels,
    labels: Labels,
    scrape_pool: String,
    scrape_url: String,
    global_url: String,
    last_error: String,
    last_scrape: String,
    last_scrape_duration: f64,
    health: &'static str,
    scrape_interval: String,
    scrape_timeout: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DroppedTarget {
    discovered_labels: Labels,
    scrape_pool: String,
}

/// The targets of all scrape pools, or of one (`scrapePool`), active, dropped or both (`state`).
pub(crate) async fn targets(State(node): State<Arc<Node>>, params: Params) -> Result<Answer<Targets>, ApiError> {
    let (active, dropped) = match params.get("state").unwrap_or("any") {
        "active" => (true, false),
        "dropped" => (false, true),
        // Prometheus takes every other word for any, in whatever case.
        _ => (true, true),
    };
    let pool = params.get("scrapePool");
    let wanted = |name: &str| pool.is_none_or(|pool| pool == name);
    let TargetsSnapshot { active: all_active, dropped: all_dropped, dropped_counts } = node.scrape.targets();
    let active = all_active.into_iter().filter(|target| active && wanted(&target.scrape_pool));
    let dropped = all_dropped.into_iter().filter(|target| dropped && wanted(&target.scrape_pool));
    Ok(Answer::new(Targets {
        active_targets: active.map(active_json).collect(),
        dropped_targets: dropped
            .map(|target| DroppedTarget {
                discovered_labels: target.discovered_labels,
                scrape_pool: target.scrape_pool,
            })
            .collect(),
        dropped_target_counts: dropped_counts.into_iter().filter(|(name, _)| wanted(name)).collect(),
    }))
}

/// What each rule of a job does to the labels of a target: `labels` is a JSON object, `scrapePool` the job.
pub(crate) async fn relabel_steps(State(node): State<Arc<Node>>, params: Params) -> Result<Answer<Value>, ApiError> {
    let missing = |name: &str| ApiError::bad_data(format!("no {name} parameter provided"));
    let pool = params.get("scrapePool").ok_or_else(|| missing("scrapePool"))?;
    let labels = params.get("labels").ok_or_else(|| missing("labels"))?;
    let labels: BTreeMap<String, String> =
        serde_json::from_str(labels).map_err(|e| ApiError::bad_data(format!("error parsing labels: {e}")))?;
    let unknown = || ApiError::bad_data(format!("error retrieving scrape config: scrape pool {pool:?} not found"));
    let rules = node.scrape.relabel_configs(pool).ok_or_else(unknown)?;
    let steps = relabel::steps(&rules, &Labels::from_pairs(&labels));
    let steps = steps.iter().map(|step| json!({"rule": step.rule, "output": step.labels, "keep": step.is_kept}));
    Ok(Answer::new(json!({ "steps": steps.collect::<Vec<_>>() })))
}

fn active_json(target: TargetStatus) -> ActiveTarget {
    ActiveTarget {
        discovered_labels: target.discovered_labels,
        labels: target.labels,
        scrape_pool: target.scrape_pool,
        scrape_url: target.scrape_url,
        global_url: target.global_url,
        last_error: target.last_error,
        // Go's zero time stands for never.
        last_scrape: target.last_scrape.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |time| time.to_rfc3339()),
        last_scrape_duration: target.last_scrape_duration_seconds,
        health: target.health.as_str(),
        scrape_interval: model::format_duration(target.scrape_interval_ms),
        scrape_timeout: model::format_duration(target.scrape_timeout_ms),
    }
}

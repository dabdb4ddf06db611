//! `/sharding`: which shard scrapes what.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use model::Labels;
use scrape::PlacedTarget;
use serde::Serialize;
use serde_json::Value;
use sharding::{MemberStatus, Snapshot, Standing};

use crate::envelope::{Answer, ApiError, ErrorType};
use crate::node::Node;
use crate::params::Params;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sharding {
    name: String,
    state: sharding::State,
    replication_factor: usize,
    takeover_after_seconds: f64,
    members: Vec<Member>,
    targets: Vec<Target>,
    /// How many targets there are, however many are listed.
    target_count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    name: Arc<str>,
    /// Empty for this shard itself.
    url: String,
    state: &'static str,
    /// How long ago it answered last.
    last_answer_seconds: Option<f64>,
    last_error: String,
    /// Who does a share as it sees it.
    serving: Vec<String>,
    /// How many targets it scrapes, as this shard sees it.
    target_count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    scrape_pool: String,
    labels: Labels,
    scrape_url: String,
    owners: Vec<Arc<str>>,
    is_here: bool,
}

/// All members and who has what; targets of one job (`scrapePool`), of one shard (`member`), no more than `limit`. With `scope=self` what
/// this shard says of itself, which is what members ask for. Where nothing is shared, null.
pub(crate) async fn sharding(State(node): State<Arc<Node>>, params: Params) -> Result<Response, ApiError> {
    let sharding = node.sharding.as_ref();
    match params.get("scope") {
        None => {}
        Some("self") => {
            let word = sharding.and_then(|sharding| sharding.word(node.scrape.has_scraped_all()));
            let message = "this node shares its targets with nobody: its configuration has no section sharding";
            let not_here = || ApiError { kind: ErrorType::NotFound, message: message.to_owned() };
            return Ok(Answer::new(word.ok_or_else(not_here)?).into_response());
        }
        Some(other) => {
            return Err(ApiError::parameter("scope", format_args!("{other:?} is not known, only self is")));
        }
    }
    let Some(snapshot) = sharding.and_then(|sharding| sharding.snapshot()) else {
        return Ok(Answer::new(Value::Null).into_response());
    };
    let limit = match params.count("limit")? {
        0 => usize::MAX,
        limit => limit,
    };
    let mut targets = node.scrape.placed_targets();
    let members = snapshot.members.iter().map(|member| member_json(member, &snapshot, &targets)).collect();
    targets.retain(|target| {
        params.get("scrapePool").is_none_or(|pool| pool == target.scrape_pool)
            && params.get("member").is_none_or(|member| target.owners.iter().any(|owner| **owner == *member))
    });
    targets.sort_by(|a, b| (&a.scrape_pool, &a.labels).cmp(&(&b.scrape_pool, &b.labels)));
    Ok(Answer::new(Sharding {
        name: snapshot.name,
        state: snapshot.state,
        replication_factor: snapshot.replication_factor,
        takeover_after_seconds: snapshot.takeover_after.as_secs_f64(),
        members,
        target_count: targets.len(),
        targets: targets.into_iter().take(limit).map(target_json).collect(),
    })
    .into_response())
}

fn member_json(member: &MemberStatus, snapshot: &Snapshot, targets: &[PlacedTarget]) -> Member {
    let ago = |heard| snapshot.now.saturating_duration_since(heard);
    Member {
        name: Arc::clone(&member.name),
        url: member.url.as_ref().map(|url| url.origin().ascii_serialization()).unwrap_or_default(),
        state: match member.standing {
            Standing::Unknown => "unknown",
            Standing::Joining => "joining",
            Standing::Serving => "serving",
            Standing::Silent => "silent",
        },
        last_answer_seconds: member.heard.map(ago).as_ref().map(Duration::as_secs_f64),
        last_error: member.error.clone(),
        serving: member.serving.clone(),
        target_count: targets.iter().filter(|target| target.owners.contains(&member.name)).count(),
    }
}

fn target_json(target: PlacedTarget) -> Target {
    let PlacedTarget { scrape_pool, labels, scrape_url, owners, is_here } = target;
    Target { scrape_pool, labels, scrape_url, owners, is_here }
}

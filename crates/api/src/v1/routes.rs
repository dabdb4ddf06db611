//! The table of endpoints below `/api/v1`.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::routing::{get, post};

use super::{
    admin, alertmanagers, consistency, exemplars, metadata, query, rules, series, sharding, status, targets, tree,
};
use crate::envelope::{ApiError, ErrorType};
use crate::node::{Node, Tier};

/// Everything below `/api/v1`.
pub(crate) fn router(tier: Tier) -> Router<Arc<Node>> {
    let mut asked = queries_and_rules();
    if tier == Tier::Agent {
        asked = asked.layer(middleware::from_fn(unavailable));
    }
    asked.merge(everything_else()).fallback(super::status::no_such_endpoint)
}

/// What an agent doesn't have.
fn queries_and_rules() -> Router<Arc<Node>> {
    Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_exemplars", get(exemplars::query).post(exemplars::query))
        .route("/format_query", get(query::format).post(query::format))
        .route("/parse_query", get(tree::parse).post(tree::parse))
        .route("/series", get(series::series).post(series::series))
        .route("/labels", get(series::label_names).post(series::label_names))
        .route("/label/{name}/values", get(series::label_values))
        .route("/rules", get(rules::groups))
        .route("/alerts", get(rules::alerts))
        .route("/alertmanagers", get(alertmanagers::alertmanagers))
}

async fn unavailable(_: Request, _: Next) -> ApiError {
    let message = "unavailable with --agent: this node scrapes and hands on. Ask the global that pulls from it";
    ApiError { kind: ErrorType::Execution, message: message.to_owned() }
}

fn everything_else() -> Router<Arc<Node>> {
    Router::new()
        .route("/metadata", get(metadata::metrics))
        .route("/targets", get(targets::targets))
        .route("/targets/relabel_steps", get(targets::relabel_steps))
        .route("/targets/metadata", get(metadata::targets))
        .route("/hierarchy", get(status::hierarchy))
        .route("/consistency", get(consistency::consistency))
        .route("/sharding", get(sharding::sharding))
        .route("/status/buildinfo", get(status::build_info))
        .route("/status/runtimeinfo", get(status::runtime_info))
        .route("/status/config", get(status::config))
        .route("/status/flags", get(status::flags))
        .route("/status/tsdb", get(status::tsdb))
        .route("/admin/tsdb/snapshot", post(admin::snapshot).put(admin::snapshot))
        .route("/admin/tsdb/delete_series", post(admin::delete_series).put(admin::delete_series))
        .route("/admin/tsdb/clean_tombstones", post(admin::clean_tombstones).put(admin::clean_tombstones))
}

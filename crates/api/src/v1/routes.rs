//! The table of endpoints below `/api/v1`.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::{admin, consistency, exemplars, metadata, query, rules, series, sharding, status, targets, tree};
use crate::node::Node;

/// Everything below `/api/v1`.
pub(crate) fn router() -> Router<Arc<Node>> {
    Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_exemplars", get(exemplars::query).post(exemplars::query))
        .route("/format_query", get(query::format).post(query::format))
        .route("/parse_query", get(tree::parse).post(tree::parse))
        .route("/series", get(series::series).post(series::series))
        .route("/labels", get(series::label_names).post(series::label_names))
        .route("/label/{name}/values", get(series::label_values))
        .route("/metadata", get(metadata::metrics))
        .route("/targets", get(targets::targets))
        .route("/targets/relabel_steps", get(targets::relabel_steps))
        .route("/targets/metadata", get(metadata::targets))
        .route("/rules", get(rules::groups))
        .route("/alerts", get(rules::alerts))
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
        .fallback(super::status::no_such_endpoint)
}

//! Alerts and their groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use model::{Labels, Timestamp};
use serde::{Deserialize, Serialize};

use crate::api::answer::{ApiError, Json, optional_time, parsed};
use crate::api::query::Filter;
use crate::engine::{Engine, Incoming, IncomingError};
use crate::fingerprint::Fingerprint;
use crate::state::AlertView;

/// An alert as a client sends it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostedAlert {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    #[serde(default, deserialize_with = "optional_time")]
    starts_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "optional_time")]
    ends_at: Option<Timestamp>,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
}

/// An alert as a client gets it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownAlert {
    annotations: Labels,
    ends_at: String,
    fingerprint: Fingerprint,
    receivers: Vec<Named>,
    starts_at: String,
    status: ShownStatus,
    updated_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    labels: Labels,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownStatus {
    inhibited_by: Vec<Fingerprint>,
    silenced_by: Vec<String>,
    /// Muting by time intervals isn't served, so nothing is ever muted by it.
    muted_by: [String; 0],
    state: &'static str,
}

/// `{"name": …}`
#[derive(Debug, Clone, Serialize)]
pub(super) struct Named {
    /// The receiver's name.
    pub(super) name: String,
}

/// A group as a client gets it.
#[derive(Debug, Serialize)]
pub(super) struct ShownGroup {
    labels: Labels,
    receiver: Named,
    alerts: Vec<ShownAlert>,
}

fn shown(view: AlertView) -> ShownAlert {
    ShownAlert {
        annotations: view.alert.annotations.clone(),
        ends_at: view.alert.ends_at.to_rfc3339(),
        fingerprint: view.fingerprint,
        starts_at: view.alert.starts_at.to_rfc3339(),
        updated_at: view.alert.updated_at.to_rfc3339(),
        generator_url: view.alert.generator_url.clone(),
        labels: view.alert.labels.clone(),
        status: ShownStatus {
            state: if view.is_suppressed() { "suppressed" } else { "active" },
            inhibited_by: view.inhibited_by,
            silenced_by: view.silenced_by,
            muted_by: [],
        },
        receivers: view.receivers.into_iter().map(|name| Named { name }).collect(),
    }
}

/// The alerts that a query asks for.
fn selected(engine: &Engine, filter: &Filter) -> Vec<AlertView> {
    let views = engine.with_state(|state, config, now| state.alert_views(config, now));
    views.into_iter().filter(|view| filter.takes(view)).collect()
}

pub(super) async fn list(
    State(engine): State<Arc<Engine>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<ShownAlert>>, ApiError> {
    let filter = Filter::parse(query.as_deref())?;
    let views = selected(&engine, &filter).into_iter();
    let heard = views.filter(|view| view.receivers.iter().any(|name| filter.takes_receiver(name)));
    Ok(Json(heard.map(shown).collect()))
}

pub(super) async fn groups(
    State(engine): State<Arc<Engine>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<ShownGroup>>, ApiError> {
    let filter = Filter::parse(query.as_deref())?;
    let alerts: BTreeMap<Fingerprint, ShownAlert> =
        selected(&engine, &filter).into_iter().map(|view| (view.fingerprint, shown(view))).collect();
    let groups = engine.with_state(|state, config, _| {
        let named = |route| config.routes.get(route).receiver.clone();
        state.group_views().into_iter().map(|group| (named(group.route), group)).collect::<Vec<_>>()
    });
    let shown = groups.into_iter().filter(|(receiver, _)| filter.takes_receiver(receiver)).map(|(name, group)| {
        let alerts = group.alerts.iter().filter_map(|fingerprint| alerts.get(fingerprint).cloned()).collect();
        ShownGroup { labels: group.labels, receiver: Named { name }, alerts }
    });
    Ok(Json(shown.filter(|group| !group.alerts.is_empty()).collect()))
}

pub(super) async fn receive(State(engine): State<Arc<Engine>>, body: Bytes) -> Result<StatusCode, ApiError> {
    let posted: Vec<PostedAlert> = parsed(&body)?;
    let incoming = posted.into_iter().map(|alert| Incoming {
        labels: alert.labels,
        annotations: alert.annotations,
        starts_at: alert.starts_at,
        ends_at: alert.ends_at,
        generator_url: alert.generator_url,
        recalled: false,
    });
    match engine.receive(incoming.collect()) {
        Ok(()) => Ok(StatusCode::OK),
        Err(IncomingError::Invalid(reason)) => Err(ApiError::bad_request(reason)),
        Err(IncomingError::Refused(e)) => Err(ApiError(StatusCode::INTERNAL_SERVER_ERROR, e.to_string())),
    }
}

//! Silences.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use model::{Matcher, Timestamp};
use serde::{Deserialize, Serialize};

use crate::api::answer::{ApiError, Json, optional_time, parsed};
use crate::api::query::Filter;
use crate::engine::Engine;
use crate::silence::{Silence, SilenceError, SilenceMatcher, SilenceRequest, SilenceState};
use crate::state::SetSilenceError;

/// A silence as a client sends it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostedSilence {
    id: Option<String>,
    matchers: Vec<SilenceMatcher>,
    #[serde(deserialize_with = "optional_time")]
    starts_at: Option<Timestamp>,
    #[serde(deserialize_with = "optional_time")]
    ends_at: Option<Timestamp>,
    created_by: String,
    comment: String,
}

/// A silence as a client gets it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownSilence {
    id: String,
    status: ShownStatus,
    updated_at: String,
    comment: String,
    created_by: String,
    ends_at: String,
    matchers: Vec<SilenceMatcher>,
    starts_at: String,
}

#[derive(Debug, Serialize)]
struct ShownStatus {
    state: SilenceState,
}

/// `{"silenceID": …}`
#[derive(Debug, Serialize)]
pub(super) struct Created {
    #[serde(rename = "silenceID")]
    silence_id: String,
}

fn shown(silence: &Silence, now: Timestamp) -> ShownSilence {
    ShownSilence {
        id: silence.id.clone(),
        status: ShownStatus { state: silence.state(now) },
        updated_at: silence.updated_at.to_rfc3339(),
        comment: silence.comment.clone(),
        created_by: silence.created_by.clone(),
        ends_at: silence.ends_at.to_rfc3339(),
        matchers: silence.matchers.clone(),
        starts_at: silence.starts_at.to_rfc3339(),
    }
}

fn refused(error: &SetSilenceError) -> ApiError {
    let status = match error {
        SetSilenceError::Silence(SilenceError::NotFound(_)) => StatusCode::NOT_FOUND,
        SetSilenceError::Silence(_) => StatusCode::BAD_REQUEST,
        SetSilenceError::Journal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    ApiError(status, error.to_string())
}

/// Whether a silence has matchers on the labels that are asked for, with values that fit.
fn fits(silence: &Silence, asked: &[Matcher]) -> bool {
    asked.iter().all(|m| silence.matchers.iter().any(|own| own.name == m.name() && m.matches(&own.value)))
}

/// Active ones first, those that end next in front; then those to come, then those that are over, the latest in front.
pub(super) async fn list(
    State(engine): State<Arc<Engine>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<ShownSilence>>, ApiError> {
    let filter = Filter::parse(query.as_deref())?;
    let shown = engine.with_state(|state, _, now| {
        let mut silences: Vec<&Silence> = state.silences().iter().filter(|s| fits(s, &filter.matchers)).collect();
        silences.sort_by_key(|silence| match silence.state(now) {
            state @ SilenceState::Active => (state, silence.ends_at.as_ms()),
            state @ SilenceState::Pending => (state, silence.starts_at.as_ms()),
            state @ SilenceState::Expired => (state, silence.ends_at.as_ms().saturating_neg()),
        });
        silences.into_iter().map(|silence| shown(silence, now)).collect()
    });
    Ok(Json(shown))
}

pub(super) async fn set(State(engine): State<Arc<Engine>>, body: Bytes) -> Result<Json<Created>, ApiError> {
    let posted: PostedSilence = parsed(&body)?;
    let (Some(starts_at), Some(ends_at)) = (posted.starts_at, posted.ends_at) else {
        return Err(ApiError::bad_request("startsAt and endsAt must be given"));
    };
    let PostedSilence { id, matchers, created_by, comment, .. } = posted;
    let request = SilenceRequest { id, matchers, starts_at, ends_at, created_by, comment };
    let silence_id = engine.change(|state, now| state.set_silence(request, now)).map_err(|e| refused(&e))?;
    Ok(Json(Created { silence_id }))
}

pub(super) async fn show(
    State(engine): State<Arc<Engine>>,
    Path(id): Path<String>,
) -> Result<Json<ShownSilence>, ApiError> {
    let found = engine.with_state(|state, _, now| state.silences().get(&id).map(|silence| shown(silence, now)));
    found.map(Json).ok_or_else(|| ApiError(StatusCode::NOT_FOUND, SilenceError::NotFound(id).to_string()))
}

pub(super) async fn expire(State(engine): State<Arc<Engine>>, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    engine.change(|state, now| state.expire_silence(&id, now)).map_err(|e| refused(&e))?;
    Ok(StatusCode::OK)
}

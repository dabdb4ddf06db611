//! Answers of the API: JSON, and an error is a JSON text.

use std::fmt::Display;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de};

/// A value as the body of an answer.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
        }
    }
}

/// An error with its status.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ApiError(pub(super) StatusCode, pub(super) String);

impl ApiError {
    /// 400: what was asked makes no sense.
    pub(super) fn bad_request(reason: impl Display) -> Self {
        ApiError(StatusCode::BAD_REQUEST, format!("{reason}"))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

/// A body of JSON.
pub(super) fn parsed<T: de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|e| ApiError::bad_request(format_args!("bad request body: {e}")))
}

/// A time in JSON. Go's zero time and the empty text are none.
pub(super) fn optional_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    if text.is_empty() || text.starts_with("0001-01-01T00:00:00") {
        return Ok(None);
    }
    Timestamp::parse(&text).map(Some).map_err(de::Error::custom)
}

//! Prometheus's JSON envelope, and the one mapping from failures to status codes.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

/// What went wrong, in Prometheus's words (`errorType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    /// The request can't be understood.
    BadData,
    /// The query was understood and can't be answered.
    Execution,
    /// The client went away.
    Canceled,
    /// The query took too long.
    Timeout,
    /// A fault of ours.
    Internal,
    /// Not now.
    Unavailable,
    /// No such thing.
    NotFound,
}

impl ErrorType {
    fn parts(self) -> (&'static str, u16) {
        match self {
            ErrorType::BadData => ("bad_data", 400),
            ErrorType::Execution => ("execution", 422),
            ErrorType::Canceled => ("canceled", 499),
            ErrorType::Timeout => ("timeout", 503),
            ErrorType::Internal => ("internal", 500),
            ErrorType::Unavailable => ("unavailable", 503),
            ErrorType::NotFound => ("not_found", 404),
        }
    }
}

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The kind, which decides the status code.
    pub kind: ErrorType,
    /// For a person.
    pub message: String,
}

impl ApiError {
    /// The request can't be understood.
    pub fn bad_data(message: impl Into<String>) -> Self {
        ApiError { kind: ErrorType::BadData, message: message.into() }
    }

    /// A fault of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        ApiError { kind: ErrorType::Internal, message: message.into() }
    }

    /// Something isn't there, or is switched off.
    pub fn unavailable(message: impl Into<String>) -> Self {
        ApiError { kind: ErrorType::Unavailable, message: message.into() }
    }

    /// A parameter that doesn't parse, worded as Prometheus does.
    pub fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        ApiError::bad_data(format!("invalid parameter \"{name}\": {reason}"))
    }
}

impl From<storage::QueryError> for ApiError {
    fn from(error: storage::QueryError) -> Self {
        let kind = match error.kind {
            storage::QueryErrorKind::Input => ErrorType::BadData,
            storage::QueryErrorKind::Retry => ErrorType::Unavailable,
            storage::QueryErrorKind::Data => ErrorType::Internal,
        };
        ApiError { kind, message: error.message }
    }
}

#[derive(Serialize)]
struct Failure<'a> {
    status: &'static str,
    #[serde(rename = "errorType")]
    error_type: &'static str,
    error: &'a str,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (error_type, code) = self.kind.parts();
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = to_json(&Failure { status: "error", error_type, error: &self.message });
        json(status, body)
    }
}

#[derive(Serialize)]
struct Success<'a, T> {
    status: &'static str,
    data: &'a T,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

/// An answer: `data` in the envelope.
pub(crate) struct Answer<T> {
    data: T,
    warnings: Vec<String>,
}

impl<T: Serialize> Answer<T> {
    /// Without warnings.
    pub(crate) fn new(data: T) -> Self {
        Answer { data, warnings: Vec::new() }
    }

    /// With what a person should know about it.
    pub(crate) fn with_warnings(data: T, warnings: Vec<String>) -> Self {
        Answer { data, warnings }
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, to_json(&Success { status: "success", data: &self.data, warnings: &self.warnings }))
    }
}

fn to_json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("our own types have string keys and serialise into memory").into()
}

/// A JSON body.
pub(crate) fn json(status: StatusCode, body: Bytes) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

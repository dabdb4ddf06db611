//! `GET /federate`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use exposition::text::Escaping;
use storage::QueryErrorKind;

use crate::serve::asked::Asked;
use crate::serve::error::FederateError;
use crate::serve::federate::Federate;
use crate::wire::{MEDIA_TYPE, VERSION};

/// Serves `GET /federate?match[]=…`.
pub fn router(federate: Arc<Federate>) -> Router {
    Router::new().route("/federate", get(handle)).with_state(federate)
}

async fn handle(State(federate): State<Arc<Federate>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let asked = Asked::from_query(&query.unwrap_or_default());
    if let Some(following) = federate.following()
        && accepts(&headers, |accept| accept.contains(MEDIA_TYPE))
    {
        return match federate.follow(following, &asked).await {
            Ok(body) => ([(CONTENT_TYPE, format!("{MEDIA_TYPE};version={VERSION}"))], body).into_response(),
            Err(error) => refuse(&error),
        };
    }
    let (escaping, content_type) = negotiate(&headers);
    match federate.answer(&asked.selectors, escaping).await {
        Ok(pieces) => {
            let body = Body::from_stream(futures::stream::iter(pieces.map(Ok::<_, Infallible>)));
            ([(CONTENT_TYPE, content_type)], body).into_response()
        }
        Err(error) => refuse(&error),
    }
}

fn accepts(headers: &HeaderMap, is_meant: impl Fn(&str) -> bool) -> bool {
    headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok()).any(is_meant)
}

/// A client that can read names in quotes says so; for others such names are rewritten.
fn negotiate(headers: &HeaderMap) -> (Escaping, &'static str) {
    let quotes = |accept: &str| accept.contains("escaping=allow-utf-8") && accept.contains("version=1.0.0");
    if accepts(headers, quotes) {
        (Escaping::AllowUtf8, "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8")
    } else {
        (Escaping::Underscores, "text/plain; version=0.0.4; charset=utf-8")
    }
}

fn refuse(error: &FederateError) -> Response {
    let status = match error.kind() {
        QueryErrorKind::Input => StatusCode::BAD_REQUEST,
        QueryErrorKind::Retry => StatusCode::SERVICE_UNAVAILABLE,
        QueryErrorKind::Data => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if status != StatusCode::BAD_REQUEST {
        tracing::error!(%error, "federation failed");
    }
    (status, format!("{error}\n")).into_response()
}

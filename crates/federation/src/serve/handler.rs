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
use storage::QueryErrorKind;

use crate::serve::asked::Asked;
use crate::serve::encode::Pieces;
use crate::serve::error::FederateError;
use crate::serve::federate::Federate;
use crate::serve::format::Format;
use crate::wire::{MEDIA_TYPE, VERSION, is_unchanged};

/// Serves `GET /federate?match[]=…`.
pub fn router(federate: Arc<Federate>) -> Router {
    Router::new().route("/federate", get(handle)).with_state(federate)
}

async fn handle(State(federate): State<Arc<Federate>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let asked = Asked::from_query(&query);
    let accept = accept(&headers);
    if let Some(following) = federate.following()
        && accept.contains(MEDIA_TYPE)
    {
        if !is_unchanged(&query) {
            return refuse(&FederateError::Parameter(
                "the question was changed on its way: its checksum is missing or wrong".to_owned(),
            ));
        }
        return match federate.follow(following, &asked).await {
            Ok(body) => {
                federate.pulled();
                ([(CONTENT_TYPE, format!("{MEDIA_TYPE};version={VERSION}"))], body).into_response()
            }
            Err(error) => refuse(&error),
        };
    }
    let format = Format::negotiate(&accept);
    match federate.answer(&asked.selectors, format).await {
        Ok(pieces) => {
            federate.pulled();
            ([(CONTENT_TYPE, format.content_type())], body(pieces)).into_response()
        }
        Err(error) => refuse(&error),
    }
}

/// Small answers at once, large ones piece by piece. The next piece is made when the last has gone: making one is quicker than waking
/// another thread that does, and a client that reads slowly holds one piece.
fn body(mut pieces: Pieces) -> Body {
    let first = pieces.next().unwrap_or_default();
    if !pieces.has_more() {
        return Body::from(first);
    }
    let pieces = std::iter::once(first).chain(pieces).map(Ok::<_, Infallible>);
    Body::from_stream(futures::stream::iter(pieces))
}

/// What the client says it can read. One that says it in several headers means all of them.
fn accept(headers: &HeaderMap) -> String {
    let all: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok()).collect();
    all.join(",")
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

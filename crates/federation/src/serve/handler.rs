//! `GET /federate`.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Context;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use exposition::text::Escaping;
use storage::QueryErrorKind;
use tokio::sync::mpsc;

use crate::serve::asked::Asked;
use crate::serve::encode::Pieces;
use crate::serve::error::FederateError;
use crate::serve::federate::Federate;
use crate::wire::{MEDIA_TYPE, VERSION, is_unchanged};

/// So many pieces of an answer wait to be sent.
const PIECES_WAITING_MAX: usize = 4;

/// Serves `GET /federate?match[]=…`.
pub fn router(federate: Arc<Federate>) -> Router {
    Router::new().route("/federate", get(handle)).with_state(federate)
}

async fn handle(State(federate): State<Arc<Federate>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let asked = Asked::from_query(&query);
    if let Some(following) = federate.following()
        && accepts(&headers, |accept| accept.contains(MEDIA_TYPE))
    {
        if !is_unchanged(&query) {
            return refuse(&FederateError::Parameter(
                "the question was changed on its way: its checksum is wrong".to_owned(),
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
    let (escaping, content_type) = negotiate(&headers);
    match federate.answer(&asked.selectors, escaping).await {
        Ok(pieces) => {
            federate.pulled();
            ([(CONTENT_TYPE, content_type)], body(pieces)).into_response()
        }
        Err(error) => refuse(&error),
    }
}

/// Small answers at once, large ones piece by piece, one piece being made while others are sent.
fn body(mut pieces: Pieces) -> Body {
    let first = pieces.next().unwrap_or_default();
    if !pieces.has_more() {
        return Body::from(first);
    }
    let (sender, mut receiver) = mpsc::channel(PIECES_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        // Who hung up needs no more of them.
        let _ = std::iter::once(first).chain(pieces).try_for_each(|piece| sender.blocking_send(piece));
    });
    // Compression asks again behind the end.
    let next = move |context: &mut Context<'_>| receiver.poll_recv(context).map(|piece| piece.map(Ok::<_, Infallible>));
    Body::from_stream(futures::stream::poll_fn(next))
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

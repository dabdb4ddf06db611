//! Where peers of a pair speak to this instance; `docs/format/alert-peer.md` tells of it.

use std::fmt::Display;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::engine::Engine;
use crate::pair::{From, Intent, IntentAnswer, Member, read, read_state, write};

/// A reason why a peer isn't answered.
#[derive(Debug)]
pub(super) struct Refusal(StatusCode, String);

impl Refusal {
    fn new(status: StatusCode, reason: impl Display) -> Self {
        Refusal(status, reason.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

fn answer<T: serde::Serialize>(message: &T) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], write(message)).into_response()
}

/// Only an instance that has peers itself speaks to others, and never to its own double.
fn admit(engine: &Engine, peer: &Member) -> Result<Member, Refusal> {
    let me = engine.me();
    if engine.peers().links().is_empty() {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "this instance has no peers: set alerting.local.peers"));
    }
    if peer.name == me.name {
        return Err(Refusal::new(StatusCode::CONFLICT, format_args!("the name {} is ours already", me.name)));
    }
    Ok(me)
}

pub(super) async fn state(State(engine): State<Arc<Engine>>, body: Bytes) -> Result<Response, Refusal> {
    let (head, records) = read_state(&body).map_err(|e| Refusal::new(StatusCode::BAD_REQUEST, e))?;
    let me = admit(&engine, &head.from.member)?;
    let taken = engine.adopt(&head.from.member, &head.holds, records);
    taken.map_err(|e| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, e))?;
    Ok(answer(&From::new(me)))
}

pub(super) async fn intent(State(engine): State<Arc<Engine>>, body: Bytes) -> Result<Response, Refusal> {
    let intent: Intent = read(&body).map_err(|e| Refusal::new(StatusCode::BAD_REQUEST, e))?;
    let me = admit(&engine, &intent.from.member)?;
    Ok(answer(&IntentAnswer { answer: engine.asked(&intent), from: From::new(me) }))
}

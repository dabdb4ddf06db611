//! `/consistency`: how far the globals of a pair agree.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::envelope::{Answer, ApiError, ErrorType};
use crate::node::Node;
use crate::params::Params;

/// What this global holds beside what its peer does; with `scope=self` only the former, which is what the peer asks for.
pub(crate) async fn consistency(State(node): State<Arc<Node>>, params: Params) -> Result<Response, ApiError> {
    let Some(consistency) = &node.consistency else {
        return Err(ApiError { kind: ErrorType::NotFound, message: "only a global can have a peer".into() });
    };
    match params.get("scope") {
        None | Some("") => Ok(Answer::new(consistency.compare().await?).into_response()),
        Some("self") => Ok(Answer::new(consistency.standing().await?).into_response()),
        Some(other) => Err(ApiError::parameter("scope", format_args!("{other:?} is not known, only self is"))),
    }
}

//! Why a pull is not answered.

use storage::{QueryError, QueryErrorKind};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FederateError {
    /// A `match[]` is no selector.
    #[error("{0}")]
    Selector(String),
    /// The storage can't answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A parameter can't be what it says.
    #[error("{0}")]
    Parameter(String),
    /// The answer can't be written.
    #[error("writing the answer: {0}")]
    Write(#[from] std::io::Error),
    /// The work broke off.
    #[error("collecting samples broke off")]
    Aborted(#[from] tokio::task::JoinError),
}

impl FederateError {
    /// What a client should do about it.
    pub fn kind(&self) -> QueryErrorKind {
        match self {
            FederateError::Selector(_) | FederateError::Parameter(_) => QueryErrorKind::Input,
            FederateError::Write(_) => QueryErrorKind::Data,
            FederateError::Query(error) => error.kind,
            FederateError::Aborted(_) => QueryErrorKind::Retry,
        }
    }
}

//! Why a query has no answer.

use storage::{QueryError, QueryErrorKind};

use crate::syntax::LengthError;

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryFailure {
    /// It took longer than it may; what it was doing then.
    #[error("query timed out in {0}")]
    Timeout(&'static str),
    /// Nobody waits for the answer any more.
    #[error("query was canceled in expression evaluation")]
    Canceled,
    /// It needs more samples at one time than it may hold.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// The storage could not answer.
    #[error("expanding series: {0}")]
    Storage(QueryError),
    /// A duration in it that is computed for this query is none.
    #[error(transparent)]
    Length(#[from] LengthError),
    /// The expression can't be evaluated over this data.
    #[error("{0}")]
    Execution(String),
}

impl QueryFailure {
    /// The kind of error in Prometheus's API.
    pub fn error_type(&self) -> &'static str {
        match self {
            QueryFailure::Timeout(_) => "timeout",
            QueryFailure::Canceled => "canceled",
            QueryFailure::Length(_) => "bad_data",
            QueryFailure::TooManySamples | QueryFailure::Execution(_) => "execution",
            QueryFailure::Storage(error) => match error.kind {
                QueryErrorKind::Input => "execution",
                QueryErrorKind::Retry | QueryErrorKind::Data => "internal",
            },
        }
    }

    /// The same label set would come twice.
    pub(crate) fn same_labelset() -> Self {
        QueryFailure::Execution("vector cannot contain metrics with the same labelset".to_owned())
    }
}

impl From<QueryError> for QueryFailure {
    fn from(error: QueryError) -> Self {
        QueryFailure::Storage(error)
    }
}

//! Why a query has no answer.

use storage::{QueryError, QueryErrorKind};

use crate::eval::budget::TooManyBytes;
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
    /// It needs more bytes at one time than it may hold, alone or together with the others that run.
    #[error("{}", told(.bytes, .reading))]
    TooManyBytes {
        /// How many.
        bytes: TooManyBytes,
        /// The selector whose series were being read.
        reading: Option<String>,
    },
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
            QueryFailure::TooManySamples | QueryFailure::TooManyBytes { .. } | QueryFailure::Execution(_) => {
                "execution"
            }
            QueryFailure::Storage(error) => match error.kind {
                QueryErrorKind::Input => "execution",
                QueryErrorKind::Retry | QueryErrorKind::Data => "internal",
            },
        }
    }

    /// It needs more bytes than it may.
    pub(crate) fn too_many_bytes(bytes: TooManyBytes) -> Self {
        QueryFailure::TooManyBytes { bytes, reading: None }
    }

    /// With the selector whose series were being read, where it matters and the failure doesn't name one already.
    pub(crate) fn while_reading(mut self, selector: impl FnOnce() -> String) -> Self {
        if let QueryFailure::TooManyBytes { reading: reading @ None, .. } = &mut self {
            *reading = Some(selector());
        }
        self
    }

    /// The same label set would come twice.
    pub(crate) fn same_labelset() -> Self {
        QueryFailure::Execution("vector cannot contain metrics with the same labelset".to_owned())
    }
}

fn told(bytes: &TooManyBytes, reading: &Option<String>) -> String {
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let (held, max) = (mib(bytes.held), mib(bytes.max));
    let reading = reading.iter().map(|selector| format!(" when reading {selector}")).collect::<String>();
    match bytes.held_by_all {
        None => format!(
            "query needs more memory than it may use: {held}{reading}, of {max} (--query.max-bytes); ask for fewer series or a shorter time"
        ),
        Some(all) => format!(
            "queries need more memory than they may use together: this one {held}{reading}, all that run {}, of {max} \
             (--query.max-total-bytes); ask for fewer series or try again later",
            mib(all)
        ),
    }
}

impl From<QueryError> for QueryFailure {
    fn from(error: QueryError) -> Self {
        QueryFailure::Storage(error)
    }
}

//! Why an exposition was refused as a whole.

use std::fmt;

use exposition::protobuf::DecodeError;
use exposition::text::ParseError;

/// Bytes of the names and values of a series' labels, whatever the limits of the job are.
const LABEL_BYTES_MAX: usize = 1 << 20;

/// Why an exposition was refused as a whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IngestError {
    #[error("{0}")]
    Parse(#[from] ParseError),
    #[error("{0}")]
    Decode(#[from] DecodeError),
    #[error("sample limit exceeded: the target has more than the {0} samples of sample_limit")]
    SampleLimit(u64),
    #[error(
        "histogram bucket limit exceeded: even at the lowest resolution a histogram has more than the {0} buckets of \
         native_histogram_bucket_limit"
    )]
    BucketLimit(u64),
    #[error("{place}: {reason}")]
    LabelLimit { place: Place, reason: String },
    #[error("{place}: {reason}")]
    Series { place: Place, reason: String },
}

impl IngestError {
    pub(super) fn series(place: Place, reason: impl Into<String>) -> Self {
        IngestError::Series { place, reason: reason.into() }
    }
}

/// Where in an exposition a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this line, counted from 1.
    Line(usize),
    /// Behind so many bytes.
    Byte(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Byte(offset) => write!(f, "byte {offset}"),
        }
    }
}

/// Refuses what no series is called, before anything is made of it.
pub(super) fn check_size(bytes: usize, place: Place) -> Result<(), IngestError> {
    if bytes <= LABEL_BYTES_MAX {
        return Ok(());
    }
    let reason = format!("the labels of the series have {bytes} bytes, more than {LABEL_BYTES_MAX}");
    Err(IngestError::LabelLimit { place, reason })
}

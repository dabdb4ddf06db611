//! Bringing samples in: append as many as belong together, then commit them all or none.

use std::fmt;

use model::{Exemplar, Labels, Metadata, NativeHistogram, Timestamp};

use crate::chunk::Value;

/// Names a series inside one storage for as long as that storage keeps it; never valid in another one or after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesRef(pub u64);

impl fmt::Display for SeriesRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a sample was not taken. The rest of the transaction is unharmed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AppendError {
    /// The storage no longer knows this reference: append with labels.
    #[error("unknown series reference {0}")]
    UnknownSeries(SeriesRef),
    /// A newer sample of the series is stored already.
    #[error("out of order sample")]
    OutOfOrder,
    /// The series has another value at this time.
    #[error("duplicate sample for timestamp")]
    DuplicateTimestamp,
    /// The time lies before everything the storage still takes.
    #[error("out of bounds: sample at {time} is older than {oldest}")]
    TooOld {
        /// The sample's time.
        time: Timestamp,
        /// The oldest time that is taken.
        oldest: Timestamp,
    },
    /// The time lies further in the future than the storage takes.
    #[error("out of bounds: sample at {time} is newer than {newest}")]
    TooNew {
        /// The sample's time.
        time: Timestamp,
        /// The newest time that is taken.
        newest: Timestamp,
    },
    /// The sample is late, and older than what the window for late samples takes.
    #[error("too old sample: {time} is before the out-of-order window, which begins at {oldest}")]
    BeyondWindow {
        /// The sample's time.
        time: Timestamp,
        /// Where the window begins.
        oldest: Timestamp,
    },
    /// The histogram contradicts itself.
    #[error("invalid histogram: {0}")]
    InvalidHistogram(String),
    /// The exemplar can't be kept.
    #[error("invalid exemplar: {0}")]
    InvalidExemplar(String),
    /// This storage doesn't take such things.
    #[error("this storage takes no {0}")]
    Unsupported(&'static str),
    /// The labels name no series: no labels at all, a repeated name, an empty metric.
    #[error("invalid labels {labels}: {reason}")]
    InvalidLabels {
        /// The labels as they came.
        labels: Labels,
        /// What is wrong with them.
        reason: String,
    },
}

/// Why a transaction was not stored; nothing of it is visible.
#[derive(Debug, thiserror::Error)]
#[error("cannot store samples: {reason}")]
pub struct CommitError {
    /// What failed.
    pub reason: String,
    /// The cause, where there is one.
    #[source]
    pub source: Option<std::io::Error>,
}

/// A storage that takes samples.
pub trait Appendable: Send + Sync {
    /// Begins a transaction. Many may be under way at once.
    fn appender(&self) -> Box<dyn Appender>;

    /// A note that was stored with some transaction, the newest of its name.
    fn note(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }

    /// The notes whose names begin with `prefix`, the newest of each name, sorted by name.
    fn notes(&self, _prefix: &str) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }
}

/// One transaction: what it appended is seen by readers, and by federation, all at once after `commit`, or never.
/// Dropping it is a rollback.
pub trait Appender: Send {
    /// Appends to the series with these labels, which is created if it is new. The reference makes the next append to it
    /// cheap.
    fn append(&mut self, labels: &Labels, time: Timestamp, value: f64) -> Result<SeriesRef, AppendError>;

    /// Appends to a series by reference.
    fn append_ref(&mut self, series: SeriesRef, time: Timestamp, value: f64) -> Result<(), AppendError>;

    /// Appends to many series by reference, all at one time: much cheaper than one by one. What is not taken is told to `refused`
    /// by its place in `samples`, in their order.
    fn append_refs(
        &mut self,
        samples: &[(SeriesRef, f64)],
        time: Timestamp,
        refused: &mut dyn FnMut(usize, AppendError),
    ) {
        for (at, (series, value)) in samples.iter().enumerate() {
            if let Err(error) = self.append_ref(*series, time, *value) {
                refused(at, error);
            }
        }
    }

    /// Appends a native histogram to the series with these labels, which is created if it is new.
    fn append_histogram(
        &mut self,
        _labels: &Labels,
        _time: Timestamp,
        _histogram: NativeHistogram,
    ) -> Result<SeriesRef, AppendError> {
        Err(AppendError::Unsupported("native histograms"))
    }

    /// Appends the zero with which a series began to count at `start`, ahead of its sample at `time`, which comes next. It is taken only
    /// where it is older than that sample and newer than all that the series has: it is never a late one. What is refused is not
    /// counted, because whoever shows such a time shows it again and again.
    fn append_start(
        &mut self,
        _labels: &Labels,
        _start: Timestamp,
        _time: Timestamp,
        _zero: Value,
    ) -> Result<(), AppendError> {
        Err(AppendError::Unsupported("start timestamps"))
    }

    /// Attaches an exemplar to a series. A repeated one is taken and not stored again.
    fn append_exemplar(&mut self, _series: SeriesRef, _exemplar: &Exemplar) -> Result<(), AppendError> {
        Err(AppendError::Unsupported("exemplars"))
    }

    /// Takes note of what the metric of a series is. What is known already costs a comparison.
    fn append_metadata(&mut self, _series: SeriesRef, _metadata: &Metadata) -> Result<(), AppendError> {
        Err(AppendError::Unsupported("metadata"))
    }

    /// Notes a few bytes under a name. They are stored with everything else of the transaction or not at all, and replace what was
    /// noted under the name before; no bytes take the note away.
    fn set_note(&mut self, _name: &str, _content: &[u8]) -> Result<(), AppendError> {
        Err(AppendError::Unsupported("notes"))
    }

    /// Stores everything, in one write to the log, and makes it visible.
    fn commit(self: Box<Self>) -> Result<(), CommitError>;

    /// Forgets everything.
    fn rollback(self: Box<Self>);
}

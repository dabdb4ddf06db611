//! Following a storage: what has been committed since a moment, in the order of the commits.
//!
//! Asking by time can't tell this: a sample that comes late lies before what was read already. So a storage that can be followed gives
//! each commit a [`Place`]. Who has everything up to a place asks for what came after it, and is never told less than that. What
//! lies too far back to be told commit by commit is [`Missed`]: it is to be read by time, from where the storage says.

use std::sync::Arc;

use async_trait::async_trait;
use model::{Exemplar, Labels, Matcher, Metadata, NativeHistogram, Timestamp};

use crate::append::SeriesRef;
use crate::query::QueryError;

/// A moment in the order of a storage's commits. It stays valid over restarts of the storage. Places of one run are in order; whether a
/// place of another run is still what it was is for the storage to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Place {
    /// The run of the storage in which it was given.
    pub run: u64,
    /// The segment of the log.
    pub segment: u64,
    /// The byte in the segment.
    pub offset: u64,
}

/// One sample of a followed series.
#[derive(Debug, Clone, PartialEq)]
pub struct Change<T> {
    /// The series.
    pub series: SeriesRef,
    /// When, in milliseconds since the epoch.
    pub time: i64,
    /// What.
    pub value: T,
}

/// What was committed, in the order of the commits; of one series, floats, histograms and exemplars each in their order.
#[derive(Debug, Default)]
pub struct Changes {
    /// Floats, stale markers included.
    pub floats: Vec<Change<f64>>,
    /// Native histograms.
    pub histograms: Vec<Change<NativeHistogram>>,
    /// Exemplars.
    pub exemplars: Vec<(SeriesRef, Exemplar)>,
    /// Series of which something new is known: type, unit, help.
    pub described: Vec<SeriesRef>,
}

impl Changes {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }

    /// Whether there are no samples, exemplars and descriptions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.exemplars.is_empty() && self.described.is_empty()
    }
}

/// How far a read came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to here has been told.
    pub until: Place,
    /// Whether there is more behind it already.
    pub more: bool,
}

/// What came after a place is no longer known commit by commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// No sample that came after the place is older than this; [`Timestamp::MIN`] where nothing is known.
    pub from: Timestamp,
    /// A selection that begins now has everything up to here. Who has read it goes on from here.
    pub until: Place,
}

/// A series as its reader needs to know it.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Its labels.
    pub labels: Labels,
    /// What is known of its metric, if anything is.
    pub metadata: Option<Arc<Metadata>>,
}

/// A storage that can be followed.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Follows the series that any of the selectors matches. A selector matches if all of its matchers do. Those who ask with the same
    /// selectors share what it takes; it is given back when nobody has read for a while.
    async fn follow(&self, selectors: &[Vec<Matcher>]) -> Result<Arc<dyn Follower>, QueryError>;
}

/// The followed series of a storage.
pub trait Follower: Send + Sync {
    /// Tells what was committed after a place: whole commits, as many as begin within `limit` samples, at least one. `out` is cleared
    /// first.
    fn read(&self, after: Place, limit: usize, out: &mut Changes) -> Result<Progress, Missed>;

    /// What a series is; `None` where it is gone.
    fn describe(&self, series: SeriesRef) -> Option<Described>;
}

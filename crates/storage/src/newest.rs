//! The newest sample of each series, for those who want nothing else of many series.

use async_trait::async_trait;
use model::{Matcher, Sample, Timestamp};

use crate::query::QueryError;

/// A storage that finds newest samples without reading chunks.
#[async_trait]
pub trait Newest: Send + Sync {
    /// The newest samples from `since` until the moment at which this looks, of the series that any of the selectors matches, those of a
    /// metric one after the other and metrics sorted by name; `None` where only a selection can tell. A selector matches if all of its
    /// matchers do.
    async fn newest(
        &self,
        selectors: &[Vec<Matcher>],
        since: Timestamp,
    ) -> Result<Option<Box<dyn NewestSamples>>, QueryError>;
}

/// The newest sample of a series.
#[derive(Debug, Clone, Copy)]
pub struct NewestSample<'a> {
    /// Sorted by name.
    pub labels: &'a [(&'a str, &'a str)],
    /// Bit *i* is set where label *i* is the one that the series before had at this place, so that whoever writes both need not look.
    pub same: u64,
    /// No stale marker.
    pub sample: Sample,
}

/// Newest samples on their way to a reader. What they are is known; their labels are looked up as they are wanted.
pub trait NewestSamples: Send {
    /// Hands the next few series to `visit`. Series that have gone away meanwhile are left out. `false` where there are no more.
    fn next(&mut self, visit: &mut dyn FnMut(NewestSample<'_>)) -> bool;
}

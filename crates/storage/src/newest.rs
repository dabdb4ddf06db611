//! The newest sample of each series, for those who want nothing else of many series.

use async_trait::async_trait;
use model::{Matcher, Sample, TimeRange};

use crate::query::QueryError;

/// A storage that finds newest samples without reading chunks.
#[async_trait]
pub trait Newest: Send + Sync {
    /// The newest samples in `range`, of one moment, of the series that any of the selectors matches, those of a metric one after the
    /// other and metrics sorted by name; `None` where only a selection can tell. A selector matches if all of its matchers do.
    async fn newest(
        &self,
        selectors: &[Vec<Matcher>],
        range: TimeRange,
    ) -> Result<Option<Box<dyn NewestSamples>>, QueryError>;
}

/// Takes labels and sample of a series.
pub type VisitNewest<'a> = dyn FnMut(&[(&str, &str)], Sample) + 'a;

/// Newest samples on their way to a reader. What they are is known; their labels are looked up as they are wanted.
pub trait NewestSamples: Send {
    /// Hands the next few series to `visit`: labels sorted by name, and the sample, which is no stale marker. Series that have gone away
    /// meanwhile are left out. `false` where there are no more.
    fn next(&mut self, visit: &mut VisitNewest<'_>) -> bool;
}

//! Asking for exemplars.

use async_trait::async_trait;
use model::{Exemplar, Labels, Matcher, TimeRange};

use crate::query::QueryError;

/// The exemplars of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct ExemplarSeries {
    /// The series' labels.
    pub labels: Labels,
    /// Its exemplars, oldest first; never empty.
    pub exemplars: Vec<Exemplar>,
}

/// A storage that can be asked for exemplars.
#[async_trait]
pub trait ExemplarQueryable: Send + Sync {
    /// The exemplars in `range` of the series that match any of the selectors, sorted by labels. A selector matches if all of
    /// its matchers do.
    async fn exemplars(&self, selectors: &[Vec<Matcher>], range: TimeRange) -> Result<Vec<ExemplarSeries>, QueryError>;
}

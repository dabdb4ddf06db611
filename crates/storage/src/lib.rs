//! The contracts between those who hold samples and those who ask for them or bring them.
//!
//! [`Queryable`] is all that PromQL, rules, the API and federation know of a database; [`Appendable`] is all that scraping
//! and rules know of one. What crosses the border are encoded chunks, so the chunk encodings live here as well, and a
//! reader decodes each chunk once. [`Merge`] makes one [`Queryable`] of several, [`dedup`] makes one series of several
//! replicas, and [`canonical`] cuts samples into the same chunks wherever they are. No files, no network.

mod append;
pub mod canonical;
pub mod chunk;
pub mod dedup;
mod exemplars;
mod feed;
mod merge;
mod newest;
mod query;
mod revision;
mod samples;
mod series;

pub use append::{AppendError, Appendable, Appender, CommitError, SeriesRef};
pub use exemplars::{ExemplarQueryable, ExemplarSeries};
pub use feed::{Change, Changes, Described, Feed, Follower, Missed, Place, Progress};
pub use merge::{Merge, merge_sets, merge_strings};
pub use newest::{Newest, NewestSample, NewestSamples};
pub use query::{Hints, LabelRequest, QueryError, QueryErrorKind, Queryable, SelectRequest, SeriesIter, SeriesSet};
pub use revision::{Mark, Revised, Revision};
pub use samples::{HistogramSample, Samples};
pub use series::Series;

//! The exposition formats: what a target shows on `/metrics`, and what `/federate` answers.
//!
//! Reading an exposition is the largest part of a scraper's work, and nearly every line of one scrape was there in the last
//! one. So the parser doesn't take a line apart: it finds where the series ends and reads the number behind it, and the
//! bytes of the series are the key under which the reader remembers what they stand for. Only a series that was not seen
//! before is parsed into labels. The libraries that exist take every line apart, at a twentieth of the speed or less.
//!
//! All three formats are written, too. Of protocol buffers there is one message: reading it where it lies and writing it are a few
//! lines, where a library would make a tree of objects of each answer first.
//!
//! Not done here: fetching, decompression, limits on bodies and labels, which belong to the scrape.

mod classic;
mod escaping;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod lines;
mod number_label;
pub mod openmetrics;
pub mod protobuf;
pub mod text;

pub use classic::{ClassicBucket, classic_buckets};
pub use escaping::Escaping;
pub use lines::{Dialect, LineWriter};
pub use model::MetricType;
pub use number_label::{QUANTILE_LABEL, normalize_number_label, number_label};

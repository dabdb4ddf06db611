//! The exposition formats: what a target shows on `/metrics`, and what `/federate` answers.
//!
//! Reading an exposition is the largest part of a scraper's work, and nearly every line of one scrape was there in the last
//! one. So the parser doesn't take a line apart: it finds where the series ends and reads the number behind it, and the
//! bytes of the series are the key under which the reader remembers what they stand for. Only a series that was not seen
//! before is parsed into labels. The libraries that exist take every line apart, at a twentieth of the speed or less.
//!
//! Not done here: fetching, decompression, limits on bodies and labels; those belong to the scrape.

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod openmetrics;
pub mod text;

pub use model::MetricType;

//! The records that a log is made of, one file for each kind. Whatever the bytes are, reading ends with values or with an error,
//! and takes memory in proportion to them.

mod broken;
#[cfg(test)]
mod documented;
mod exemplars;
mod histograms;
mod kind;
mod markers;
mod metadata;
mod notes;
mod samples;
mod series;
#[cfg(test)]
mod tests;
mod tombstones;

pub(crate) use exemplars::{LoggedExemplar, decode_exemplars, encode_exemplars};
pub(crate) use histograms::{LoggedHistogram, decode_histograms, encode_histograms, put_histogram};
pub(crate) use kind::RecordKind;
pub(crate) use markers::{LoggedMarker, decode_markers, encode_markers};
#[cfg(test)]
pub(crate) use metadata::LoggedMetadata;
pub(crate) use metadata::{decode_metadata, encode_metadata};
pub(crate) use notes::{decode_notes, encode_note, encode_nothing};
pub(crate) use samples::{LoggedSample, decode_samples, encode_samples};
pub(crate) use series::{decode_series, encode_series, read_labels};
pub(crate) use tombstones::{LoggedTombstone, decode_tombstones, encode_tombstones};

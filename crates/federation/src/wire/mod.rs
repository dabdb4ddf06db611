//! What goes over the wire between two nodes of ours, see `docs/format/federation.md`. Bytes and numbers only: nothing here knows of a
//! storage or of HTTP.

mod body;
mod cursor;
#[cfg(test)]
mod documented;
mod floats;
mod frame;

pub(crate) use body::{BodyReader, BodyWriter, WireError};
pub(crate) use cursor::{Cursor, History, is_unchanged, with_checksum};
pub(crate) use floats::{FIRST_VALUE, FloatReader, FloatWriter, WireFloat};
pub(crate) use frame::{Definition, Floats, Frame, Gap, Header, Histograms, Trailer, WireExemplar};

/// The media type of an answer.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.watershed.federation";
/// The version that this code writes, and the only one that it reads.
pub(crate) const VERSION: u32 = 1;

//! The frames of an answer. Each is a number, which tells what it is, and a MessagePack array of what it has.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

pub(super) const HEADER: u8 = 1;
pub(super) const DEFINITIONS: u8 = 2;
pub(super) const FLOATS: u8 = 3;
pub(super) const HISTOGRAMS: u8 = 4;
pub(super) const EXEMPLARS: u8 = 5;
pub(super) const TRAILER: u8 = 6;

/// The first frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The version of the format.
    pub(crate) version: u32,
    /// The run of the storage that answers.
    pub(crate) run: u64,
    /// Names the session; one that the reader doesn't know begins anew: no series is defined yet.
    pub(crate) session: u64,
    /// Numbers the answers of a session, from 0 on.
    pub(crate) answer: u64,
    /// The clock of who answers, in milliseconds since the epoch.
    pub(crate) now: i64,
    /// Labels that every series has that hasn't got them by itself: names and values.
    pub(crate) external: Vec<(String, String)>,
}

/// What a series is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// Its number in the session, or in this answer alone where the answer is read by time.
    pub(crate) id: u32,
    /// Names and values in turn, sorted by name.
    pub(crate) labels: Vec<String>,
    /// The type of its metric, empty where nothing is known.
    pub(crate) kind: String,
    /// The unit, empty where there is none.
    pub(crate) unit: String,
    /// The help text, empty where there is none.
    pub(crate) help: String,
}

/// Floats in columns, see `floats`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Floats {
    /// How many.
    pub(crate) count: u32,
    /// Their series.
    pub(crate) ids: ByteBuf,
    /// Their times.
    pub(crate) times: ByteBuf,
    /// How the value of each follows from the one before it of the series.
    pub(crate) kinds: ByteBuf,
    /// Differences of whole numbers, and of numbers of tenths, hundredths, thousandths.
    pub(crate) whole: ByteBuf,
    /// Differences of bits.
    pub(crate) bits: ByteBuf,
}

/// Native histograms of one series as a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Histograms {
    /// The series.
    pub(crate) id: u32,
    /// The chunk's encoding, as in a block.
    pub(crate) encoding: u8,
    /// The chunk's data, as in a block.
    pub(crate) data: ByteBuf,
}

/// An exemplar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WireExemplar {
    /// The series.
    pub(crate) id: u32,
    /// When, in milliseconds since the epoch.
    pub(crate) time: i64,
    /// Its value.
    pub(crate) value: f64,
    /// Names and values in turn, sorted by name.
    pub(crate) labels: Vec<String>,
}

/// Samples that who answers no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gap {
    /// The first time that may be missing, in milliseconds since the epoch.
    pub(crate) from: i64,
    /// The last.
    pub(crate) until: i64,
}

/// The last frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trailer {
    /// What the next question should begin with.
    pub(crate) cursor: String,
    /// Whether there is more already.
    pub(crate) more: bool,
    /// How many samples the answer has.
    pub(crate) samples: u64,
    /// How many of its series it has defined.
    pub(crate) definitions: u64,
    /// What is missing since the cursor that was asked with.
    pub(crate) gap: Option<Gap>,
    /// Eight bytes: XXH3 of all that stands before them, 64 bits, without a seed, big-endian. Set when the answer is ended.
    pub(crate) checksum: ByteBuf,
}

/// A frame between header and trailer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Frame {
    /// Series that samples behind it name.
    Definitions(Vec<Definition>),
    /// Floats, stale markers included.
    Floats(Floats),
    /// Native histograms.
    Histograms(Vec<Histograms>),
    /// Exemplars.
    Exemplars(Vec<WireExemplar>),
}

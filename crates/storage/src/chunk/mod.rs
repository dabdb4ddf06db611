//! Encoded chunks: what a series is made of on disk, in memory and between rooms.
//!
//! The encodings are Prometheus's (tsdb/chunkenc); the bytes here are a chunk's data without the length, encoding byte and
//! checksum that a block's chunk file puts around it.

pub mod float_histogram;
pub mod histogram;
pub mod xor;
pub mod xor2;

mod bits;
mod columns;
mod decode;
mod encoded;
mod error;
mod gorilla;
mod native;
mod recoder;
mod starts;
mod values;
mod varbit;
mod varint;

pub use encoded::{Chunk, Encoding};
pub use error::ChunkError;
pub use recoder::{Recoder, SAMPLES_PER_CHUNK};
pub use values::{TimedValue, Value, Values};

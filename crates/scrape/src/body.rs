//! The body of a scrape: bounded, decompressed, in a buffer that is used again.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use parking_lot::Mutex;

use crate::connection::Body;
use crate::zstd::ZstdDecoder;

/// What is asked for. Zstandard first: a page is read in three quarters of the time and has half the length.
pub(crate) const COMPRESSIONS: &str = "zstd,gzip;q=0.9";
/// The bound of a body without `body_size_limit`, after decompression.
pub(crate) const BODY_BYTES_MAX: u64 = 256 << 20;
/// Buffers that are kept for the next scrapes, and how large one may be to be kept.
const BUFFERS_KEPT_MAX: usize = 4;
const BUFFER_KEPT_BYTES_MAX: usize = 4 << 20;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// `body_size_limit` of the job.
    #[error("body size limit exceeded: the body has more than the {0} bytes of body_size_limit")]
    Limit(u64),
    /// The bound that always holds.
    #[error("the body has more than {BODY_BYTES_MAX} bytes after decompression; body_size_limit can only lower this")]
    Bound,
    #[error("the body broke off: {0}")]
    Broken(String),
    #[error("cannot decompress the body: {0}")]
    Compression(io::Error),
    #[error("the target answered with the Content-Encoding {0:?}, which was not asked for")]
    Encoding(String),
}

/// A growing buffer that refuses to grow beyond its bound.
pub(crate) struct Bounded<'a> {
    buffer: &'a mut Vec<u8>,
    limit: u64,
    is_exceeded: bool,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let needed = self.buffer.len() + bytes.len();
        if needed as u64 > self.limit {
            self.is_exceeded = true;
            return Err(io::Error::other("too large"));
        }
        if needed > self.buffer.capacity() {
            let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
            let wanted = needed.max(self.buffer.capacity().saturating_mul(2).min(limit));
            self.buffer.reserve_exact(wanted - self.buffer.len());
        }
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What makes the exposition of the pieces that come.
enum Decoder<'a> {
    Identity(Bounded<'a>),
    Gzip(Box<MultiGzDecoder<Bounded<'a>>>),
    Zstd(ZstdDecoder<Bounded<'a>>),
}

impl<'a> Decoder<'a> {
    fn new(encoding: Option<&str>, sink: Bounded<'a>) -> Result<Self, BodyError> {
        match encoding.map(str::trim) {
            None | Some("" | "identity") => Ok(Decoder::Identity(sink)),
            Some("gzip" | "x-gzip") => Ok(Decoder::Gzip(Box::new(MultiGzDecoder::new(sink)))),
            Some("zstd") => Ok(Decoder::Zstd(ZstdDecoder::new(sink).map_err(BodyError::Compression)?)),
            Some(other) => Err(BodyError::Encoding(other.to_owned())),
        }
    }

    fn write(&mut self, piece: &Bytes) -> io::Result<()> {
        match self {
            Decoder::Identity(sink) => sink.write_all(piece),
            Decoder::Gzip(decoder) => decoder.write_all(piece),
            Decoder::Zstd(decoder) => decoder.write_all(piece),
        }
    }

    /// The end of the body, which must be the end of what was compressed.
    fn finish(&mut self) -> io::Result<()> {
        match self {
            Decoder::Identity(_) => Ok(()),
            Decoder::Gzip(decoder) => decoder.try_finish(),
            Decoder::Zstd(decoder) => decoder.finish(),
        }
    }

    fn is_exceeded(&self) -> bool {
        match self {
            Decoder::Identity(sink) => sink.is_exceeded,
            Decoder::Gzip(decoder) => decoder.get_ref().is_exceeded,
            Decoder::Zstd(decoder) => decoder.sink().is_exceeded,
        }
    }
}

/// Reads a whole body into `buffer`, which is cleared first. `limit` is the job's `body_size_limit`, 0 for none; it counts
/// after decompression, and what goes beyond it is never held.
pub(crate) async fn read(
    mut body: Body,
    encoding: Option<&str>,
    limit: u64,
    buffer: &mut Vec<u8>,
) -> Result<(), BodyError> {
    buffer.clear();
    let bound = if limit == 0 { BODY_BYTES_MAX } else { limit.min(BODY_BYTES_MAX) };
    let mut decoder = Decoder::new(encoding, Bounded { buffer, limit: bound, is_exceeded: false })?;
    let failed = |decoder: &Decoder<'_>, error: io::Error| match decoder.is_exceeded() {
        true if limit == bound => BodyError::Limit(limit),
        true => BodyError::Bound,
        false => BodyError::Compression(error),
    };
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(BodyError::Broken)?;
        decoder.write(&piece).map_err(|error| failed(&decoder, error))?;
    }
    decoder.finish().map_err(|error| failed(&decoder, error))
}

/// Buffers shared by all targets: a buffer per target would hold the last body of each.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.lock().pop().unwrap_or_default()
    }

    pub(crate) fn give(&self, buffer: Vec<u8>) {
        let mut kept = self.0.lock();
        if kept.len() < BUFFERS_KEPT_MAX && buffer.capacity() <= BUFFER_KEPT_BYTES_MAX {
            kept.push(buffer);
        }
    }
}

//! The body of a scrape: bounded, decompressed, in a buffer that is used again.

use std::io::{self, Write};

use bytes::Buf;
use config::chain;
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::Mutex;

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
    Gzip(io::Error),
    #[error("the target answered with the Content-Encoding {0:?}, which was not asked for")]
    Encoding(String),
}

/// A growing buffer that refuses to grow beyond its bound.
struct Bounded<'a> {
    buffer: &'a mut Vec<u8>,
    limit: u64,
    is_exceeded: bool,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.buffer.len() + bytes.len()) as u64 > self.limit {
            self.is_exceeded = true;
            return Err(io::Error::other("too large"));
        }
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a whole body into `buffer`, which is cleared first. `limit` is the job's `body_size_limit`, 0 for none; it counts
/// after decompression, and what goes beyond it is never held.
pub(crate) async fn read(
    mut body: Incoming,
    encoding: Option<&str>,
    limit: u64,
    buffer: &mut Vec<u8>,
) -> Result<(), BodyError> {
    buffer.clear();
    let bound = if limit == 0 { BODY_BYTES_MAX } else { limit.min(BODY_BYTES_MAX) };
    let too_large = || if limit == bound { BodyError::Limit(limit) } else { BodyError::Bound };
    let mut sink = Bounded { buffer, limit: bound, is_exceeded: false };
    match encoding.map(str::trim) {
        None | Some("" | "identity") => {
            while let Some(mut data) = next(&mut body).await? {
                while data.has_remaining() {
                    let len = sink.write(data.chunk()).map_err(|_| too_large())?;
                    data.advance(len);
                }
            }
            Ok(())
        }
        Some("gzip" | "x-gzip") => {
            let mut decoder = MultiGzDecoder::new(sink);
            while let Some(data) = next(&mut body).await? {
                if let Err(e) = decoder.write_all(&data) {
                    return Err(if decoder.get_ref().is_exceeded { too_large() } else { BodyError::Gzip(e) });
                }
            }
            match decoder.try_finish() {
                Ok(()) => Ok(()),
                Err(_) if decoder.get_ref().is_exceeded => Err(too_large()),
                Err(e) => Err(BodyError::Gzip(e)),
            }
        }
        Some(other) => Err(BodyError::Encoding(other.to_owned())),
    }
}

async fn next(body: &mut Incoming) -> Result<Option<bytes::Bytes>, BodyError> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(e)) => return Err(BodyError::Broken(chain(&e))),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
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

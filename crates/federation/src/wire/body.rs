//! The body of an answer: frames, a checksum in the last of them, all compressed as one stream.

use std::io::{self, Read, Write};

use rmp_serde::config::BytesMode;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::VERSION;
use super::frame::{self, Frame, Header, Trailer};

/// What repeats in an answer is near by: a larger window costs both sides memory and makes hardly anything smaller.
const ZSTD_LEVEL: i32 = 3;
/// At the very end of an answer.
const CHECKSUM_BYTES: usize = 8;
/// The longest window that a reader takes, as a power of two.
const WINDOW_LOG_MAX: u32 = 23;

/// Why an answer can't be read. It is thrown away whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The compressed bytes end early or are damaged.
    #[error("the answer can't be decompressed: {0}")]
    Compressed(#[source] io::Error),
    /// There is more of it than one takes.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// Not what a frame looks like.
    #[error("broken frame at byte {offset}: {reason}")]
    Frame {
        /// Where in the decompressed answer.
        offset: usize,
        /// What is wrong.
        reason: String,
    },
    /// A column of floats doesn't fit the others.
    #[error("the column {0:?} is broken")]
    Column(&'static str),
    /// A sample of a series that was not defined.
    #[error("series {0} is not defined")]
    Unknown(u32),
    /// A chunk of histograms can't be read.
    #[error("the histograms of series {0} can't be read: {1}")]
    Chunk(u32, String),
    /// Frames in an order that can't be.
    #[error("{0}")]
    Order(&'static str),
    /// The answer was changed on its way.
    #[error("the checksum is wrong")]
    Checksum,
    /// Written by a version that is newer than this one.
    #[error("version {0} of the protocol is not known")]
    Version(u32),
}

/// Writes an answer.
pub(crate) struct BodyWriter {
    out: zstd::stream::write::Encoder<'static, Vec<u8>>,
    checksum: Xxh3Default,
    frame: Vec<u8>,
}

impl BodyWriter {
    /// An answer that begins with this header.
    pub(crate) fn new(header: &Header) -> io::Result<Self> {
        let out = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
        let mut writer = BodyWriter { out, checksum: Xxh3Default::new(), frame: Vec::new() };
        writer.write(frame::HEADER, header)?;
        Ok(writer)
    }

    fn write(&mut self, kind: u8, content: &impl Serialize) -> io::Result<()> {
        self.frame.clear();
        self.frame.push(kind);
        let mut serializer = rmp_serde::Serializer::new(&mut self.frame).with_bytes(BytesMode::Normal);
        content.serialize(&mut serializer).map_err(io::Error::other)?;
        if kind == frame::TRAILER {
            let checked = self.frame.len() - CHECKSUM_BYTES;
            self.checksum.update(&self.frame[..checked]);
            self.frame[checked..].copy_from_slice(&self.checksum.digest().to_be_bytes());
        } else {
            self.checksum.update(&self.frame);
        }
        self.out.write_all(&self.frame)
    }

    /// Adds a frame that is neither the first nor the last.
    pub(crate) fn add(&mut self, frame: &Frame) -> io::Result<()> {
        match frame {
            Frame::Definitions(all) => self.write(frame::DEFINITIONS, all),
            Frame::Floats(floats) => self.write(frame::FLOATS, floats),
            Frame::Histograms(all) => self.write(frame::HISTOGRAMS, all),
            Frame::Exemplars(all) => self.write(frame::EXEMPLARS, all),
        }
    }

    /// Ends the answer; the trailer's checksum is set here.
    pub(crate) fn finish(mut self, trailer: Trailer) -> io::Result<Vec<u8>> {
        let trailer = Trailer { checksum: ByteBuf::from([0; CHECKSUM_BYTES]), ..trailer };
        self.write(frame::TRAILER, &trailer)?;
        self.out.finish()
    }
}

/// Reads an answer that is there as a whole and whose checksum is right.
pub(crate) struct BodyReader {
    plain: Vec<u8>,
    at: usize,
    header: Header,
    trailer: Trailer,
    /// Where the trailer begins.
    end: usize,
}

impl BodyReader {
    /// Decompresses the answer and checks it. At most `max` bytes are taken.
    pub(crate) fn new(compressed: &[u8], max: usize) -> Result<Self, WireError> {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(compressed).map_err(WireError::Compressed)?;
        decoder.window_log_max(WINDOW_LOG_MAX).map_err(WireError::Compressed)?;
        let mut plain = Vec::new();
        decoder.take(max as u64 + 1).read_to_end(&mut plain).map_err(WireError::Compressed)?;
        if plain.len() > max {
            return Err(WireError::TooLong(max));
        }
        let (mut at, mut trailer, mut header) = (0, None, None);
        let mut end = 0;
        while at < plain.len() {
            if trailer.is_some() {
                return Err(WireError::Order("something follows the trailer"));
            }
            let kind = plain[at];
            let start = at;
            at += 1;
            match (kind, &header) {
                (frame::HEADER, None) => header = Some(read_header(&plain, &mut at)?),
                (_, None) => return Err(WireError::Order("the answer doesn't begin with a header")),
                (frame::HEADER, Some(_)) => return Err(WireError::Order("a second header")),
                (frame::TRAILER, _) => {
                    end = start;
                    trailer = Some(read::<Trailer>(&plain, &mut at)?);
                }
                _ => read::<IgnoredAny>(&plain, &mut at).map(drop)?,
            }
        }
        let header = header.ok_or(WireError::Order("the answer is empty"))?;
        let trailer = trailer.ok_or(WireError::Order("the answer ends without a trailer"))?;
        let is_whole = plain.split_last_chunk::<CHECKSUM_BYTES>().is_some_and(|(checked, checksum)| {
            trailer.checksum.len() == CHECKSUM_BYTES && xxh3_64(checked).to_be_bytes() == *checksum
        });
        if !is_whole {
            return Err(WireError::Checksum);
        }
        let mut reader = BodyReader { plain, at: 1, header, trailer, end };
        read::<IgnoredAny>(&reader.plain, &mut reader.at)?;
        Ok(reader)
    }

    /// The first frame.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The last frame.
    pub(crate) fn trailer(&self) -> &Trailer {
        &self.trailer
    }

    /// The next frame between the first and the last; `None` after them. Kinds that this version doesn't know are left out.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, WireError> {
        while self.at < self.end {
            let kind = self.plain[self.at];
            self.at += 1;
            let (plain, at) = (&self.plain[..self.end], &mut self.at);
            return Ok(Some(match kind {
                frame::DEFINITIONS => Frame::Definitions(read(plain, at)?),
                frame::FLOATS => Frame::Floats(read(plain, at)?),
                frame::HISTOGRAMS => Frame::Histograms(read(plain, at)?),
                frame::EXEMPLARS => Frame::Exemplars(read(plain, at)?),
                _ => {
                    read::<IgnoredAny>(plain, at)?;
                    continue;
                }
            }));
        }
        Ok(None)
    }
}

/// A header of another version may look different behind its first number.
fn read_header(plain: &[u8], at: &mut usize) -> Result<Header, WireError> {
    let start = *at;
    read::<Header>(plain, at).map_or_else(
        |error| match version(&plain[start..]) {
            Some(version) if version != VERSION => Err(WireError::Version(version)),
            _ => Err(error),
        },
        |header| if header.version == VERSION { Ok(header) } else { Err(WireError::Version(header.version)) },
    )
}

fn version(header: &[u8]) -> Option<u32> {
    let (array, rest) = header.split_first()?;
    let is_short_array = array & 0xf0 == 0x90;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(rest);
    is_short_array.then(|| u32::deserialize(&mut deserializer).ok()).flatten()
}

fn read<T: DeserializeOwned>(plain: &[u8], at: &mut usize) -> Result<T, WireError> {
    let mut rest = &plain[*at..];
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    let value = T::deserialize(&mut deserializer);
    drop(deserializer);
    let value = value.map_err(|error| WireError::Frame { offset: *at, reason: error.to_string() })?;
    *at = plain.len() - rest.len();
    Ok(value)
}

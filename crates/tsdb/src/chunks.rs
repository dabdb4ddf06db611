//! The files under a block's `chunks/`: chunks behind each other, each with its length, encoding and checksum. See
//! `docs/format/chunks.md`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use model::Timestamp;
use storage::chunk::{Chunk, ChunkError, Encoding};
use xxhash_rust::xxh3::Xxh3;

use crate::binary::{Corrupt, Cursor, put_uvarint};
use crate::index::IndexedChunk;

const MAGIC: u32 = 0x85BD_40DD;
const VERSION: u8 = 1;
pub(crate) const HEADER_BYTES: usize = 8;
/// A chunk's longest length as a varint, its encoding and its checksum.
const FRAME_BYTES_MAX: usize = 5 + 1 + 4;
/// A new file begins before one would become longer than this.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 512 << 20;

/// Why a chunk of a file can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ChunkFileError {
    /// The file is damaged.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The encoding is none that we read.
    #[error("chunk at offset {offset}: {source}")]
    Encoding {
        /// The chunk's offset in its file.
        offset: u32,
        /// Which encoding.
        source: ChunkError,
    },
}

fn corrupt(offset: usize, reason: impl Into<String>) -> Corrupt {
    Corrupt::new("chunk file", offset, reason)
}

/// Checks the first bytes of a chunk file.
pub fn check_header(file: &[u8]) -> Result<(), Corrupt> {
    let mut header = Cursor::new(file);
    match (header.be32(), header.u8()) {
        (Some(MAGIC), Some(VERSION)) => Ok(()),
        (Some(MAGIC), Some(version)) => Err(corrupt(4, format!("version {version} is not supported, want {VERSION}"))),
        _ => Err(corrupt(0, "no chunk file: the magic number is missing")),
    }
}

/// How many bytes a chunk may take in its file, at most, if its data has `data_len` bytes.
pub const fn frame_bytes(data_len: usize) -> usize {
    data_len + FRAME_BYTES_MAX
}

/// Decodes a chunk whose length field begins at `bytes[0]`; what follows the chunk is ignored. `place` tells the times, and
/// the offset for the error message.
pub fn decode_chunk(bytes: &Bytes, place: &IndexedChunk) -> Result<Chunk, ChunkFileError> {
    let at = place.offset as usize;
    let short = || corrupt(at, "chunk ends beyond the end of the data");
    let mut cursor = Cursor::new(bytes);
    let len = cursor.uvarint_usize().ok_or_else(short)?;
    let begin = cursor.position();
    let checked = cursor.bytes(len.checked_add(1).ok_or_else(short)?).ok_or_else(short)?;
    let crc = cursor.be32().ok_or_else(short)?;
    if crc32c::crc32c(checked) != crc {
        return Err(corrupt(at, "checksum of a chunk is wrong").into());
    }
    let encoding =
        Encoding::from_byte(checked[0]).map_err(|source| ChunkFileError::Encoding { offset: place.offset, source })?;
    Ok(Chunk {
        min_time: place.min_time,
        max_time: place.max_time,
        encoding,
        data: bytes.slice(begin + 1..begin + 1 + len),
    })
}

/// Writes `000001`, `000002`, … in a folder. Hashes what it writes, which names the block.
pub(crate) struct ChunkWriter {
    dir: PathBuf,
    file: Option<BufWriter<File>>,
    segments: u32,
    position: u64,
    segment_bytes_max: u64,
    hash: Xxh3,
}

impl ChunkWriter {
    /// Writes into `dir`, which must exist.
    pub(crate) fn new(dir: &Path, segment_bytes_max: u64) -> Self {
        ChunkWriter { dir: dir.to_owned(), file: None, segments: 0, position: 0, segment_bytes_max, hash: Xxh3::new() }
    }

    /// Writes one chunk and tells where it went.
    pub(crate) fn write(
        &mut self,
        min: Timestamp,
        max: Timestamp,
        encoding: Encoding,
        data: &[u8],
    ) -> io::Result<IndexedChunk> {
        if self.file.is_none() || self.position + frame_bytes(data.len()) as u64 > self.segment_bytes_max {
            self.next_segment()?;
        }
        let place = IndexedChunk {
            min_time: min,
            max_time: max,
            segment: self.segments - 1,
            offset: u32::try_from(self.position).map_err(|_| io::Error::other("chunk file exceeds 4 GiB"))?,
        };
        let mut head = Vec::with_capacity(6);
        put_uvarint(&mut head, data.len() as u64);
        let length_bytes = head.len();
        head.push(encoding.byte());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&head[length_bytes..]), data);
        self.write_bytes(&head)?;
        self.write_bytes(data)?;
        self.write_bytes(&crc.to_be_bytes())?;
        Ok(place)
    }

    fn next_segment(&mut self) -> io::Result<()> {
        self.close_segment()?;
        self.segments += 1;
        self.position = 0;
        self.file = Some(BufWriter::with_capacity(1 << 20, File::create(self.dir.join(segment_name(self.segments)))?));
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&MAGIC.to_be_bytes());
        header[4] = VERSION;
        self.write_bytes(&header)
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file.as_mut().ok_or_else(|| io::Error::other("no chunk file is open"))?;
        file.write_all(bytes)?;
        self.hash.update(bytes);
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn close_segment(&mut self) -> io::Result<()> {
        match self.file.take() {
            Some(file) => file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Syncs everything to disk; the answer is a hash of all that was written.
    pub(crate) fn finish(mut self) -> io::Result<u128> {
        self.close_segment()?;
        Ok(self.hash.digest128())
    }
}

/// The name of the `number`th chunk file, counted from 1.
pub fn segment_name(number: u32) -> String {
    format!("{number:06}")
}

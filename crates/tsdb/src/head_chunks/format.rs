//! The bytes of a file of head chunks.

use model::Timestamp;
use storage::chunk::{Chunk, ChunkError, Encoding};

use crate::binary::{Cursor, put_uvarint};

pub(super) const MAGIC: u32 = 0x0130_BC91;
pub(super) const VERSION: u8 = 1;
pub(super) const HEADER_BYTES: u32 = 8;
/// Series, both times, encoding.
pub(super) const FRAME_HEAD_BYTES: usize = 8 + 8 + 8 + 1;
pub(super) const CHECKSUM_BYTES: usize = 4;
/// The longest length field that is read: 32 bits.
pub(super) const LENGTH_BYTES_MAX: usize = 5;
/// A file isn't made longer than this.
pub(super) const FILE_BYTES_MAX: u32 = 128 << 20;
/// In the byte of the encoding: the samples came late and may overlap with other chunks.
const LATE_MASK: u8 = 0x80;

/// Where a chunk lies: the file's number in the upper, the offset in the lower 32 bits. Later chunks have greater ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChunkPlace(u64);

impl ChunkPlace {
    pub(super) fn new(file: u32, offset: u32) -> Self {
        ChunkPlace(u64::from(file) << 32 | u64::from(offset))
    }

    /// The file's number.
    pub(crate) fn file(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(super) fn offset(self) -> u32 {
        self.0 as u32
    }

    /// As markers in the log of late samples have it.
    pub(crate) fn as_u64(self) -> u64 {
        self.0
    }
}

/// The first bytes of a file.
pub(super) fn file_header() -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[..4].copy_from_slice(&MAGIC.to_be_bytes());
    header[4] = VERSION;
    header
}

/// What stands before a chunk's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) series: u64,
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    pub(super) encoding: u8,
}

impl FrameHead {
    pub(super) fn new(series: u64, range: (i64, i64), encoding: Encoding, late: bool) -> Self {
        let mask = if late { LATE_MASK } else { 0 };
        FrameHead { series, min_time: range.0, max_time: range.1, encoding: encoding.byte() | mask }
    }

    pub(super) fn parse(bytes: &[u8; FRAME_HEAD_BYTES]) -> Self {
        let number = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(word)
        };
        FrameHead {
            series: number(0),
            min_time: number(8) as i64,
            max_time: number(16) as i64,
            encoding: bytes[FRAME_HEAD_BYTES - 1],
        }
    }

    /// Prometheus makes files longer than their content; it is zeros from here on.
    pub(super) fn is_end(&self) -> bool {
        (self.series, self.min_time, self.max_time) == (0, 0, 0)
    }

    pub(super) fn is_late(&self) -> bool {
        self.encoding & LATE_MASK != 0
    }

    pub(super) fn encoding(&self) -> Result<Encoding, ChunkError> {
        Encoding::from_byte(self.encoding & !LATE_MASK)
    }
}

/// How many bytes a chunk takes at most.
pub(super) fn frame_bytes(data_len: usize) -> usize {
    FRAME_HEAD_BYTES + LENGTH_BYTES_MAX + data_len + CHECKSUM_BYTES
}

/// Appends a chunk.
pub(super) fn put_frame(out: &mut Vec<u8>, head: &FrameHead, data: &[u8]) {
    let begin = out.len();
    out.extend_from_slice(&head.series.to_be_bytes());
    out.extend_from_slice(&head.min_time.to_be_bytes());
    out.extend_from_slice(&head.max_time.to_be_bytes());
    out.push(head.encoding);
    put_uvarint(out, data.len() as u64);
    out.extend_from_slice(data);
    let crc = crc32c::crc32c(&out[begin..]);
    out.extend_from_slice(&crc.to_be_bytes());
}

/// How many bytes the chunk takes that begins with `bytes`; `None` where they don't tell.
pub(super) fn frame_len(bytes: &[u8]) -> Option<usize> {
    let mut cursor = Cursor::new(bytes.get(FRAME_HEAD_BYTES..)?);
    let len = cursor.uvarint_usize()?;
    (FRAME_HEAD_BYTES + cursor.position() + CHECKSUM_BYTES).checked_add(len)
}

/// A chunk whose checksum is right: its head and where in `bytes` its data is.
pub(super) fn check_frame(bytes: &[u8]) -> Result<(FrameHead, std::ops::Range<usize>), &'static str> {
    const SHORT: &str = "a chunk ends beyond the end of the file";
    let head = bytes.first_chunk().ok_or(SHORT)?;
    let mut cursor = Cursor::new(&bytes[FRAME_HEAD_BYTES..]);
    let len = cursor.uvarint_usize().ok_or(SHORT)?;
    let start = FRAME_HEAD_BYTES + cursor.position();
    cursor.bytes(len).ok_or(SHORT)?;
    let crc = cursor.be32().ok_or(SHORT)?;
    if crc32c::crc32c(&bytes[..start + len]) != crc {
        return Err("a chunk's checksum is wrong");
    }
    Ok((FrameHead::parse(head), start..start + len))
}

/// The chunk of a frame.
pub(super) fn chunk_of(head: &FrameHead, data: bytes::Bytes) -> Result<Chunk, ChunkError> {
    Ok(Chunk {
        min_time: Timestamp::from_ms(head.min_time),
        max_time: Timestamp::from_ms(head.max_time),
        encoding: head.encoding()?,
        data,
    })
}

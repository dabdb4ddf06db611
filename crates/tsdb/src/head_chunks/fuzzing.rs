//! Files of head chunks that lie in memory, for tests with damaged ones.

use bytes::Bytes;
use storage::chunk::{Chunk, ChunkError};

use super::format::{CHECKSUM_BYTES, FRAME_HEAD_BYTES, HEADER_BYTES, check_frame, chunk_of};
use super::load::scan_input;
use crate::binary::Cursor;

/// Where a file's first chunk begins.
pub(crate) const FIRST_CHUNK_AT: usize = HEADER_BYTES as usize;

/// Where the chunk at a place ends, its checksum included.
pub(crate) fn chunk_end(file: &[u8], at: usize) -> Option<usize> {
    let mut cursor = Cursor::new(file.get(at..)?);
    cursor.bytes(FRAME_HEAD_BYTES)?;
    let len = cursor.uvarint_usize()?;
    cursor.bytes(len)?;
    cursor.bytes(CHECKSUM_BYTES)?;
    Some(at + cursor.position())
}

/// Scans a file as a start does, then reads each chunk that was found and a few places where there is none. The answer is
/// whether the whole file was taken.
pub(crate) fn read_file(file: &Bytes, mut visit: impl FnMut(Result<Chunk, ChunkError>)) -> bool {
    let mut places = Vec::new();
    let scanned = scan_input(file.as_ref(), file.len() as u64, true, |_, offset| places.push(offset as usize));
    for place in &places {
        let frame = file.slice(*place..);
        let (head, data) = check_frame(&frame).expect("scanning found it whole");
        visit(chunk_of(&head, frame.slice(data)));
    }
    (0..file.len()).step_by(7).for_each(|at| drop(check_frame(&file[at..])));
    matches!(scanned, Ok(Ok(())))
}

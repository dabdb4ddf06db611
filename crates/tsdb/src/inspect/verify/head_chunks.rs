//! The mapped chunks of the head: `chunks_head/`. See `docs/format/head-chunks.md`.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use model::Timestamp;
use storage::chunk::{Chunk, ChunkError, Encoding};

use super::consequence::{ENCODING_UNKNOWN, HEAD_CHUNKS_DAMAGED, UNREADABLE_FILE};
use super::report::VerifyReport;
use crate::binary::Cursor;
use crate::inspect::progress::Progress;

const MAGIC: u32 = 0x0130_BC91;
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 8;
/// In the byte of the encoding: the samples came late.
const LATE_MASK: u8 = 0x80;

/// Checks every chunk of every file.
pub(super) fn check_head_chunks(dir: &Path, report: &mut VerifyReport, progress: &mut dyn Progress) {
    let mut numbers: Vec<u32> = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        numbers.extend(
            Some(name).filter(|name| name.bytes().all(|b| b.is_ascii_digit())).and_then(|n| n.parse::<u32>().ok()),
        );
    }
    numbers.sort_unstable();
    for pair in numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1) {
        report.add(HEAD_CHUNKS_DAMAGED, dir, None, format!("file {:06} follows {:06}", pair[1], pair[0]));
    }
    for (i, number) in numbers.iter().enumerate() {
        let path = dir.join(format!("{number:06}"));
        match fs::read(&path) {
            Ok(file) => {
                progress.begin("mapped chunks of the head", file.len() as u64);
                report.counts.bytes += file.len() as u64;
                progress.advance(file.len() as u64);
                check_file(&path, &file.into(), i + 1 == numbers.len(), report);
            }
            Err(error) => report.add(UNREADABLE_FILE, &path, None, error.to_string()),
        }
    }
}

fn check_file(path: &Path, file: &Bytes, is_last: bool, report: &mut VerifyReport) {
    if is_last && file.is_empty() {
        return; // made, and not written yet
    }
    let mut header = Cursor::new(file);
    if header.be32() != Some(MAGIC) || header.u8() != Some(VERSION) {
        return report.add(
            HEAD_CHUNKS_DAMAGED,
            path,
            0,
            format!("does not begin as a file of head chunks of version {VERSION}"),
        );
    }
    let mut at = HEADER_BYTES;
    while at < file.len() {
        // Files are made longer than their content; it is zeros from there on.
        if file[at..].iter().take(25).all(|byte| *byte == 0) && file[at..].iter().all(|byte| *byte == 0) {
            return;
        }
        match check_frame(path, file, at, report) {
            Ok(end) => at = end,
            // Nothing tells where the next one begins.
            Err(reason) => return report.add(HEAD_CHUNKS_DAMAGED, path, at as u64, reason),
        }
        report.counts.head_chunks += 1;
    }
}

/// Checks the chunk at an offset; tells where it ends.
fn check_frame(path: &Path, file: &Bytes, at: usize, report: &mut VerifyReport) -> Result<usize, &'static str> {
    let short = "a chunk ends beyond the end of the file";
    let mut cursor = Cursor::new(&file[at..]);
    let head = (|| {
        Some((cursor.be64()?, cursor.be64()? as i64, cursor.be64()? as i64, cursor.u8()?, cursor.uvarint_usize()?))
    })();
    let (_, min, max, encoding, len) = head.ok_or(short)?;
    let start = at + cursor.position();
    cursor.bytes(len).ok_or(short)?;
    let crc = cursor.be32().ok_or(short)?;
    if crc32c::crc32c(&file[at..start + len]) != crc {
        return Err("checksum of a chunk is wrong");
    }
    let end = at + cursor.position();
    let encoding = match Encoding::from_byte(encoding & !LATE_MASK) {
        Ok(encoding) => encoding,
        Err(error) => {
            report.add(ENCODING_UNKNOWN, path, at as u64, error.to_string());
            return Ok(end);
        }
    };
    let (min_time, max_time) = (Timestamp::from_ms(min), Timestamp::from_ms(max));
    let chunk = Chunk { min_time, max_time, encoding, data: file.slice(start..start + len) };
    match ends(&chunk) {
        Ok(found) if found == Some((min, max)) => {}
        Ok(found) => {
            let problem = match found {
                Some((first, last)) => format!("samples from {first} to {last}, said to be from {min} to {max}"),
                None => "a chunk without samples".to_owned(),
            };
            report.add(HEAD_CHUNKS_DAMAGED, path, at as u64, problem);
        }
        Err(error @ ChunkError::Unsupported { .. }) => report.add(ENCODING_UNKNOWN, path, at as u64, error.to_string()),
        Err(error) => report.add(HEAD_CHUNKS_DAMAGED, path, at as u64, format!("the checksum is right, but: {error}")),
    }
    Ok(end)
}

/// The times of the first and the last sample.
fn ends(chunk: &Chunk) -> Result<Option<(i64, i64)>, ChunkError> {
    let mut values = chunk.values();
    let mut ends: Option<(i64, i64)> = None;
    while let Some((time, _)) = values.next()? {
        ends = Some((ends.map_or(time, |(first, _)| first), time));
    }
    Ok(ends)
}

//! The chunk files of a block, compared with what the index says of them.

use std::path::Path;

use bytes::Bytes;
use model::{TimeRange, Timestamp};
use storage::chunk::{Chunk, ChunkError, Encoding};

use super::consequence::{
    BLOCK_UNUSABLE, CHUNK_TIMES, CHUNK_UNREADABLE, CHUNK_UNREFERENCED, ENCODING_UNKNOWN, UNREADABLE_FILE,
};
use super::content::{ChunkRef, IndexContent};
use super::report::VerifyReport;
use crate::binary::Cursor;
use crate::block::map_file;
use crate::chunks::{HEADER_BYTES, check_header, segment_name};
use crate::inspect::progress::Progress;

/// Checks every chunk, in the order in which they lie, and that each belongs to a series.
pub(super) fn check_chunks(
    dir: &Path,
    content: Option<&IndexContent>,
    range: TimeRange,
    report: &mut VerifyReport,
    progress: &mut dyn Progress,
) {
    let mut references: Vec<ChunkRef> = content.map(|content| content.chunks.clone()).unwrap_or_default();
    references.sort_unstable_by_key(|chunk| (chunk.segment, chunk.offset));
    let named = references.last().map_or(0, |chunk| chunk.segment + 1);
    for segment in 0.. {
        let path = dir.join(segment_name(segment + 1));
        if !path.exists() {
            // Readers stop at the first file that isn't there.
            if segment < named {
                let chunks = references.iter().filter(|chunk| chunk.segment >= segment).count();
                let problem = format!("is not there; {chunks} chunks should be in it or in files after it");
                report.add(CHUNK_UNREADABLE, &path, None, problem);
            }
            return;
        }
        let start = references.partition_point(|chunk| chunk.segment < segment);
        let end = references.partition_point(|chunk| chunk.segment <= segment);
        let wanted = content.is_some().then(|| &references[start..end]);
        check_segment(&path, wanted, range, report, progress);
    }
}

/// A chunk in a file.
struct Frame {
    encoding: u8,
    data: Bytes,
    end: usize,
}

/// The chunk at an offset.
fn frame(file: &Bytes, at: usize) -> Result<Frame, &'static str> {
    let mut cursor = Cursor::new(&file[at..]);
    let found = cursor.uvarint_usize().and_then(|len| {
        let start = at + cursor.position();
        Some((start, cursor.bytes(len.checked_add(1)?)?, cursor.be32()?))
    });
    let (start, checked, crc) = found.ok_or("a chunk ends beyond the end of the file")?;
    if crc32c::crc32c(checked) != crc {
        return Err("checksum of a chunk is wrong");
    }
    let data = file.slice(start + 1..start + checked.len());
    Ok(Frame { encoding: checked[0], data, end: at + cursor.position() })
}

fn check_segment(
    path: &Path,
    wanted: Option<&[ChunkRef]>,
    range: TimeRange,
    report: &mut VerifyReport,
    progress: &mut dyn Progress,
) {
    let file = match map_file(path) {
        Ok(file) => file,
        Err(error) => return report.add(UNREADABLE_FILE, path, None, error.to_string()),
    };
    report.counts.bytes += file.len() as u64;
    progress.begin("chunks", file.len() as u64);
    if let Err(error) = check_header(&file) {
        report.add(BLOCK_UNUSABLE, path, error.offset, error.reason);
    }
    let mut left = wanted.unwrap_or_default();
    let mut at = HEADER_BYTES;
    while at < file.len() {
        let begin = at;
        // References that point between chunks.
        while let Some(first) = left.first().filter(|first| (first.offset as usize) < at) {
            report.add(CHUNK_UNREADABLE, path, u64::from(first.offset), not_a_chunk(first));
            left = &left[1..];
        }
        let here: Option<&ChunkRef> = left.first().filter(|first| first.offset as usize == at);
        match frame(&file, at) {
            Ok(found) => {
                report.counts.chunks += 1;
                at = found.end;
                if wanted.is_some() && here.is_none() {
                    report.add(CHUNK_UNREFERENCED, path, begin as u64, "no series has this chunk");
                }
                check_samples(path, begin as u64, found, here, range, report);
            }
            Err(reason) => {
                report.add(CHUNK_UNREADABLE, path, begin as u64, reason);
                // The length may be wrong as well: the index tells where the next chunk begins.
                let next = left.iter().find(|chunk| chunk.offset as usize > at);
                at = next.map_or(file.len(), |chunk| chunk.offset as usize);
            }
        }
        if let Some(here) = here {
            left = &left[1..];
            if let Some(twice) = left.first().filter(|next| next.offset == here.offset) {
                let problem =
                    format!("two series have this chunk: at {} and {} of the index", here.series_at, twice.series_at);
                report.add(CHUNK_TIMES, path, begin as u64, problem);
                left = &left[1..];
            }
        }
        progress.advance((at.min(file.len()) - begin) as u64);
    }
    for reference in left {
        report.add(CHUNK_UNREADABLE, path, u64::from(reference.offset), not_a_chunk(reference));
    }
}

fn not_a_chunk(reference: &ChunkRef) -> String {
    format!("the series at {} of the index has a chunk here, but none begins here", reference.series_at)
}

/// The samples of a chunk: that all can be decoded, in order, within the chunk's and the block's times.
fn check_samples(
    path: &Path,
    at: u64,
    found: Frame,
    reference: Option<&ChunkRef>,
    range: TimeRange,
    report: &mut VerifyReport,
) {
    let encoding = match Encoding::from_byte(found.encoding) {
        Ok(encoding) => encoding,
        Err(error) => return report.add(ENCODING_UNKNOWN, path, at, error.to_string()),
    };
    let ms = Timestamp::from_ms;
    let chunk = Chunk { min_time: ms(i64::MIN), max_time: ms(i64::MAX), encoding, data: found.data };
    let read = match sample_times(&chunk) {
        Ok(read) => read,
        Err(error @ ChunkError::Unsupported { .. }) => {
            return report.add(ENCODING_UNKNOWN, path, at, error.to_string());
        }
        Err(error) => {
            return report.add(CHUNK_UNREADABLE, path, at, format!("the checksum is right, but: {error}"));
        }
    };
    report.counts.samples += read.count;
    if read.unordered > 0 {
        let problem = format!("{} of {} samples are not after the one before them", read.unordered, read.count);
        report.add(CHUNK_TIMES, path, at, problem);
    }
    let Some((first, last)) = read.ends else { return report.add(CHUNK_TIMES, path, at, "a chunk without samples") };
    if let Some(told) = reference.filter(|told| (told.min_time, told.max_time) != (first, last)) {
        let problem =
            format!("samples from {first} to {last}, but the index says from {} to {}", told.min_time, told.max_time);
        report.add(CHUNK_TIMES, path, at, problem);
    }
    if !range.contains(ms(first)) || !range.contains(ms(last)) {
        let (min, max) = (range.min.as_ms(), range.max.as_ms());
        let problem = format!("samples from {first} to {last}, but the block says from {min} to {max}");
        report.add(CHUNK_TIMES, path, at, problem);
    }
}

struct SampleTimes {
    count: u64,
    unordered: u64,
    ends: Option<(i64, i64)>,
}

fn sample_times(chunk: &Chunk) -> Result<SampleTimes, ChunkError> {
    let mut read = SampleTimes { count: 0, unordered: 0, ends: None };
    let mut values = chunk.values();
    while let Some((time, _)) = values.next()? {
        read.count += 1;
        read.unordered += u64::from(read.ends.is_some_and(|(_, last)| time <= last));
        read.ends = Some((read.ends.map_or(time, |(first, _)| first), time));
    }
    Ok(read)
}

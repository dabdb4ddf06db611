//! Reading the files at start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::file::{file_path, list_files};
use super::format::{
    CHECKSUM_BYTES, ChunkPlace, FRAME_HEAD_BYTES, FrameHead, HEADER_BYTES, LENGTH_BYTES_MAX, check_frame, file_header,
};
use super::store::HeadChunks;

/// Prometheus makes its files this long before it writes to them: a complete one of this length may end in zeros.
const FILLED_FILE_BYTES: u64 = 128 << 10;

/// A chunk that was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadedChunk {
    pub(crate) series: u64,
    pub(crate) place: ChunkPlace,
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    /// Whether its samples came late, so that it may overlap with others.
    pub(crate) late: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct LoadedChunks {
    /// By series, those of one in the order in which they were written.
    found: Vec<LoadedChunk>,
    late_places: HashSet<ChunkPlace, FixedState>,
    /// The highest number of a series in any chunk, 0 where there is none.
    pub(crate) last_series: u64,
    /// How many chunks were found.
    pub(crate) chunks: u64,
    /// Places that could not be read. Everything behind the first was dropped.
    pub(crate) damages: u64,
    /// Chunks in encodings that we don't read.
    pub(crate) refused: u64,
    refused_series: HashSet<u64, FixedState>,
    /// Whether a chunk was left out because a block has a part of it.
    cut_through: bool,
}

impl LoadedChunks {
    /// The chunks by series, those of one in the order in which they were written; nothing the next time.
    pub(crate) fn take(&mut self) -> Vec<LoadedChunk> {
        std::mem::take(&mut self.found)
    }

    /// Whether a late chunk was found at this place.
    pub(crate) fn is_late(&self, place: ChunkPlace) -> bool {
        self.late_places.contains(&place)
    }

    /// Whether all that is in no block was taken in.
    pub(crate) fn is_whole(&self) -> bool {
        self.damages == 0 && self.refused == 0 && !self.cut_through
    }

    fn add(&mut self, head: &FrameHead, place: ChunkPlace, min_valid: i64) {
        self.last_series = self.last_series.max(head.series);
        let late = head.is_late();
        if !late && head.min_time < min_valid {
            // In a block, or a cut went through it: the log has what lies behind the cut, and what lies before it may have been
            // deleted from the block since.
            self.cut_through |= head.max_time >= min_valid;
            return;
        }
        // With one chunk left out, the later ones would make replay skip what only the log has.
        if head.encoding().is_err() || (!late && self.refused_series.contains(&head.series)) {
            self.refused += 1;
            self.refused_series.insert(head.series);
            return;
        }
        self.chunks += 1;
        let (min_time, max_time) = (head.min_time, head.max_time);
        self.found.push(LoadedChunk { series: head.series, place, min_time, max_time, late });
        if late {
            self.late_places.insert(place);
        }
    }
}

/// Opens the files in `dir`, which is made if it isn't there. Chunks that begin before `min_valid` are in blocks, or the log has
/// the rest of them: they are left out, late ones excepted. At the first damage the file is cut there and later files are
/// deleted: the log has what they had.
pub(crate) fn open(dir: &Path, min_valid: i64) -> io::Result<(HeadChunks, LoadedChunks)> {
    fs::create_dir_all(dir)?;
    let mut numbers = list_files(dir)?;
    let mut loaded = LoadedChunks::default();
    for at in 0..numbers.len() {
        let is_last = at + 1 == numbers.len();
        let gap = at > 0 && numbers[at] != numbers[at - 1] + 1;
        let path = file_path(dir, numbers[at]);
        let end = if gap {
            Err((0, "the file before it is missing"))
        } else {
            scan(&path, is_last, |head, offset| loaded.add(head, ChunkPlace::new(numbers[at], offset), min_valid))?
        };
        let Err((offset, reason)) = end else { continue };
        loaded.damages += 1;
        tracing::warn!(
            file = %path.display(), offset, reason, files_deleted = numbers.len() - at - 1,
            "damaged head chunks: what follows is dropped and taken from the write-ahead log"
        );
        let keep = cut(&path, offset)?;
        for number in &numbers[at + 1..] {
            fs::remove_file(file_path(dir, *number))?;
        }
        numbers.truncate(at + usize::from(keep));
        break;
    }
    loaded.found.sort_by_key(|chunk| chunk.series); // stable
    Ok((HeadChunks::new(dir, &numbers)?, loaded))
}

/// Cuts a file off; tells whether anything of it is left.
fn cut(path: &Path, offset: u64) -> io::Result<bool> {
    if offset <= u64::from(HEADER_BYTES) {
        return fs::remove_file(path).map(|()| false);
    }
    OpenOptions::new().write(true).open(path)?.set_len(offset).map(|()| true)
}

/// Where a file can't be read any more, and why.
pub(super) type Damage = (u64, &'static str);

/// Visits the chunks of a file, in memory for one chunk.
fn scan(path: &Path, is_last: bool, visit: impl FnMut(&FrameHead, u32)) -> io::Result<Result<(), Damage>> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    scan_input(BufReader::with_capacity(256 << 10, file), len, is_last, visit)
}

/// The same where the file's `len` bytes come from `input`.
pub(super) fn scan_input(
    mut input: impl BufRead,
    len: u64,
    is_last: bool,
    mut visit: impl FnMut(&FrameHead, u32),
) -> io::Result<Result<(), Damage>> {
    if len < u64::from(HEADER_BYTES) {
        return Ok(Err((0, "the file is shorter than its header")));
    }
    let mut header = [0; HEADER_BYTES as usize];
    input.read_exact(&mut header)?;
    if header[..5] != file_header()[..5] {
        return Ok(Err((0, "the file does not begin as one of head chunks, or its version is not 1")));
    }
    let mut at = u64::from(HEADER_BYTES);
    let mut frame = Vec::new();
    while at < len {
        let left = len - at;
        match read_frame(&mut input, left, &mut frame)? {
            Frame::Chunk => {}
            Frame::End => {
                let zeros = input.bytes().all(|byte| byte.is_ok_and(|byte| byte == 0));
                let is_filling = zeros && (is_last || len == FILLED_FILE_BYTES);
                return Ok(if is_filling { Ok(()) } else { Err((at, "a part of the file was never written")) });
            }
            Frame::Damaged(reason) => return Ok(Err((at, reason))),
        }
        let (head, _) = match check_frame(&frame) {
            Ok(checked) => checked,
            Err(reason) => return Ok(Err((at, reason))),
        };
        let Ok(offset) = u32::try_from(at) else { return Ok(Err((at, "the file is longer than 4 GiB"))) };
        visit(&head, offset);
        at += frame.len() as u64;
    }
    Ok(Ok(()))
}

enum Frame {
    Chunk,
    End,
    Damaged(&'static str),
}

/// Reads the bytes of a chunk. Asks for no more memory than the file has bytes left.
fn read_frame(input: &mut impl Read, left: u64, frame: &mut Vec<u8>) -> io::Result<Frame> {
    const SHORT: Frame = Frame::Damaged("the file ends in the middle of a chunk");
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    let head_bytes = FRAME_HEAD_BYTES.min(left);
    frame.clear();
    frame.resize(head_bytes, 0);
    input.read_exact(frame)?;
    let Some(head) = frame.first_chunk() else {
        return Ok(if frame.iter().all(|byte| *byte == 0) { Frame::End } else { SHORT });
    };
    if FrameHead::parse(head).is_end() {
        return Ok(Frame::End);
    }
    let (mut data_len, mut byte) = (0_usize, [0x80]);
    for i in 0..LENGTH_BYTES_MAX {
        if byte[0] < 0x80 {
            break;
        }
        if frame.len() >= left {
            return Ok(SHORT);
        }
        input.read_exact(&mut byte)?;
        frame.push(byte[0]);
        data_len |= usize::from(byte[0] & 0x7f) << (7 * i);
    }
    if byte[0] >= 0x80 {
        return Ok(Frame::Damaged("a chunk's length is broken"));
    }
    let (start, rest) = (frame.len(), data_len + CHECKSUM_BYTES);
    if rest > left - start {
        return Ok(SHORT);
    }
    frame.resize(start + rest, 0);
    input.read_exact(&mut frame[start..])?;
    Ok(Frame::Chunk)
}

//! Taking full chunks in, writing them, reading them back.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use storage::chunk::{Chunk, ChunkError, Encoding};

use super::file::{ChunkFile, file_path};
use super::format::{
    ChunkPlace, FILE_BYTES_MAX, FrameHead, HEADER_BYTES, check_frame, chunk_of, file_header, frame_bytes, put_frame,
};
use crate::durable;
use crate::failpoint;

/// So many bytes may wait before a commit writes them itself.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// Why a chunk can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadChunkError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}, offset {offset}: {reason}")]
    Corrupt { path: PathBuf, offset: u32, reason: &'static str },
    #[error("{path}, offset {offset}: {source}")]
    Encoding { path: PathBuf, offset: u32, source: ChunkError },
}

/// A chunk that is full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewChunk<'a> {
    /// The series' number in the log.
    pub(crate) series: u64,
    /// The times of the first and the last sample.
    pub(crate) range: (i64, i64),
    pub(crate) encoding: Encoding,
    /// Whether its samples came late, so that it may overlap with others.
    pub(crate) late: bool,
    pub(crate) data: &'a [u8],
}

/// The files of one head.
#[derive(Debug)]
pub(crate) struct HeadChunks {
    dir: PathBuf,
    /// Held by whoever writes or deletes files.
    flushing: Mutex<()>,
    files: RwLock<BTreeMap<u32, ChunkFile>>,
    tail: Mutex<Tail>,
    /// What lies before this place is in the files.
    flushed: AtomicU64,
}

/// Where the next chunk goes, and what is not written yet.
#[derive(Debug)]
struct Tail {
    /// The number of the newest file, which may not exist yet; 0 before the first.
    file: u32,
    /// The next chunk begins a new file.
    file_is_over: bool,
    /// Where `buffer` begins in the file.
    start: u32,
    buffer: Vec<u8>,
    /// Parts that are handed over to be written, oldest first.
    parts: VecDeque<Part>,
}

/// Bytes that belong at a place.
#[derive(Debug, Clone)]
struct Part {
    file: u32,
    start: u32,
    bytes: Bytes,
}

impl Part {
    fn end(&self) -> ChunkPlace {
        ChunkPlace::new(self.file, self.start + self.bytes.len() as u32)
    }

    fn from(&self, place: ChunkPlace) -> Option<Bytes> {
        let at = place.offset().checked_sub(self.start)? as usize;
        (self.file == place.file() && at < self.bytes.len()).then(|| self.bytes.slice(at..))
    }
}

impl Tail {
    fn next_offset(&self) -> u32 {
        self.start + self.buffer.len() as u32
    }

    /// Hands the buffer over to be written.
    fn seal(&mut self) {
        if !self.buffer.is_empty() {
            let (file, start) = (self.file, self.start);
            self.start = self.next_offset();
            self.parts.push_back(Part { file, start, bytes: std::mem::take(&mut self.buffer).into() });
        }
    }

    fn begin_file(&mut self) {
        self.seal();
        self.file += 1;
        self.file_is_over = false;
        self.start = 0;
        self.buffer.extend_from_slice(&file_header());
    }

    fn waiting_bytes(&self) -> usize {
        self.buffer.len() + self.parts.iter().map(|part| part.bytes.len()).sum::<usize>()
    }

    /// The bytes from a place on, if they are here.
    fn from(&self, place: ChunkPlace) -> Option<Bytes> {
        if place.file() == self.file && place.offset() >= self.start {
            let at = (place.offset() - self.start) as usize;
            // One chunk is copied, not all that follow; its length is not known here, so it is found by checking it.
            let (_, data) = check_frame(self.buffer.get(at..)?).ok()?;
            let end = at + data.end + super::format::CHECKSUM_BYTES;
            return Some(Bytes::copy_from_slice(&self.buffer[at..end]));
        }
        self.parts.iter().find_map(|part| part.from(place))
    }
}

impl HeadChunks {
    /// Over the files in `dir` with these numbers, which have been loaded; the next chunk begins a new file.
    pub(super) fn new(dir: &Path, numbers: &[u32]) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for number in numbers {
            files.insert(*number, ChunkFile::open(&file_path(dir, *number))?);
        }
        let file = numbers.last().copied().unwrap_or(0);
        let tail = Tail { file, file_is_over: true, start: 0, buffer: Vec::new(), parts: VecDeque::new() };
        let flushed = AtomicU64::new(ChunkPlace::new(file, u32::MAX).as_u64());
        let (flushing, files) = (Mutex::new(()), RwLock::new(files));
        Ok(HeadChunks { dir: dir.to_owned(), flushing, files, tail: Mutex::new(tail), flushed })
    }

    /// Takes a chunk and tells its place, which can be read from now on. Costs a copy of the bytes.
    pub(crate) fn append(&self, chunk: NewChunk<'_>) -> ChunkPlace {
        let mut tail = self.tail.lock();
        let need = frame_bytes(chunk.data.len()) as u64;
        if tail.file_is_over || u64::from(tail.next_offset()) + need > u64::from(FILE_BYTES_MAX) {
            tail.begin_file();
        }
        let place = ChunkPlace::new(tail.file, tail.next_offset());
        let head = FrameHead::new(chunk.series, chunk.range, chunk.encoding, chunk.late);
        put_frame(&mut tail.buffer, &head, chunk.data);
        place
    }

    /// Whether so much waits that a commit, which holds no lock, should write it.
    pub(crate) fn wants_flush(&self) -> bool {
        self.tail.lock().waiting_bytes() >= WAITING_BYTES_MAX
    }

    /// Writes what waits, in one call where it goes into one file. After a failure it waits on and can be read.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let _alone = self.flushing.lock();
        self.flush_alone()
    }

    /// Writes what waits and syncs it; the answer is the newest file, 0 where there is none, and its length.
    pub(crate) fn sync(&self) -> io::Result<(u32, u64)> {
        let _alone = self.flushing.lock();
        self.flush_alone()?;
        let files = self.files.read();
        let Some((number, newest)) = files.last_key_value() else { return Ok((0, 0)) };
        newest.sync()?;
        durable::sync_dir(&self.dir)?;
        Ok((*number, std::fs::metadata(file_path(&self.dir, *number))?.len()))
    }

    fn flush_alone(&self) -> io::Result<()> {
        self.tail.lock().seal();
        loop {
            let Some(part) = self.tail.lock().parts.front().cloned() else { return Ok(()) };
            self.write(&part)?;
            let mut tail = self.tail.lock();
            self.flushed.store(part.end().as_u64(), Ordering::Release);
            tail.parts.pop_front();
        }
    }

    fn write(&self, part: &Part) -> io::Result<()> {
        if !self.files.read().contains_key(&part.file) {
            // A complete file is on disk before the next one is there: a power cut takes an end, never a middle.
            if let Some((_, last)) = self.files.read().last_key_value() {
                last.sync()?;
            }
            failpoint::pass("head_chunks.file.before")?;
            let file = ChunkFile::create(&file_path(&self.dir, part.file))?;
            self.files.write().insert(part.file, file);
        }
        let files = self.files.read();
        let file = files.get(&part.file).ok_or_else(|| io::Error::other("the file was deleted"))?;
        file.write_at(&part.bytes, part.start)
    }

    /// For reading chunks. While it lives, no file goes away.
    pub(crate) fn reader(&self) -> ChunkReader<'_> {
        // Recursive: a writer that waits for a long selection must not make all others wait behind it.
        ChunkReader { store: self, files: self.files.read_recursive(), copies: false }
    }

    /// The same for whoever reads every chunk once: no page stays in memory.
    pub(crate) fn copier(&self) -> ChunkReader<'_> {
        ChunkReader { copies: true, ..self.reader() }
    }

    /// Deletes the files before `file`, except the newest, and lets the next chunk begin a new one. Nobody may remember a place
    /// in them.
    pub(crate) fn delete_before(&self, file: u32) -> io::Result<()> {
        let _alone = self.flushing.lock();
        self.flush_alone()?;
        {
            let mut tail = self.tail.lock();
            tail.file_is_over |= tail.next_offset() > HEADER_BYTES;
        }
        // Ascending, so that a failure leaves no gap: Prometheus refuses a folder with one. The newest stays, and with it
        // the count of the files.
        let doomed: Vec<u32> = {
            let files = self.files.read();
            let newest = files.keys().last().copied().unwrap_or(0);
            files.range(..file.min(newest)).map(|(number, _)| *number).collect()
        };
        for number in doomed {
            failpoint::pass("head_chunks.delete.before")?;
            std::fs::remove_file(file_path(&self.dir, number))?;
            self.files.write().remove(&number);
        }
        failpoint::pass("head_chunks.delete.after")
    }

    /// Lets go of the memory that reading has taken.
    pub(crate) fn forget_pages(&self) {
        self.files.read().values().for_each(ChunkFile::forget_pages);
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Reads chunks.
pub(crate) struct ChunkReader<'a> {
    store: &'a HeadChunks,
    files: RwLockReadGuard<'a, BTreeMap<u32, ChunkFile>>,
    copies: bool,
}

impl ChunkReader<'_> {
    /// The chunk at a place that [`HeadChunks::append`] or loading has told. Its checksum is verified.
    pub(crate) fn read(&self, place: ChunkPlace) -> Result<Chunk, HeadChunkError> {
        let bytes = self.bytes(place)?;
        let path = || file_path(&self.store.dir, place.file());
        let offset = place.offset();
        let (head, data) =
            check_frame(&bytes).map_err(|reason| HeadChunkError::Corrupt { path: path(), offset, reason })?;
        chunk_of(&head, bytes.slice(data)).map_err(|source| HeadChunkError::Encoding { path: path(), offset, source })
    }

    fn bytes(&self, place: ChunkPlace) -> Result<Bytes, HeadChunkError> {
        let path = || file_path(&self.store.dir, place.file());
        let failed = |source| HeadChunkError::Io { path: path(), source };
        if place.as_u64() >= self.store.flushed.load(Ordering::Acquire)
            && let Some(bytes) = self.store.tail.lock().from(place)
        {
            return Ok(bytes);
        }
        let missing = HeadChunkError::Corrupt { path: path(), offset: place.offset(), reason: "the file is not there" };
        let file = self.files.get(&place.file()).ok_or(missing)?;
        if self.copies { file.copy(place.offset()) } else { file.from(place.offset()) }.map_err(failed)
    }
}

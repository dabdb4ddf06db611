//! One file of head chunks, and the folder of them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use memmap2::{Mmap, MmapOptions, UncheckedAdvice};

use super::format::{FILE_BYTES_MAX, frame_len};
use crate::failpoint;

/// So many bytes have nearly every chunk of floats; a second read gets the rest of the others.
const CHUNK_BYTES_EXPECTED: usize = 512;

/// The path of a file.
pub(super) fn file_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:06}"))
}

/// The numbers of the files in a folder, ascending; other files are none of our business.
pub(super) fn list_files(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let digits = name.to_str().filter(|name| name.bytes().all(|b| b.is_ascii_digit()));
        numbers.extend(digits.and_then(|digits| digits.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

struct Mapping(Arc<Mmap>);

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// An open file, mapped when it is first read.
#[derive(Debug)]
pub(super) struct ChunkFile {
    file: File,
    /// So many bytes of it may be touched.
    written: AtomicU64,
    map: OnceLock<(Arc<Mmap>, Bytes)>,
}

impl ChunkFile {
    /// Makes a file that isn't there, or opens the one that a failed write left.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(ChunkFile { file, written: AtomicU64::new(0), map: OnceLock::new() })
    }

    /// Opens a file that is complete.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let written = AtomicU64::new(file.metadata()?.len());
        Ok(ChunkFile { file, written, map: OnceLock::new() })
    }

    /// Writes at a place; a repetition after a failure does no harm.
    pub(super) fn write_at(&self, bytes: &[u8], offset: u32) -> io::Result<()> {
        failpoint::write("head_chunks.write", bytes, |bytes| self.file.write_all_at(bytes, u64::from(offset)))?;
        self.written.fetch_max(u64::from(offset) + bytes.len() as u64, Ordering::Release);
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn written(&self) -> usize {
        usize::try_from(self.written.load(Ordering::Acquire)).unwrap_or(usize::MAX)
    }

    /// A copy of the chunk at an offset, of as much as there is of it. Mapped pages would stay in memory.
    pub(super) fn copy(&self, offset: u32) -> io::Result<Bytes> {
        let left = self.written().saturating_sub(offset as usize);
        let mut frame = vec![0; left.min(CHUNK_BYTES_EXPECTED)];
        self.file.read_exact_at(&mut frame, offset.into())?;
        let (read, len) = (frame.len(), frame_len(&frame).unwrap_or(0).min(left));
        frame.resize(len, 0);
        if len > read {
            self.file.read_exact_at(&mut frame[read..], u64::from(offset) + read as u64)?;
        }
        Ok(frame.into())
    }

    /// What is in the file from an offset on; nothing where it ends before.
    pub(super) fn from(&self, offset: u32) -> io::Result<Bytes> {
        let written = self.written();
        let (_, bytes) = match self.map.get() {
            Some(map) => map,
            None => self.map_file()?,
        };
        let end = written.min(bytes.len());
        Ok(bytes.slice(end.min(offset as usize)..end))
    }

    fn map_file(&self) -> io::Result<&(Arc<Mmap>, Bytes)> {
        let len = self.written.load(Ordering::Acquire).max(u64::from(FILE_BYTES_MAX));
        let len = usize::try_from(len).map_err(|_| io::Error::other("the file exceeds the address space"))?;
        #[expect(unsafe_code, reason = "mapping is how chunks are read without a copy of them in our memory")]
        // SAFETY: this process alone writes to the file (the data directory is locked), and only behind what has been read
        // from it; it is never cut while it is open, and deleting it leaves a mapping valid. The mapping is longer than the
        // file, which grows; `from` hands out only what is `written`.
        let map = Arc::new(unsafe { MmapOptions::new().len(len).map(&self.file)? });
        let bytes = Bytes::from_owner(Mapping(Arc::clone(&map)));
        Ok(self.map.get_or_init(|| (map, bytes)))
    }

    /// Lets go of the pages that reading has brought in. They stay in the system's cache and come back when they are touched.
    pub(super) fn forget_pages(&self) {
        let Some((map, _)) = self.map.get() else { return };
        #[expect(unsafe_code, reason = "mapped pages count as resident memory until they are let go")]
        // SAFETY: the mapping is shared and read only, so its pages are those of the file and are read from there again.
        let result = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
        if let Err(error) = result {
            tracing::debug!(%error, "cannot let go of mapped pages");
        }
    }
}

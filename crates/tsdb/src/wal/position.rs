//! A moment of a log: where it ended then.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::format::PAGE_BYTES;
use super::segments::segment_path;

/// A segment, and how much of it was written. Later moments are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogPosition {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

impl LogPosition {
    /// Whether reading can begin here: records before and after it share no page.
    pub(crate) fn is_between_pages(self) -> bool {
        self.offset.is_multiple_of(PAGE_BYTES as u64)
    }

    /// The checksum of the page in front of it in the log in `dir`, by which a log is known again; `None` where the log ends
    /// before. At the beginning of a segment it is 0.
    pub(crate) fn page_checksum(self, dir: &Path) -> io::Result<Option<u32>> {
        let mut file = match File::open(segment_path(dir, self.segment)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        if file.metadata()?.len() < self.offset {
            return Ok(None);
        }
        let Some(start) = self.offset.checked_sub(PAGE_BYTES as u64) else { return Ok(Some(0)) };
        file.seek(SeekFrom::Start(start))?;
        let mut page = vec![0; PAGE_BYTES];
        file.read_exact(&mut page)?;
        Ok(Some(crc32c::crc32c(&page)))
    }
}

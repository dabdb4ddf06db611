//! Writing records into segments.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::format::{
    FIRST, FRAGMENT_HEADER_BYTES, FULL, LAST, MIDDLE, PAGE_BYTES, SNAPPY_FLAG, WalCompression, ZSTD_FLAG,
};
use super::segments::segment_path;
use crate::failpoint;

/// Level 3 makes records of scrapes 3 % smaller and takes half as much CPU again.
const ZSTD_LEVEL: i32 = 1;

/// Collects records and writes them, segment after segment, into a folder. What waits between two calls of `flush` is a
/// batch: it goes into one segment with one `write`, or nothing of it does.
pub(super) struct SegmentWriter {
    dir: PathBuf,
    file: File,
    index: u64,
    /// Bytes of the segment that are written.
    position: u64,
    segment_bytes: u64,
    compression: WalCompression,
    batch: Vec<Waiting>,
    /// What the records of the batch come to, compressed where that pays.
    data: Vec<u8>,
    /// The batch in fragments; kept for its room.
    fragments: Vec<u8>,
    snappy: snap::raw::Encoder,
    /// Made once: it costs more than compressing a record.
    zstd: Option<zstd::bulk::Compressor<'static>>,
    /// Segments that were left behind and are not synced yet.
    unsynced: Vec<File>,
    /// A failed write left bytes behind that could not be cut off: go on in a new segment.
    spoiled: bool,
}

/// A record that waits for `flush`.
struct Waiting {
    /// Its end in the batch's data.
    end: usize,
    /// How it is compressed.
    flag: u8,
}

fn create_segment(dir: &Path, index: u64) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(segment_path(dir, index))
}

impl SegmentWriter {
    /// Begins a new segment `index` in `dir`. Segments hold at least one page.
    pub(super) fn create(dir: &Path, index: u64, segment_bytes: u64, compression: WalCompression) -> io::Result<Self> {
        let pages = (segment_bytes / PAGE_BYTES as u64).max(1);
        let zstd = match compression {
            WalCompression::Zstd => Some(zstd::bulk::Compressor::new(ZSTD_LEVEL)?),
            WalCompression::None | WalCompression::Snappy => None,
        };
        Ok(SegmentWriter {
            dir: dir.to_owned(),
            file: create_segment(dir, index)?,
            index,
            position: 0,
            segment_bytes: pages * PAGE_BYTES as u64,
            compression,
            batch: Vec::new(),
            data: Vec::new(),
            fragments: Vec::new(),
            snappy: snap::raw::Encoder::new(),
            zstd,
            unsynced: Vec::new(),
            spoiled: false,
        })
    }

    /// The number of the segment that is written to.
    pub(super) fn index(&self) -> u64 {
        self.index
    }

    /// How much of the segment is written, in bytes.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The file that is written to.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// How many bytes wait for `flush`, before they are split into fragments.
    pub(super) fn pending_bytes(&self) -> usize {
        self.data.len()
    }

    /// Adds a record to the batch.
    pub(super) fn add(&mut self, record: &[u8]) -> io::Result<()> {
        let start = self.data.len();
        let mut flag = self.compress(record)?;
        if flag == 0 || self.data.len() - start >= record.len() {
            self.data.truncate(start);
            self.data.extend_from_slice(record);
            flag = 0;
        }
        self.batch.push(Waiting { end: self.data.len(), flag });
        Ok(())
    }

    /// Compresses to the end of the batch's data; the answer is the flag for it, 0 for no compression.
    fn compress(&mut self, record: &[u8]) -> io::Result<u8> {
        let start = self.data.len();
        match (self.compression, &mut self.zstd) {
            (WalCompression::Snappy, _) => {
                self.data.resize(start + snap::raw::max_compress_len(record.len()), 0);
                let len = self.snappy.compress(record, &mut self.data[start..]).map_err(io::Error::other)?;
                self.data.truncate(start + len);
                Ok(SNAPPY_FLAG)
            }
            (WalCompression::Zstd, Some(zstd)) => {
                self.data.resize(start + zstd::zstd_safe::compress_bound(record.len()), 0);
                let len = zstd.compress_to_buffer(record, &mut self.data[start..])?;
                self.data.truncate(start + len);
                Ok(ZSTD_FLAG)
            }
            (WalCompression::None, _) | (WalCompression::Zstd, None) => Ok(0),
        }
    }

    /// Writes the batch in one call; the answer is how many bytes that were. A batch that doesn't fit into the segment begins
    /// a new one, and is there as a whole even if it is longer than a segment should be. After a failure nothing of it is in
    /// the log, and the next batch finds the log as this one found it.
    pub(super) fn flush(&mut self) -> io::Result<usize> {
        if self.batch.is_empty() {
            return Ok(0);
        }
        let result = self.write_batch();
        self.discard();
        result
    }

    fn write_batch(&mut self) -> io::Result<usize> {
        let is_full = self.position > 0 && self.bytes_bound() > self.segment_bytes.saturating_sub(self.position);
        if is_full || self.spoiled {
            self.next_segment()?;
        }
        let Self { batch, data, fragments, position, .. } = self;
        fragments.clear();
        let mut start = 0;
        for Waiting { end, flag } in batch.iter() {
            put_fragments(fragments, *position, &data[start..*end], *flag);
            start = *end;
        }
        let file = &mut self.file;
        let written = failpoint::write("wal.write", &self.fragments, |bytes| file.write_all(bytes));
        match written {
            Ok(()) => self.position += self.fragments.len() as u64,
            Err(_) => self.spoiled = self.cut_back().is_err(),
        }
        written.map(|()| self.fragments.len())
    }

    /// An upper bound of what the batch takes, headers and filling included.
    fn bytes_bound(&self) -> u64 {
        let fragments = self.data.len() / (PAGE_BYTES - FRAGMENT_HEADER_BYTES) + 2 * self.batch.len();
        (self.data.len() + (fragments + 1) * FRAGMENT_HEADER_BYTES) as u64
    }

    fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.position)?;
        self.file.seek(SeekFrom::Start(self.position)).map(|_| ())
    }

    /// Takes back the last batch that was written, which had so many bytes.
    pub(super) fn take_back(&mut self, bytes: usize) -> io::Result<()> {
        self.position = self.position.saturating_sub(bytes as u64);
        let cut = self.cut_back();
        self.spoiled |= cut.is_err();
        cut
    }

    /// Forgets the batch.
    pub(super) fn discard(&mut self) {
        self.batch.clear();
        self.data.clear();
    }

    fn fill_page(&mut self) -> io::Result<()> {
        let over = self.position as usize % PAGE_BYTES;
        if over == 0 || self.spoiled {
            return Ok(());
        }
        let filling = vec![0; PAGE_BYTES - over];
        let filled = self.file.write_all(&filling);
        match filled {
            Ok(()) => self.position += filling.len() as u64,
            Err(_) => self.spoiled = self.cut_back().is_err(),
        }
        filled
    }

    /// Fills the last page up, so that what follows can be read from there on.
    pub(super) fn end_page(&mut self) -> io::Result<()> {
        if self.spoiled { self.next_segment() } else { self.fill_page() }
    }

    /// Begins the next segment; fills the last page up, as Prometheus does. A batch that waits goes into the new one.
    pub(super) fn next_segment(&mut self) -> io::Result<()> {
        // A reader fills the last page up by itself where this fails, as it does after a kill.
        let _ = self.fill_page();
        failpoint::pass("wal.segment.before")?;
        let file = create_segment(&self.dir, self.index + 1)?;
        self.unsynced.push(std::mem::replace(&mut self.file, file));
        self.index += 1;
        self.position = 0;
        self.spoiled = false;
        failpoint::pass("wal.segment.after")
    }

    /// Takes the segments that are complete and not synced yet.
    pub(super) fn take_unsynced(&mut self) -> Vec<File> {
        std::mem::take(&mut self.unsynced)
    }

    /// Takes segments back that could not be synced.
    pub(super) fn give_back(&mut self, unsynced: Vec<File>) {
        self.unsynced.extend(unsynced);
    }

    /// Writes what waits and syncs everything to disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        while let Some(file) = self.unsynced.last() {
            file.sync_all()?;
            self.unsynced.pop();
        }
        self.file.sync_all()
    }
}

/// Appends a record in fragments to `out`, which will be written at `position`.
fn put_fragments(out: &mut Vec<u8>, position: u64, data: &[u8], flag: u8) {
    let (mut rest, mut first) = (data, true);
    loop {
        let mut room = PAGE_BYTES - (position as usize + out.len()) % PAGE_BYTES;
        if room < FRAGMENT_HEADER_BYTES + 1 {
            out.resize(out.len() + room, 0);
            room = PAGE_BYTES;
        }
        let (part, tail) = rest.split_at(rest.len().min(room - FRAGMENT_HEADER_BYTES));
        let kind = match (first, tail.is_empty()) {
            (true, true) => FULL,
            (true, false) => FIRST,
            (false, false) => MIDDLE,
            (false, true) => LAST,
        };
        out.push(kind | flag);
        out.extend_from_slice(&(part.len() as u16).to_be_bytes());
        out.extend_from_slice(&crc32c::crc32c(part).to_be_bytes());
        out.extend_from_slice(part);
        (rest, first) = (tail, false);
        if rest.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reader::SegmentReader;
    use super::*;

    fn records(dir: &Path, index: u64) -> Vec<Vec<u8>> {
        let mut reader = SegmentReader::open(&segment_path(dir, index)).expect("segment");
        let mut out = Vec::new();
        while let Some(record) = reader.next().expect("readable") {
            out.push(record.to_vec());
        }
        assert!(reader.damages().is_empty(), "{:?}", reader.damages());
        out
    }

    #[test]
    fn records_of_any_length_come_back() {
        for compression in [WalCompression::None, WalCompression::Snappy, WalCompression::Zstd] {
            let dir = tempfile::tempdir().expect("dir");
            let mut writer = SegmentWriter::create(dir.path(), 0, 256 << 10, compression).expect("segment");
            let noise = |len: usize| (0..len).map(|i| ((i * i * 31) >> 5) as u8 ^ i as u8).collect::<Vec<u8>>();
            let lengths = [1, 100, PAGE_BYTES - 200, 60, 80, PAGE_BYTES, 3 * PAGE_BYTES, 7, 300_000, 5, 150_000];
            for len in lengths {
                writer.add(&noise(len)).expect("added");
                writer.flush().expect("written");
            }
            let back: Vec<_> = (0..=writer.index()).flat_map(|index| records(dir.path(), index)).collect();
            assert!(back == lengths.map(noise), "{compression:?}");
        }
    }

    #[test]
    fn a_full_disk_costs_the_batch_and_not_the_log() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let dir = tempfile::tempdir().expect("dir");
        let mut writer = SegmentWriter::create(dir.path(), 0, 1 << 20, WalCompression::None).expect("segment");
        writer.add(b"first").expect("added");
        writer.flush().expect("written");
        let real = std::mem::replace(&mut writer.file, OpenOptions::new().write(true).open(full).expect("device"));
        writer.add(b"lost").expect("added");
        assert_eq!(writer.flush().expect_err("no room").kind(), io::ErrorKind::StorageFull);
        drop(real);
        writer.add(b"second").expect("added");
        writer.flush().expect("written");
        assert_eq!(records(dir.path(), 0), [b"first".to_vec()]);
        assert_eq!(records(dir.path(), 1), [b"second".to_vec()]);
    }
}

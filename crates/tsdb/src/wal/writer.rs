//! Writing records into segments.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::format::{
    FIRST, FRAGMENT_HEADER_BYTES, FULL, LAST, MIDDLE, PAGE_BYTES, SNAPPY_FLAG, WalCompression, ZSTD_FLAG,
};
use super::segments::segment_path;

/// The level that Prometheus's default corresponds to.
const ZSTD_LEVEL: i32 = 1;

/// Collects records and writes them, segment after segment, into a folder.
pub(super) struct SegmentWriter {
    dir: PathBuf,
    file: File,
    index: u64,
    /// Bytes of the segment that are written.
    position: u64,
    segment_bytes: u64,
    compression: WalCompression,
    /// Fragments that wait for `flush`.
    pending: Vec<u8>,
    compressed: Vec<u8>,
    snappy: snap::raw::Encoder,
    /// Segments that were left behind and are not synced yet.
    unsynced: Vec<File>,
    /// A failed write left bytes behind that could not be cut off: go on in a new segment.
    spoiled: bool,
}

fn create_segment(dir: &Path, index: u64) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(segment_path(dir, index))
}

impl SegmentWriter {
    /// Begins a new segment `index` in `dir`. Segments hold at least one page.
    pub(super) fn create(dir: &Path, index: u64, segment_bytes: u64, compression: WalCompression) -> io::Result<Self> {
        let pages = (segment_bytes / PAGE_BYTES as u64).max(1);
        Ok(SegmentWriter {
            dir: dir.to_owned(),
            file: create_segment(dir, index)?,
            index,
            position: 0,
            segment_bytes: pages * PAGE_BYTES as u64,
            compression,
            pending: Vec::new(),
            compressed: Vec::new(),
            snappy: snap::raw::Encoder::new(),
            unsynced: Vec::new(),
            spoiled: false,
        })
    }

    /// The number of the segment that is written to.
    pub(super) fn index(&self) -> u64 {
        self.index
    }

    /// How many bytes wait for `flush`.
    pub(super) fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Adds a record to what waits. A record that doesn't fit into the segment begins a new one.
    pub(super) fn add(&mut self, record: &[u8]) -> io::Result<()> {
        let mut compressed = std::mem::take(&mut self.compressed);
        let flag = self.compress(record, &mut compressed)?;
        let data = if flag == 0 { record } else { &compressed };
        let result = self.add_fragments(data, flag);
        self.compressed = compressed;
        result
    }

    /// Compresses into `out`; the answer is the flag to write, 0 where compression doesn't pay.
    fn compress(&mut self, record: &[u8], out: &mut Vec<u8>) -> io::Result<u8> {
        out.clear();
        let flag = match self.compression {
            WalCompression::None => return Ok(0),
            WalCompression::Snappy => {
                out.resize(snap::raw::max_compress_len(record.len()), 0);
                let len = self.snappy.compress(record, out).map_err(io::Error::other)?;
                out.truncate(len);
                SNAPPY_FLAG
            }
            WalCompression::Zstd => {
                *out = zstd::bulk::compress(record, ZSTD_LEVEL)?;
                ZSTD_FLAG
            }
        };
        Ok(if out.len() < record.len() { flag } else { 0 })
    }

    fn add_fragments(&mut self, data: &[u8], flag: u8) -> io::Result<()> {
        if self.spoiled
            || (self.end() > 0 && self.bytes_with(data.len()) > self.segment_bytes.saturating_sub(self.end()))
        {
            self.flush()?;
            self.next_segment()?;
        }
        let (mut rest, mut first) = (data, true);
        loop {
            let mut room = PAGE_BYTES - self.end() as usize % PAGE_BYTES;
            if room < FRAGMENT_HEADER_BYTES + 1 {
                self.pending.resize(self.pending.len() + room, 0);
                room = PAGE_BYTES;
            }
            let (part, tail) = rest.split_at(rest.len().min(room - FRAGMENT_HEADER_BYTES));
            let kind = match (first, tail.is_empty()) {
                (true, true) => FULL,
                (true, false) => FIRST,
                (false, false) => MIDDLE,
                (false, true) => LAST,
            };
            self.pending.push(kind | flag);
            self.pending.extend_from_slice(&(part.len() as u16).to_be_bytes());
            self.pending.extend_from_slice(&crc32c::crc32c(part).to_be_bytes());
            self.pending.extend_from_slice(part);
            (rest, first) = (tail, false);
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Where the segment will end once all is written.
    fn end(&self) -> u64 {
        self.position + self.pending.len() as u64
    }

    /// An upper bound of the bytes that a record of `len` takes from here, headers and filling included.
    fn bytes_with(&self, len: usize) -> u64 {
        let fragments = len / (PAGE_BYTES - FRAGMENT_HEADER_BYTES) + 2;
        (len + fragments * FRAGMENT_HEADER_BYTES + FRAGMENT_HEADER_BYTES) as u64
    }

    /// Writes what waits in one call. If that fails, nothing of it is left in the file.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let result = self.file.write_all(&self.pending);
        match result {
            Ok(()) => self.position += self.pending.len() as u64,
            Err(_) => self.spoiled = self.cut_back().is_err(),
        }
        self.pending.clear();
        result
    }

    fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.position)?;
        self.file.seek(SeekFrom::Start(self.position)).map(|_| ())
    }

    /// Forgets what waits.
    pub(super) fn discard(&mut self) {
        self.pending.clear();
    }

    /// Begins the next segment; fills the last page up, as Prometheus does.
    pub(super) fn next_segment(&mut self) -> io::Result<()> {
        let over = self.position % PAGE_BYTES as u64;
        if over > 0 && !self.spoiled {
            self.pending.resize(PAGE_BYTES - over as usize, 0);
            self.flush()?;
        }
        let file = create_segment(&self.dir, self.index + 1)?;
        self.unsynced.push(std::mem::replace(&mut self.file, file));
        self.index += 1;
        self.position = 0;
        self.spoiled = false;
        Ok(())
    }

    /// Takes the segments that are complete and not synced yet.
    pub(super) fn take_unsynced(&mut self) -> Vec<File> {
        std::mem::take(&mut self.unsynced)
    }

    /// Writes what waits and syncs everything to disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        for file in self.take_unsynced() {
            file.sync_all()?;
        }
        self.file.sync_all()
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

//! Making a damaged segment whole again, so that the next reader (which may be a Prometheus) finds no damage.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use super::format::WalCompression;
use super::reader::SegmentReader;
use super::segments::segment_path;
use super::writer::SegmentWriter;
use crate::failpoint;

/// Cuts a torn tail off, or rewrites a segment that has whole records behind the damage. Whole records are kept in any case.
pub(crate) fn repair_segment(path: &Path, damaged: &SegmentReader) -> io::Result<()> {
    if !damaged.good_after_damage() {
        failpoint::pass("repair.cut.before")?;
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(damaged.good_end())?;
        return file.sync_all();
    }
    let temporary = path.with_extension("repair.tmp");
    if temporary.exists() {
        fs::remove_dir_all(&temporary)?;
    }
    fs::create_dir(&temporary)?;
    let mut reader = SegmentReader::open(path)?;
    // What was one segment stays one: the rewritten records may take more room than they had.
    let mut writer = SegmentWriter::create(&temporary, 0, u64::MAX, WalCompression::Snappy)?;
    while let Some(record) = reader.next()? {
        writer.add(record)?;
        if writer.pending_bytes() > 1 << 20 {
            writer.flush()?;
        }
    }
    writer.sync()?;
    fs::rename(segment_path(&temporary, 0), path)?;
    fs::remove_dir(&temporary)
}

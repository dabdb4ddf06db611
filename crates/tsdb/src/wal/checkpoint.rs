//! Replacing old segments by what of them is still needed.

use std::fs;
use std::io;
use std::path::Path;

use model::Timestamp;

use super::format::WalCompression;
use super::reader::SegmentReader;
use super::record::{LoggedSample, RecordKind, decode_samples, decode_series, encode_samples, encode_series};
use super::segments::{checkpoint_path, latest_checkpoint, list_segments};
use super::writer::SegmentWriter;
use crate::durable;

/// What a checkpoint keeps.
pub(crate) struct CheckpointFilter<'a> {
    /// Samples from this time on.
    pub(crate) min_time: Timestamp,
    /// Series for which this holds.
    pub(crate) keep_series: &'a dyn Fn(u64) -> bool,
}

/// Writes the checkpoint that replaces the newest one and all segments up to and with `last`. It appears under its name
/// when it is complete. Records that this version doesn't read are kept as they are: whoever does read them finds them.
pub(crate) fn write_checkpoint(
    dir: &Path,
    last: u64,
    segment_bytes: u64,
    compression: WalCompression,
    filter: &CheckpointFilter<'_>,
) -> io::Result<()> {
    let target = checkpoint_path(dir, last);
    let temporary = target.with_extension(format!("{last:08}.tmp"));
    durable::remove_dir_if_exists(&temporary)?;
    fs::create_dir(&temporary)?;
    let mut writer = SegmentWriter::create(&temporary, 0, segment_bytes, compression)?;
    let previous = latest_checkpoint(dir)?;
    let mut inputs = Vec::new();
    let mut first = 0;
    if let Some(previous) = &previous {
        inputs.extend(list_segments(&previous.path)?);
        first = previous.index + 1;
    }
    inputs.extend(list_segments(dir)?.into_iter().filter(|s| (first..=last).contains(&s.index)));
    for input in inputs {
        copy_segment(&input.path, &mut writer, filter)?;
    }
    writer.sync()?;
    durable::sync_dir(&temporary)?;
    durable::remove_dir_if_exists(&target)?;
    fs::rename(&temporary, &target)?;
    durable::sync_dir(dir)
}

fn copy_segment(path: &Path, writer: &mut SegmentWriter, filter: &CheckpointFilter<'_>) -> io::Result<()> {
    let mut reader = SegmentReader::open(path)?;
    let (mut samples, mut out): (Vec<LoggedSample>, Vec<u8>) = (Vec::new(), Vec::new());
    while let Some(record) = reader.next()? {
        out.clear();
        match RecordKind::of(record) {
            RecordKind::Series => {
                // What a broken record holds before the break is kept; replay has told about it already.
                let _ = decode_series(record, |series, labels| {
                    if (filter.keep_series)(series) {
                        encode_series(&mut out, series, labels.iter().copied());
                    }
                });
            }
            RecordKind::Samples => {
                samples.clear();
                let _ = decode_samples(record, &mut samples);
                samples.retain(|sample| sample.time >= filter.min_time);
                encode_samples(&mut out, &samples);
            }
            RecordKind::MmapMarker => {}
            RecordKind::Unread(_) | RecordKind::Unknown(_) => out.extend_from_slice(record),
        }
        if !out.is_empty() {
            writer.add(&out)?;
        }
        if writer.pending_bytes() > 1 << 20 {
            writer.flush()?;
        }
    }
    writer.flush()
}

//! Replacing old segments by what of them is still needed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use model::{Metadata, Timestamp};

use super::format::WalCompression;
use super::reader::SegmentReader;
use super::record::{
    LoggedExemplar, LoggedHistogram, LoggedSample, LoggedTombstone, RecordKind, decode_exemplars, decode_histograms,
    decode_metadata, decode_notes, decode_samples, decode_series, decode_tombstones, encode_exemplars,
    encode_histograms, encode_metadata, encode_note, encode_samples, encode_series, encode_tombstones,
};
use super::segments::{checkpoint_path, latest_checkpoint, list_segments};
use super::writer::SegmentWriter;
use crate::durable;
use crate::failpoint;

/// So many bytes are collected before they are written.
const FLUSH_BYTES: usize = 1 << 20;

/// What a checkpoint keeps.
pub(crate) struct CheckpointFilter<'a> {
    /// Samples, histograms and exemplars from this time on, and tombstones that reach it.
    pub(crate) min_time: Timestamp,
    /// Series for which this holds, and the newest metadata of each.
    pub(crate) keep_series: &'a dyn Fn(u64) -> bool,
}

/// Writes the checkpoint that replaces the newest one and all segments up to and with `last`. It appears under its name
/// when it is complete; after a failure, a full disk for example, nothing of it is left. Records that this version doesn't
/// read are kept as they are: whoever does read them finds them.
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
    let written = write_to(&temporary, dir, last, segment_bytes, compression, filter);
    if let Err(error) = written {
        // It must not hold room that the log needs. If it can't be removed now, the next attempt does it.
        let _ = durable::remove_dir_if_exists(&temporary);
        return Err(error);
    }
    failpoint::pass("checkpoint.rename.before")?;
    durable::remove_dir_if_exists(&target)?;
    fs::rename(&temporary, &target)?;
    failpoint::pass("checkpoint.rename.after")?;
    durable::sync_dir(dir)
}

fn write_to(
    temporary: &Path,
    dir: &Path,
    last: u64,
    segment_bytes: u64,
    compression: WalCompression,
    filter: &CheckpointFilter<'_>,
) -> io::Result<()> {
    fs::create_dir(temporary)?;
    failpoint::pass("checkpoint.begin")?;
    let previous = latest_checkpoint(dir)?;
    let mut inputs = Vec::new();
    let mut first = 0;
    if let Some(previous) = &previous {
        inputs.extend(list_segments(&previous.path)?);
        first = previous.index + 1;
    }
    inputs.extend(list_segments(dir)?.into_iter().filter(|s| (first..=last).contains(&s.index)));
    let mut copy = Copy {
        writer: SegmentWriter::create(temporary, 0, segment_bytes, compression)?,
        filter,
        metadata: BTreeMap::new(),
        metadata_seen: 0,
        notes: BTreeMap::new(),
        samples: Vec::new(),
        histograms: Vec::new(),
        exemplars: Vec::new(),
        stones: Vec::new(),
        out: Vec::new(),
    };
    for input in inputs {
        copy.segment(&input.path)?;
    }
    copy.finish()?;
    durable::sync_dir(temporary)
}

/// A checkpoint in the making.
struct Copy<'a> {
    writer: SegmentWriter,
    filter: &'a CheckpointFilter<'a>,
    /// The newest so far of each series that is kept, with its place among all: a series may have two numbers.
    metadata: BTreeMap<u64, (u64, Metadata)>,
    metadata_seen: u64,
    /// The newest of each name.
    notes: BTreeMap<String, Vec<u8>>,
    samples: Vec<LoggedSample>,
    histograms: Vec<LoggedHistogram>,
    exemplars: Vec<LoggedExemplar>,
    stones: Vec<LoggedTombstone>,
    out: Vec<u8>,
}

impl Copy<'_> {
    fn segment(&mut self, path: &Path) -> io::Result<()> {
        let mut reader = SegmentReader::open(path)?;
        while let Some(record) = reader.next()? {
            self.record(record)?;
            if self.writer.pending_bytes() > FLUSH_BYTES {
                self.writer.flush()?;
            }
        }
        self.writer.flush().map(|_| ())
    }

    /// Copies what is still needed of a record. What a broken record holds before the break is kept; replay has told about
    /// it already.
    fn record(&mut self, record: &[u8]) -> io::Result<()> {
        let CheckpointFilter { min_time, keep_series } = *self.filter;
        self.out.clear();
        match RecordKind::of(record) {
            RecordKind::Series => {
                let _ = decode_series(record, |series, labels| {
                    if keep_series(series) {
                        encode_series(&mut self.out, series, labels.iter().copied());
                    }
                });
            }
            RecordKind::Samples => {
                self.samples.clear();
                let _ = decode_samples(record, &mut self.samples);
                self.samples.retain(|sample| sample.time >= min_time);
                encode_samples(&mut self.out, &self.samples);
            }
            RecordKind::Histograms | RecordKind::FloatHistograms => return self.histograms(record),
            RecordKind::Exemplars => {
                self.exemplars.clear();
                let _ = decode_exemplars(record, |logged| {
                    if logged.exemplar.time >= min_time {
                        self.exemplars.push(logged);
                    }
                });
                encode_exemplars(&mut self.out, &self.exemplars);
            }
            RecordKind::Tombstones => {
                self.stones.clear();
                let _ = decode_tombstones(record, &mut self.stones);
                self.stones.retain(|stone| stone.range.max >= min_time);
                encode_tombstones(&mut self.out, &self.stones);
            }
            RecordKind::Metadata => {
                let _ = decode_metadata(record, |logged| {
                    if keep_series(logged.series) {
                        self.metadata_seen += 1;
                        self.metadata.insert(logged.series, (self.metadata_seen, logged.metadata));
                    }
                });
            }
            RecordKind::Notes => {
                let _ = decode_notes(record, |name, content| {
                    self.notes.insert(name.to_owned(), content.to_vec());
                });
            }
            RecordKind::MmapMarker | RecordKind::MinValidTime => {}
            RecordKind::Unread(_) | RecordKind::Unknown(_) => self.out.extend_from_slice(record),
        }
        if self.out.is_empty() { Ok(()) } else { self.writer.add(&self.out) }
    }

    fn histograms(&mut self, record: &[u8]) -> io::Result<()> {
        self.histograms.clear();
        if let Ok(unknown) = decode_histograms(record, &mut self.histograms)
            && unknown > 0
        {
            // Schemas that this version doesn't know: they stay for whoever does.
            return self.writer.add(record);
        }
        self.histograms.retain(|logged| logged.time >= self.filter.min_time);
        encode_histograms(&self.histograms, |record| self.writer.add(record))
    }

    /// Writes the newest metadata of all series and the newest notes, and everything to disk.
    fn finish(&mut self) -> io::Result<()> {
        self.out.clear();
        let mut all: Vec<_> = std::mem::take(&mut self.metadata).into_iter().collect();
        all.sort_unstable_by_key(|(_, (place, _))| *place);
        for (series, (_, metadata)) in &all {
            encode_metadata(&mut self.out, *series, metadata);
            if self.out.len() > FLUSH_BYTES {
                self.writer.add(&self.out)?;
                self.writer.flush()?;
                self.out.clear();
            }
        }
        if !self.out.is_empty() {
            self.writer.add(&self.out)?;
            self.out.clear();
        }
        for (name, content) in self.notes.iter().filter(|(_, content)| !content.is_empty()) {
            encode_note(&mut self.out, name, content);
        }
        if !self.out.is_empty() {
            self.writer.add(&self.out)?;
        }
        self.writer.sync()
    }
}

#[cfg(test)]
mod tests;

//! A block as a whole.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use model::{TimeRange, Timestamp};

use super::chunks::check_chunks;
use super::consequence::{BLOCK_UNUSABLE, META_DIFFERS, STATS_WRONG, TOMBSTONE_OF_NOBODY, TOMBSTONES, UNREADABLE_FILE};
use super::content::IndexContent;
use super::index::check_index;
use super::report::VerifyReport;
use crate::inspect::progress::Progress;
use crate::meta::BlockMeta;
use crate::tombstones::Tombstones;

/// Checks the block in `dir`, and adds what is wrong to the report. The answer is what the block says of itself, where that can
/// be read.
pub fn verify_block(dir: &Path, report: &mut VerifyReport, progress: &mut dyn Progress) -> Option<BlockMeta> {
    report.counts.blocks += 1;
    let meta = check_meta(dir, report);
    let range = meta.as_ref().map_or(TimeRange::ALL, BlockMeta::range);
    let before = report.counts.clone();
    let content = check_index(&dir.join("index"), report, progress);
    check_chunks(&dir.join("chunks"), content.as_ref(), range, report, progress);
    let tombstones = check_tombstones(dir, content.as_ref(), report);
    if let (Some(meta), Some(content)) = (&meta, &content) {
        let samples = report.counts.samples - before.samples;
        check_stats(dir, meta, [content.series_count(), content.chunks.len() as u64, samples, tombstones], report);
    }
    meta
}

fn check_meta(dir: &Path, report: &mut VerifyReport) -> Option<BlockMeta> {
    let path = dir.join("meta.json");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) => {
            report.add(BLOCK_UNUSABLE, &path, None, format!("cannot be read: {error}"));
            return None;
        }
    };
    report.counts.bytes += text.len() as u64;
    let meta = match BlockMeta::from_json(&text) {
        Ok(meta) => meta,
        Err(error) => {
            report.add(BLOCK_UNUSABLE, &path, None, error.to_string());
            return None;
        }
    };
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    if meta.ulid.to_string() != name {
        report.add(META_DIFFERS, &path, None, format!("says that the block is {}, the folder {name}", meta.ulid));
    }
    if meta.min_time >= meta.max_time {
        let (min, max) = (meta.min_time.as_ms(), meta.max_time.as_ms());
        report.add(META_DIFFERS, &path, None, format!("the block ends at {max}, before it begins at {min}"));
    }
    Some(meta)
}

fn check_tombstones(dir: &Path, content: Option<&IndexContent>, report: &mut VerifyReport) -> u64 {
    let path = dir.join("tombstones");
    let file = match fs::read(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return 0,
        Err(error) => {
            report.add(UNREADABLE_FILE, &path, None, error.to_string());
            return 0;
        }
    };
    report.counts.bytes += file.len() as u64;
    let tombstones = match Tombstones::decode(&file) {
        Ok(tombstones) => tombstones,
        Err(error) => {
            report.add(TOMBSTONES, &path, error.offset, error.reason);
            return 0;
        }
    };
    let mut count = 0;
    for (series, ranges) in tombstones.iter() {
        count += ranges.len() as u64;
        if content.is_some_and(|content| !content.has_series(series)) {
            report.add(
                TOMBSTONE_OF_NOBODY,
                &path,
                None,
                format!("a deleted interval of series {series}, which is not there"),
            );
        }
        let is_empty = |range: &&TimeRange| range.min > range.max;
        if let Some(TimeRange { min, max }) = ranges.iter().find(is_empty) {
            let (min, max): (&Timestamp, &Timestamp) = (min, max);
            let problem = format!(
                "a deleted interval of series {series} ends at {}, before it begins at {}",
                max.as_ms(),
                min.as_ms()
            );
            report.add(TOMBSTONE_OF_NOBODY, &path, None, problem);
        }
    }
    report.counts.tombstones += count;
    count
}

fn check_stats(dir: &Path, meta: &BlockMeta, counted: [u64; 4], report: &mut VerifyReport) {
    let stats = &meta.stats;
    let told = [stats.num_series, stats.num_chunks, stats.num_samples, stats.num_tombstones];
    let names = ["numSeries", "numChunks", "numSamples", "numTombstones"];
    let wrong: HashMap<_, _> =
        names.iter().zip(told.iter().zip(&counted)).filter(|(_, (told, counted))| told != counted).collect();
    for name in names {
        if let Some((told, counted)) = wrong.get(&name) {
            report.add(STATS_WRONG, &dir.join("meta.json"), None, format!("{name} is {told}, counted {counted}"));
        }
    }
}

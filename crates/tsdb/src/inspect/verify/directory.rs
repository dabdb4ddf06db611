//! A data directory as a whole.

use std::path::Path;

use super::block::verify_block;
use super::consequence::{BLOCK_UNUSABLE, OVERLAP, UNFINISHED};
use super::head_chunks::check_head_chunks;
use super::log::{LogSeries, check_log};
use super::report::VerifyReport;
use crate::inspect::directory::read_dir;
use crate::inspect::error::InspectError;
use crate::inspect::progress::Progress;
use crate::meta::{BlockId, BlockMeta};

/// Checks all blocks, the logs and the mapped chunks of a data directory, and adds what is wrong to the report. Fails only
/// where the directory itself can't be listed, or has neither a block nor a log: of a wrong path nobody should hear that all is sound.
pub fn verify_directory(
    dir: &Path,
    report: &mut VerifyReport,
    progress: &mut dyn Progress,
) -> Result<(), InspectError> {
    let mut metas: Vec<BlockMeta> = Vec::new();
    let mut has_data = dir.join("wal").is_dir();
    for entry in read_dir(dir)? {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if !path.is_dir() {
            continue;
        }
        has_data |= name.split('.').next().is_some_and(|stem| stem.parse::<BlockId>().is_ok());
        if name.parse::<BlockId>().is_ok() {
            metas.extend(verify_block(&path, report, progress));
        } else if name.split_once('.').is_some_and(|(stem, _)| stem.parse::<BlockId>().is_ok()) {
            report.add(UNFINISHED, &path, None, "a block that was never finished, or is half deleted");
        }
    }
    if !has_data {
        return Err(InspectError::NoData { path: dir.to_owned() });
    }
    check_overlaps(dir, metas, report);
    let mut series = LogSeries::default();
    check_log(&dir.join("wal"), &mut series, report, progress);
    check_log(&dir.join("wbl"), &mut series, report, progress);
    check_head_chunks(&dir.join("chunks_head"), report, progress);
    Ok(())
}

fn check_overlaps(dir: &Path, mut metas: Vec<BlockMeta>, report: &mut VerifyReport) {
    metas.sort_by_key(|meta| (meta.min_time, meta.max_time));
    let mut widest: Option<&BlockMeta> = None;
    for meta in &metas {
        if let Some(before) = widest.filter(|before| meta.min_time < before.max_time) {
            let problem = format!(
                "overlaps with {}: {} to {} and {} to {}",
                before.ulid,
                before.min_time.as_ms(),
                before.max_time.as_ms(),
                meta.min_time.as_ms(),
                meta.max_time.as_ms()
            );
            report.add(OVERLAP, &dir.join(meta.ulid.to_string()), None, problem);
        }
        if widest.is_none_or(|before| meta.max_time > before.max_time) {
            widest = Some(meta);
        }
    }
    if let Some(pair) = metas.windows(2).find(|pair| pair[0].ulid == pair[1].ulid) {
        report.add(BLOCK_UNUSABLE, dir, None, format!("two folders say that they are block {}", pair[0].ulid));
    }
}

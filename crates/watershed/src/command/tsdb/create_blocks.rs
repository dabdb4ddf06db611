//! `watershed tsdb create-blocks-from openmetrics`.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use model::{Clock, SystemClock};
use serde_json::json;
use tsdb::BackfillOptions;
use tsdb::inspect::Inspection;

use super::row::row;
use super::table::{self, BLOCK_COLUMNS};
use crate::import::{Source, import};
use crate::terminal::Bar;
use crate::tsdb_arguments::Openmetrics;

const HOUR_MS: i64 = 3_600_000;
/// What lies further ahead than this was hardly meant so.
const FUTURE_MS_MAX: i64 = 24 * HOUR_MS;

pub(super) fn run(flags: &Openmetrics) -> Result<ExitCode> {
    let name = || flags.file.display().to_string();
    let directory = flags.directory.display();
    ensure!(flags.directory.is_dir() || !flags.directory.exists(), "{directory} is not a directory");
    let mut source = Source::open(&flags.file, &flags.directory).with_context(name)?;
    let options = BackfillOptions { block_ms: block_ms(flags.max_block_duration), ..BackfillOptions::default() };
    let mut bar = Bar::new();
    let made = import(&mut source, &flags.directory, options, &flags.labels, &mut bar).with_context(name)?;
    drop(bar);
    let newest = made.iter().map(|(_, meta)| meta.max_time).max();
    if newest.is_some_and(|newest| newest > SystemClock.now().saturating_add(FUTURE_MS_MAX)) {
        tracing::warn!("some samples lie in the future: OpenMetrics has timestamps in seconds, not in milliseconds");
    }
    let mut out = io::stdout().lock();
    if flags.json {
        let blocks: Vec<_> = made.iter().map(|(path, meta)| json!({"path": path, "meta": meta})).collect();
        writeln!(out, "{:#}", json!({ "blocks": blocks }))?;
    } else if !flags.quiet && !made.is_empty() {
        let all = Inspection::open(&flags.directory)?.blocks();
        let is_made = |id| made.iter().any(|(_, meta)| meta.ulid == id);
        let mut rows = vec![BLOCK_COLUMNS.map(str::to_owned).to_vec()];
        rows.extend(all.iter().filter(|b| is_made(b.meta.ulid)).map(|block| row(block).cells(flags.human_readable)));
        table::print(&mut out, &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The width of blocks: Prometheus's ranges, the widest that isn't wider than what was asked for, and never below two hours.
fn block_ms(max_ms: i64) -> i64 {
    let mut width = 2 * HOUR_MS;
    for _ in 0..9 {
        if width * 3 > max_ms {
            break;
        }
        width *= 3;
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_as_wide_as_promtool_makes_them() {
        let check = |hours: i64, want: i64| assert_eq!(block_ms(hours * HOUR_MS) / HOUR_MS, want, "{hours}");
        check(0, 2);
        check(1, 2);
        check(2, 2);
        check(5, 2);
        check(6, 6);
        check(17, 6);
        check(18, 18);
        check(200, 162);
        check(1_000_000, 39_366);
    }
}

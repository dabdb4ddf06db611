//! `watershed tsdb verify`: is all of it sound?

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use tsdb::BlockId;
use tsdb::inspect::{Finding, Severity, VerifyCounts, VerifyReport, verify_block, verify_directory};

use crate::terminal::Bar;
use crate::tsdb_arguments::Verify;

pub(super) fn run(flags: &Verify) -> Result<ExitCode> {
    let mut report = VerifyReport::default();
    let mut bar = Bar::new();
    for path in &flags.paths {
        if is_block(path) {
            verify_block(path, &mut report, &mut bar);
        } else {
            verify_directory(path, &mut report, &mut bar)?;
        }
    }
    drop(bar);
    let mut out = io::stdout().lock();
    if flags.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&mut out, &report)?;
    }
    Ok(if report.damages > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A folder with a block's name, or with what only a block has.
fn is_block(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.parse::<BlockId>().is_ok() || path.join("meta.json").is_file()
}

fn print(out: &mut impl Write, report: &VerifyReport) -> io::Result<()> {
    for Finding { severity, file, offset, problem, meaning, advice } in &report.findings {
        let word = match severity {
            Severity::Damage => "DAMAGE",
            Severity::Note => "note",
        };
        let place = offset.map_or_else(String::new, |offset| format!(" at offset {offset}"));
        writeln!(out, "{word}: {}{place}: {problem}", file.display())?;
        writeln!(out, "    means: {meaning}")?;
        writeln!(out, "    do:    {advice}")?;
    }
    if report.left_out() > 0 {
        writeln!(out, "and {} more findings in the same files", report.left_out())?;
    }
    let VerifyCounts {
        blocks,
        series,
        postings_lists,
        chunks,
        samples,
        tombstones,
        log_segments,
        log_records,
        head_chunks,
        bytes,
    } = &report.counts;
    writeln!(
        out,
        "checked {blocks} blocks with {series} series, {postings_lists} postings lists, {chunks} chunks, {samples} samples, \
         {tombstones} tombstones; {log_segments} log segments with {log_records} records; {head_chunks} mapped chunks of \
         the head; {bytes} bytes"
    )?;
    match (report.damages, report.notes) {
        (0, 0) => writeln!(out, "all is sound"),
        (0, notes) => writeln!(out, "all is sound, {notes} notes"),
        (damages, notes) => writeln!(out, "{damages} damages, {notes} notes"),
    }
}

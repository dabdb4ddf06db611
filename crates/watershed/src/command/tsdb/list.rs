//! `watershed tsdb list`: the blocks, and what else is in the directory.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use tsdb::inspect::{BlockSummary, HeadContent, Inspection};

use super::row::row;
use super::table::{self, BLOCK_COLUMNS, Row};
use crate::terminal::Bar;
use crate::tsdb_arguments::List;

pub(super) fn run(flags: &List) -> Result<ExitCode> {
    let inspection = Inspection::open(&flags.path)?;
    let head = if flags.no_head || !inspection.has_head() { None } else { Some(inspection.head(&mut Bar::new())?) };
    let mut out = io::stdout().lock();
    if flags.json {
        writeln!(out, "{:#}", json(&inspection, head.as_ref()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let blocks = inspection.blocks();
    let mut rows = vec![BLOCK_COLUMNS.map(str::to_owned).to_vec()];
    rows.extend(blocks.iter().map(|block| row(block).cells(flags.human_readable)));
    rows.extend(head.as_ref().and_then(head_row).map(|row| row.cells(flags.human_readable)));
    table::print(&mut out, &rows)?;
    for remark in remarks(&inspection, &blocks, head.as_ref()) {
        writeln!(out, "{remark}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The head as a row: its size is that of the logs, because this is where it is. `None` where it is empty.
fn head_row(head: &HeadContent) -> Option<Row> {
    let (min, max) = head.time_range()?;
    Some(Row {
        name: "HEAD".to_owned(),
        min_time: min.as_ms(),
        max_time: max.as_ms().saturating_add(1),
        samples: head.report().samples,
        chunks: head.series().iter().map(|series| series.chunks.len() as u64).sum(),
        series: head.series().len() as u64,
        bytes: head.report().bytes,
    })
}

/// What a person should know besides.
fn remarks(inspection: &Inspection, blocks: &[BlockSummary], head: Option<&HeadContent>) -> Vec<String> {
    let mut remarks = Vec::new();
    for block in blocks {
        for mark in &block.marks {
            remarks.push(format!("marked: {}: {}: {}", block.meta.ulid, mark.name, or_none(&mark.reason)));
        }
    }
    for aside in inspection.set_aside() {
        remarks.push(format!("set aside: {}: {}", aside.path.display(), aside.reason));
    }
    for path in inspection.unfinished() {
        remarks.push(format!("unfinished: {}: deleted at the next start", path.display()));
    }
    if let Some(report) = head.map(HeadContent::report).filter(|report| report.damages > 0) {
        remarks.push(format!("head: {} places of the log can't be read: see `watershed tsdb verify`", report.damages));
    }
    if !remarks.is_empty() {
        remarks.insert(0, String::new());
    }
    remarks
}

fn or_none(reason: &str) -> &str {
    if reason.is_empty() { "no reason given" } else { reason }
}

fn json(inspection: &Inspection, head: Option<&HeadContent>) -> serde_json::Value {
    let blocks = inspection.blocks();
    let block = |block: &BlockSummary| {
        let marks = block.marks.iter().map(|mark| json!({"name": mark.name, "reason": mark.reason}));
        json!({"meta": block.meta, "bytes": block.bytes, "marks": marks.collect::<Vec<_>>()})
    };
    let head = head.and_then(|head| Some((head_row(head)?, head.report()))).map(|(row, report)| {
        json!({
            "minTime": row.min_time, "maxTime": row.max_time, "numSamples": row.samples, "numChunks": row.chunks,
            "numSeries": row.series, "logBytes": row.bytes, "logSegments": report.segments, "damages": report.damages,
            "samplesOfUnknownSeries": report.unknown_series, "unreadRecords": report.unread,
        })
    });
    let aside = |aside: &tsdb::inspect::SetAside| json!({"path": aside.path, "reason": aside.reason});
    json!({
        "blocks": blocks.iter().map(block).collect::<Vec<_>>(),
        "head": head,
        "setAside": inspection.set_aside().iter().map(aside).collect::<Vec<_>>(),
        "unfinished": inspection.unfinished(),
    })
}

//! `watershed tsdb analyze`: what makes a block or the head large.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};
use tsdb::NamedCount;
use tsdb::inspect::{Analysis, AnalyzeOptions, Inspection, MetricCost, analyze_block, analyze_head};

use super::selector::matchers;
use super::table;
use crate::terminal::Bar;
use crate::tsdb_arguments::Analyze;

pub(super) fn run(flags: &Analyze) -> Result<ExitCode> {
    let inspection = Inspection::open(&flags.path)?;
    let matchers = flags.selector.as_deref().map(matchers).transpose()?.unwrap_or_default();
    let options = AnalyzeOptions { limit: flags.limit, matchers };
    let mut bar = Bar::new();
    let last = || inspection.last_block().map_or_else(|| "head".to_owned(), |block| block.to_string());
    let analysis = match flags.block.clone().unwrap_or_else(last).as_str() {
        "head" | "HEAD" => {
            let head = inspection.head(&mut bar)?;
            analyze_head(&head, &options, &mut bar)
        }
        block => analyze_block(&inspection, block, &options, &mut bar)?,
    };
    drop(bar);
    let mut out = io::stdout().lock();
    if flags.json {
        writeln!(out, "{:#}", as_json(&analysis))?;
    } else {
        print(&mut out, &analysis, flags)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut impl Write, analysis: &Analysis, flags: &Analyze) -> io::Result<()> {
    writeln!(out, "Block ID: {}", analysis.name)?;
    writeln!(out, "Duration: {}", table::duration(analysis.duration_ms))?;
    writeln!(out, "Total Series: {}", analysis.series)?;
    if let (Some(selector), Some(matched)) = (&flags.selector, analysis.matched_series) {
        writeln!(out, "Matcher: {selector}")?;
        writeln!(out, "Matched series: {matched}")?;
    }
    writeln!(out, "Label names: {}", analysis.label_names)?;
    writeln!(out, "Postings (unique label pairs): {}", analysis.label_pairs)?;
    writeln!(out, "Postings entries (total label pairs): {}", analysis.postings_entries)?;
    let lists: [(&str, &[NamedCount]); 6] = [
        ("Label pairs most involved in churning", &analysis.churning_label_pairs),
        ("Label names most involved in churning", &analysis.churning_label_names),
        ("Most common label pairs", &analysis.common_label_pairs),
        ("Label names with highest cumulative label value length", &analysis.value_bytes_by_label_name),
        ("Highest cardinality labels", &analysis.values_by_label_name),
        ("Highest cardinality metric names", &analysis.series_by_metric),
    ];
    for (title, list) in lists {
        writeln!(out, "\n{title}:")?;
        for NamedCount { name, value } in list {
            writeln!(out, "{value} {name}")?;
        }
    }
    print_costs(out, analysis)?;
    if flags.extended {
        writeln!(out, "\nCompaction analysis:")?;
        writeln!(out, "Fullness: Amount of samples in chunks (100% is 120 samples)")?;
        for (end, share) in analysis.fullness.shares() {
            writeln!(out, "{end:>7}%: {}", "#".repeat(share as usize))?;
        }
    }
    Ok(())
}

fn print_costs(out: &mut impl Write, analysis: &Analysis) -> io::Result<()> {
    let sizes = analysis.sizes;
    let all = sizes.index_bytes + sizes.chunk_bytes;
    let per_sample = |bytes: u64| bytes as f64 / analysis.samples.max(1) as f64;
    let percent = |bytes: u64| bytes as f64 * 100.0 / all.max(1) as f64;
    writeln!(out, "\nBytes of metrics (chunk bytes, bytes per sample, samples, series):")?;
    for cost in &analysis.costs_by_metric {
        let MetricCost { name, series, samples, chunk_bytes } = cost;
        writeln!(out, "{chunk_bytes} {:.2} {samples} {series} {name}", cost.bytes_per_sample())?;
    }
    writeln!(out, "\nSamples: {}", analysis.samples)?;
    if analysis.matched_series.is_some() {
        return Ok(()); // the index and the chunk files are of all series
    }
    let part =
        |bytes: u64| format!("{bytes} bytes, {:.1} %, {:.2} bytes per sample", percent(bytes), per_sample(bytes));
    writeln!(out, "Index: {}", part(sizes.index_bytes))?;
    writeln!(out, "Chunks: {}", part(sizes.chunk_bytes))
}

fn as_json(analysis: &Analysis) -> Value {
    let cost = |cost: &MetricCost| {
        json!({
            "name": cost.name, "series": cost.series, "samples": cost.samples, "chunkBytes": cost.chunk_bytes,
            "bytesPerSample": cost.bytes_per_sample(),
        })
    };
    json!({
        "block": analysis.name,
        "durationMs": analysis.duration_ms,
        "series": analysis.series,
        "matchedSeries": analysis.matched_series,
        "samples": analysis.samples,
        "labelNames": analysis.label_names,
        "labelPairs": analysis.label_pairs,
        "postingsEntries": analysis.postings_entries,
        "churningLabelPairs": analysis.churning_label_pairs,
        "churningLabelNames": analysis.churning_label_names,
        "commonLabelPairs": analysis.common_label_pairs,
        "valueBytesByLabelName": analysis.value_bytes_by_label_name,
        "valuesByLabelName": analysis.values_by_label_name,
        "seriesByMetric": analysis.series_by_metric,
        "costsByMetric": analysis.costs_by_metric.iter().map(cost).collect::<Vec<_>>(),
        "indexBytes": analysis.sizes.index_bytes,
        "chunkBytes": analysis.sizes.chunk_bytes,
        "chunksByFullness": analysis.fullness.chunks,
    })
}

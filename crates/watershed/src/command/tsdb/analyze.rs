//! `watershed tsdb analyze`: what makes a block or the head large.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};
use tsdb::NamedCount;
use tsdb::inspect::{
    Analysis, AnalyzeOptions, Bar, ChunkSpread, Inspection, MetricCost, Spread, analyze_block, analyze_head,
};

use super::selector::matchers;
use super::table;
use crate::terminal;
use crate::tsdb_arguments::Analyze;

pub(super) fn run(flags: &Analyze) -> Result<ExitCode> {
    let inspection = Inspection::open(&flags.path)?;
    let matchers = flags.selector.as_deref().map(matchers).transpose()?.unwrap_or_default();
    let options = AnalyzeOptions { limit: flags.limit, matchers, extended: flags.extended };
    let mut bar = terminal::Bar::new();
    let last = || inspection.last_block().map_or_else(|| "head".to_owned(), |block| block.to_string());
    let analysis = match flags.block.clone().unwrap_or_else(last).as_str() {
        "head" | "HEAD" => {
            let head = inspection.head(&mut bar)?;
            analyze_head(&head, &options, &mut bar)?
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
    if let Some(spread) = &analysis.spread {
        writeln!(out, "\nCompaction analysis:\n")?;
        for (_, title, sizes) in spreads(spread) {
            print_spread(out, title, sizes, spread.total())?;
        }
    }
    Ok(())
}

/// The spreads, each with its name in JSON and promtool's words for it.
fn spreads(spread: &ChunkSpread) -> [(&'static str, &'static str, &Spread); 5] {
    [
        ("samplesPerFloatChunk", "samples per float chunk", &spread.float_samples),
        ("bytesPerFloatChunk", "bytes per float chunk", &spread.float_bytes),
        ("samplesPerHistogramChunk", "samples per histogram chunk", &spread.histogram_samples),
        ("bytesPerHistogramChunk", "bytes per histogram chunk", &spread.histogram_bytes),
        ("bucketsPerHistogramChunk", "buckets per histogram chunk", &spread.histogram_buckets),
    ]
}

fn print_spread(out: &mut impl Write, title: &str, sizes: &Spread, chunks: u64) -> io::Result<()> {
    let Some((min, average, max)) = sizes.summary() else { return writeln!(out, "{title}: N/A\n") };
    writeln!(out, "{title} (min/avg/max): {min}/{average}/{max}")?;
    let bars = sizes.bars();
    let width = |of: fn(&Bar) -> u64| bars.iter().map(of).max().unwrap_or_default().to_string().len();
    let (left, right, counts) = (width(|bar| bar.from), width(|bar| bar.to), width(|bar| bar.count));
    for Bar { from, to, count } in bars {
        // Prometheus's bounds are off by one: a size that is `from` is in this bar.
        let share = "#".repeat((count * 100 / chunks) as usize);
        writeln!(out, "[{:>left$}, {to:>right$}]: {count:>counts$} {share}", from + 1)?;
    }
    writeln!(out)
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
        "chunks": analysis.spread.as_ref().map(|spread| {
            let json = |(name, _, sizes): (&'static str, _, &Spread)| (name.to_owned(), spread_as_json(sizes));
            spreads(spread).map(json).into_iter().collect::<serde_json::Map<_, _>>()
        }),
    })
}

/// Each bar with its smallest size, the first size behind it, and how many chunks have one of these.
fn spread_as_json(sizes: &Spread) -> Value {
    let Some((min, average, max)) = sizes.summary() else { return Value::Null };
    let bars = sizes.bars().into_iter().map(|Bar { from, to, count }| json!({"from": from, "to": to, "count": count}));
    json!({"min": min, "average": average, "max": max, "bars": bars.collect::<Vec<_>>()})
}

//! `list` and `analyze` beside promtool.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Result, anyhow, ensure};
use serde_json::Value;
use tests::is_prometheus_3;

use crate::fixture::{exposition, pair, printed, run, text};

#[test]
fn list_prints_what_promtool_prints() -> Result<()> {
    let Some(pair) = pair("list_prints_what_promtool_prints", &exposition(12))? else { return Ok(()) };
    for flags in [&[][..], &["-r"]] {
        for data in [&pair.theirs, &pair.ours] {
            let list = |program| printed(program, &[&["tsdb", "list"], flags, &[text(data)]].concat());
            let (want, got) = (list(&pair.promtool)?, list(&pair.watershed)?);
            ensure!(got == want, "{got}\n{want}");
        }
    }
    let json: Value = serde_json::from_str(&printed(&pair.watershed, &["tsdb", "list", "--json", text(&pair.ours)])?)?;
    ensure!(json["blocks"].as_array().is_some_and(|blocks| blocks.len() > 10), "{json}");
    // What is not a block any more is named, and the rest goes on.
    let blocks: Vec<PathBuf> =
        fs::read_dir(&pair.ours)?.flatten().map(|e| e.path()).filter(|p| !p.ends_with("wal")).collect();
    fs::remove_file(blocks[0].join("index"))?;
    fs::write(blocks[1].join("no-compact-mark.json"), "{\"reason\":\"manual\",\"details\":\"of a test\"}")?;
    fs::rename(&blocks[2], blocks[2].with_extension("tmp-for-deletion"))?;
    let list = printed(&pair.watershed, &["tsdb", "list", text(&pair.ours)])?;
    for word in ["set aside", "no-compact-mark.json: manual: of a test", "unfinished"] {
        ensure!(list.contains(word), "{word}: {list}");
    }
    Ok(())
}

/// The lists of an analysis, by title; the order of equal ones is nobody's promise.
fn sections(analysis: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut title = String::new();
    for line in analysis.lines().filter(|line| !line.is_empty()) {
        let starts_number = line.starts_with(|c: char| c.is_ascii_digit() || c == ' ');
        if !starts_number && line.ends_with(':') {
            title = line.to_owned();
            sections.entry(title.clone()).or_default();
        } else {
            let line = line.replace("Total Series:", "Series:");
            sections.entry(title.clone()).or_default().insert(line);
        }
    }
    sections
}

const CHUNKS: &str = "Compaction analysis:";

#[test]
fn analyze_prints_promtools_figures() -> Result<()> {
    let Some(pair) = pair("analyze_prints_promtools_figures", &exposition(60))? else { return Ok(()) };
    for data in [&pair.theirs, &pair.ours] {
        // All blocks but the first hold one hour or two of many series.
        for block in fs::read_dir(data)?.flatten().filter(|e| e.file_name().len() == 26) {
            let name = block.file_name().to_string_lossy().into_owned();
            let arguments = ["tsdb", "analyze", "--limit=1000", "--extended", text(data), &name];
            let (want, got) = (printed(&pair.promtool, &arguments)?, printed(&pair.watershed, &arguments)?);
            let got = sections(&got);
            let mut want = sections(&want);
            if !is_prometheus_3(&pair.promtool)? {
                want.remove(CHUNKS).ok_or_else(|| anyhow!("promtool says nothing of chunks"))?; // other figures in Prometheus 2
            }
            ensure!(
                got.get(CHUNKS)
                    .is_some_and(|lines| lines.iter().any(|line| line.starts_with("samples per float chunk")))
            );
            for (title, lines) in want {
                ensure!(got.get(&title) == Some(&lines), "{title}\n{lines:#?}\n{:#?}", got.get(&title));
            }
            ensure!(got.contains_key("Bytes of metrics (chunk bytes, bytes per sample, samples, series):"));
        }
    }
    let arguments = ["tsdb", "analyze", "--limit=2", "--match=m{i=~\"1.\"}", text(&pair.ours)];
    let error = run(&pair.watershed, &arguments)?;
    ensure!(error.status.success(), "the last block has no such series, which is no error");
    Ok(())
}

//! Scripts in Prometheus's test language: upstream's, where they lie beside the project, and our own.
#![expect(clippy::print_stdout, reason = "the counts are the point of a conformance run")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use promql::testlang::{Report, run};
use promql::{Engine, EngineOptions, ParseOptions};

/// How many of upstream's cases pass; it may only grow.
const UPSTREAM_PASSED_MIN: usize = 1600;

/// How a script writes the start timestamps of a series.
const NEEDS_START_TIMESTAMPS: &str = "}@st";

fn scripts(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a readable folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "test"));
    files.sort();
    files
}

async fn run_all(folder: &Path) -> Report {
    let engine = Engine::new(EngineOptions { language: ParseOptions::everything(), ..EngineOptions::default() });
    let mut total = Report::default();
    for file in scripts(folder) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).expect("a readable script");
        let report = match run(&text, &engine).await {
            Ok(report) => report,
            // Chunks don't hold start timestamps.
            Err(error) if text.contains(NEEDS_START_TIMESTAMPS) => {
                println!("{name}: passed over, it needs start timestamps ({error})");
                continue;
            }
            Err(error) => panic!("{name}: {error}"),
        };
        for failure in &report.failed {
            let (line, query, difference, got) =
                (failure.line, &failure.query, &failure.difference, failure.got.join("\n    "));
            println!("{name}:{line}: {query}\n    {difference}, got\n    {got}");
        }
        println!("{name}: {} passed, {} failed, {:?} skipped", report.passed, report.failed.len(), report.skipped);
        total.passed += report.passed;
        total.failed.extend(report.failed);
        for (feature, count) in report.skipped {
            *total.skipped.entry(feature).or_default() += count;
        }
    }
    println!("{} passed, {} failed, {:?} skipped", total.passed, total.failed.len(), total.skipped);
    total
}

#[tokio::test]
async fn upstream_scripts_pass() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/promqltest");
    let folder = std::env::var_os("WATERSHED_PROMQLTEST").map_or_else(beside, PathBuf::from);
    if !folder.is_dir() {
        println!("SKIPPED conformance: ../shared/promqltest not found; WATERSHED_PROMQLTEST names another folder");
        return;
    }
    let report = run_all(&folder).await;
    assert!(report.failed.is_empty(), "{} cases failed", report.failed.len());
    assert!(report.passed >= UPSTREAM_PASSED_MIN, "only {} cases passed", report.passed);
}

#[tokio::test]
async fn own_scripts_pass() {
    let report = run_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")).await;
    assert_eq!((report.failed.len(), report.skipped), (0, BTreeMap::new()));
    assert!(report.passed > 0);
}

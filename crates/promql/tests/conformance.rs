//! Scripts in Prometheus's test language: upstream's, where they lie beside the project, and our own.
#![expect(clippy::print_stdout, reason = "the counts are the point of a conformance run")]

use std::path::{Path, PathBuf};

use promql::testlang::{Report, run};
use promql::{Engine, EngineOptions, ParseOptions};

/// How many of upstream's cases pass; it may only grow.
const UPSTREAM_PASSED_MIN: usize = 1600;

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
        let report = run(&text, &engine).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        for failure in &report.failed {
            let (line, query, difference, got) =
                (failure.line, &failure.query, &failure.difference, failure.got.join("\n    "));
            println!("{name}:{line}: {query}\n    {difference}, got\n    {got}");
        }
        println!("{name}: {} passed, {} failed", report.passed, report.failed.len());
        total.passed += report.passed;
        total.failed.extend(report.failed);
    }
    println!("{} passed, {} failed", total.passed, total.failed.len());
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
    assert_eq!(report.failed.len(), 0);
    assert!(report.passed > 0);
}

//! Looking at a directory without being its owner.

use std::path::Path;

use model::{Matcher, TimeRange};
use storage::Samples;
use tsdb::Options;
use tsdb::inspect::{AnalyzeOptions, Inspection, Silent, VerifyReport, analyze_head, verify_directory};

use crate::fixture::{Content, append, content, labels, ms, open, options, scratch};

/// All samples that can be read without opening the database.
fn inspected(dir: &Path) -> Content {
    let inspection = Inspection::open(dir).expect("it can be listed");
    let head = inspection.head(&mut Silent).expect("the logs can be read");
    let (mut out, mut samples) = (Content::new(), Samples::default());
    for series in inspection.select(&[Vec::new()], TimeRange::ALL, Some(&head)).expect("selects") {
        let series = series.expect("a series");
        series.decode(TimeRange::ALL, &mut samples).expect("valid chunks");
        if !samples.is_empty() {
            let values = samples.iter().map(|sample| (sample.time.as_ms(), sample.value.to_bits()));
            out.insert(series.labels.to_string(), values.collect());
        }
    }
    out
}

fn verified(dir: &Path) -> VerifyReport {
    let mut report = VerifyReport::default();
    verify_directory(dir, &mut report, &mut Silent).expect("it can be listed");
    report
}

/// Blocks, a head with full and open chunks, late samples, deletions: while the owner works, and when it is gone.
#[test]
fn what_is_read_beside_the_owner_is_what_the_owner_reads() {
    let dir = scratch();
    let (db, _registry) = open(Options { out_of_order_window_ms: 100_000, ..options(dir.path()) });
    let series: Vec<_> = (0..20).map(|i| labels(&[("__name__", ["m", "n"][i % 2]), ("i", &i.to_string())])).collect();
    for step in 0..400_i64 {
        let mut batch: Vec<_> =
            series.iter().enumerate().map(|(i, l)| (l, step * 1000 + i as i64, (step * i as i64) as f64)).collect();
        if step % 7 == 6 {
            batch.push((&series[3], step * 1000 - 2500, -1.0));
        }
        append(&db, &batch);
        if step % 150 == 149 {
            db.delete_series(
                &[Matcher::equal("i", "5")],
                TimeRange::new(ms(step * 1000 - 20_000), ms(step * 1000 - 9000)),
            )
            .expect("deleted");
            db.maintain().expect("maintained");
        }
        if step % 133 == 0 || step == 399 {
            let (want, got) = (content(&db), inspected(dir.path()));
            assert_eq!(want.keys().collect::<Vec<_>>(), got.keys().collect::<Vec<_>>(), "at {step}");
            for (name, samples) in &want {
                assert_eq!(&got[name], samples, "{name} at {step}");
            }
            let report = verified(dir.path());
            assert_eq!(report.damages, 0, "at {step}: {:#?}", report.findings);
        }
    }
    assert!(verified(dir.path()).counts.blocks > 0);
    let want = content(&db);
    drop(db);
    assert_eq!(inspected(dir.path()), want);
    let head = Inspection::open(dir.path()).expect("listed").head(&mut Silent).expect("read");
    let options = AnalyzeOptions { limit: 3, matchers: Vec::new(), extended: true };
    let analysis = analyze_head(&head, &options, &mut Silent).expect("read");
    assert_eq!((analysis.series, analysis.label_names, analysis.series_by_metric[0].value), (20, 2, 10));
    assert_eq!(analysis.samples, head.report().samples);
    let chunks: usize = head.series().iter().map(|series| series.chunks.len()).sum();
    assert_eq!(analysis.spread.expect("asked for").total(), chunks as u64);
}

//! What all tests need: opening a database, appending, reading everything back.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;

use model::{Labels, ManualClock, Matcher, TimeRange, Timestamp};
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use storage::{Appendable, Queryable, Samples, SelectRequest};
use tsdb::{Db, Options};

/// All samples by series: time and the bits of the value.
pub(crate) type Content = BTreeMap<String, Vec<(i64, u64)>>;

/// A folder that goes away with the test. In memory where there is such a place: these tests sync often.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    dir.expect("a folder")
}

/// Options with blocks of a minute and no retention.
pub(crate) fn options(dir: &Path) -> Options {
    Options { min_block_ms: 60_000, max_block_ms: 600_000, retention_ms: 0, ..Options::new(dir) }
}

pub(crate) fn open(options: Options) -> (Arc<Db>, Registry) {
    let mut registry = Registry::default();
    let clock = Arc::new(ManualClock::new(Timestamp::from_ms(i64::MAX / 2)));
    let db = Db::open(options, clock, &mut registry).expect("the directory opens");
    (db, registry)
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

pub(crate) fn ms(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

/// Appends and commits in one transaction.
pub(crate) fn append(db: &Db, samples: &[(&Labels, i64, f64)]) {
    let mut appender = db.appender();
    for (labels, time, value) in samples {
        appender.append(labels, ms(*time), *value).expect("the sample is taken");
    }
    appender.commit().expect("the log is written");
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// What a selection gives within a range.
pub(crate) fn select(db: &dyn Queryable, matchers: Vec<Matcher>, range: TimeRange) -> Content {
    let set = block_on(db.select(&SelectRequest::new(matchers, range))).expect("selects");
    let mut out = Content::new();
    let mut samples = Samples::default();
    let mut last: Option<Labels> = None;
    for series in set.series {
        let series = series.expect("series can be read");
        assert!(last.as_ref().is_none_or(|last| *last < series.labels), "sorted, each once");
        last = Some(series.labels.clone());
        series.decode(range, &mut samples).expect("chunks can be read");
        if !samples.is_empty() {
            let values =
                samples.times.iter().copied().zip(samples.values.iter().map(|value| value.to_bits())).collect();
            out.insert(series.labels.to_string(), values);
        }
    }
    out
}

/// Everything.
pub(crate) fn content(db: &Db) -> Content {
    select(db, vec![], TimeRange::ALL)
}

/// The value of a metric as it is exposed, over all its labels; NaN where it isn't there.
pub(crate) fn metric(registry: &Registry, name: &str) -> f64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).expect("text");
    let lines = text.lines().filter(|line| line.split([' ', '{']).next() == Some(name));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.reduce(|a, b| a + b).unwrap_or(f64::NAN)
}

/// A copy of a directory as a killed process would leave it.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Every sample as a line `{labels} value time`, the way `promtool tsdb dump` tells it.
pub(crate) fn dump(db: &Db) -> BTreeSet<String> {
    let set = block_on(db.select(&SelectRequest::new(vec![], TimeRange::ALL))).expect("selects");
    let mut lines = BTreeSet::new();
    let mut samples = Samples::default();
    for series in set.series {
        let series = series.expect("series can be read");
        series.decode(TimeRange::ALL, &mut samples).expect("chunks can be read");
        let pairs: Vec<_> =
            series.labels.iter().map(|(name, value)| format!("{name}={}", model::quote(value))).collect();
        for sample in samples.iter() {
            lines.insert(dump_line(&format!("{{{}}}", pairs.join(", ")), sample.value, sample.time.as_ms()));
        }
    }
    lines
}

/// One line of a dump, with the value written our way.
pub(crate) fn dump_line(labels: &str, value: f64, time: i64) -> String {
    format!("{labels} {} {time}", model::format_float(value))
}

/// Runs a property on random cases, of which `WATERSHED_SEED` repeats a failed one and `WATERSHED_CASES` makes more. The failure names
/// the seed.
pub(crate) fn check_property<S: Strategy>(
    name: &str,
    cases: u32,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let setting = |variable: &str| std::env::var(variable).ok().map(|text| text.parse().expect("a number"));
    let seed: u64 = setting("WATERSHED_SEED").unwrap_or_else(|| RandomState::new().hash_one(name));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let cases = setting("WATERSHED_CASES").map_or(cases, |cases| cases as u32);
    let config =
        ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    if let Err(error) = runner.run(strategy, test) {
        panic!("WATERSHED_SEED={seed}: {error}");
    }
}

//! What comes back from the blocks, in how many passes, and what an error leaves behind.

use std::sync::Arc;

use model::TimeRange;
use proptest::prelude::*;
use storage::Samples;

use super::*;
use crate::block::Block;

/// In memory where there is such a place: these tests sync often.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    dir.expect("folder")
}

type Content = BTreeMap<String, Vec<(i64, u64)>>;

fn name(series: u8) -> Labels {
    Labels::from_pairs([("__name__", "m".to_owned()), ("i", series.to_string())])
}

/// Pushes all samples as often as they are wanted; tells what the blocks hold, and how many passes there were.
fn fill(samples: &[(u8, i64, f64)], options: &BackfillOptions, dir: &Path) -> (Content, usize) {
    let mut backfill = Backfill::new(options.clone());
    let mut passes = 0;
    loop {
        for (series, time, value) in samples {
            let number = backfill.series(&name(*series)).expect("room");
            backfill.push(number, Timestamp::from_ms(*time), *value).expect("in order");
        }
        passes += 1;
        if !backfill.write(dir).expect("written") {
            break;
        }
    }
    assert!(std::fs::read_dir(dir).expect("folder").count() <= 1, "nothing can be seen yet");
    let mut content = Content::new();
    for meta in backfill.publish().expect("published") {
        let block = Arc::new(Block::open(&dir.join(meta.ulid.to_string())).expect("opens"));
        assert_eq!(
            meta.min_time.as_ms().div_euclid(options.block_ms),
            (meta.max_time.as_ms() - 1).div_euclid(options.block_ms)
        );
        for series in block.select(&[], TimeRange::ALL, false).expect("selects") {
            let (series, mut samples) = (series.expect("series"), Samples::default());
            series.decode(TimeRange::ALL, &mut samples).expect("valid");
            let samples = samples.iter().map(|sample| (sample.time.as_ms(), sample.value.to_bits()));
            content.entry(series.labels.to_string()).or_default().extend(samples);
        }
    }
    assert!(std::fs::read_dir(dir).expect("folder").flatten().all(|entry| entry.file_name().len() == 26));
    (content, passes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn blocks_hold_what_was_pushed_however_little_memory_there_is(
        mut samples in proptest::collection::vec((0..4_u8, -50..300_i64, -4..4_i32), 1..300),
        memory_bytes_max in prop_oneof![Just(1), Just(2000), Just(usize::MAX)],
    ) {
        samples.sort_by_key(|(_, time, _)| *time);
        samples.dedup_by_key(|(series, time, _)| (*series, *time));
        let samples: Vec<_> = samples.iter().map(|(series, time, value)| (*series, *time, f64::from(*value))).collect();
        let mut want = Content::new();
        let mut seen = std::collections::HashSet::new();
        let samples: Vec<_> = samples.into_iter().filter(|(series, time, _)| seen.insert((*series, *time))).collect();
        for (series, time, value) in &samples {
            want.entry(name(*series).to_string()).or_default().push((*time, value.to_bits()));
        }
        let dir = scratch();
        let (got, passes) = fill(&samples, &BackfillOptions { block_ms: 100, memory_bytes_max }, dir.path());
        prop_assert_eq!(got, want);
        prop_assert!(passes == 1 || memory_bytes_max < usize::MAX);
    }
}

#[test]
fn little_memory_takes_more_passes() {
    let samples: Vec<_> = (0..1000).map(|t| (0, t, t as f64)).collect();
    let dir = scratch();
    let (content, passes) = fill(&samples, &BackfillOptions { block_ms: 100, memory_bytes_max: 1 }, dir.path());
    assert_eq!((content[&name(0).to_string()].len(), passes), (1000, 10));
}

#[test]
fn a_sample_out_of_order_is_refused_and_leaves_nothing() {
    let dir = scratch();
    let mut backfill = Backfill::new(BackfillOptions { block_ms: 100, ..BackfillOptions::default() });
    let series = backfill.series(&name(1)).expect("room");
    let mut push = |time: i64, value: f64| backfill.push(series, Timestamp::from_ms(time), value);
    assert!(push(150, 1.0).is_ok());
    assert!(push(20, 1.0).is_ok(), "another block");
    assert!(push(150, 1.0).is_ok(), "repeated");
    assert!(matches!(push(150, 2.0), Err(BackfillError::Conflict)));
    assert!(matches!(push(149, 1.0), Err(BackfillError::OutOfOrder)));
    backfill.write(dir.path()).expect("written");
    drop(backfill);
    assert_eq!(std::fs::read_dir(dir.path()).expect("folder").count(), 0);
}

#[test]
fn the_same_samples_make_the_same_blocks() {
    let dir = scratch();
    let samples = [(1, 5, 1.0), (2, 5, 1.0), (1, 120, 2.0)];
    let options = BackfillOptions { block_ms: 100, ..BackfillOptions::default() };
    fill(&samples, &options, dir.path());
    let blocks = || std::fs::read_dir(dir.path()).expect("folder").count();
    assert_eq!(blocks(), 2);
    let mut backfill = Backfill::new(options);
    for (series, time, value) in samples {
        let number = backfill.series(&name(series)).expect("room");
        backfill.push(number, Timestamp::from_ms(time), value).expect("in order");
    }
    assert!(!backfill.write(dir.path()).expect("written"));
    backfill.publish().expect("published");
    assert_eq!(blocks(), 2);
}

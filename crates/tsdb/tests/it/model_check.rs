//! Random appends, restarts, cuts and deaths against a map.

use std::collections::BTreeMap;

use proptest::prelude::*;
use storage::Appendable;
use tsdb::Options;

use crate::fixture::{Content, content, copy_dir, labels, ms, open, options, scratch};

#[derive(Debug, Clone)]
enum Step {
    /// A transaction: (series, advance in ms, value), committed or rolled back.
    Append(Vec<(u8, u16, u8)>, bool),
    Maintain,
    Flush,
    Restart,
    Kill,
}

impl Step {
    fn name(&self) -> &'static str {
        match self {
            Step::Append(_, true) => "commit",
            Step::Append(_, false) => "rollback",
            Step::Maintain => "maintain",
            Step::Flush => "flush",
            Step::Restart => "restart",
            Step::Kill => "kill",
        }
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let samples = proptest::collection::vec((0..6_u8, 0..2_500_u16, any::<u8>()), 1..40);
    prop_oneof![
        12 => (samples, proptest::bool::weighted(0.85)).prop_map(|(samples, commit)| Step::Append(samples, commit)),
        3 => Just(Step::Maintain),
        1 => Just(Step::Flush),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn reads_what_a_map_would(steps in proptest::collection::vec(any_step(), 1..40)) {
        let mut dirs = vec![scratch()];
        let small = |dir: &tempfile::TempDir| Options { wal_segment_bytes: 32 << 10, ..options(dir.path()) };
        let (mut db, mut _registry) = open(small(&dirs[0]));
        let mut want = Content::new();
        let mut now = 0;
        let mut done = Vec::new();
        for step in steps {
            done.push(step.name());
            match step {
                Step::Append(samples, commit) => {
                    let mut appender = db.appender();
                    let mut taken: BTreeMap<(String, i64), u64> = BTreeMap::new();
                    for (series, advance, value) in samples {
                        now += i64::from(advance);
                        let labels = labels(&[("__name__", "m"), ("series", &series.to_string())]);
                        let value = f64::from(value);
                        // What is refused is not stored; what repeats a time inside the transaction counts once, the first.
                        if appender.append(&labels, ms(now), value).is_ok() {
                            taken.entry((labels.to_string(), now)).or_insert(value.to_bits());
                        }
                    }
                    if commit {
                        appender.commit().expect("stored");
                        for ((series, time), bits) in taken {
                            let samples = want.entry(series).or_default();
                            if samples.last().is_none_or(|(last, _)| *last < time) {
                                samples.push((time, bits));
                            }
                        }
                    }
                }
                Step::Maintain => { db.maintain().expect("maintained"); }
                Step::Flush => { db.flush_head(ms(now)).expect("flushed"); }
                Step::Restart => {
                    db.close().expect("closed");
                    drop(db);
                    (db, _registry) = open(small(&dirs[dirs.len() - 1]));
                }
                Step::Kill => {
                    let next = scratch();
                    copy_dir(dirs[dirs.len() - 1].path(), next.path());
                    drop(db);
                    (db, _registry) = open(small(&next));
                    dirs.push(next);
                }
            }
            let got = content(&db);
            let differs = want.iter().find(|(series, samples)| got.get(*series) != Some(samples));
            let lost = differs.map(|(series, samples)| {
                let there = got.get(series).cloned().unwrap_or_default();
                (series, samples.iter().filter(|sample| !there.contains(sample)).collect::<Vec<_>>())
            });
            prop_assert!(got == want, "after {:?}: lost {lost:?}, at {now}", done);
        }
    }
}

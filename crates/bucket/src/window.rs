//! Which blocks of a bucket say the same: of one window, or of what was compacted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use model::{Labels, TimeRange, Timestamp};
use serde_json::{Value, json};
use tsdb::{BlockId, BlockMeta};

/// The blocks of a bucket by name.
pub(crate) type Metas = BTreeMap<BlockId, Arc<BlockMeta>>;

/// A span of time whose samples make one block: `[start, start + width)`, `start` being a multiple of the width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Window {
    start: Timestamp,
    width_ms: i64,
}

impl Window {
    /// The window that a time lies in.
    pub(crate) fn at(time: Timestamp, width_ms: i64) -> Self {
        let time = time.max(Timestamp::MIN.saturating_add(width_ms)); // the first multiple must have room
        Window { start: time.align_down(width_ms), width_ms }
    }

    /// The windows that a range touches, oldest first.
    pub(crate) fn touched(range: TimeRange, width_ms: i64) -> impl Iterator<Item = Window> {
        let first = (range.min <= range.max).then(|| Window::at(range.min, width_ms));
        std::iter::successors(first, move |window| {
            Some(window.next()).filter(|next| next.start - window.start == width_ms)
        })
        .take_while(move |window| window.start <= range.max)
    }

    pub(crate) fn next(self) -> Self {
        Window { start: self.end(), ..self }
    }

    pub(crate) fn start(self) -> Timestamp {
        self.start
    }

    /// The first millisecond after it.
    pub(crate) fn end(self) -> Timestamp {
        self.start.saturating_add(self.width_ms)
    }

    /// Its milliseconds.
    pub(crate) fn range(self) -> TimeRange {
        TimeRange::new(self.start, self.end().saturating_sub(1))
    }
}

/// External labels as a block's description has them.
pub(crate) fn labels_json(labels: &Labels) -> Value {
    json!(labels.iter().collect::<BTreeMap<&str, &str>>())
}

/// The section that Thanos wants, of a block that holds all of a window.
pub(crate) fn thanos_section(labels: &Labels, window: TimeRange, made_of: u64, files: &[Value]) -> Value {
    json!({
        "version": 1,
        "labels": labels_json(labels),
        "downsample": { "resolution": 0 },
        "source": "watershed",
        "extensions": { "watershed": { "window_ms": window.max - window.min + 1, "made_of": made_of } },
        "files": files,
    })
}

fn thanos<'a>(meta: &'a BlockMeta, pointer: &str) -> Option<&'a Value> {
    meta.thanos.as_ref().and_then(|thanos| thanos.pointer(pointer))
}

fn resolution(meta: &BlockMeta) -> i64 {
    thanos(meta, "/downsample/resolution").and_then(Value::as_i64).unwrap_or(0)
}

fn labels_of(meta: &BlockMeta) -> Option<&Value> {
    thanos(meta, "/labels")
}

/// Whether a block carries these external labels.
pub(crate) fn has_labels(meta: &BlockMeta, labels: &Value) -> bool {
    labels_of(meta) == Some(labels)
}

/// Whether a block carries these external labels and raw samples.
pub(crate) fn is_of(meta: &BlockMeta, labels: &Value) -> bool {
    has_labels(meta, labels) && resolution(meta) == 0
}

/// The files of a block that its description gives a size of.
pub(crate) fn file_sizes(meta: &BlockMeta) -> HashMap<&str, u64> {
    let files = thanos(meta, "/files").and_then(Value::as_array);
    files
        .into_iter()
        .flatten()
        .filter_map(|file| Some((file["rel_path"].as_str()?, file["size_bytes"].as_u64()?)))
        .collect()
}

/// Whether a block was written as the block of a window, from everything its writer had of it.
pub(crate) fn is_of_window(meta: &BlockMeta) -> bool {
    let width = thanos(meta, "/extensions/watershed/window_ms").and_then(Value::as_i64);
    let itself = meta.compaction.level == 1 && meta.compaction.sources == [meta.ulid];
    itself && resolution(meta) == 0 && width == Some(meta.max_time - meta.min_time)
}

/// Whether samples that came late are all that a block has.
fn is_of_late_samples(meta: &BlockMeta) -> bool {
    meta.compaction.hints.iter().any(|hint| hint == "from-out-of-order")
}

/// How many samples a block of a window was made of. With replicas made one these are more than it has, and more of them may make it
/// have less: a replica in the place of another is not there as often.
pub(crate) fn made_of(meta: &BlockMeta) -> u64 {
    thanos(meta, "/extensions/watershed/made_of").and_then(Value::as_u64).unwrap_or(0)
}

/// Blocks of one window compete: that which was made of more samples wins, because the other one lacks some of them. Where they
/// differ and were made of as many, that with the smaller name wins, so that all who look say the same.
pub(crate) fn wins(one: &BlockMeta, other: &BlockMeta) -> bool {
    let rank = |meta: &BlockMeta| (made_of(meta), std::cmp::Reverse(meta.ulid));
    rank(one) > rank(other)
}

/// The blocks of one window with the winner first; for each window of which there are several.
pub(crate) fn contests(metas: &Metas) -> Vec<Vec<Arc<BlockMeta>>> {
    let mut windows: HashMap<(String, Timestamp, Timestamp), Vec<Arc<BlockMeta>>> = HashMap::new();
    for meta in metas.values().filter(|meta| is_of_window(meta)) {
        let labels = labels_of(meta).map(Value::to_string).unwrap_or_default();
        windows.entry((labels, meta.min_time, meta.max_time)).or_default().push(meta.clone());
    }
    let mut contests: Vec<_> = windows.into_values().filter(|blocks| blocks.len() > 1).collect();
    for blocks in &mut contests {
        blocks.sort_by(|a, b| wins(b, a).cmp(&wins(a, b)));
    }
    contests
}

/// The blocks that need not be read, because others have all that is in them.
pub(crate) fn superseded(metas: &Metas) -> BTreeSet<BlockId> {
    let losers = contests(metas).into_iter().flat_map(|blocks| blocks.into_iter().skip(1));
    let mut gone: BTreeSet<BlockId> = losers.map(|meta| meta.ulid).collect();
    let mut compacted: HashMap<BlockId, Vec<&BlockMeta>> = HashMap::new();
    for meta in metas.values().filter(|meta| meta.compaction.level > 1) {
        for source in &meta.compaction.sources {
            compacted.entry(*source).or_default().push(meta);
        }
    }
    for meta in metas.values() {
        let Some(first) = meta.compaction.sources.first() else { continue };
        let holds = |larger: &&BlockMeta| {
            larger.compaction.level > meta.compaction.level
                && (labels_of(larger), resolution(larger)) == (labels_of(meta), resolution(meta))
                && meta.compaction.sources.iter().all(|source| larger.compaction.sources.contains(source))
        };
        if compacted.get(first).is_some_and(|larger| larger.iter().any(holds)) {
            gone.insert(meta.ulid);
        }
    }
    gone
}

/// A block that the bucket has of a window in another way, so that the window needs none of its own: together with others it covers all of
/// the window. Such are blocks of earlier versions, of windows of another width, and compacted ones.
pub(crate) fn covered_otherwise(metas: &Metas, labels: &Value, window: TimeRange) -> Option<BlockId> {
    let mut others: Vec<&Arc<BlockMeta>> = metas
        .values()
        .filter(|meta| is_of(meta, labels) && meta.range().overlaps(window) && !is_of_late_samples(meta))
        .filter(|meta| !(is_of_window(meta) && meta.range() == window))
        .collect();
    others.sort_by_key(|meta| meta.min_time);
    let mut end = window.min;
    for meta in &others {
        if meta.min_time <= end {
            end = end.max(meta.max_time);
        }
    }
    others.last().filter(|_| end > window.max).map(|meta| meta.ulid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    struct Spec {
        name: u64,
        range: (i64, i64),
        samples: u64,
        level: u32,
        sources: &'static [u64],
        window: bool,
        labels: &'static str,
    }

    const BLOCK: Spec =
        Spec { name: 0, range: (0, 100), samples: 10, level: 1, sources: &[], window: true, labels: "a" };

    fn id(name: u64) -> BlockId {
        BlockId::from_content(Timestamp::from_ms(1), u128::from(name))
    }

    fn metas(specs: &[Spec]) -> Metas {
        let meta = |spec: &Spec| {
            let sources = if spec.sources.is_empty() { &[spec.name][..] } else { spec.sources };
            let sources: Vec<String> = sources.iter().map(|source| id(*source).to_string()).collect();
            let mut json = json!({
                "ulid": id(spec.name).to_string(), "version": 1, "minTime": spec.range.0, "maxTime": spec.range.1,
                "compaction": {"level": spec.level, "sources": sources},
                "thanos": {"version": 1, "labels": {"tier": spec.labels}, "downsample": {"resolution": 0}}
            });
            if spec.window {
                json["thanos"]["extensions"] = json!({"watershed": {
                    "window_ms": spec.range.1 - spec.range.0, "made_of": spec.samples
                }});
            }
            let meta = BlockMeta::from_json(json.to_string().as_bytes()).expect("valid");
            (meta.ulid, Arc::new(meta))
        };
        specs.iter().map(meta).collect()
    }

    #[test]
    fn one_block_of_a_window_stays() {
        let check = |specs: &[Spec], want: &[u64]| {
            assert_eq!(
                superseded(&metas(specs)).into_iter().collect::<Vec<_>>(),
                want.iter().map(|n| id(*n)).collect::<Vec<_>>()
            );
        };
        check(&[Spec { name: 1, ..BLOCK }], &[]);
        check(&[Spec { name: 1, ..BLOCK }, Spec { name: 2, samples: 11, ..BLOCK }], &[1]);
        check(&[Spec { name: 1, ..BLOCK }, Spec { name: 2, ..BLOCK }, Spec { name: 3, samples: 9, ..BLOCK }], &[2, 3]);
        // Of other windows, other nodes, or not of windows.
        check(
            &[
                Spec { name: 1, ..BLOCK },
                Spec { name: 2, range: (100, 200), ..BLOCK },
                Spec { name: 3, labels: "b", ..BLOCK },
                Spec { name: 4, window: false, ..BLOCK },
                Spec { name: 5, window: false, ..BLOCK },
            ],
            &[],
        );
        // A compacted block has what its sources had.
        check(
            &[
                Spec { name: 1, ..BLOCK },
                Spec { name: 2, ..BLOCK },
                Spec { name: 8, level: 2, range: (0, 200), sources: &[1, 4], ..BLOCK },
                Spec { name: 9, level: 3, range: (0, 300), sources: &[1, 4, 5], ..BLOCK },
                Spec { name: 5, window: false, ..BLOCK },
                Spec { name: 4, labels: "b", ..BLOCK },
            ],
            &[1, 2, 5, 8],
        );
    }

    #[test]
    fn other_blocks_cover_a_window_together_or_not_at_all() {
        let window = Window::at(Timestamp::from_ms(150), 100);
        let check = |specs: &[Spec], want: bool| {
            let found = covered_otherwise(&metas(specs), &json!({"tier": "a"}), window.range());
            assert_eq!(found.is_some(), want);
        };
        let old = Spec { window: false, ..BLOCK };
        check(&[], false);
        check(&[Spec { name: 1, range: (100, 200), ..old }], true);
        check(&[Spec { name: 1, range: (101, 200), ..old }], false);
        check(&[Spec { name: 1, range: (50, 150), ..old }, Spec { name: 2, range: (150, 210), ..old }], true);
        check(&[Spec { name: 1, range: (50, 150), ..old }, Spec { name: 2, range: (151, 210), ..old }], false);
        check(&[Spec { name: 1, range: (100, 200), labels: "b", ..old }], false);
        check(&[Spec { name: 1, range: (100, 200), window: true, ..old }], false);
        check(&[Spec { name: 1, range: (0, 200), window: true, ..old }], true);
    }

    #[test]
    fn a_range_touches_windows() {
        let check = |min: i64, max: i64, want: &[i64]| {
            let range = TimeRange::new(Timestamp::from_ms(min), Timestamp::from_ms(max));
            let starts: Vec<i64> = Window::touched(range, 100).map(|window| window.start().as_ms()).collect();
            assert_eq!(starts, want);
        };
        check(0, 0, &[0]);
        check(0, 99, &[0]);
        check(-1, 100, &[-100, 0, 100]);
        check(5, 4, &[]);
        check(i64::MAX - 1, i64::MAX, &[i64::MAX / 100 * 100]);
    }
}

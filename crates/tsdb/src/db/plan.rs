//! Which blocks to compact next: the rules of Prometheus's `LeveledCompactor`.

use crate::meta::BlockMeta;

/// Each level is so many times as wide as the one below.
const LEVEL_FACTOR: i64 = 3;
/// Prometheus's count of levels.
const LEVELS: usize = 10;
/// A block of which more than this part of the series has something deleted is written anew.
const TOMBSTONES_PART: f64 = 0.05;

/// A block as planning sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) meta: &'a BlockMeta,
    /// It stays as it is: compaction failed on it, or somebody holds it.
    pub(super) excluded: bool,
}

impl Candidate<'_> {
    fn min(&self) -> i64 {
        self.meta.min_time.as_ms()
    }

    fn max(&self) -> i64 {
        self.meta.max_time.as_ms()
    }
}

/// The widths of the levels, ascending, from `min_block_ms` to `max_block_ms` at most.
pub(super) fn ranges(min_block_ms: i64, max_block_ms: i64) -> Vec<i64> {
    let widths = std::iter::successors(Some(min_block_ms), |width| width.checked_mul(LEVEL_FACTOR));
    widths.take(LEVELS).take_while(|width| *width <= max_block_ms).collect()
}

/// The places in `blocks`, which are sorted by `min_time`, of those that should become one; empty where there is nothing to do.
/// Overlapping blocks come first; then what fills a range of the next level, but never the newest block, which may still get
/// company; then a block alone of which much was deleted.
pub(super) fn plan(blocks: &[Candidate<'_>], ranges: &[i64]) -> Vec<usize> {
    let overlapping = overlapping(blocks);
    if !overlapping.is_empty() {
        return overlapping;
    }
    let Some((_, older)) = blocks.split_last() else { return Vec::new() };
    let level = next_level(older, ranges);
    if !level.is_empty() {
        return level;
    }
    much_deleted(older, ranges).into_iter().collect()
}

/// The first row of blocks that each overlap one before it.
fn overlapping(blocks: &[Candidate<'_>]) -> Vec<usize> {
    let mut row: Vec<usize> = Vec::new();
    let mut end = i64::MIN;
    for (at, block) in blocks.iter().enumerate().filter(|(_, block)| !block.excluded) {
        if row.is_empty() || block.min() < end {
            row.push(at);
        } else if row.len() > 1 {
            break;
        } else {
            row = vec![at];
        }
        end = end.max(block.max());
    }
    if row.len() > 1 { row } else { Vec::new() }
}

fn next_level(blocks: &[Candidate<'_>], ranges: &[i64]) -> Vec<usize> {
    let Some(newest) = blocks.last().map(Candidate::min) else { return Vec::new() };
    for width in ranges.iter().skip(1) {
        for part in split_by_range(blocks, *width) {
            let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
            let (min, max) = (blocks[*first].min(), blocks[*last].max());
            // A range that is full, gaps or not, or that no new block will come into.
            if max - min != *width && max > newest {
                continue;
            }
            if let Some(run) = run_without_excluded(blocks, &part) {
                return run;
            }
        }
    }
    Vec::new()
}

/// Prometheus passes over a range with a block on which compaction failed; as Thanos does, we take what stands together beside it.
fn run_without_excluded(blocks: &[Candidate<'_>], part: &[usize]) -> Option<Vec<usize>> {
    part.split(|at| blocks[*at].excluded).find(|run| run.len() > 1).map(<[usize]>::to_vec)
}

/// Groups of blocks that lie within the same range of `width`, aligned to it. Blocks that fit into none are left out.
fn split_by_range(blocks: &[Candidate<'_>], width: i64) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut group_end = i64::MIN;
    for (at, block) in blocks.iter().enumerate() {
        let fits_group = groups.last().is_some_and(|group| !group.is_empty()) && block.max() <= group_end;
        if !fits_group {
            let end = block.meta.min_time.align_down(width).as_ms().saturating_add(width);
            if block.max() > end {
                group_end = i64::MIN;
                continue;
            }
            groups.push(Vec::new());
            group_end = end;
        }
        if let Some(group) = groups.last_mut() {
            group.push(at);
        }
    }
    groups
}

/// From the newest on: a wide block with many tombstones, or any that is deleted wholly, until the first narrow one.
fn much_deleted(blocks: &[Candidate<'_>], ranges: &[i64]) -> Option<usize> {
    let middle = ranges.get(ranges.len() / 2).copied().unwrap_or(i64::MAX);
    for (at, block) in blocks.iter().enumerate().rev().filter(|(_, block)| !block.excluded) {
        let stats = &block.meta.stats;
        if block.max() - block.min() < middle {
            return (stats.num_tombstones > 0 && stats.num_tombstones >= stats.num_series).then_some(at);
        }
        if stats.num_tombstones as f64 / (stats.num_series + 1) as f64 > TOMBSTONES_PART {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;
    use crate::meta::{BlockCompaction, BlockId, BlockStats};

    fn meta(min: i64, max: i64, tombstones: u64) -> BlockMeta {
        let (min, max) = (Timestamp::from_ms(min), Timestamp::from_ms(max));
        let stats = BlockStats { num_series: 10, num_tombstones: tombstones, ..BlockStats::default() };
        BlockMeta::new(BlockId::from_content(max, min.as_ms() as u128), min, max, stats, BlockCompaction::cut())
    }

    /// Blocks as (min, max, tombstones, excluded); the plan as places.
    fn check(blocks: &[(i64, i64, u64, bool)], want: &[usize]) {
        let metas: Vec<BlockMeta> = blocks.iter().map(|(min, max, stones, _)| meta(*min, *max, *stones)).collect();
        let candidates: Vec<Candidate<'_>> =
            metas.iter().zip(blocks).map(|(meta, block)| Candidate { meta, excluded: block.3 }).collect();
        assert_eq!(plan(&candidates, &[20, 60, 180, 540, 1620]), want, "{blocks:?}");
    }

    fn plain(blocks: &[(i64, i64)], want: &[usize]) {
        check(&blocks.iter().map(|(min, max)| (*min, *max, 0, false)).collect::<Vec<_>>(), want);
    }

    #[test]
    fn widths_are_prometheuss() {
        assert_eq!(ranges(2, 100), [2, 6, 18, 54]);
        assert_eq!(ranges(2, 54), [2, 6, 18, 54]);
        assert_eq!(ranges(2, 2), [2]);
        assert_eq!(ranges(1, i64::MAX).len(), 10);
        assert_eq!(ranges(i64::MAX / 2, i64::MAX), [i64::MAX / 2]);
    }

    /// The cases of Prometheus's TestLeveledCompactor_plan.
    #[test]
    fn plans_as_prometheus_does() {
        plain(&[], &[]);
        plain(&[(0, 20)], &[]);
        // Too few, or the newest is still alone in its range.
        plain(&[(0, 20), (20, 40)], &[]);
        plain(&[(0, 20), (20, 40), (40, 60)], &[]);
        // Three that fill a range, and one after them.
        plain(&[(0, 20), (20, 40), (40, 60), (60, 80)], &[0, 1, 2]);
        // With a gap.
        plain(&[(0, 20), (40, 60), (60, 80), (80, 100), (100, 120)], &[0, 1]);
        plain(&[(0, 20), (60, 80), (80, 100), (100, 120), (120, 140)], &[1, 2, 3]);
        plain(&[(20, 40), (40, 60), (60, 80), (80, 100)], &[0, 1]);
        // A wider range full of narrower ones.
        plain(&[(0, 60), (60, 120), (120, 180), (180, 200)], &[0, 1, 2]);
        plain(&[(0, 20), (20, 40), (40, 60), (60, 120), (120, 180), (180, 200)], &[0, 1, 2]);
        // Negative times.
        plain(&[(-60, -40), (-40, -20), (-20, 0), (0, 20)], &[0, 1, 2]);
    }

    #[test]
    fn overlaps_come_first() {
        plain(&[(0, 20), (19, 40), (40, 60)], &[0, 1]);
        plain(&[(0, 20), (20, 40), (20, 30)], &[1, 2]);
        plain(&[(0, 20), (20, 40), (30, 50), (40, 60)], &[1, 2, 3]);
        plain(&[(0, 360), (340, 560), (360, 420), (420, 540)], &[0, 1, 2, 3]);
        plain(&[(0, 10), (9, 20), (30, 40), (39, 50)], &[0, 1]);
    }

    #[test]
    fn what_failed_stays_and_its_neighbours_go_on() {
        let failed = |at: usize| {
            let mut blocks = [0, 20, 40, 60, 80, 100, 120].map(|min| (min, min + 20, 0, false));
            blocks[at].3 = true;
            blocks
        };
        check(&failed(0), &[1, 2]);
        check(&failed(1), &[3, 4, 5]);
        check(&failed(2), &[0, 1]);
        check(&[(0, 20, 0, false), (10, 20, 0, true), (20, 40, 0, false)], &[]);
    }

    #[test]
    fn what_is_deleted_makes_a_block_worth_writing_anew() {
        check(&[(0, 540, 3, false), (540, 560, 0, false)], &[0]);
        check(&[(0, 540, 0, false), (540, 560, 0, false)], &[]);
        check(&[(0, 60, 3, false), (60, 80, 0, false)], &[]);
        check(&[(0, 60, 10, false), (60, 80, 0, false)], &[0]);
        check(&[(0, 540, 3, true), (540, 560, 0, false)], &[]);
        // The newest is left alone.
        check(&[(0, 540, 10, false)], &[]);
    }
}

//! From what counts of replicas back to chunks.

use model::{TimeRange, Timestamp, is_stale};

use super::counter::Kind;
use super::gaps::{Around, Gap};
use super::group::Group;
use super::interval::{AROUND_MS, NEIGHBOURS, infer_alone};
use super::plan::{plan, plan_on};
use super::track::{FAR_MS, Run, Track};
use crate::canonical::{Cutter, are_apart, recut, walk};
use crate::chunk::{Chunk, ChunkError, Recoder, TimedValue};
use crate::samples::Samples;
use crate::series::Series;

/// What is said of a time depends on no sample farther away from it than this: 25 minutes. The longest way is that of a
/// stale marker, by another marker, its replica's last sample, and what the interval is inferred from.
pub const MARGIN_MS: i64 = 2 * FAR_MS + AROUND_MS;

/// A look at the preferred replica, to see whether it has gaps at all, reads so much around the range first: that holds the
/// neighbours of what is in the range at intervals of up to a minute.
const FIRST_LOOK_MS: i64 = 300_000;

/// A range with the margin on either side.
pub(super) fn widened(range: TimeRange) -> TimeRange {
    by(range, MARGIN_MS)
}

fn by(range: TimeRange, margin_ms: i64) -> TimeRange {
    TimeRange::new(range.min.saturating_sub(margin_ms), range.max.saturating_add(margin_ms))
}

/// Makes one series of a group's replicas, for a block: what counts of them within `range`, cut as [`canonical`](crate::canonical)
/// does. The replicas must come with what they have within [`MARGIN_MS`] of the range.
///
/// # Errors
/// A chunk can't be read.
pub fn merge_series(group: Group, range: TimeRange) -> Result<Vec<Chunk>, ChunkError> {
    let decided = group.is_decided();
    let mut replicas = group.replicas;
    if replicas.len() > 1 {
        // Where a replica has two values at one time, the choice that is made must not depend on which of them came first.
        for replica in replicas.iter_mut().filter(|replica| !are_apart(&replica.chunks)) {
            replica.chunks = recut(&replica.chunks, TimeRange::ALL)?;
        }
    }
    match Counts::of(replicas, decided, range, &mut Samples::default())? {
        None => Ok(Vec::new()),
        Some(Counts::One(series)) => recut(&series.chunks, range),
        Some(Counts::Runs(replicas, runs)) => cut_runs(&replicas, &runs, range),
    }
}

fn cut_runs(replicas: &[Series], runs: &[Run], range: TimeRange) -> Result<Vec<Chunk>, ChunkError> {
    let mut cutter = Cutter::default();
    let within = |run: &Run| range.intersect(span(*run));
    if runs.windows(2).all(|two| two[0].to < two[1].from) {
        for run in runs {
            walk(&replicas[run.replica].chunks, within(run), |sample| cutter.push(sample))?;
        }
        return Ok(cutter.finish());
    }
    // A marker may lie between two samples of another replica's run.
    let mut values = Vec::new();
    for run in runs {
        walk(&replicas[run.replica].chunks, within(run), |sample| values.push(sample))?;
    }
    in_order(values).into_iter().for_each(|sample| cutter.push(sample));
    Ok(cutter.finish())
}

/// The deduplicated series of a group within `range`; `None` where there is nothing. Chunks that count as they are stay as
/// they are.
pub(super) fn series(group: Group, range: TimeRange, samples: &mut Samples) -> Result<Option<Series>, ChunkError> {
    let decided = group.is_decided();
    let Some(counts) = Counts::of(group.replicas, decided, range, samples)? else { return Ok(None) };
    let chunks = match counts {
        Counts::One(mut series) => {
            series.chunks.retain(|chunk| range.overlaps(chunk.range()));
            series.chunks
        }
        Counts::Runs(replicas, runs) => cut(&replicas, &runs, range)?,
    };
    Ok((!chunks.is_empty()).then_some(Series { labels: group.labels, chunks }))
}

/// What counts of replicas within a range.
enum Counts {
    /// All of one, nothing of the others.
    One(Series),
    /// Runs of several.
    Runs(Vec<Series>, Vec<Run>),
}

impl Counts {
    /// What counts of ordered replicas, the first of which may be decided before; `None` where they have nothing. Chunks are
    /// read as far as needed, into `samples`.
    fn of(
        mut replicas: Vec<Series>,
        decided: bool,
        range: TimeRange,
        samples: &mut Samples,
    ) -> Result<Option<Self>, ChunkError> {
        let whole = widened(range);
        let decided = decided && replicas[0].chunks.iter().any(|chunk| whole.overlaps(chunk.range()));
        for replica in &mut replicas {
            replica.chunks.retain(|chunk| whole.overlaps(chunk.range()));
        }
        replicas.retain(|replica| !replica.chunks.is_empty());
        if replicas.is_empty() {
            return Ok(None);
        }
        if replicas.len() == 1 || is_complete(&replicas, decided, range, samples)? {
            return Ok(Some(Counts::One(replicas.swap_remove(0))));
        }
        replicas[0].decode(whole, samples)?;
        let mut tracks = vec![if decided { Track::decided(samples) } else { Track::new(samples) }];
        if let Some(gaps) = own_gaps(&tracks[0].times, &tracks[0].markers, decided, &replicas[1..], range) {
            keep_what_fills(&mut replicas, &tracks[0], &gaps, range);
        }
        if replicas.len() == 1 {
            return Ok(Some(Counts::One(replicas.swap_remove(0))));
        }
        for replica in &replicas[1..] {
            replica.decode(whole, samples)?;
            tracks.push(Track::new(samples));
        }
        let kind = Kind::of(&replicas[0].labels);
        let runs = if decided { plan_on(&tracks, kind) } else { plan(&tracks, kind) };
        Ok(Some(Counts::Runs(replicas, runs)))
    }
}

/// Whether the first replica is all that counts within `range`, if that can be told from a first look at it alone.
fn is_complete(
    replicas: &[Series],
    decided: bool,
    range: TimeRange,
    samples: &mut Samples,
) -> Result<bool, ChunkError> {
    let [first, others @ ..] = replicas else { return Ok(false) };
    let look = by(range, FIRST_LOOK_MS);
    first.decode(look, samples)?;
    if !samples.histograms.is_empty() || !decided && samples.values.iter().any(|value| is_stale(*value)) {
        return Ok(false);
    }
    let times = &samples.times;
    let (min, max) = (range.min.as_ms(), range.max.as_ms());
    // All that intervals within the range are inferred from has to be there.
    let before = times.partition_point(|time| *time <= min);
    let after = times.len() - times.partition_point(|time| *time < max);
    let reads_all = |rest: TimeRange| !first.chunks.iter().any(|chunk| rest.overlaps(chunk.range()));
    let is_read = (before > NEIGHBOURS || reads_all(TimeRange::new(Timestamp::MIN, look.min.saturating_sub(1))))
        && (after > NEIGHBOURS || reads_all(TimeRange::new(look.max.saturating_add(1), Timestamp::MAX)));
    let gaps = if is_read { own_gaps(times, &[], decided, others, range) } else { None };
    Ok(gaps.is_some_and(|gaps| !gaps.iter().any(|gap| have(others, silence(times, gap).intersect(range)))))
}

/// The part of a gap where others matter. Close to the edges their samples don't count but their markers do; behind the last
/// sample nothing of them does before the next one is overdue.
fn silence(times: &[i64], gap: &Gap) -> TimeRange {
    match (gap.left, gap.right) {
        (_, None) => range_ms(gap.from, gap.to),
        (left, Some(right)) => range_ms(left.map_or(i64::MIN, |at| times[at] + 1), times[right] - 1),
    }
}

/// The preferred replica's gaps that reach into `range`, where its own samples tell them. That others go on is taken from
/// their chunks' times: gaps may begin too early by that, never too late.
fn own_gaps(times: &[i64], markers: &[i64], decided: bool, others: &[Series], range: TimeRange) -> Option<Vec<Gap>> {
    let around = Around {
        times,
        markers,
        decided,
        interval: |place| infer_alone(times, place),
        others_go_on: |after: i64, until: i64| have(others, range_ms(after.saturating_add(1), until)),
    };
    around.gaps(range.min.as_ms(), range.max.as_ms().saturating_add(1))
}

/// Drops the chunks of the other replicas that are not near a gap of the first, and those that are left with none.
fn keep_what_fills(replicas: &mut Vec<Series>, first: &Track, gaps: &[Gap], range: TimeRange) {
    let silent = gaps.iter().map(|gap| silence(&first.times, gap).intersect(range));
    let wanted: Vec<TimeRange> = silent.filter(|silent| silent.min <= silent.max).map(widened).collect();
    for replica in &mut replicas[1..] {
        replica.chunks.retain(|chunk| wanted.iter().any(|range| range.overlaps(chunk.range())));
    }
    replicas.retain(|replica| !replica.chunks.is_empty());
}

/// The chunks of what counts within `range`: as they are where all of a chunk counts, encoded anew otherwise.
fn cut(replicas: &[Series], runs: &[Run], range: TimeRange) -> Result<Vec<Chunk>, ChunkError> {
    let mut chunks = Vec::new();
    let mut open = Vec::new();
    for run in runs {
        let wanted = range.intersect(span(*run));
        if wanted.min > wanted.max {
            continue;
        }
        for chunk in replicas[run.replica].chunks.iter().filter(|chunk| wanted.overlaps(chunk.range())) {
            if wanted.min <= chunk.min_time && chunk.max_time <= wanted.max {
                chunks.append(&mut encode(std::mem::take(&mut open)));
                chunks.push(chunk.clone());
            } else {
                walk(std::slice::from_ref(chunk), wanted, |sample| open.push(sample))?;
            }
        }
    }
    chunks.append(&mut encode(open));
    chunks.sort_by_key(|chunk| chunk.min_time); // stable: of overlapping chunks the first stays in front
    Ok(chunks)
}

/// Encodes samples in any order, of which the first of several at one time counts.
fn encode(values: Vec<TimedValue>) -> Vec<Chunk> {
    let mut recoder = Recoder::default();
    in_order(values).into_iter().for_each(|sample| recoder.push_timed(sample));
    recoder.finish()
}

/// Samples in order of time, of several at one time the first.
fn in_order(mut values: Vec<TimedValue>) -> Vec<TimedValue> {
    values.sort_by_key(|sample| sample.time); // stable
    values.dedup_by_key(|sample| sample.time);
    values
}

/// Whether any of these has a chunk that reaches into a range, which may be empty.
fn have(replicas: &[Series], range: TimeRange) -> bool {
    range.min <= range.max
        && replicas.iter().any(|replica| replica.chunks.iter().any(|chunk| range.overlaps(chunk.range())))
}

fn span(run: Run) -> TimeRange {
    range_ms(run.from, run.to)
}

fn range_ms(from: i64, to: i64) -> TimeRange {
    TimeRange::new(Timestamp::from_ms(from), Timestamp::from_ms(to))
}

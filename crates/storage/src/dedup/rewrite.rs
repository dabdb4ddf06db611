//! From what counts of replicas back to chunks.

use model::{TimeRange, Timestamp};

use super::canonical::{collect, encode, recut};
use super::counter::Kind;
use super::gaps::Around;
use super::group::{Group, replica_order};
use super::interval::{AROUND_MS, infer_alone};
use super::plan::{Run, plan};
use super::track::{FAR_MS, Track};
use crate::chunk::{Chunk, ChunkError};
use crate::samples::Samples;
use crate::series::Series;

/// What is said of a time depends on no sample farther away from it than this: 25 minutes. The longest way is that of a
/// stale marker, by another marker, its replica's last sample, and what the interval is inferred from.
pub const MARGIN_MS: i64 = 2 * FAR_MS + AROUND_MS;

/// A range with the margin on either side.
pub(super) fn widened(range: TimeRange) -> TimeRange {
    TimeRange::new(range.min.saturating_sub(MARGIN_MS), range.max.saturating_add(MARGIN_MS))
}

/// Makes one series of replicas, for a block: what counts of them within `range`, encoded as [`recut`] does. The replicas must
/// come with what they have within [`MARGIN_MS`] of the range; their order doesn't matter, that of their replica labels
/// does.
///
/// # Errors
/// A chunk can't be read.
pub fn merge_series(
    replicas: &[Series],
    replica_labels: &[String],
    range: TimeRange,
) -> Result<Vec<Chunk>, ChunkError> {
    let whole = widened(range);
    let mut ordered: Vec<&Series> =
        replicas.iter().filter(|series| series.chunks.iter().any(|chunk| whole.overlaps(extent(chunk)))).collect();
    ordered.sort_by(|a, b| replica_order(&a.labels, &b.labels, replica_labels));
    if let [only] = ordered[..] {
        return recut(only, range);
    }
    let Some(first) = ordered.first() else { return Ok(Vec::new()) };
    let mut values = Vec::new();
    for run in plan(&tracks(&ordered, whole)?, Kind::of(&first.labels)) {
        collect(&ordered[run.replica].chunks, range.intersect(span(run)), &mut values)?;
    }
    Ok(encode(values))
}

/// The deduplicated series of a group within `range`; `None` where there is nothing. Chunks that count as they are stay as
/// they are.
pub(super) fn series(group: Group, range: TimeRange) -> Result<Option<Series>, ChunkError> {
    let Group { labels, mut replicas } = group;
    let whole = widened(range);
    for replica in &mut replicas {
        replica.chunks.retain(|chunk| whole.overlaps(extent(chunk)));
    }
    replicas.retain(|replica| !replica.chunks.is_empty());
    let Some(first) = replicas.first() else { return Ok(None) };
    let chunks = if replicas.len() == 1 || is_complete(&replicas, range)? {
        first.chunks.iter().filter(|chunk| range.overlaps(extent(chunk))).cloned().collect()
    } else {
        let ordered: Vec<&Series> = replicas.iter().collect();
        let runs = plan(&tracks(&ordered, whole)?, Kind::of(&labels));
        cut(&ordered, &runs, range)?
    };
    Ok((!chunks.is_empty()).then_some(Series { labels, chunks }))
}

/// Whether the first replica is all that counts within `range`, if that can be told without looking into the others.
fn is_complete(replicas: &[Series], range: TimeRange) -> Result<bool, ChunkError> {
    let [first, others @ ..] = replicas else { return Ok(false) };
    let mut samples = Samples::default();
    first.decode(widened(range), &mut samples)?;
    let track = Track::new(&samples);
    if !track.markers.is_empty() {
        return Ok(false);
    }
    let others_have = |from: i64, to: i64| {
        let range = range_ms(from, to);
        from <= to && others.iter().any(|other| other.chunks.iter().any(|chunk| range.overlaps(extent(chunk))))
    };
    let around = Around {
        times: &track.times,
        markers: &track.markers,
        interval: |place| infer_alone(&track.times, place),
        others_go_on: |after: i64, until: i64| others_have(after.saturating_add(1), until),
    };
    let Some(gaps) = around.gaps() else { return Ok(false) };
    let (min, max) = (range.min.as_ms(), range.max.as_ms());
    Ok(gaps.iter().all(|gap| !others_have(gap.from.max(min), gap.to.saturating_sub(1).min(max))))
}

/// The chunks of what counts within `range`: as they are where all of a chunk counts, encoded anew otherwise.
fn cut(replicas: &[&Series], runs: &[Run], range: TimeRange) -> Result<Vec<Chunk>, ChunkError> {
    let mut chunks = Vec::new();
    let mut open = Vec::new();
    for run in runs {
        let wanted = range.intersect(span(*run));
        if wanted.min > wanted.max {
            continue;
        }
        for chunk in replicas[run.replica].chunks.iter().filter(|chunk| wanted.overlaps(extent(chunk))) {
            if wanted.min <= chunk.min_time && chunk.max_time <= wanted.max {
                chunks.append(&mut encode(std::mem::take(&mut open)));
                chunks.push(chunk.clone());
            } else {
                collect(std::slice::from_ref(chunk), wanted, &mut open)?;
            }
        }
    }
    chunks.append(&mut encode(open));
    chunks.sort_by_key(|chunk| chunk.min_time); // stable: of overlapping chunks the first stays in front
    Ok(chunks)
}

fn tracks(replicas: &[&Series], range: TimeRange) -> Result<Vec<Track>, ChunkError> {
    let mut samples = Samples::default();
    let track = |replica: &&Series| {
        replica.decode(range, &mut samples)?;
        Ok(Track::new(&samples))
    };
    replicas.iter().map(track).collect()
}

fn extent(chunk: &Chunk) -> TimeRange {
    TimeRange::new(chunk.min_time, chunk.max_time)
}

fn span(run: Run) -> TimeRange {
    range_ms(run.from, run.to)
}

fn range_ms(from: i64, to: i64) -> TimeRange {
    TimeRange::new(Timestamp::from_ms(from), Timestamp::from_ms(to))
}

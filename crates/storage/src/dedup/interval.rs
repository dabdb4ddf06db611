//! How far apart a series' samples are at a place, inferred from the distances around it.

use std::ops::Range;

use super::track::{Track, others};

/// Longer intervals are not inferred: more than the lookback of an instant query is a gap for everybody.
pub(super) const INTERVAL_MAX_MS: i64 = 300_000;
/// So many distances on either side of a place are looked at.
pub(super) const NEIGHBOURS: usize = 4;
/// Samples farther away than this are not looked at.
pub(super) const AROUND_MS: i64 = 600_000;
/// With fewer distances of its own, a replica's are pooled with those of the others.
const ENOUGH: usize = 3;

/// The place between two samples that follow each other, by their indexes; one of them is missing at a beginning or an end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The sample on the left.
    pub(super) left: Option<usize>,
    /// The sample on the right.
    pub(super) right: Option<usize>,
}

/// The interval at a place among `times`, if these tell it by themselves. The distance across the place is not looked at:
/// it is what the interval will be compared with.
pub(super) fn infer_alone(times: &[i64], place: Place) -> Option<i64> {
    let mut distances = [0; 2 * NEIGHBOURS];
    let mut len = 0;
    collect(times, place, |distance| {
        distances[len] = distance;
        len += 1;
    });
    (len >= ENOUGH).then(|| typical(&mut distances[..len]))
}

/// The interval at a place of `tracks[replica]`, with the help of the other replicas where it has too few samples. Where
/// nobody has two samples, the longest interval.
pub(super) fn infer(tracks: &[Track], replica: usize, place: Place) -> i64 {
    let own = &tracks[replica].times;
    if let Some(interval) = infer_alone(own, place) {
        return interval;
    }
    let mut distances = Vec::new();
    collect(own, place, |distance| distances.push(distance));
    let (Some(left), Some(right)) = (place.left.or(place.right), place.right.or(place.left)) else {
        return INTERVAL_MAX_MS;
    };
    let (min, max) = (own[left].saturating_sub(AROUND_MS), own[right].saturating_add(AROUND_MS));
    for other in others(tracks, replica).map(|track| &track.times) {
        let (from, to) = (other.partition_point(|t| *t < min), other.partition_point(|t| *t <= max));
        distances.extend(other[from..to].windows(2).map(|pair| pair[1] - pair[0]));
    }
    if distances.is_empty() { INTERVAL_MAX_MS } else { typical(&mut distances) }
}

/// Gives the distances around a place.
fn collect(times: &[i64], place: Place, mut give: impl FnMut(i64)) {
    if let Some(left) = place.left {
        let min = times[left].saturating_sub(AROUND_MS);
        for at in (left.saturating_sub(NEIGHBOURS)..left).rev().take_while(|at| times[*at] >= min) {
            give(times[at + 1].saturating_sub(times[at]));
        }
    }
    if let Some(right) = place.right {
        let max = times[right].saturating_add(AROUND_MS);
        let end = (right + NEIGHBOURS).min(times.len() - 1);
        for at in (right..end).take_while(|at| times[at + 1] <= max) {
            give(times[at + 1].saturating_sub(times[at]));
        }
    }
}

/// The distance below which a third of them lie: missed scrapes make distances longer, and more often than restarts make
/// one shorter, so this bears more of the former than the median would.
fn typical(distances: &mut [i64]) -> i64 {
    let rank = (distances.len() - 1) / 3;
    let (_, typical, _) = distances.select_nth_unstable(rank);
    (*typical).clamp(1, INTERVAL_MAX_MS)
}

/// Tells at once of most neighbours that there is no gap between them.
pub(super) struct Steady<'a> {
    times: &'a [i64],
    /// What is no gap at the shortest distance of all.
    limit: i64,
}

impl<'a> Steady<'a> {
    /// For the places behind the samples `lefts` of `times`.
    pub(super) fn new(times: &'a [i64], lefts: Range<usize>) -> Self {
        let looked_at = lefts.start.saturating_sub(NEIGHBOURS)..(lefts.end + NEIGHBOURS + 1).min(times.len());
        let distances = times[looked_at].windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        Steady { times, limit: longest_step(distances.min().unwrap_or(0).min(INTERVAL_MAX_MS)) }
    }

    /// Whether the distance behind a sample is no gap whatever is typical of the distances around it, of which there are
    /// enough.
    pub(super) fn is_no_gap(&self, left: usize, distance: i64) -> bool {
        let near = |from: usize, to: usize| self.times[to].saturating_sub(self.times[from]) <= AROUND_MS;
        distance <= self.limit
            && (left >= ENOUGH && near(left - ENOUGH, left)
                || left + 1 + ENOUGH < self.times.len() && near(left + 1, left + 1 + ENOUGH))
    }
}

/// The longest distance between neighbours that is no gap at this interval: one missed scrape makes it twice the interval.
pub(super) fn longest_step(interval: i64) -> i64 {
    interval + interval / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000;

    fn track(seconds: &[i64]) -> Track {
        Track { times: seconds.iter().map(|s| s * S).collect(), ..Track::default() }
    }

    #[test]
    fn intervals_bear_missed_scrapes_and_restarts() {
        let check = |seconds: &[i64], left: usize, want: Option<i64>| {
            let place = Place { left: Some(left), right: Some(left + 1) };
            assert_eq!(infer_alone(&track(seconds).times, place), want.map(|s| s * S), "{seconds:?}");
        };
        check(&[0, 15, 30, 45, 60, 75, 90], 3, Some(15));
        check(&[0, 15, 30, 60, 75, 105], 2, Some(15));
        check(&[0, 30, 60, 75, 105, 120, 150, 180], 3, Some(15)); // most scrapes missed
        check(&[0, 15, 30, 34, 49, 64, 94, 109], 5, Some(15)); // a restart brought one closer
        check(&[0, 15, 30], 0, None);
        check(&[0, 3000, 6000, 9000, 12_000], 2, None); // too far away to count
    }

    #[test]
    fn others_help_where_there_are_few() {
        let check = |tracks: &[&[i64]], want: i64| {
            let tracks: Vec<Track> = tracks.iter().map(|seconds| track(seconds)).collect();
            assert_eq!(infer(&tracks, 0, Place { left: Some(0), right: None }), want * S);
        };
        check(&[&[100]], 300);
        check(&[&[100], &[100]], 300);
        check(&[&[100, 160], &[70, 85, 100, 115]], 15);
        check(&[&[100], &[1000, 1015, 1030]], 300);
    }
}

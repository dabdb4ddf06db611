//! Which replica's samples count when.

use super::counter::{Candidate, Kind};
use super::gaps::{Around, Gap};
use super::interval::infer;
use super::markers;
use super::track::{Run, Track, others};

/// What counts of replicas in order of time, where the first one is `decided`: chosen from the others before, for a part of
/// the time. All of it counts, and elsewhere what is chosen from the others now.
pub(super) fn plan_on(tracks: &[Track], kind: Kind) -> Vec<Run> {
    let Some((decided, rest)) = tracks.split_first() else { return Vec::new() };
    let around = Around {
        times: &decided.times,
        markers: &decided.markers,
        decided: true,
        interval: |place| Some(infer(tracks, 0, place)),
        others_go_on: |_, _| true,
    };
    let chosen: Vec<Run> = plan(rest, kind).into_iter().map(|run| Run { replica: run.replica + 1, ..run }).collect();
    let (mut runs, mut next) = (Vec::new(), 0);
    for gap in around.gaps(i64::MIN, i64::MAX).unwrap_or_default() {
        let before = gap.left.map_or(next, |left| left + 1);
        runs.extend(decided.run(0, next..before));
        next = before;
        let parts = chosen.iter().map(|run| Run { from: run.from.max(gap.from), to: run.to.min(gap.to - 1), ..*run });
        runs.extend(parts.filter(|run| run.from <= run.to));
    }
    runs.extend(decided.run(0, next..decided.times.len()));
    runs
}

/// What counts of these replicas, the preferred one first, in order of time.
pub(super) fn plan(tracks: &[Track], kind: Kind) -> Vec<Run> {
    let choice = Choice { tracks, kind };
    let mut runs = choice.live(0, i64::MIN, i64::MAX);
    let ends = markers::agreed(tracks, &runs);
    if !ends.is_empty() {
        runs.extend(ends);
        runs.sort_by_key(|run| run.from);
    }
    // What follows each other in its replica is one run.
    let mut joined: Vec<Run> = Vec::with_capacity(runs.len());
    for run in runs {
        match joined.last_mut() {
            Some(last) if last.replica == run.replica && tracks[run.replica].next_after(last.to) == Some(run.from) => {
                last.to = run.to;
            }
            _ => joined.push(run),
        }
    }
    joined
}

struct Choice<'a> {
    tracks: &'a [Track],
    kind: Kind,
}

impl Choice<'_> {
    /// The live samples that count of `replica` and those after it, from `from` on and before `to`.
    fn live(&self, replica: usize, from: i64, to: i64) -> Vec<Run> {
        let Some(own) = self.tracks.get(replica) else { return Vec::new() };
        let around = Around {
            times: &own.times,
            markers: &own.markers,
            decided: false,
            interval: |place| Some(infer(self.tracks, replica, place)),
            others_go_on: |after, until| others(self.tracks, replica).any(|track| track.is_live_within(after, until)),
        };
        let (mut next, end) = (own.times.partition_point(|t| *t < from), own.times.partition_point(|t| *t < to));
        let mut runs = Vec::new();
        for gap in around.gaps(from, to).unwrap_or_default() {
            let before = gap.left.map_or(next, |left| left + 1).clamp(next, end);
            runs.extend(own.run(replica, next..before));
            next = before;
            let (from, to) = (gap.from.max(from), gap.to.min(to));
            if from < to {
                for run in self.live(replica + 1, from, to) {
                    self.admit(replica, gap, run, &mut runs);
                }
            }
        }
        runs.extend(own.run(replica, next..end));
        runs
    }

    /// Adds what doesn't mislead of samples that stand in for those of `preferred`.
    fn admit(&self, preferred: usize, gap: Gap, run: Run, out: &mut Vec<Run>) {
        let own = &self.tracks[run.replica];
        let samples = own.within(run);
        let mut from = samples.start;
        for at in samples.clone() {
            let candidate = Candidate { tracks: self.tracks, preferred, gap, own: run.replica, at };
            if candidate.misleads(self.kind) {
                out.extend(own.run(run.replica, from..at));
                from = at + 1;
            }
        }
        out.extend(own.run(run.replica, from..samples.end));
    }
}

//! Which replica's sample counts when.

use super::counter::{Candidate, Kind};
use super::gaps::Around;
use super::interval::infer;
use super::markers;
use super::track::{Chosen, Track, others};

/// Samples of one replica that count, with none between them that doesn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Whose they are.
    pub(super) replica: usize,
    /// The time of the first.
    pub(super) from: i64,
    /// The time of the last.
    pub(super) to: i64,
}

/// What counts of these replicas, the preferred one first.
pub(super) fn plan(tracks: &[Track], kind: Kind) -> Vec<Run> {
    let mut live: Vec<Chosen> = Vec::new();
    for replica in (0..tracks.len()).rev() {
        live = fill(tracks, replica, &live, kind);
    }
    let ends = markers::agreed(tracks, &live);
    runs(tracks, &by_time(live, ends))
}

/// The samples of a replica, with those in its gaps that were chosen from the replicas after it.
fn fill(tracks: &[Track], replica: usize, lower: &[Chosen], kind: Kind) -> Vec<Chosen> {
    let own = &tracks[replica];
    let around = Around {
        times: &own.times,
        markers: &own.markers,
        interval: |place| Some(infer(tracks, replica, place)),
        others_go_on: |after, until| others(tracks, replica).any(|track| track.is_live_within(after, until)),
    };
    let mut gaps = around.gaps().unwrap_or_default().into_iter().peekable();
    let wanted = lower.iter().copied().filter(|chosen| {
        while gaps.next_if(|gap| gap.to <= chosen.time).is_some() {}
        gaps.peek().filter(|gap| gap.from <= chosen.time).is_some_and(|gap| {
            let candidate = Candidate { tracks, preferred: replica, gap: *gap, own: chosen.replica, time: chosen.time };
            !candidate.misleads(kind)
        })
    });
    let wanted: Vec<Chosen> = wanted.collect();
    by_time(own.times.iter().map(|time| Chosen { time: *time, replica }).collect(), wanted)
}

/// Merges two lists in order of time, none of which has a time of the other.
fn by_time(a: Vec<Chosen>, b: Vec<Chosen>) -> Vec<Chosen> {
    if b.is_empty() {
        return a;
    }
    let mut merged = Vec::with_capacity(a.len() + b.len());
    let mut b = b.into_iter().peekable();
    for chosen in a {
        while let Some(earlier) = b.next_if(|other| other.time < chosen.time) {
            merged.push(earlier);
        }
        merged.push(chosen);
    }
    merged.extend(b);
    merged
}

fn runs(tracks: &[Track], chosen: &[Chosen]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for Chosen { time, replica } in chosen.iter().copied() {
        match runs.last_mut() {
            Some(run) if run.replica == replica && tracks[replica].next_after(run.to) == Some(time) => run.to = time,
            _ => runs.push(Run { replica, from: time, to: time }),
        }
    }
    runs
}

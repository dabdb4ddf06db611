//! Which stale markers end the deduplicated series.

use super::interval::{Place, infer, longest_step};
use super::track::{FAR_MS, Run, Track};

/// The markers at which the series has ended for every replica that is there, given the live samples that count. Where
/// the replicas notice the end one after the other, the last one's marker is given.
pub(super) fn agreed(tracks: &[Track], live: &[Run]) -> Vec<Run> {
    let mut markers: Vec<Run> = Vec::new();
    for (replica, track) in tracks.iter().enumerate() {
        markers.extend(track.markers.iter().map(|time| Run { replica, from: *time, to: *time }));
    }
    markers.sort_unstable_by_key(|marker| (marker.from, marker.replica));
    markers.dedup_by_key(|marker| marker.from);
    markers.retain(|marker| (0..tracks.len()).all(|replica| has_ended(tracks, replica, marker.from)));
    let mut before: Option<Run> = None;
    markers.retain(|marker| {
        let repeated = before.is_some_and(|before| {
            before.replica != marker.replica
                && marker.from.saturating_sub(before.from) <= FAR_MS
                && !is_live_between(tracks, live, before.from, marker.from)
        });
        before = Some(*marker);
        !repeated
    });
    markers
}

/// Whether the series has ended in a replica at this time: the last that is known of it is a marker, or it should have had a
/// sample since.
fn has_ended(tracks: &[Track], replica: usize, time: i64) -> bool {
    let track = &tracks[replica];
    let Some(last) = track.at_or_before(time) else { return true };
    let since = time.saturating_sub(track.times[last]);
    let markers = &track.markers[..track.markers.partition_point(|marker| *marker <= time)];
    markers.last().is_some_and(|marker| *marker > track.times[last])
        || since > FAR_MS
        || since > longest_step(infer(tracks, replica, Place { left: Some(last), right: None }))
}

/// Whether there is a live sample that counts between the two times.
fn is_live_between(tracks: &[Track], live: &[Run], after: i64, before: i64) -> bool {
    let runs = &live[live.partition_point(|run| run.to <= after)..];
    runs.first().is_some_and(|run| tracks[run.replica].is_live_within(after.max(run.from - 1), before - 1))
}

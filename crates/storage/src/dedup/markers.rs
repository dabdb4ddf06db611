//! Which stale markers end the deduplicated series.

use super::interval::{Place, infer, longest_step};
use super::track::{Chosen, FAR_MS, Track};

/// The markers at which the series has ended for every replica that is there, given the live samples that were chosen. Where
/// the replicas notice the end one after the other, the last one's marker is given.
pub(super) fn agreed(tracks: &[Track], live: &[Chosen]) -> Vec<Chosen> {
    let mut markers: Vec<Chosen> = Vec::new();
    for (replica, track) in tracks.iter().enumerate() {
        markers.extend(track.markers.iter().map(|time| Chosen { time: *time, replica }));
    }
    markers.sort_unstable_by_key(|marker| (marker.time, marker.replica));
    markers.dedup_by_key(|marker| marker.time);
    markers.retain(|marker| (0..tracks.len()).all(|replica| has_ended(tracks, replica, marker.time)));
    let mut before: Option<Chosen> = None;
    markers.retain(|marker| {
        let repeated = before.is_some_and(|before| {
            before.replica != marker.replica
                && marker.time.saturating_sub(before.time) <= FAR_MS
                && !is_live_between(live, before.time, marker.time)
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

fn is_live_between(live: &[Chosen], after: i64, before: i64) -> bool {
    live.get(live.partition_point(|chosen| chosen.time <= after)).is_some_and(|chosen| chosen.time < before)
}

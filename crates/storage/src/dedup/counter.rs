//! Keeping a switch between replicas from looking like a counter reset.

use model::Labels;

use super::gaps::Gap;
use super::track::{FAR_MS, Track, others};

/// So long a replica that lags behind the one it stands in for is waited for: an instant query doesn't see a gap of this
/// length, because it looks back as far.
pub(super) const PATIENCE_MS: i64 = 300_000;
/// So many samples on either side tell whether a series behaves like a counter.
const NEIGHBOURS: usize = 8;
/// Samples farther away than this tell nothing.
const AROUND_MS: i64 = 600_000;
/// With fewer samples nothing is told.
const ENOUGH: usize = 6;

/// A reset that one replica sees, the others see within so many samples.
const SEEN_WITHIN: usize = 2;

/// What is known of a series by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By its name it is a counter: `_total`, `_count`, `_sum`, `_bucket`.
    Counter,
    /// It is a counter where it behaves like one: around a switch both replicas only rise.
    Unknown,
}

impl Kind {
    /// From a series' name.
    pub fn of(labels: &Labels) -> Self {
        let name = labels.metric_name();
        let counter = ["_total", "_count", "_sum", "_bucket"].iter().any(|suffix| name.ends_with(suffix));
        if counter { Kind::Counter } else { Kind::Unknown }
    }
}

/// A sample that stands in for another replica's.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    /// All replicas.
    pub(super) tracks: &'a [Track],
    /// Whose gap it is in.
    pub(super) preferred: usize,
    /// The gap.
    pub(super) gap: Gap,
    /// Whose sample it is.
    pub(super) own: usize,
    /// Which of its live samples it is.
    pub(super) at: usize,
}

impl Candidate<'_> {
    /// Whether it would look like a counter reset that nobody saw: lower than what the preferred replica had before, or
    /// higher than what it has next, without another replica having seen a reset there.
    pub(super) fn misleads(&self, kind: Kind) -> bool {
        let (preferred, own) = (&self.tracks[self.preferred], &self.tracks[self.own]);
        let (time, level) = (own.times[self.at], own.levels[self.at]);
        let is_counter = |edge: i64| kind == Kind::Counter || rises(preferred, edge) && rises(own, edge);
        let lags = self.gap.left.is_some_and(|left| {
            let edge = preferred.times[left];
            let near = time.saturating_sub(edge) <= PATIENCE_MS;
            near && level < preferred.levels[left] && is_counter(edge) && !self.is_reset_since(left)
        });
        lags || self.gap.right.is_some_and(|right| {
            let edge = preferred.times[right];
            let near = edge.saturating_sub(time) <= PATIENCE_MS;
            near && level > preferred.levels[right] && is_counter(edge) && !self.is_reset_until(right)
        })
    }

    /// Whether another replica saw a reset after the preferred replica's sample `left`, or right before it, where that
    /// replica itself did not see it yet.
    fn is_reset_since(&self, left: usize) -> bool {
        let preferred = &self.tracks[self.preferred];
        let (edge, time) = (preferred.times[left], self.tracks[self.own].times[self.at]);
        let early = usize::from(!preferred.falls(left.saturating_sub(SEEN_WITHIN), left, edge));
        others(self.tracks, self.preferred).any(|other| {
            let Some(last) = other.at_or_before(time) else { return false };
            let first = other.at_or_before(edge).unwrap_or(0).saturating_sub(early);
            other.falls(first, last, edge)
        })
    }

    /// Whether another replica sees a reset before the preferred replica's sample `right`, or right after it, where that
    /// replica itself has it behind it.
    fn is_reset_until(&self, right: usize) -> bool {
        let preferred = &self.tracks[self.preferred];
        let (edge, time) = (preferred.times[right], self.tracks[self.own].times[self.at]);
        let late = usize::from(!preferred.falls(right, right + SEEN_WITHIN, edge));
        others(self.tracks, self.preferred).any(|other| {
            let Some(first) = other.at_or_after(time) else { return false };
            let last = other.at_or_after(edge).unwrap_or(other.times.len()).saturating_add(late);
            other.falls(first, last, edge)
        })
    }
}

impl Track {
    /// Whether a counter was reset between the samples `first` and `last`, as far as these are near the edge of a gap.
    fn falls(&self, first: usize, last: usize, edge: i64) -> bool {
        let (min, max) = (edge.saturating_sub(FAR_MS), edge.saturating_add(FAR_MS));
        let from = first.max(self.times.partition_point(|time| *time < min));
        let to = last.saturating_add(1).min(self.times.partition_point(|time| *time <= max));
        self.levels.get(from..to).is_some_and(|levels| levels.windows(2).any(|pair| pair[1] < pair[0]))
    }
}

/// Whether the samples around a time behave like a counter's: they never fall, rise at least once, and are not negative.
fn rises(track: &Track, time: i64) -> bool {
    let (min, max) = (time.saturating_sub(AROUND_MS), time.saturating_add(AROUND_MS));
    let middle = track.times.partition_point(|t| *t <= time);
    let from = track.times.partition_point(|t| *t < min).max(middle.saturating_sub(NEIGHBOURS));
    let to = track.times.partition_point(|t| *t <= max).min(middle + NEIGHBOURS);
    let levels = &track.levels[from..to];
    levels.len() >= ENOUGH
        && levels[0] >= 0.0
        && levels.windows(2).all(|pair| pair[0] <= pair[1])
        && levels[0] < levels[levels.len() - 1]
}

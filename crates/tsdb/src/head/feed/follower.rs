//! A reader of commits.

use std::sync::Arc;

use model::{Matcher, Timestamp};
use storage::{Change, Changes, Described, Follower, Missed, Place, Progress, SeriesRef};

use super::following::Bit;
use super::recent::{Commit, Rare};
use crate::head::index::HeadIndex;
use crate::head::state::Head;
use crate::head::transaction::{parts, to_ref};
use crate::wal::LogPosition;

/// The followed series of a head.
pub(crate) struct HeadFollower {
    head: Arc<Head>,
    /// `None` where too many follow already: such a one reads by time always.
    bit: Option<Bit>,
}

impl HeadFollower {
    /// Follows what any of the selectors matches.
    pub(crate) fn new(head: Arc<Head>, selectors: &[Vec<Matcher>]) -> Self {
        let bit = head.follow_selectors(selectors);
        HeadFollower { head, bit }
    }
}

impl Follower for HeadFollower {
    fn read(&self, after: Place, limit: usize, out: &mut Changes) -> Result<Progress, Missed> {
        *out = Changes::default();
        let feed = &self.head.feed;
        let begin = self.bit.and_then(|bit| Some((bit.mask(), feed.following.begin_of(bit, self.head.now().as_ms())?)));
        let runs = feed.runs.read();
        let after = runs.resolve(after);
        // Slots keep their series as long as the index is held.
        let index = self.head.index.read();
        let recent = feed.recent.lock();
        let settled = recent.settled();
        let (mask, after) = match (begin, after) {
            (Some((mask, begin)), Some(after)) if after >= begin.max(recent.begin()) => (mask, after),
            _ => {
                let from = after.map_or(i64::MIN, |after| recent.times.oldest_after(after));
                return Err(Missed { from: Timestamp::from_ms(from), until: runs.place(settled) });
            }
        };
        let mut until: Option<LogPosition> = None;
        for commit in recent.since(after) {
            if let Some(until) = until.filter(|_| out.len() >= limit) {
                return Ok(Progress { until: runs.place(until), more: true });
            }
            take(commit, mask, &index, out);
            until = Some(commit.end);
        }
        Ok(Progress { until: runs.place(settled.max(after)), more: false })
    }

    fn describe(&self, series: SeriesRef) -> Option<Described> {
        let (slot, half) = parts(series);
        let index = self.head.index.read();
        index.place(slot).filter(|place| place.reference as u32 == half)?;
        let metadata = self.head.metadata.read().get(slot).cloned();
        Some(Described { labels: index.labels(slot), metadata })
    }
}

/// Adds what a commit has for whoever has the bit.
fn take(commit: &Commit, mask: u8, index: &HeadIndex, out: &mut Changes) {
    for float in commit.what.floats.iter().filter(|float| float.followed & mask != 0) {
        let Some(series) = index.place(float.slot).map(to_ref) else { continue };
        out.floats.push(Change { series, time: float.time, value: float.value });
    }
    for rare in commit.what.rare.iter().filter(|rare| rare.followed & mask != 0) {
        let Some(series) = index.place(rare.slot).map(to_ref) else { continue };
        match &rare.what {
            Rare::Histogram(time, value) => {
                out.histograms.push(Change { series, time: *time, value: value.clone() });
            }
            Rare::Exemplar(exemplar) => out.exemplars.push((series, exemplar.clone())),
            Rare::Metadata => out.described.push(series),
        }
    }
}

//! Where a replica is missing, so that others may stand in for it.

use super::interval::{INTERVAL_MAX_MS, Place, Steady, longest_step};
use super::track::FAR_MS;

const _: () = assert!(FAR_MS == INTERVAL_MAX_MS + INTERVAL_MAX_MS / 2, "the longest step at the longest interval");

/// A span in which a replica has no live sample, without the margins of half an interval at its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// The live sample before it.
    pub(super) left: Option<usize>,
    /// The live sample after it.
    pub(super) right: Option<usize>,
    /// The first millisecond of which others' samples are wanted.
    pub(super) from: i64,
    /// The first millisecond of which they are not wanted any more; below `from` where nothing is wanted.
    pub(super) to: i64,
}

/// What finding gaps asks about.
pub(super) struct Around<'a, I, G> {
    /// The times of the replica's live samples.
    pub(super) times: &'a [i64],
    /// The times of its stale markers.
    pub(super) markers: &'a [i64],
    /// Whether others were asked before: what comes after a long silence then comes right behind the last sample.
    pub(super) decided: bool,
    /// The interval at a place; `None` ends the search.
    pub(super) interval: I,
    /// Whether another replica has a live sample after the first time and not after the second.
    pub(super) others_go_on: G,
}

impl<I: Fn(Place) -> Option<i64>, G: Fn(i64, i64) -> bool> Around<'_, I, G> {
    /// The gaps that reach into the time from `from` on and before `to`, in order, the one before the first sample and the one
    /// after the last among them; `None` where an interval couldn't be told.
    pub(super) fn gaps(&self, from: i64, to: i64) -> Option<Vec<Gap>> {
        let times = self.times;
        let Some(last) = times.len().checked_sub(1) else {
            return Some(vec![Gap { left: None, right: None, from: i64::MIN, to: i64::MAX }]);
        };
        let mut gaps = Vec::new();
        if from < times[0] {
            gaps.push(Gap { left: None, right: Some(0), from: i64::MIN, to: self.begin(0)? });
        }
        let lefts =
            times.partition_point(|t| *t <= from).saturating_sub(1)..times.partition_point(|t| *t < to).min(last);
        let steady = Steady::new(times, lefts.clone());
        for left in lefts {
            let distance = times[left + 1].saturating_sub(times[left]);
            if !self.markers.is_empty() || !steady.is_no_gap(left, distance) {
                gaps.extend(self.between(left, distance)?);
            }
        }
        if to > times[last] {
            gaps.push(Gap { left: Some(last), right: None, from: self.end(last)?, to: i64::MAX });
        }
        Some(gaps)
    }

    /// The gap behind the sample `left`, if there is one.
    fn between(&self, left: usize, distance: i64) -> Option<Option<Gap>> {
        let right = left + 1;
        let gap = |from, to| Some(Some(Gap { left: Some(left), right: Some(right), from, to }));
        if distance > FAR_MS {
            return gap(self.end(left)?, self.begin(right)?);
        }
        if self.decided {
            return Some(None); // what is missing here was missing then
        }
        let ended = self.is_marked(self.times[left], self.times[right]);
        let interval = (self.interval)(Place { left: Some(left), right: Some(right) })?;
        if distance <= longest_step(interval) && !ended {
            return Some(None);
        }
        // Of two samples of another replica at exactly half an interval from either edge one is enough.
        gap(self.times[left].saturating_add((interval + 1) / 2), self.times[right].saturating_sub(interval / 2))
    }

    /// From when on others are wanted behind the sample `left`, after which nothing comes for long. That it is missing and
    /// not just about to come is known when it said so, or when others went on beyond its next sample.
    fn end(&self, left: usize) -> Option<i64> {
        let time = self.times[left];
        if self.decided {
            return Some(time.saturating_add(1));
        }
        let interval = (self.interval)(Place { left: Some(left), right: None })?;
        let due = time.saturating_add(longest_step(interval));
        let far = time.saturating_add(FAR_MS);
        let ended = self.is_marked(time, far) || (self.others_go_on)(due, far);
        Some(if ended { time.saturating_add((interval + 1) / 2) } else { due.saturating_add(1) })
    }

    /// Until when others are wanted in front of the sample `right`, before which nothing was for long.
    fn begin(&self, right: usize) -> Option<i64> {
        let interval = (self.interval)(Place { left: None, right: Some(right) })?;
        Some(self.times[right].saturating_sub(interval / 2))
    }

    /// Whether there is a stale marker after `after` and not after `until`.
    fn is_marked(&self, after: i64, until: i64) -> bool {
        let next = self.markers.partition_point(|marker| *marker <= after);
        self.markers.get(next).is_some_and(|marker| *marker <= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dedup::interval::infer_alone;

    /// Gaps of samples at these seconds as seconds.
    fn check(seconds: &[i64], markers: &[i64], others_last: i64, want: &[(i64, i64)]) {
        let times: Vec<i64> = seconds.iter().map(|s| s * 1000).collect();
        let markers: Vec<i64> = markers.iter().map(|s| s * 1000).collect();
        let around = Around {
            times: &times,
            markers: &markers,
            decided: false,
            interval: |place| infer_alone(&times, place).or(Some(20_000)),
            others_go_on: |after, until| after < others_last * 1000 && others_last * 1000 <= until,
        };
        let gaps: Vec<_> =
            around.gaps(i64::MIN, i64::MAX).expect("intervals are told").iter().map(|gap| (gap.from, gap.to)).collect();
        let want: Vec<_> = want
            .iter()
            .map(|(from, to)| {
                let ms = |s: i64| if s.abs() == i64::MAX { s.signum() * i64::MAX } else { s * 1000 };
                (if *from == i64::MIN { i64::MIN } else { ms(*from) }, ms(*to))
            })
            .collect();
        let rounded: Vec<_> =
            gaps.iter().map(|(from, to)| (if *from == i64::MIN { *from } else { from / 1000 * 1000 }, *to)).collect();
        assert_eq!(rounded, want, "{seconds:?} {markers:?}");
    }

    #[test]
    fn gaps_keep_away_from_their_edges() {
        const BEGIN: i64 = i64::MIN;
        const END: i64 = i64::MAX;
        check(&[], &[], 0, &[(BEGIN, END)]);
        check(&[20, 40, 60, 80, 100], &[], 0, &[(BEGIN, 10), (130, END)]);
        // A missed scrape.
        check(&[20, 40, 80, 100, 120], &[], 0, &[(BEGIN, 10), (50, 70), (150, END)]);
        // Others go on, or it said so itself: its next sample is not just late.
        check(&[20, 40, 60, 80, 100], &[], 131, &[(BEGIN, 10), (110, END)]);
        check(&[20, 40, 60, 80, 100], &[120], 0, &[(BEGIN, 10), (110, END)]);
        // A short end is an end.
        check(&[20, 40, 60, 80, 100], &[50], 0, &[(BEGIN, 10), (50, 50), (130, END)]);
        // Long gaps are an end and a beginning.
        check(&[20, 40, 60, 80, 1000, 1020], &[], 0, &[(BEGIN, 10), (110, 990), (1050, END)]);
    }
}

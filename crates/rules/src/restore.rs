//! Alerts from before a restart don't start from the beginning. What a note tells of them ([`journal`](crate::journal)) goes on as it was;
//! for a rule without notes, because Prometheus has stored its series or because it says something else now, the time since when
//! conditions have held is read back from `ALERTS_FOR_STATE`, by Prometheus's rule.

use std::collections::HashMap;

use model::{Labels, Matcher, Sample, TimeRange, Timestamp, is_stale};
use storage::{Hints, QueryError, Queryable, Samples, SelectRequest};

use crate::alerts::{ALERT_NAME, ALERTS_FOR_STATE};
use crate::instance::Times;
use crate::status::AlertState;

/// The last word that was stored about each of a rule's alerts, not older than `outage_tolerance_ms`; alerts that had
/// ended are left out. The key is the alert's labels.
pub(crate) async fn last_states(
    storage: &dyn Queryable,
    alert_name: &str,
    now: Timestamp,
    outage_tolerance_ms: i64,
) -> Result<HashMap<Labels, Sample>, QueryError> {
    let matchers = vec![Matcher::equal(model::METRIC_NAME, ALERTS_FOR_STATE), Matcher::equal(ALERT_NAME, alert_name)];
    let range = TimeRange::new(now.saturating_sub(outage_tolerance_ms), now);
    let set = storage.select(&SelectRequest { matchers, range, hints: Hints::default() }).await?;
    let (mut found, mut samples) = (HashMap::new(), Samples::default());
    for series in set.series {
        let series = series?;
        series.decode(range, &mut samples)?;
        if let (Some(time), Some(value)) = (samples.times.last(), samples.values.last())
            && !is_stale(*value)
        {
            found.insert(series.labels.without_name(), Sample::new(Timestamp::from_ms(*time), *value));
        }
    }
    Ok(found)
}

/// What decides whether, and how, an alert goes on after the rules were not evaluated for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    /// When the rules were last evaluated.
    pub(crate) last: Timestamp,
    /// When they are again.
    pub(crate) now: Timestamp,
    /// How long it may have lasted at most, in milliseconds.
    pub(crate) tolerance_ms: i64,
    /// How long an alert waits at least before it fires, in milliseconds, if its `for` isn't shorter.
    pub(crate) grace_ms: i64,
}

impl Outage {
    /// Since when an alert's condition counts as having held. The outage itself doesn't count towards `for`, and after it an
    /// alert has at least the grace period before it fires, so that a condition that ended meanwhile has time to show it.
    pub(crate) fn active_since(&self, was_active_at: Timestamp, for_ms: i64) -> Timestamp {
        let remaining_ms = for_ms.saturating_sub(self.last - was_active_at);
        if remaining_ms <= 0 {
            was_active_at // It was firing, and fires again at the next evaluation.
        } else if remaining_ms < self.grace_ms && self.grace_ms <= for_ms {
            self.now + self.grace_ms - for_ms
        } else {
            was_active_at + (self.now - self.last).max(0)
        }
    }

    /// An alert's times as they go on; `None` where nothing does. What had ended is only told again.
    pub(crate) fn resumed(&self, noted: Times, for_ms: i64) -> Option<Times> {
        match noted.state() {
            AlertState::Inactive => (!noted.is_forgotten(self.now)).then_some(noted),
            _ if self.now - self.last > self.tolerance_ms => None,
            AlertState::Firing => Some(noted),
            AlertState::Pending => Some(Times { active_at: self.active_since(noted.active_at, for_ms), ..noted }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outage_does_not_count() {
        const MINUTE: i64 = 60_000;
        let at = |minute: i64| Timestamp::from_ms(minute * MINUTE);
        // Minutes: active since, last stored, now, for, grace; the restored time.
        let check = |active: i64, stored: i64, now: i64, hold: i64, grace: i64, want: i64| {
            let outage = Outage { last: at(stored), now: at(now), tolerance_ms: 0, grace_ms: grace * MINUTE };
            assert_eq!(outage.active_since(at(active), hold * MINUTE), at(want));
        };
        // It was firing already.
        check(0, 30, 40, 25, 10, 0);
        check(0, 25, 40, 25, 10, 0);
        // 20 minutes were left; the outage of 15 is added.
        check(0, 5, 20, 25, 10, 15);
        // 5 minutes were left: it gets the grace period.
        check(0, 20, 40, 25, 10, 40 + 10 - 25);
        // Exactly the grace period was left.
        check(0, 15, 20, 25, 10, 5);
        // A shorter `for` is not made longer.
        check(0, 4, 20, 5, 10, 16);
        // The clock was put back.
        check(0, 4, 3, 25, 10, 0);
    }

    #[test]
    fn what_is_too_old_does_not_go_on() {
        let at = |minute: i64| Timestamp::from_ms(minute * 60_000);
        let (pending, ended) = (Times::new(at(0)), Times { resolved_at: Some(at(4)), ..Times::new(at(0)) });
        let firing = Times { fired_at: Some(at(1)), ..pending };
        let check = |noted: Times, now: i64, want: Option<Times>| {
            let outage = Outage { last: at(4), now: at(now), tolerance_ms: 60 * 60_000, grace_ms: 10 * 60_000 };
            assert_eq!(outage.resumed(noted, 5 * 60_000), want, "{noted:?} at {now}");
        };
        check(pending, 64, Some(Times::new(at(60))));
        check(pending, 65, None);
        check(firing, 64, Some(firing));
        check(firing, 65, None);
        check(ended, 19, Some(ended));
        check(ended, 20, None);
    }
}

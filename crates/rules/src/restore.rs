//! Alerts that were pending or firing before a restart don't start from the beginning: the time since when their condition
//! has held is read back from `ALERTS_FOR_STATE`.

use std::collections::HashMap;

use model::{Labels, Matcher, Sample, TimeRange, Timestamp, is_stale};
use storage::{Hints, QueryError, Queryable, Samples, SelectRequest};

use crate::alerts::{ALERT_NAME, ALERTS_FOR_STATE};

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

/// Since when an alert's condition counts as having held, if `last` was stored about it before the outage. The outage
/// itself doesn't count towards `for`, and after it an alert has at least the grace period before it fires, so that
/// a condition that ended meanwhile has time to show it.
pub(crate) fn active_since(last: Sample, now: Timestamp, for_ms: i64, grace_ms: i64) -> Timestamp {
    let was_active_at = Timestamp::from_secs_f64(last.value);
    let remaining_ms = for_ms.saturating_sub(last.time - was_active_at);
    if remaining_ms <= 0 {
        was_active_at // It was firing, and fires again at the next evaluation.
    } else if remaining_ms < grace_ms {
        now + grace_ms - for_ms
    } else {
        was_active_at + (now - last.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outage_does_not_count() {
        const MINUTE: i64 = 60_000;
        // Minutes: active since, last stored, now, for, grace; the restored time.
        let check = |active: i64, stored: i64, now: i64, hold: i64, grace: i64, want: i64| {
            let last = Sample::new(Timestamp::from_ms(stored * MINUTE), (active * 60) as f64);
            let got = active_since(last, Timestamp::from_ms(now * MINUTE), hold * MINUTE, grace * MINUTE);
            assert_eq!(got.as_ms() / MINUTE, want);
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
    }
}

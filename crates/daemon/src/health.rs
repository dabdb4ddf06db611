//! Whether a node does what it is for: what its heartbeats tell depends on it.
//!
//! A heartbeat vouches for the way from a sample to an alert: the process runs, its rules are evaluated in time, and what it finds can be stored.
//! It doesn't vouch for single targets or receivers (`up` and failed notifications are there for alerts), and on a global not for
//! its shards, which have `ShardDown`.

use std::sync::{Arc, OnceLock, Weak};

use alert::Health;
use model::{Clock, Timestamp};
use rules::GroupStatus;
use tsdb::Db;

/// A group of rules counts as stuck when it is late by so many intervals, and by a minute besides.
const LATE_INTERVALS: i64 = 3;
const LATE_MS: i64 = 60_000;

/// The node works while every group of its rules is evaluated and what it commits is written. The rules are known a moment after this is
/// made; until then it doesn't.
pub(crate) fn of_node(manager: Arc<OnceLock<Weak<rules::Manager>>>, db: Arc<Db>, clock: Arc<dyn Clock>) -> Health {
    let began = clock.now();
    Arc::new(move || {
        let manager = manager.get().and_then(Weak::upgrade).ok_or("the rules don't run")?;
        in_time(&manager.groups(), began, clock.now())?;
        if db.storing_fails() {
            return Err("samples can't be stored: a commit could not be written to the log".to_owned());
        }
        Ok(())
    })
}

/// A group that a reload brought may have to wait for its first turn; but one of all must have had it since the start.
fn in_time(groups: &[GroupStatus], began: Timestamp, now: Timestamp) -> Result<(), String> {
    let newest = groups.iter().filter_map(|group| group.last_evaluation).max().unwrap_or(began).max(began);
    for group in groups {
        let late_ms = group.interval_ms.saturating_mul(LATE_INTERVALS).saturating_add(LATE_MS);
        let last = group.last_evaluation.unwrap_or(newest).max(began);
        if now - last > late_ms {
            return Err(format!("the rule group {:?} was last evaluated at {last}", group.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn a_group_is_stuck_when_it_is_late_by_three_intervals_and_a_minute() {
        let check = |last_s: Option<i64>, now_s: i64, works: bool| {
            let group = GroupStatus {
                name: "g".to_owned(),
                file: "f".to_owned(),
                interval_ms: 10_000,
                limit: 0,
                rules: Vec::new(),
                evaluation_time: Duration::ZERO,
                last_evaluation: last_s.map(|s| Timestamp::from_ms(s * 1000)),
            };
            let outcome = in_time(&[group], Timestamp::from_ms(500_000), Timestamp::from_ms(now_s * 1000));
            assert_eq!(outcome.is_ok(), works, "{last_s:?} {now_s}: {outcome:?}");
        };
        check(None, 590, true);
        check(None, 591, false);
        check(Some(1000), 1090, true);
        check(Some(1000), 1091, false);
        check(Some(100), 590, true); // of a former run
    }

    #[test]
    fn without_rules_to_ask_the_node_does_not_work() {
        let dir = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(model::SystemClock);
        let db = Db::open(tsdb::Options::new(dir.path()), clock.clone(), &mut Registry::default()).unwrap();
        let health = of_node(Arc::default(), db, clock);
        assert!(health().unwrap_err().contains("don't run"));
    }
}

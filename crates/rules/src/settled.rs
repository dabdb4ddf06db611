//! Whether what an alert is made of has been scraped since the start.
//!
//! After a restart an expression may give nothing because nothing has been scraped yet, not because a condition has ended: nothing at all where the
//! outage was longer than the lookback, and no rate before the second scrape. So an alert from before the restart is decided about once each of
//! its targets has been scraped twice; its targets are those that were known before. An aggregate, which names none, waits for all of
//! them. Nobody waits for longer than the lookback, also not for targets that nobody knows: one may have been taken out of the configuration.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::{INSTANCE, JOB, Labels, Timestamp};
use promql::Engine;
use storage::Queryable;
use tokio::sync::OnceCell;

use crate::evaluate::{RuleError, vector};
use crate::targets::{Targets, UP};

/// After so many scrapes a target is known again: a rate needs two.
const SCRAPES: f64 = 2.0;

/// What a group knows of the time around a restart.
#[derive(Debug)]
pub(crate) struct Settling {
    /// When the node began again.
    began: Timestamp,
    /// When the group was evaluated last before that.
    last: Timestamp,
    before: OnceCell<Targets>,
}

impl Settling {
    /// A restart, of which nothing has been asked yet.
    pub(crate) fn new(began: Timestamp, last: Timestamp) -> Self {
        Settling { began, last, before: OnceCell::new() }
    }

    /// Those of the alerts whose targets haven't been scraped often enough at `time`.
    pub(crate) async fn unsettled(
        &self,
        alerts: Vec<Labels>,
        engine: &Engine,
        source: &Arc<dyn Queryable>,
        time: Timestamp,
    ) -> Result<HashSet<Labels>, RuleError> {
        let since_ms = time - self.began;
        if alerts.is_empty() || since_ms >= engine.options().lookback_ms {
            return Ok(HashSet::new());
        }
        let before = self.before.get_or_try_init(|| Targets::known_at(self.last, engine, source)).await?;
        let scrapes = if since_ms > 0 { scrapes(since_ms, engine, source, time).await? } else { HashMap::new() };
        let is_scraped = |target: &Labels| scrapes.get(&target.without_name()).is_some_and(|count| *count >= SCRAPES);
        let is_unsettled = |alert: &Labels| {
            let mut own = before.of(alert).peekable();
            let names_one = alert.get(INSTANCE).is_some() || alert.get(JOB).is_some();
            match own.peek() {
                Some(_) => own.any(|target| !is_scraped(&target.labels)),
                None if names_one || before.all().is_empty() => true,
                None => before.all().iter().any(|target| !is_scraped(&target.labels)),
            }
        };
        Ok(alerts.into_iter().filter(is_unsettled).collect())
    }
}

/// How often each target was scraped in the milliseconds before `time`.
async fn scrapes(
    within_ms: i64,
    engine: &Engine,
    source: &Arc<dyn Queryable>,
    time: Timestamp,
) -> Result<HashMap<Labels, f64>, RuleError> {
    let count = promql::parse(&format!("count_over_time({UP}[{within_ms}ms])")).expect("an expression");
    let result = engine.instant(source.clone(), &count, time).await?;
    Ok(vector(result.value)?.into_iter().map(|sample| (sample.labels, sample.value)).collect())
}

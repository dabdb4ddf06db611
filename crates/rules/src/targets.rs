//! The targets of a node as its series tell of them, and which of them an alert is about.

use std::collections::HashMap;
use std::sync::Arc;

use model::{INSTANCE, JOB, Labels, METRIC_NAME, Timestamp};
use promql::{Engine, VectorSample};
use storage::Queryable;

use crate::evaluate::{RuleError, vector};

/// The metric that tells of each target whether its last scrape succeeded.
pub(crate) const UP: &str = "up";

/// The targets with the last word about each.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    up: Vec<VectorSample>,
    by_instance: HashMap<String, Vec<usize>>,
    by_job: HashMap<String, Vec<usize>>,
}

impl Targets {
    /// The targets that an instant query sees at `time`.
    pub(crate) async fn known_at(
        time: Timestamp,
        engine: &Engine,
        source: &Arc<dyn Queryable>,
    ) -> Result<Self, RuleError> {
        let up = promql::parse(UP).expect("a name is an expression");
        let result = engine.instant(source.clone(), &up, time).await?;
        Ok(Targets::new(vector(result.value)?))
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[VectorSample] {
        &self.up
    }

    fn new(up: Vec<VectorSample>) -> Self {
        let mut targets = Targets::default();
        for (at, sample) in up.iter().enumerate() {
            let list = |map: &mut HashMap<String, Vec<usize>>, name| {
                if let Some(value) = sample.labels.get(name) {
                    map.entry(value.to_owned()).or_default().push(at);
                }
            };
            list(&mut targets.by_instance, INSTANCE);
            list(&mut targets.by_job, JOB);
        }
        targets.up = up;
        targets
    }

    /// Whether an alert has targets and all of them are down.
    pub(crate) fn are_down(&self, alert: &Labels) -> bool {
        let mut targets = self.of(alert).peekable();
        targets.peek().is_some() && targets.all(|target| target.value == 0.0)
    }

    /// An alert's targets: those with its instance or, if it has none, with its job, which differ from it in no label that both have.
    pub(crate) fn of<'a>(&'a self, alert: &'a Labels) -> impl Iterator<Item = &'a VectorSample> {
        let candidates = match (alert.get(INSTANCE), alert.get(JOB)) {
            (Some(instance), _) => self.by_instance.get(instance),
            (None, Some(job)) => self.by_job.get(job),
            (None, None) => None,
        };
        let same = |(name, value): (&str, &str)| name == METRIC_NAME || alert.get(name).is_none_or(|own| own == value);
        let all = candidates.into_iter().flatten().map(|at| &self.up[*at]);
        all.filter(move |target| target.labels.iter().all(same))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied())
    }

    #[test]
    fn an_alert_s_targets_must_all_be_down() {
        let up = [
            ("a", "node", "eu", 0.0),
            ("b", "node", "eu", 1.0),
            ("a", "db", "eu", 1.0),
            ("c", "db", "us", 0.0),
            ("d", "web", "eu", 0.0),
        ];
        let sample = |(instance, job, cluster, value): (&str, &str, &str, f64)| VectorSample {
            labels: labels(&[(METRIC_NAME, UP), (INSTANCE, instance), (JOB, job), ("cluster", cluster)]),
            time: Timestamp::from_ms(0),
            value,
            histogram: None,
        };
        let targets = Targets::new(up.into_iter().map(sample).collect());
        let check =
            |alert: &[(&str, &str)], want: bool| assert_eq!(targets.are_down(&labels(alert)), want, "{alert:?}");
        check(&[(INSTANCE, "a"), (JOB, "node"), ("device", "sda")], true);
        check(&[(INSTANCE, "a"), (JOB, "db")], false);
        check(&[(INSTANCE, "a")], false);
        check(&[(INSTANCE, "c"), ("cluster", "us")], true);
        check(&[(INSTANCE, "c"), ("cluster", "eu")], false);
        check(&[(INSTANCE, "x"), (JOB, "node")], false);
        check(&[(JOB, "node")], false);
        check(&[(JOB, "web")], true);
        check(&[("cluster", "us")], false);
        check(&[], false);
    }
}

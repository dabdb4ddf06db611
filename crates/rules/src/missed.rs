//! Alerts that vanish because their target's scrape failed, not because their condition ended.
//!
//! A failed scrape ends a target's series with stale markers, so that whatever is computed of them vanishes, alerts included.
//! But the target may be away for the very reason that the alert tells of. So an alert whose targets are down stays as it is
//! for as long as an instant query would have seen the last sample, had there been no marker.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::{INSTANCE, JOB, Labels, METRIC_NAME, MatchOp, Timestamp};
use promql::{Engine, Expr, ExprKind, Selector, VectorSample};
use storage::Queryable;
use tokio::sync::OnceCell;

use crate::definition::Rule;
use crate::evaluate::{RuleError, vector};

/// The metric that tells of each target whether its last scrape succeeded.
const UP: &str = "up";

/// What is known of targets at one time, asked for once and only when needed.
#[derive(Debug, Default)]
pub(crate) struct Scrapes(OnceCell<Targets>);

impl Scrapes {
    /// Those of the alerts that have targets which are all down at `time`.
    pub(crate) async fn missed(
        &self,
        alerts: Vec<Labels>,
        engine: &Engine,
        source: &Arc<dyn Queryable>,
        time: Timestamp,
    ) -> Result<HashSet<Labels>, RuleError> {
        let targets = self.0.get_or_try_init(async || {
            let up = promql::parse(UP).expect("a name is an expression");
            let result = engine.instant(source.clone(), &up, time).await?;
            Ok::<_, RuleError>(Targets::new(vector(result.value)?))
        });
        let targets = targets.await?;
        Ok(alerts.into_iter().filter(|labels| targets.are_down(labels)).collect())
    }
}

/// Whether a rule's alerts are held at all: one that reads `up` decides for itself what a failed scrape means.
pub(crate) fn may_hold(rule: &Rule) -> bool {
    !reads_up(&rule.expr)
}

fn reads_up(expr: &Expr) -> bool {
    let selects_up = |selector: &Selector| {
        selector.matchers.iter().any(|m| m.name() == METRIC_NAME && m.op() == MatchOp::Equal && m.value() == UP)
    };
    match &expr.kind {
        ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) => selects_up(selector),
        _ => expr.children().into_iter().any(reads_up),
    }
}

/// The targets with the last word about each.
#[derive(Debug, Default)]
struct Targets {
    up: Vec<VectorSample>,
    by_instance: HashMap<String, Vec<usize>>,
    by_job: HashMap<String, Vec<usize>>,
}

impl Targets {
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

    /// Whether an alert has targets and all of them are down. Its targets are those with its instance or, if it has none,
    /// with its job, which differ from it in no label that both have.
    fn are_down(&self, alert: &Labels) -> bool {
        let candidates = match (alert.get(INSTANCE), alert.get(JOB)) {
            (Some(instance), _) => self.by_instance.get(instance),
            (None, Some(job)) => self.by_job.get(job),
            (None, None) => None,
        };
        let mut found = false;
        for target in candidates.into_iter().flatten().map(|at| &self.up[*at]) {
            let same =
                |(name, value): (&str, &str)| name == METRIC_NAME || alert.get(name).is_none_or(|own| own == value);
            if target.labels.iter().all(same) {
                if target.value != 0.0 {
                    return false;
                }
                found = true;
            }
        }
        found
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

    #[test]
    fn a_rule_that_reads_up_decides_for_itself() {
        let check =
            |expr: &str, want: bool| assert_eq!(reads_up(&promql::parse(expr).expect("an expression")), want, "{expr}");
        check("up == 0", true);
        check("cpu > 1 and on (instance) (up == 1)", true);
        check("avg_over_time({__name__=\"up\", job=\"x\"}[5m]) < 0.9", true);
        check("max_over_time((sum by (job) (up))[1h:1m]) > 1", true);
        check("rate(cpu_seconds_total[5m]) > 0.9", false);
        check("uptime < 60", false);
        check("cpu{name=\"up\"} > 1", false);
    }
}

//! Alerts that vanish because their target's scrape failed, not because their condition ended.
//!
//! A failed scrape ends a target's series with stale markers, so that whatever is computed of them vanishes, alerts included.
//! But the target may be away for the very reason that the alert tells of. So an alert whose targets are down stays as it is
//! for as long as an instant query would have seen the last sample, had there been no marker.

use std::collections::HashSet;
use std::sync::Arc;

use model::{Labels, METRIC_NAME, MatchOp, Timestamp};
use promql::{Engine, Expr, ExprKind, Selector};
use storage::Queryable;
use tokio::sync::OnceCell;

use crate::definition::Rule;
use crate::evaluate::RuleError;
use crate::targets::{Targets, UP};

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
        let targets = self.0.get_or_try_init(|| Targets::known_at(time, engine, source)).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

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

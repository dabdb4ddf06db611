//! Which series `info` takes labels from, and at which times.

use model::{METRIC_NAME, MatchOp, Matcher};

use crate::eval::context::Context;
use crate::eval::steps::Steps;
use crate::syntax::{At, Call, Expr, ExprKind};

/// The metric with labels about targets.
const TARGET_INFO: &str = "target_info";
/// What a metric is called that has labels about something, where it is only said what it isn't called.
const ANY_INFO: &str = ".+_info";

/// The second argument of `info`.
pub(crate) struct InfoSelector {
    /// What the names of the metrics have to be.
    pub(crate) names: Vec<Matcher>,
    /// What their labels have to be; where there are any, these labels alone are taken.
    pub(crate) labels: Vec<Matcher>,
}

impl InfoSelector {
    pub(crate) fn of(call: &Call) -> Self {
        let given = match call.args.get(1).map(|arg| &arg.kind) {
            Some(ExprKind::Selector(selector)) => selector.matchers.clone(),
            _ => Vec::new(),
        };
        let (mut names, labels): (Vec<_>, Vec<_>) =
            given.into_iter().partition(|matcher| matcher.name() == METRIC_NAME);
        if names.is_empty() {
            names.push(Matcher::equal(METRIC_NAME, TARGET_INFO));
        } else if names.iter().all(|matcher| matches!(matcher.op(), MatchOp::NotEqual | MatchOp::NotRegex)) {
            let any = Matcher::new(MatchOp::Regex, METRIC_NAME, ANY_INFO).expect("a regular expression");
            names.insert(0, any);
        }
        InfoSelector { names, labels }
    }

    /// All conditions.
    pub(crate) fn matchers(self) -> Vec<Matcher> {
        [self.names, self.labels].concat()
    }
}

/// The times at which info series are looked at: those at which the first selector of the enriched expression looks.
pub(crate) fn info_times(base: &Expr, steps: Steps, context: &Context) -> Steps {
    let (at, offset_ms) = first_look(base).unwrap_or_default();
    steps.moved(context.fixed(at), offset_ms)
}

/// `@` and offset of the first selector; those of the subqueries around it count until there is an `@`.
fn first_look(expr: &Expr) -> Option<(Option<At>, i64)> {
    match &expr.kind {
        ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) => Some((selector.at, selector.offset.ms())),
        ExprKind::Subquery(subquery) => first_look(&subquery.expr).map(|(at, offset_ms)| match at {
            Some(_) => (at, offset_ms),
            None => (subquery.at, offset_ms.saturating_add(subquery.offset.ms())),
        }),
        _ => expr.children().into_iter().find_map(first_look),
    }
}

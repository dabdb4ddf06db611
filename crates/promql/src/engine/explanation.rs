//! What each part of a query cost, as a tree.

use std::time::Duration;

use hashbrown::HashMap;

use crate::eval::{Profile, SelectorKey};
use crate::syntax::{Expr, ExprKind};

/// How long the storage looked for the series of each selector.
pub(crate) type SelectTimes = HashMap<SelectorKey, Duration, foldhash::fast::RandomState>;

/// A node of a query and what it cost. Parentheses, and literals below something, are no nodes.
///
/// Series are handed upwards one by one, so a node and the one above it take turns; each is charged for what it does itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Its kind, as Prometheus's API calls it: `aggregation`, `vectorSelector`.
    pub kind: &'static str,
    /// The node as text, `…` for the nodes below it.
    pub text: String,
    /// Series that it gave to the one above; a scalar counts as one.
    pub series: u64,
    /// Samples that it decoded itself.
    pub samples: u64,
    /// Values that it gave to the one above: floats and histograms of all series at all steps; of a range vector its samples.
    pub points: u64,
    /// How long it was evaluated, without the nodes below it. Of a selector that is reading and decoding, or waiting for the thread that does so.
    pub own: Duration,
    /// How long it was evaluated, with the nodes below it.
    pub total: Duration,
    /// How long the storage looked for the series that it reads, before the evaluation and at the same time for all nodes; `None` where it
    /// reads none.
    pub select: Option<Duration>,
    /// The nodes below it, in the order in which they are written.
    pub children: Vec<Explanation>,
}

impl Explanation {
    /// Of an expression that was evaluated.
    pub(crate) fn new(expr: &Expr, profile: &Profile, selects: &SelectTimes) -> Self {
        let expr = expr.unparen();
        let operands = expr.children().into_iter().filter(|child| !child.unparen().kind.is_literal());
        let children: Vec<_> = operands.map(|child| Explanation::new(child, profile, selects)).collect();
        let key = match &expr.kind {
            ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) => Some(SelectorKey::of(selector)),
            ExprKind::Call(call) => Some(SelectorKey::of_call(call)),
            _ => None,
        };
        let cost = profile.cost(expr);
        Explanation {
            kind: expr.kind.name(),
            text: expr.head(),
            series: cost.series,
            samples: cost.samples,
            points: cost.points,
            own: cost.time,
            total: cost.time + children.iter().map(|child| child.total).sum::<Duration>(),
            select: key.and_then(|key| selects.get(&key).copied()),
            children,
        }
    }
}

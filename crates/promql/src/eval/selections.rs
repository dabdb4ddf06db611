//! What is asked of the storage, and its answers.

use std::cell::RefCell;

use hashbrown::HashMap;
use storage::{Hints, SelectRequest, SeriesSet};

use crate::eval::constant::differ_without_name;
use crate::eval::context::Context;
use crate::eval::functions::range;
use crate::eval::info_selector::{InfoSelector, info_times};
use crate::eval::series::METADATA;
use crate::eval::steps::Steps;
use crate::eval::subquery::inner_steps;
use crate::syntax::{Aggregate, AggregateOp, Boundary, Call, Expr, ExprKind, Selector};

/// Names a selector of a tree, or a call that reads series or ranges, by its place in memory: the tree is neither moved nor changed
/// while it is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SelectorKey(usize);

impl SelectorKey {
    /// The key of a selector in the tree.
    pub(crate) fn of(selector: &Selector) -> Self {
        SelectorKey(std::ptr::from_ref(selector).addr())
    }

    /// The key of what a call reads itself: the series with which `info` enriches, the ranges of a function over ranges.
    pub(crate) fn of_call(call: &Call) -> Self {
        SelectorKey(std::ptr::from_ref(call).addr())
    }
}

/// One question to the storage.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) key: SelectorKey,
    pub(crate) request: SelectRequest,
}

/// All questions that an expression raises at these steps, each with the whole range of time it needs.
pub(crate) fn selections(expr: &Expr, steps: Steps, context: &Context) -> Vec<Selection> {
    let mut found = Vec::new();
    collect(expr, steps, context, Around::default(), &mut found);
    found
}

/// What a selector stands in.
#[derive(Clone, Copy, Default)]
struct Around<'a> {
    /// The function or aggregation.
    func: &'a str,
    /// The labels by which an aggregation will group it, where others don't matter.
    labels: Option<&'a [String]>,
}

impl<'a> Around<'a> {
    fn func(func: &'a str) -> Self {
        Around { func, labels: None }
    }

    /// In an aggregation.
    fn aggregate(aggregate: &'a Aggregate) -> Self {
        use AggregateOp::{Avg, Count, Group, Max, Min, Quantile, Stddev, Stdvar, Sum};
        let forgets = matches!(aggregate.op, Sum | Avg | Count | Min | Max | Group | Stddev | Stdvar | Quantile);
        let labels = (forgets && !aggregate.without).then_some(&aggregate.grouping[..]);
        Around { func: aggregate.op.as_str(), labels }
    }

    /// In a call in this. Series that could become the same without the metric's name are told apart by all their labels.
    fn call(self, call: &'a Call) -> Self {
        let passes = range::find(call.function.name).is_some() && call.args.iter().all(differ_without_name);
        Around { func: call.function.name, labels: self.labels.filter(|_| passes) }
    }
}

fn collect(expr: &Expr, steps: Steps, context: &Context, around: Around<'_>, found: &mut Vec<Selection>) {
    let mut select = |selector: &Selector, length_ms: i64, range_ms: i64| {
        let looks = steps.moved(context.fixed(selector.at), selector.offset.ms());
        let range = context.reach(selector, looks, length_ms);
        let step_ms = if steps.count > 1 { steps.step } else { 0 };
        let is_one_look = looks.first == looks.last();
        let hints = Hints {
            step_ms,
            range_ms,
            func: around.func.to_owned(),
            newest_only: is_one_look && range_ms == 0 && selector.boundary == Boundary::Range,
            labels: around
                .labels
                .map(|names| names.iter().map(String::as_str).chain(METADATA).map(str::to_owned).collect()),
            ..Hints::default()
        };
        let request = SelectRequest { matchers: selector.matchers.clone(), range, hints };
        found.push(Selection { key: SelectorKey::of(selector), request });
    };
    match &expr.kind {
        ExprKind::Selector(selector) => select(selector, context.lookback_ms, 0),
        ExprKind::Matrix(selector, range) => select(selector, range.ms(), range.ms()),
        ExprKind::Subquery(subquery) => {
            collect(&subquery.expr, inner_steps(subquery, steps, context), context, Around::default(), found);
        }
        ExprKind::Call(call) if call.function.name == "info" => {
            let [base, ..] = &call.args[..] else { return };
            let range = context.instant_reach(info_times(base, steps, context));
            let hints = Hints { func: call.function.name.to_owned(), ..Hints::default() };
            let request = SelectRequest { matchers: InfoSelector::of(call).matchers(), range, hints };
            found.push(Selection { key: SelectorKey::of_call(call), request });
            collect(base, steps, context, Around::func(call.function.name), found);
        }
        ExprKind::Call(call) => {
            call.args.iter().for_each(|arg| collect(arg, steps, context, around.call(call), found));
        }
        ExprKind::Aggregate(aggregate) => {
            aggregate.param.iter().for_each(|param| collect(param, steps, context, Around::default(), found));
            collect(&aggregate.expr, steps, context, Around::aggregate(aggregate), found);
        }
        ExprKind::Paren(inner) => collect(inner, steps, context, around, found),
        _ => expr.children().into_iter().for_each(|child| collect(child, steps, context, Around::default(), found)),
    }
}

/// The storage's answers; each is walked once.
#[derive(Default)]
pub(crate) struct Answers(RefCell<HashMap<SelectorKey, SeriesSet, foldhash::fast::RandomState>>);

impl Answers {
    /// One answer per question.
    pub(crate) fn new(answers: impl IntoIterator<Item = (SelectorKey, SeriesSet)>) -> Self {
        Answers(RefCell::new(answers.into_iter().collect()))
    }

    /// The answer to a question; empty if it was taken before.
    pub(crate) fn take(&self, key: SelectorKey) -> SeriesSet {
        self.0.borrow_mut().remove(&key).unwrap_or_else(SeriesSet::empty)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::eval::budget::Share;
    use crate::eval::context::{Limits, Notes};
    use crate::syntax::parse;

    #[test]
    fn selectors_say_what_of_them_matters() {
        let check = |text: &str, count: usize, newest_only: bool, labels: Option<&str>| {
            let query = Steps { first: 1_000_000, step: 60_000, count };
            let deadline = Instant::now() + Duration::from_secs(3600);
            let context = Context {
                query,
                end: query.last(),
                lookback_ms: 300_000,
                subquery_step_ms: 60_000,
                delays_names: false,
                uses_starts: false,
                limits: Limits::new(u64::MAX, Share::default(), deadline, Arc::new(AtomicBool::new(false))),
                notes: Notes::default(),
            };
            let expr = parse(text).expect("valid");
            let all = selections(&expr, query, &context);
            let hints = &all.last().expect("a selector").request.hints;
            let got = hints.labels.as_deref().map(|names| names[..names.len() - METADATA.len()].join(" "));
            assert_eq!((hints.newest_only, got.as_deref()), (newest_only, labels), "{text}");
        };
        check("m", 1, true, None);
        check("m", 2, false, None);
        check("m @ end()", 2, true, None);
        check("count(m)", 1, true, Some(""));
        check("count({a='b'})", 1, true, Some(""));
        check("sum by (a, b) ((m offset 1m))", 1, true, Some("a b"));
        check("sum without (a) (m)", 1, true, None);
        check("topk(1, m)", 1, true, None);
        check("sum by (a) (rate(m[5m]))", 1, false, Some("a"));
        check("sum by (a) (rate({a='b'}[5m]))", 1, false, None);
        check("sum by (a) (abs(m))", 1, true, None);
        check("sum by (a) (m * 2)", 1, true, None);
        check("sum by (a) (sum_over_time(m[5m:1m]))", 1, false, None);
        check("histogram_quantile(0.9, sum by (le) (rate(m[5m])))", 30, false, Some("le"));
    }
}

//! What is asked of the storage, and its answers.

use std::cell::RefCell;

use hashbrown::HashMap;
use storage::{Hints, SelectRequest, SeriesSet};

use crate::eval::context::Context;
use crate::eval::info_selector::{InfoSelector, info_times};
use crate::eval::steps::Steps;
use crate::eval::subquery::inner_steps;
use crate::syntax::{Call, Expr, ExprKind, Selector};

/// Names a selector of a tree, or a call of `info`, by its place in memory: the tree is neither moved nor changed while it is
/// evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SelectorKey(usize);

impl SelectorKey {
    /// The key of a selector in the tree.
    pub(crate) fn of(selector: &Selector) -> Self {
        SelectorKey(std::ptr::from_ref(selector).addr())
    }

    /// The key of the series with which a call of `info` enriches.
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
    collect(expr, steps, context, "", &mut found);
    found
}

fn collect(expr: &Expr, steps: Steps, context: &Context, around: &str, found: &mut Vec<Selection>) {
    let mut select = |selector: &Selector, length_ms: i64, range_ms: i64| {
        let looks = steps.moved(context.fixed(selector.at), selector.offset.ms());
        let range = context.reach(selector, looks, length_ms);
        let step_ms = if steps.count > 1 { steps.step } else { 0 };
        let hints = Hints { step_ms, range_ms, func: around.to_owned(), ..Hints::default() };
        let request = SelectRequest { matchers: selector.matchers.clone(), range, hints };
        found.push(Selection { key: SelectorKey::of(selector), request });
    };
    match &expr.kind {
        ExprKind::Selector(selector) => select(selector, context.lookback_ms, 0),
        ExprKind::Matrix(selector, range) => select(selector, range.ms(), range.ms()),
        ExprKind::Subquery(subquery) => {
            collect(&subquery.expr, inner_steps(subquery, steps, context), context, "", found);
        }
        ExprKind::Call(call) if call.function.name == "info" => {
            let [base, ..] = &call.args[..] else { return };
            let range = context.instant_reach(info_times(base, steps, context));
            let hints = Hints { func: call.function.name.to_owned(), ..Hints::default() };
            let request = SelectRequest { matchers: InfoSelector::of(call).matchers(), range, hints };
            found.push(Selection { key: SelectorKey::of_call(call), request });
            collect(base, steps, context, call.function.name, found);
        }
        ExprKind::Call(call) => {
            call.args.iter().for_each(|arg| collect(arg, steps, context, call.function.name, found));
        }
        ExprKind::Aggregate(aggregate) => {
            aggregate.param.iter().for_each(|param| collect(param, steps, context, "", found));
            collect(&aggregate.expr, steps, context, aggregate.op.as_str(), found);
        }
        ExprKind::Paren(inner) => collect(inner, steps, context, around, found),
        _ => expr.children().into_iter().for_each(|child| collect(child, steps, context, "", found)),
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

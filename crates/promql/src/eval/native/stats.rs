//! Histograms of which only count and sum are wanted: they are read without their buckets.

use hashbrown::HashSet;
use model::{CounterReset, FloatHistogram};
use storage::HistogramSample;

use crate::eval::selections::SelectorKey;
use crate::syntax::{Expr, ExprKind};

/// The selectors of whose histograms an expression wants count and sum alone.
pub(crate) type Counted = HashSet<SelectorKey, foldhash::fast::RandomState>;

/// Finds them.
pub(crate) fn counted(expr: &Expr) -> Counted {
    let mut found = Counted::default();
    collect(expr, false, &mut found);
    found
}

fn collect(expr: &Expr, counted: bool, found: &mut Counted) {
    let counted = match &expr.kind {
        ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) => {
            if counted {
                found.insert(SelectorKey::of(selector));
            }
            return;
        }
        // What a subquery leaves out may hide a reset that only buckets tell.
        ExprKind::Subquery(_) => return,
        ExprKind::Binary(binary) if binary.op.is_trim() => return,
        ExprKind::Call(call) => match call.function.name {
            "histogram_count" | "histogram_sum" | "histogram_avg" => true,
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => return,
            _ => counted,
        },
        _ => counted,
    };
    expr.children().into_iter().for_each(|child| collect(child, counted, found));
}

/// Takes the buckets out. What they tell of counter resets is kept: it is asked for later.
pub(crate) fn strip(samples: &mut [HistogramSample]) {
    let mut before: Option<FloatHistogram> = None;
    for sample in samples.iter_mut().filter(|sample| !sample.histogram.is_stale()) {
        let mut stripped = FloatHistogram {
            counter_reset: sample.histogram.counter_reset,
            count: sample.histogram.count,
            sum: sample.histogram.sum,
            ..FloatHistogram::default()
        };
        stripped.buckets.schema = sample.histogram.buckets.schema;
        let whole = std::mem::replace(&mut sample.histogram, stripped);
        if let (CounterReset::Unknown, Some(before)) = (whole.counter_reset, &before) {
            let reset = whole.is_reset_after(before);
            sample.histogram.counter_reset = if reset { CounterReset::Reset } else { CounterReset::NotReset };
        }
        before = Some(whole);
    }
}

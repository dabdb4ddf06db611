//! What is said about histograms beside the answer, in Prometheus's words.

use model::{Added, quote};

use crate::eval::context::Notes;
use crate::syntax::Span;

/// What was done with histograms when something was to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Addition,
    Subtraction,
    Aggregation,
}

impl Doing {
    fn as_str(self) -> &'static str {
        match self {
            Doing::Addition => "addition",
            Doing::Subtraction => "subtraction",
            Doing::Aggregation => "aggregation",
        }
    }
}

/// Remarks about one place in the query.
#[derive(Clone, Copy)]
pub(crate) struct Remarks<'a> {
    pub(crate) notes: &'a Notes,
    pub(crate) span: Span,
}

impl Remarks<'_> {
    /// One range has floats and histograms.
    pub(crate) fn mixed_range(self, metric: &str) {
        let what = format!("encountered a mix of histograms and floats for metric name {}", quote(metric));
        self.notes.warn(&what, self.span);
    }

    /// One group has floats and histograms.
    pub(crate) fn mixed_aggregation(self) {
        self.notes.warn("encountered a mix of histograms and floats for aggregation", self.span);
    }

    /// Exponential buckets and listed bounds come together.
    pub(crate) fn mixed_bounds(self, metric: &str) {
        let what = "vector contains a mix of histograms with exponential and custom buckets schemas for metric name";
        self.notes.warn(&format!("{what} {}", quote(metric)), self.span);
    }

    /// The same under an operator.
    pub(crate) fn incompatible_operands(self, operator: &str) {
        let what = "incompatible bucket layout encountered for binary operator";
        self.notes.warn(&format!("{what} {operator}"), self.span);
    }

    /// A gauge where a counter is wanted.
    pub(crate) fn no_counter(self, metric: &str) {
        self.notes.warn(&format!("this native histogram metric is not a counter: {}", quote(metric)), self.span);
    }

    /// A sample counts from before the last one, and not from where that did.
    pub(crate) fn overlapping_starts(self, metric: &str) {
        let what = "sample has start time that overlaps with previous sample timestamp for metric";
        self.notes.warn(&format!("{what} {}", quote(metric)), self.span);
    }

    /// A counter where a gauge is wanted.
    pub(crate) fn no_gauge(self, metric: &str) {
        self.notes.warn(&format!("this native histogram metric is not a gauge: {}", quote(metric)), self.span);
    }

    /// An aggregation passes histograms over.
    pub(crate) fn ignored(self, aggregation: &str) {
        self.notes.info(&format!("ignored histogram in {aggregation} aggregation"), self.span);
    }

    /// A function over ranges passes histograms over.
    pub(crate) fn ignored_in_range(self, metric: &str) {
        let what = "ignored histograms in a range containing both floats and histograms for metric name";
        self.notes.info(&format!("{what} {}", quote(metric)), self.span);
    }

    /// An operator doesn't take such operands.
    pub(crate) fn incompatible_types(self, lhs: &str, operator: &str, rhs: &str) {
        let what = "incompatible sample types encountered for binary operator";
        self.notes.info(&format!("{what} {}: {lhs} {operator} {rhs}", quote(operator)), self.span);
    }

    /// What is known of counter resets contradicts itself.
    pub(crate) fn collision(self, doing: Doing) {
        self.notes.warn(&format!("conflicting counter resets during histogram {}", doing.as_str()), self.span);
    }

    /// Listed bounds were not the same.
    pub(crate) fn reconciled(self, doing: Doing) {
        let what = "mismatched custom buckets were reconciled during";
        self.notes.info(&format!("{what} {}", doing.as_str()), self.span);
    }

    /// Both of the above, where an addition under an operator says so.
    pub(crate) fn added(self, added: Added, doing: Doing) {
        if added.counter_reset_collision {
            self.collision(doing);
        }
        if added.bounds_reconciled {
            self.reconciled(doing);
        }
    }

    /// Classic buckets and a native histogram have the same labels.
    pub(crate) fn mixed_classic(self, metric: &str) {
        self.notes.warn(&named("vector contains a mix of classic and native histograms", metric), self.span);
    }

    /// A quantile lies among observations that are NaN.
    pub(crate) fn nan_quantile(self, metric: &str) {
        let what = "input to histogram_quantile has NaN observations, result is NaN";
        self.notes.info(&named(what, metric), self.span);
    }

    /// Observations that are NaN move a quantile.
    pub(crate) fn skewed_quantile(self, metric: &str) {
        let what = "input to histogram_quantile has NaN observations, result is skewed higher";
        self.notes.info(&named(what, metric), self.span);
    }

    /// Observations that are NaN are in no share.
    pub(crate) fn nan_fraction(self, metric: &str) {
        let what = "input to histogram_fraction has NaN observations, which are excluded from all fractions";
        self.notes.info(&named(what, metric), self.span);
    }
}

fn named(what: &str, metric: &str) -> String {
    if metric.is_empty() { what.to_owned() } else { format!("{what} for metric name {}", quote(metric)) }
}

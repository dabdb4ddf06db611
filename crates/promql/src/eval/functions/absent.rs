//! `absent` and `absent_over_time`.

use model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp, Matcher};

use crate::eval::column::Column;

/// The labels that a missing series would surely have: those that one `=` and no other matcher speaks of.
pub(crate) fn labels(matchers: &[Matcher]) -> Labels {
    let mut builder = LabelsBuilder::default();
    let mut equal: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name() != METRIC_NAME) {
        if matcher.op() == MatchOp::Equal && !equal.contains(&matcher.name()) {
            builder.set(matcher.name(), matcher.value());
            equal.push(matcher.name());
        } else {
            builder.del(matcher.name());
        }
    }
    builder.build()
}

/// 1 where `seen` is false.
pub(crate) fn column(seen: &[bool]) -> Column {
    let mut column = Column::empty(seen.len());
    for (at, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
        column.set(at, 1.0);
    }
    column
}

//! Aggregations that must see all values of a group at a step: topk, bottomk, limitk, limit_ratio, quantile, count_values.

use std::cmp::Ordering;

use hashbrown::HashSet;
use model::{Labels, LabelsBuilder, format_plain_float};

use crate::eval::column::{Column, Point};
use crate::eval::context::{Limits, Notes};
use crate::eval::failure::QueryFailure;
use crate::eval::grouping::{Grouping, Groups};
use crate::eval::native::remarks::Remarks;
use crate::eval::quantile::{nan_first, quantile};
use crate::eval::series::{SeriesSet, Sink, StepSeries};
use crate::eval::steps::Steps;
use crate::syntax::{AggregateOp, Span};

/// The members of each group as indices into the series, and the groups themselves.
fn members<'a>(series: &[StepSeries], grouping: Grouping<'a>) -> (Vec<Vec<usize>>, Groups<'a>) {
    let mut groups = Groups::new(grouping);
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (at, one) in series.iter().enumerate() {
        let group = groups.find_or_add(&one.labels);
        if group == members.len() {
            members.push(Vec::new());
        }
        members[group].push(at);
    }
    (members, groups)
}

/// Keeps of each group at each step the `k` largest, smallest or first values; `k` has one value per step. At a single
/// step the series come in the order of their values.
pub(crate) fn keep(
    (op, remarks): (AggregateOp, Remarks<'_>),
    k: &[f64],
    series: &[StepSeries],
    grouping: Grouping<'_>,
    steps: Steps,
    sink: &mut Sink<'_>,
) -> Result<(), QueryFailure> {
    if k.iter().all(|k| *k < 1.0) {
        return Ok(());
    }
    for k in k {
        if k.is_nan() {
            return Err(QueryFailure::Execution("Parameter value is NaN".to_owned()));
        }
        if *k <= i64::MIN as f64 {
            return Err(QueryFailure::Execution(format!("Scalar value {k} underflows int64")));
        }
        if *k >= i64::MAX as f64 {
            return Err(QueryFailure::Execution(format!("Scalar value {k} overflows int64")));
        }
    }
    let (members, _) = members(series, grouping);
    let mut kept: Vec<Option<Column>> = vec![None; series.len()];
    let mut order = Vec::new();
    let mut chosen: Vec<(usize, f64)> = Vec::new();
    let (has_natives, mut ignored) = (series.iter().any(|one| one.column.has_natives()), false);
    for (at, k) in k.iter().enumerate().filter(|(_, k)| **k >= 1.0) {
        for group in &members {
            chosen.clear();
            if op == AggregateOp::Limitk {
                chosen.extend(group.iter().filter(|one| series[**one].column.is_taken(at)).map(|one| (*one, 0.0)));
            } else {
                chosen.extend(group.iter().filter_map(|one| Some((*one, series[*one].column.get(at)?))));
                ignored |= has_natives && group.iter().any(|one| series[*one].column.native(at).is_some());
            }
            match op {
                AggregateOp::Topk => chosen.sort_by(|a, b| nan_last(a.1, b.1, nan_first(b.1, a.1))),
                AggregateOp::Bottomk => chosen.sort_by(|a, b| nan_last(a.1, b.1, nan_first(a.1, b.1))),
                _ => {}
            }
            chosen.truncate(*k as usize);
            for (one, _) in &chosen {
                let column = kept[*one].get_or_insert_with(|| {
                    order.push(*one);
                    let mut column = Column::empty(steps.count);
                    column.drops_name = series[*one].column.drops_name;
                    column
                });
                column.put(at, series[*one].column.point(at));
            }
        }
    }
    if ignored {
        remarks.ignored(op.as_str());
    }
    for one in order {
        if let Some(mut column) = kept[one].take() {
            sink(series[one].labels.clone(), &mut column)?;
        }
    }
    Ok(())
}

/// NaN comes last, everything else in the given order.
fn nan_last(a: f64, b: f64, otherwise: Ordering) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => otherwise,
        (a, b) => a.cmp(&b),
    }
}

/// Keeps about the given share of each group, always the same series; a negative share keeps those that the positive
/// complement would not.
pub(crate) fn keep_ratio(
    ratio: &[f64],
    series: Vec<StepSeries>,
    (notes, span): (&Notes, Span),
    sink: &mut Sink<'_>,
) -> Result<(), QueryFailure> {
    if ratio.iter().any(|ratio| ratio.is_nan()) {
        return Err(QueryFailure::Execution("Ratio value is NaN".to_owned()));
    }
    for (beyond, limit) in
        [(ratio.iter().copied().fold(0.0, f64::max), 1.0), (ratio.iter().copied().fold(0.0, f64::min), -1.0)]
    {
        if beyond.abs() > 1.0 {
            let got = model::format_float(beyond);
            notes.warn(&format!("ratio value should be between -1 and 1, got {got}, capping to {limit}"), span);
        }
    }
    for mut one in series {
        let place = one.labels.prometheus_hash() as f64 / u64::MAX as f64;
        one.column.retain(|at| {
            let ratio = ratio[at].clamp(-1.0, 1.0);
            let keeps = if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio };
            keeps && ratio != 0.0
        });
        if !one.column.is_blank() {
            sink(one.labels, &mut one.column)?;
        }
    }
    Ok(())
}

/// The quantile of each group at each step; `q` has one value per step.
pub(crate) fn quantiles(
    q: &[f64],
    series: &[StepSeries],
    grouping: Grouping<'_>,
    ((notes, span), inner): ((&Notes, Span), Remarks<'_>),
    sink: &mut Sink<'_>,
) -> Result<(), QueryFailure> {
    if series.iter().any(|one| one.column.natives().next().is_some()) {
        inner.ignored("quantile");
    }
    if !series.is_empty() {
        for q in q.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
            let got = model::format_float(*q);
            notes.warn(&format!("quantile value should be between 0 and 1, got {got}"), span);
        }
    }
    let (members, groups) = members(series, grouping);
    let mut values = Vec::new();
    for (group, members) in members.iter().enumerate() {
        let mut column = Column::empty(q.len());
        column.drops_name = members.iter().any(|one| series[*one].column.drops_name);
        for (at, q) in q.iter().enumerate() {
            values.clear();
            values.extend(members.iter().filter_map(|one| series[*one].column.get(at)));
            if !values.is_empty() {
                column.set(at, quantile(*q, &mut values));
            }
        }
        if !column.is_blank() {
            sink(groups.labels(group).clone(), &mut column)?;
        }
    }
    Ok(())
}

/// How often each value occurs in each group at each step; the value goes into the label `name`. A value's counts are held
/// at all steps until they were handed on.
pub(crate) fn count_values(
    name: &str,
    series: &[StepSeries],
    grouping: Grouping<'_>,
    (limits, steps): (&Limits, Steps),
    sink: &mut Sink<'_>,
) -> Result<(), QueryFailure> {
    let (members, groups) = members(series, grouping);
    let mut counts = SeriesSet::default();
    let mut known: HashSet<Labels, foldhash::fast::RandomState> = HashSet::default();
    for (group, members) in members.iter().enumerate() {
        let mut builder = LabelsBuilder::new(groups.labels(group));
        for one in members {
            limits.check()?;
            let column = &series[*one].column;
            for (at, point) in column.taken().filter_map(|at| Some((at, column.point(at)?))) {
                match point {
                    Point::Float(value) => builder.set(name, &format_plain_float(value)),
                    Point::Native(histogram) => builder.set(name, &histogram.to_string()),
                };
                let labels = builder.build();
                if known.insert(labels.clone()) {
                    limits.hold(steps.count)?;
                }
                let column = counts.column(&labels, steps.count);
                let count = column.get(at).unwrap_or(0.0);
                column.set(at, count + 1.0);
            }
        }
    }
    counts.drain_into(sink)?;
    limits.release(known.len().saturating_mul(steps.count));
    Ok(())
}

//! Operators between scalars, between a vector and a scalar, and between two vectors.

use hashbrown::HashMap;
use model::{Labels, LabelsBuilder};

use crate::eval::column::Column;
use crate::eval::context::Limits;
use crate::eval::failure::QueryFailure;
use crate::eval::grouping::{Grouping, Groups};
use crate::eval::series::{SeriesSet, Sink, StepSeries, is_metadata};
use crate::syntax::{BinaryOp, Cardinality, Matching};

/// What the operator gives for two numbers; a comparison gives its left side, or nothing where it is false.
#[inline]
pub(crate) fn apply(op: BinaryOp, lhs: f64, rhs: f64) -> Option<f64> {
    let kept = match op {
        BinaryOp::Add => return Some(lhs + rhs),
        BinaryOp::Sub => return Some(lhs - rhs),
        BinaryOp::Mul => return Some(lhs * rhs),
        BinaryOp::Div => return Some(lhs / rhs),
        BinaryOp::Mod => return Some(lhs % rhs),
        BinaryOp::Pow => return Some(lhs.powf(rhs)),
        BinaryOp::Atan2 => return Some(lhs.atan2(rhs)),
        BinaryOp::Equal => lhs == rhs,
        BinaryOp::NotEqual => lhs != rhs,
        BinaryOp::Greater => lhs > rhs,
        BinaryOp::Less => lhs < rhs,
        BinaryOp::GreaterEqual => lhs >= rhs,
        BinaryOp::LessEqual => lhs <= rhs,
        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => false,
    };
    kept.then_some(lhs)
}

/// An operator and whether its comparison gives 0 and 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operator {
    pub(crate) op: BinaryOp,
    pub(crate) return_bool: bool,
}

impl Operator {
    /// The result for two numbers.
    #[inline]
    pub(crate) fn apply(self, lhs: f64, rhs: f64) -> Option<f64> {
        let result = apply(self.op, lhs, rhs);
        if self.return_bool { Some(if result.is_some() { 1.0 } else { 0.0 }) } else { result }
    }

    /// Whether the result is another quantity, so that the metric's name goes.
    pub(crate) fn drops_name(self) -> bool {
        self.return_bool || !(self.op.is_comparison() || self.op.is_set())
    }

    /// Applies the operator to a column and a scalar; what remains of a comparison is the column's value.
    pub(crate) fn with_scalar(self, column: &mut Column, scalar: &[f64], scalar_is_left: bool) {
        let keeps_value = self.op.is_comparison() && !self.return_bool;
        column.filter_map(|at, value| {
            let (lhs, rhs) = if scalar_is_left { (scalar[at], value) } else { (value, scalar[at]) };
            let result = self.apply(lhs, rhs)?;
            Some(if keeps_value { value } else { result })
        });
    }
}

fn grouping(matching: &Matching) -> Grouping<'_> {
    Grouping { names: &matching.labels, without: !matching.on }
}

/// `and`, `or`, `unless`.
pub(crate) fn set_operation(
    op: BinaryOp,
    matching: &Matching,
    lhs: Vec<StepSeries>,
    rhs: Vec<StepSeries>,
    steps: usize,
    sink: &mut Sink<'_>,
) -> Result<(), QueryFailure> {
    // The side whose presence decides about the other's series.
    let (decides, filtered) = if op == BinaryOp::Or { (&lhs, &rhs) } else { (&rhs, &lhs) };
    let mut groups = Groups::new(grouping(matching));
    let mut present: Vec<Vec<bool>> = Vec::new();
    for one in decides {
        let group = groups.find_or_add(&one.labels);
        if group == present.len() {
            present.push(vec![false; steps]);
        }
        one.column.iter().for_each(|(at, _)| present[group][at] = true);
    }
    let keeps_present = op == BinaryOp::And;
    let kept: Vec<Column> = filtered
        .iter()
        .map(|one| {
            let mut column = one.column.clone();
            let present = groups.find(&one.labels).map(|group| &present[group]);
            column
                .filter_map(|at, value| (present.is_some_and(|present| present[at]) == keeps_present).then_some(value));
            column
        })
        .collect();
    let mut out = SeriesSet::default();
    if op == BinaryOp::Or {
        for mut one in lhs {
            out.add(one.labels, &mut one.column)?;
        }
        for (one, mut column) in rhs.into_iter().zip(kept) {
            out.add(one.labels, &mut column)?;
        }
    } else {
        for (one, mut column) in lhs.into_iter().zip(kept) {
            out.add(one.labels, &mut column)?;
        }
    }
    out.drain_into(sink)
}

/// Two vectors under an operator that is no set operator.
pub(crate) struct Join<'a> {
    pub(crate) operator: Operator,
    pub(crate) matching: &'a Matching,
    /// How many steps there are.
    pub(crate) steps: usize,
    /// Asked whether to go on.
    pub(crate) limits: &'a Limits,
}

impl Join<'_> {
    /// Matches the series and gives the results to `sink`.
    pub(crate) fn run(
        &self,
        lhs: Vec<StepSeries>,
        rhs: Vec<StepSeries>,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryFailure> {
        let swapped = self.matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (rhs, lhs) } else { (lhs, rhs) };
        let mut groups = Groups::new(grouping(self.matching));
        let mut ones: Vec<Vec<usize>> = Vec::new();
        for (at, series) in one.iter().enumerate() {
            let group = groups.find_or_add(&series.labels);
            if group == ones.len() {
                ones.push(Vec::new());
            }
            ones[group].push(at);
        }
        self.refuse_duplicates(&many, &one, &ones, &groups)?;
        let mut pairs = Pairs::default();
        let mut out = SeriesSet::default();
        let mut column = Column::default();
        for (at, series) in many.iter().enumerate() {
            self.limits.check()?;
            let Some(group) = groups.find(&series.labels) else { continue };
            for partner in &ones[group] {
                let other = &one[*partner];
                let labels = self.result_labels(&series.labels, &other.labels);
                let key = (group, (self.matching.cardinality != Cardinality::OneToOne).then(|| labels.clone()));
                self.refuse_ambiguity(pairs.others(key, (at, *partner)), *partner, (series, other), &many)?;
                column.reset(self.steps);
                for (step, value) in series.column.iter() {
                    let Some(partner) = other.column.get(step) else { continue };
                    let (lhs, rhs) = if swapped { (partner, value) } else { (value, partner) };
                    if let Some(result) = self.operator.apply(lhs, rhs) {
                        column.set(step, result);
                    }
                }
                if !column.is_blank() {
                    out.add(labels, &mut column)?;
                }
            }
        }
        out.drain_into(sink)
    }

    /// On the side that must be one, no two series of a group may have a value at the same step.
    fn refuse_duplicates(
        &self,
        many: &[StepSeries],
        one: &[StepSeries],
        ones: &[Vec<usize>],
        groups: &Groups<'_>,
    ) -> Result<(), QueryFailure> {
        if ones.iter().all(|members| members.len() < 2) {
            return Ok(());
        }
        // Nothing is matched, and nothing refused, at a step where the other side is empty.
        let asked: Vec<bool> =
            (0..self.steps).map(|at| many.iter().any(|series| series.column.get(at).is_some())).collect();
        for (group, members) in ones.iter().enumerate().filter(|(_, members)| members.len() > 1) {
            let mut owner: Vec<Option<usize>> = vec![None; self.steps];
            for member in members {
                for (at, _) in one[*member].column.iter().filter(|(at, _)| asked[*at]) {
                    let Some(first) = owner[at].replace(*member) else { continue };
                    let mut both = [written(&one[first].labels), written(&one[*member].labels)];
                    both.sort();
                    let swapped = self.matching.cardinality == Cardinality::OneToMany;
                    let side = if swapped { "left" } else { "right" };
                    return Err(QueryFailure::Execution(format!(
                        "found duplicate series for the match group {} on the {side} hand-side of the operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
                        written(groups.labels(group)),
                        both[0],
                        both[1],
                    )));
                }
            }
        }
        Ok(())
    }

    /// Two series of the many side may not give the same result at the same step.
    fn refuse_ambiguity(
        &self,
        others: &[(usize, usize)],
        partner_at: usize,
        (series, partner): (&StepSeries, &StepSeries),
        many: &[StepSeries],
    ) -> Result<(), QueryFailure> {
        for (other, _) in others.iter().filter(|(_, at)| *at == partner_at) {
            let clash = |at: usize| partner.column.get(at).is_some() && many[*other].column.get(at).is_some();
            if series.column.iter().any(|(at, _)| clash(at)) {
                let message = if self.matching.cardinality == Cardinality::OneToOne {
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                } else {
                    "multiple matches for labels: grouping labels must ensure unique matches"
                };
                return Err(QueryFailure::Execution(message.to_owned()));
            }
        }
        Ok(())
    }

    fn result_labels(&self, many: &Labels, one: &Labels) -> Labels {
        let mut builder = LabelsBuilder::new(many);
        if self.operator.drops_name() {
            builder.retain(|name, _| !is_metadata(name));
        }
        if self.matching.cardinality == Cardinality::OneToOne {
            let listed = |name: &str| self.matching.labels.iter().any(|listed| listed == name);
            builder.retain(|name, _| listed(name) == self.matching.on);
        }
        for name in &self.matching.include {
            builder.set(name, one.value(name));
        }
        builder.build()
    }
}

/// A group, and with `group_left` the labels of the result.
type PairKey = (usize, Option<Labels>);
/// A series of the many side and one of the other side, by their places.
type Pair = (usize, usize);

/// Which pairs of series may clash: those with the same key.
#[derive(Default)]
struct Pairs {
    seen: HashMap<PairKey, Vec<Pair>, foldhash::fast::RandomState>,
}

impl Pairs {
    /// The pairs that came before this one with the same key.
    fn others(&mut self, key: PairKey, pair: Pair) -> &[Pair] {
        let pairs = self.seen.entry(key).or_default();
        // The series itself, with another partner at other steps, is no other.
        let before = pairs.iter().take_while(|(many, _)| *many != pair.0).count();
        pairs.push(pair);
        &pairs[..before]
    }
}

/// A label set in braces with the metric's name as a label, as Prometheus writes it in messages.
fn written(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={}", model::quote(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

//! Operators between scalars, between a vector and a scalar, and between two vectors.

use hashbrown::HashMap;
use model::{Labels, LabelsBuilder, METRIC_NAME};

use crate::eval::column::{Column, Point};
use crate::eval::context::Limits;
use crate::eval::failure::QueryFailure;
use crate::eval::grouping::{Grouping, Groups};
use crate::eval::native;
use crate::eval::native::remarks::Remarks;
use crate::eval::operator::Operator;
use crate::eval::series::{SeriesSet, Sink, StepSeries, is_metadata};
use crate::syntax::{BinaryOp, Cardinality, Matching, Number};

/// Applies the operator to the floats of a column and a scalar; what remains of a comparison is the column's value.
pub(crate) fn with_scalar(operator: Operator, column: &mut Column, scalar: &[f64], scalar_is_left: bool) {
    let keeps_value = operator.op.is_comparison() && !operator.return_bool;
    column.filter_map(|at, value| {
        let (lhs, rhs) = if scalar_is_left { (scalar[at], value) } else { (value, scalar[at]) };
        let result = operator.apply(lhs, rhs)?;
        Some(if keeps_value { value } else { result })
    });
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
        one.column.taken().for_each(|at| present[group][at] = true);
    }
    let keeps_present = op == BinaryOp::And;
    let kept: Vec<Column> = filtered
        .iter()
        .map(|one| {
            let mut column = one.column.clone();
            let present = groups.find(&one.labels).map(|group| &present[group]);
            column.retain(|at| present.is_some_and(|present| present[at]) == keeps_present);
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
    /// Asked whether to go on, and told what is held.
    pub(crate) limits: &'a Limits,
    /// About the operator.
    pub(crate) remarks: Remarks<'a>,
    /// Whether names of metrics go at the end of the query.
    pub(crate) delays_names: bool,
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
        let (mut many, mut one) = if swapped { (rhs, lhs) } else { (lhs, rhs) };
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
        let given = many.len() + one.len();
        if self.matching.fills() {
            self.fill(&mut many, &mut one, &mut ones, &mut groups)?;
        }
        let mut held = (many.len() + one.len() - given).saturating_mul(self.steps);
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
                if series.column.has_natives() || other.column.has_natives() || self.operator.op.is_trim() {
                    self.pair_mixed(&series.column, &other.column, swapped, &mut column);
                } else {
                    self.pair(&series.column, &other.column, swapped, &mut column);
                }
                column.drops_name = self.drops_name_later(series, other);
                if !column.is_blank() {
                    let weight = column.weight();
                    self.limits.hold(weight)?;
                    held += weight;
                    out.add(labels, &mut column)?;
                }
            }
        }
        out.drain_into(sink)?;
        self.limits.release(held);
        Ok(())
    }

    /// The operator between two columns of floats.
    fn pair(&self, many: &Column, one: &Column, swapped: bool, out: &mut Column) {
        for (step, value) in many.iter() {
            let Some(partner) = one.get(step) else { continue };
            let (lhs, rhs) = if swapped { (partner, value) } else { (value, partner) };
            if let Some(result) = self.operator.apply(lhs, rhs) {
                out.set(step, result);
            }
        }
    }

    /// The operator between two columns of which one at least has histograms.
    fn pair_mixed(&self, many: &Column, one: &Column, swapped: bool, out: &mut Column) {
        let both = |step: usize| -> Option<(Point, Point)> { Some((many.point(step)?, one.point(step)?)) };
        for (step, (value, partner)) in (0..self.steps).filter_map(|step| Some((step, both(step)?))) {
            let (lhs, rhs) = if swapped { (partner, value) } else { (value, partner) };
            out.put(step, native::operator::apply(self.operator, lhs, rhs, self.remarks));
        }
    }

    /// Adds, for each group, a series to each side that is filled: it has its value at the steps where the group has none on this side
    /// and one on the other. They are counted as held.
    fn fill(
        &self,
        many: &mut Vec<StepSeries>,
        one: &mut Vec<StepSeries>,
        ones: &mut Vec<Vec<usize>>,
        groups: &mut Groups<'_>,
    ) -> Result<(), QueryFailure> {
        let of_many: Vec<usize> = many.iter().map(|series| groups.find_or_add(&series.labels)).collect();
        ones.resize(groups.len(), Vec::new());
        self.limits.hold(2 * groups.len() * self.steps)?;
        let (mut on_many, mut on_one) =
            (vec![vec![false; self.steps]; ones.len()], vec![vec![false; self.steps]; ones.len()]);
        for (series, group) in many.iter().zip(of_many) {
            series.column.taken().for_each(|at| on_many[group][at] = true);
        }
        for (group, members) in ones.iter().enumerate() {
            members.iter().for_each(|member| one[*member].column.taken().for_each(|at| on_one[group][at] = true));
        }
        for (group, members) in ones.iter_mut().enumerate() {
            self.limits.check()?;
            let filler = |fill: Option<Number>, missing: &[bool], present: &[bool]| {
                let value = fill?.value;
                let mut column = Column::empty(self.steps);
                (0..self.steps).filter(|at| !missing[*at] && present[*at]).for_each(|at| column.set(at, value));
                Some(StepSeries { labels: groups.labels(group).clone(), column })
                    .filter(|series| !series.column.is_blank())
            };
            let of_many = filler(self.matching.fill_left, &on_many[group], &on_one[group]);
            let of_one = filler(self.matching.fill_right, &on_one[group], &on_many[group]);
            self.limits.hold(self.steps * (usize::from(of_many.is_some()) + usize::from(of_one.is_some())))?;
            many.extend(of_many);
            if let Some(series) = of_one {
                members.push(one.len());
                one.push(series);
            }
        }
        self.limits.release(2 * groups.len() * self.steps);
        Ok(())
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
        // Nothing is matched, and nothing refused, at a step where the other side is empty and isn't filled.
        let fills = self.matching.fills();
        let asked: Vec<bool> =
            (0..self.steps).map(|at| fills || many.iter().any(|series| series.column.is_taken(at))).collect();
        for (group, members) in ones.iter().enumerate().filter(|(_, members)| members.len() > 1) {
            let mut owner: Vec<Option<usize>> = vec![None; self.steps];
            for member in members {
                for at in one[*member].column.taken().filter(|at| asked[*at]) {
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
            let clash = |at: usize| partner.column.is_taken(at) && many[*other].column.is_taken(at);
            if series.column.taken().any(clash) {
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

    /// Whether the name in the result's labels is to go at the end of the query.
    fn drops_name_later(&self, many: &StepSeries, one: &StepSeries) -> bool {
        let included = self.matching.include.iter().any(|name| name == METRIC_NAME);
        let from = if included { one } else { many };
        self.delays_names && (self.operator.return_bool || from.column.drops_name)
    }

    fn result_labels(&self, many: &Labels, one: &Labels) -> Labels {
        let mut builder = LabelsBuilder::new(many);
        if self.operator.drops_name() && !(self.delays_names && self.operator.return_bool) {
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

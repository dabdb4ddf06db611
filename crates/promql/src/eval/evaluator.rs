//! The walk down the tree. Nodes hand their series upwards one by one; what a node computes stands in a leaf module that
//! knows nothing of the tree.

use model::Labels;

use crate::eval::aggregate;
use crate::eval::binary::{Join, set_operation, with_scalar};
use crate::eval::column::{Column, Native, Point};
use crate::eval::constant::{differ_without_name, is_constant};
use crate::eval::context::Context;
use crate::eval::failure::QueryFailure;
use crate::eval::grouping::Grouping;
use crate::eval::instant::Part;
use crate::eval::native;
use crate::eval::native::remarks::Remarks;
use crate::eval::operator::{Operator, apply};
use crate::eval::profile::Profile;
use crate::eval::select_k;
use crate::eval::selections::Answers;
use crate::eval::series::{SeriesSet, Sink, StepSeries, without_metadata};
use crate::eval::steps::Steps;
use crate::eval::tally::Tally;
use crate::syntax::{Aggregate, AggregateOp, Binary, Expr, ExprKind, Span, UnaryOp, ValueType, quote_bytes};

/// Evaluates the parts of one query.
pub(crate) struct Evaluator<'a> {
    pub(crate) context: &'a Context,
    pub(crate) answers: &'a Answers,
    /// Selectors whose histograms are read without buckets.
    pub(crate) counted: native::stats::Counted,
    /// What nodes cost, if somebody wants to know.
    pub(crate) profile: Option<Profile>,
    /// What steps look at, if somebody wants to know.
    pub(crate) tally: Option<Tally<'a>>,
}

impl Evaluator<'_> {
    /// The series of an instant vector.
    pub(crate) fn vector(&self, expr: &Expr, steps: Steps, sink: &mut Sink<'_>) -> Result<(), QueryFailure> {
        self.noted(expr, sink, |sink| self.stepwise(expr, steps, sink))
    }

    /// Evaluates a node, whose costs are noted where somebody wants to know.
    #[inline]
    pub(crate) fn noted(
        &self,
        expr: &Expr,
        sink: &mut Sink<'_>,
        evaluate: impl FnOnce(&mut Sink<'_>) -> Result<(), QueryFailure>,
    ) -> Result<(), QueryFailure> {
        let Some(profile) = &self.profile else { return evaluate(sink) };
        let node = profile.enter(expr);
        evaluate(&mut |labels, column| node.gives(column.taken().count(), || sink(labels, column)))
    }

    /// The series of an instant vector; what doesn't depend on the step is evaluated for one.
    fn stepwise(&self, expr: &Expr, steps: Steps, sink: &mut Sink<'_>) -> Result<(), QueryFailure> {
        if steps.count > 1 && is_constant(expr) {
            return self.varying(expr, steps.only_first(), &mut |labels, column| {
                column.broadcast(steps.count);
                sink(labels, column)
            });
        }
        self.varying(expr, steps, sink)
    }

    /// The series of an instant vector, all steps evaluated.
    fn varying(&self, expr: &Expr, steps: Steps, sink: &mut Sink<'_>) -> Result<(), QueryFailure> {
        match &expr.kind {
            ExprKind::Paren(inner) => self.varying(inner, steps, sink),
            ExprKind::Unary(UnaryOp::Plus, inner) => self.vector(inner, steps, sink),
            ExprKind::Selector(selector) => self.instant_selector(selector, steps, Part::Value, sink),
            ExprKind::Unary(UnaryOp::Minus, inner) => {
                let mut change = |column: &mut Column| {
                    column.map(|_, value| -value);
                    column.replace_natives(|_, histogram| {
                        Some(Point::Native(Native::new(native::operator::owned(histogram).times(-1.0))))
                    });
                };
                self.changed(inner, steps, true, &mut change, sink)
            }
            ExprKind::Binary(binary) => self.binary(binary, expr.span, steps, sink),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate, expr.span, steps, sink),
            ExprKind::Call(call) => self.call(call, expr.span, steps, sink),
            ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Matrix(..) | ExprKind::Subquery(_) => {
                let message = format!("expected an instant vector, got a {}", expr.value_type());
                Err(QueryFailure::Execution(message))
            }
        }
    }

    /// All series of an instant vector, and how many samples they count as held until they are released.
    pub(crate) fn collect(&self, expr: &Expr, steps: Steps) -> Result<(Vec<StepSeries>, usize), QueryFailure> {
        let (mut all, mut held) = (Vec::new(), 0);
        self.vector(expr, steps, &mut |labels, column| {
            let weight = column.weight();
            self.context.limits.hold(weight)?;
            self.context.limits.hold_labels(&labels)?;
            held += weight;
            all.push(StepSeries { labels, column: std::mem::take(column) });
            Ok(())
        })?;
        Ok((all, held))
    }

    /// The series of `expr`, each changed; with `drop_name` without the metric's name, and series that then have the same
    /// labels become one where they don't overlap.
    pub(crate) fn changed(
        &self,
        expr: &Expr,
        steps: Steps,
        drop_name: bool,
        change: &mut dyn FnMut(&mut Column),
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryFailure> {
        let keeps_apart = !drop_name || self.context.delays_names || differ_without_name(expr);
        let mut feed = |sink: &mut Sink<'_>| {
            self.vector(expr, steps, &mut |labels, column| {
                self.context.limits.check()?;
                change(column);
                if column.is_blank() {
                    return Ok(());
                }
                let labels = if drop_name { self.unnamed(&labels, column) } else { labels };
                sink(labels, column)
            })
        };
        if keeps_apart { feed(sink) } else { self.merged(sink, &mut feed) }
    }

    /// The labels of a series that is no longer its metric's: without the metric's name, or with it until the end of the query.
    pub(crate) fn unnamed(&self, labels: &Labels, column: &mut Column) -> Labels {
        if self.context.delays_names {
            column.drops_name = true;
            return labels.clone();
        }
        without_metadata(labels)
    }

    /// The series of the whole query.
    pub(crate) fn result(&self, expr: &Expr, steps: Steps, sink: &mut Sink<'_>) -> Result<(), QueryFailure> {
        if !self.context.delays_names {
            return self.vector(expr, steps, sink);
        }
        self.merged(sink, &mut |merge| {
            self.vector(expr, steps, &mut |labels, column| {
                let labels = if column.drops_name { without_metadata(&labels) } else { labels };
                merge(labels, column)
            })
        })
    }

    /// Gives the series of `feed` to `sink`, those with the same labels as one; two values at one step are an error.
    pub(crate) fn merged(&self, sink: &mut Sink<'_>, feed: &mut aggregate::Feed<'_>) -> Result<(), QueryFailure> {
        let mut set = SeriesSet::default();
        let mut held = 0;
        feed(&mut |labels, column| {
            let weight = column.weight();
            self.context.limits.hold(weight)?;
            self.context.limits.hold_labels(&labels)?;
            held += weight;
            set.add(labels, column)
        })?;
        set.drain_into(sink)?;
        self.context.limits.release(held);
        Ok(())
    }

    /// The numbers of a scalar, one per step.
    pub(crate) fn scalar(&self, expr: &Expr, steps: Steps) -> Result<Vec<f64>, QueryFailure> {
        self.context.limits.check()?;
        let expr = expr.unparen();
        let Some(profile) = self.profile.as_ref().filter(|_| !expr.kind.is_literal()) else {
            return self.numbers(expr, steps);
        };
        let node = profile.enter(expr);
        let numbers = self.numbers(expr, steps)?;
        node.gives(numbers.len(), || Ok(numbers))
    }

    fn numbers(&self, expr: &Expr, steps: Steps) -> Result<Vec<f64>, QueryFailure> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(vec![number.value; steps.count]),
            ExprKind::Unary(UnaryOp::Plus, inner) => self.scalar(inner, steps),
            ExprKind::Unary(UnaryOp::Minus, inner) => {
                let mut values = self.scalar(inner, steps)?;
                values.iter_mut().for_each(|value| *value = -*value);
                Ok(values)
            }
            ExprKind::Binary(binary) if binary.op.is_trim() => {
                let op = model::quote(binary.op.as_str());
                Err(QueryFailure::Execution(format!("operator {op} not allowed for Scalar operations")))
            }
            ExprKind::Binary(binary) => {
                let (mut lhs, rhs) = (self.scalar(&binary.lhs, steps)?, self.scalar(&binary.rhs, steps)?);
                for (lhs, rhs) in lhs.iter_mut().zip(rhs) {
                    let result = apply(binary.op, *lhs, rhs);
                    let compared = binary.op.is_comparison();
                    *lhs = if compared { f64::from(u8::from(result.is_some())) } else { result.unwrap_or(f64::NAN) };
                }
                Ok(lhs)
            }
            ExprKind::Call(call) => self.scalar_call(call, steps),
            _ => Err(QueryFailure::Execution(format!("expected a scalar, got a {}", expr.value_type()))),
        }
    }

    /// The text of a string argument.
    pub(crate) fn text<'e>(&self, expr: &'e Expr) -> Result<&'e str, QueryFailure> {
        match &expr.unparen().kind {
            ExprKind::String(text) => match &text.invalid {
                None => Ok(&text.value),
                Some(bytes) => Err(QueryFailure::Execution(format!("invalid label name {}", quote_bytes(bytes)))),
            },
            _ => Err(QueryFailure::Execution(format!("expected a string, got a {}", expr.value_type()))),
        }
    }

    fn binary(&self, binary: &Binary, span: Span, steps: Steps, sink: &mut Sink<'_>) -> Result<(), QueryFailure> {
        let operator = Operator { op: binary.op, return_bool: binary.return_bool };
        let delays_names = self.context.delays_names;
        let remarks = Remarks { notes: &self.context.notes, span };
        let scalar_is_left = binary.lhs.value_type() == ValueType::Scalar;
        let Some(matching) = &binary.matching else {
            let (vector, scalar) = if scalar_is_left { (&binary.rhs, &binary.lhs) } else { (&binary.lhs, &binary.rhs) };
            let scalar = self.scalar(scalar, steps)?;
            let mut change = |column: &mut Column| {
                if column.has_natives() || operator.op.is_trim() {
                    native::operator::with_scalar(operator, column, &scalar, scalar_is_left, remarks);
                }
                if !operator.op.is_trim() {
                    with_scalar(operator, column, &scalar, scalar_is_left);
                }
            };
            return self.changed(vector, steps, operator.drops_name(), &mut change, sink);
        };
        let (lhs, held_left) = self.collect(&binary.lhs, steps)?;
        let (rhs, held_right) = self.collect(&binary.rhs, steps)?;
        self.context.limits.check()?;
        if binary.op.is_set() {
            set_operation(binary.op, matching, lhs, rhs, steps.count, sink)?;
        } else {
            let limits = &self.context.limits;
            Join { operator, matching, steps: steps.count, limits, remarks, delays_names }.run(lhs, rhs, sink)?;
        }
        self.context.limits.release(held_left + held_right);
        Ok(())
    }

    fn aggregate(
        &self,
        aggregate: &Aggregate,
        span: Span,
        steps: Steps,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryFailure> {
        let grouping = Grouping { names: &aggregate.grouping, without: aggregate.without };
        let mut feed = |sink: &mut Sink<'_>| self.vector(&aggregate.expr, steps, sink);
        let inner = Remarks { notes: &self.context.notes, span: aggregate.expr.span };
        let context = (&self.context.limits, inner);
        if let Some(done) = aggregate::run(aggregate.op, grouping, steps, context, &mut feed, sink) {
            return done;
        }
        let Some(param) = &aggregate.param else {
            return Err(QueryFailure::Execution(format!("{} needs a parameter", aggregate.op.as_str())));
        };
        let remarks = (&self.context.notes, param.span);
        if aggregate.op == AggregateOp::CountValues {
            let name = self.text(param)?;
            if name.is_empty() {
                return Err(QueryFailure::Execution("invalid label name \"\"".to_owned()));
            }
            let (series, held) = self.collect(&aggregate.expr, steps)?;
            select_k::count_values(name, &series, grouping, (&self.context.limits, steps), sink)?;
            self.context.limits.release(held);
            return Ok(());
        }
        let param = self.scalar(param, steps)?;
        let (series, held) = self.collect(&aggregate.expr, steps)?;
        self.context.limits.check()?;
        match aggregate.op {
            AggregateOp::Quantile => select_k::quantiles(&param, &series, grouping, (remarks, inner), sink)?,
            AggregateOp::LimitRatio => select_k::keep_ratio(&param, series, remarks, sink)?,
            op => {
                let outer = Remarks { notes: &self.context.notes, span };
                select_k::keep((op, outer), &param, &series, grouping, steps, sink)?;
            }
        }
        self.context.limits.release(held);
        Ok(())
    }
}

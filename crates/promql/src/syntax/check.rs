//! Types and what else the grammar can't say.

use model::METRIC_NAME;

use crate::syntax::ast::{Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, ExprKind, Selector};
use crate::syntax::error::ParseError;
use crate::syntax::lines::Lines;
use crate::syntax::span::Span;
use crate::syntax::value_type::ValueType;

/// Checks `expr`, which was read from `text`, and settles how operators match.
pub(crate) fn check(text: &str, expr: &mut Expr) -> Result<(), ParseError> {
    Checker { text }.expr(expr)
}

/// The function whose second argument selects labels.
const INFO: &str = "info";

struct Checker<'a> {
    text: &'a str,
}

impl Checker<'_> {
    fn fail(&self, span: Span, message: impl Into<String>) -> Result<(), ParseError> {
        Err(ParseError::new(span, message))
    }

    fn expr(&self, expr: &mut Expr) -> Result<(), ParseError> {
        let span = expr.span;
        match &mut expr.kind {
            ExprKind::Number(_) | ExprKind::String(_) => Ok(()),
            ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) => self.selector(selector),
            ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Subquery(subquery) => {
                self.expr(&mut subquery.expr)?;
                let got = match subquery.expr.value_type() {
                    ValueType::Vector => return Ok(()),
                    ValueType::Scalar => "scalar",
                    ValueType::String => "string",
                    ValueType::Matrix => "matrix",
                };
                self.fail(span, format!("subquery is only allowed on instant vector, got {got} instead"))
            }
            ExprKind::Unary(_, inner) => {
                self.expr(inner)?;
                match inner.value_type() {
                    ValueType::Scalar | ValueType::Vector => Ok(()),
                    got => {
                        let wanted = "unary expression only allowed on expressions of type scalar or instant vector";
                        self.fail(span, format!("{wanted}, got \"{got}\""))
                    }
                }
            }
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate),
            ExprKind::Binary(binary) => self.binary(binary, span),
            ExprKind::Call(call) => self.call(call, span),
        }
    }

    fn expect(&self, expr: &mut Expr, want: ValueType, context: &str) -> Result<(), ParseError> {
        self.expr(expr)?;
        match expr.value_type() {
            got if got == want => Ok(()),
            got => self.fail(expr.span, format!("expected type {want} in {context}, got {got}")),
        }
    }

    fn aggregate(&self, aggregate: &mut Aggregate) -> Result<(), ParseError> {
        self.expect(&mut aggregate.expr, ValueType::Vector, "aggregation expression")?;
        let Some(param) = &mut aggregate.param else { return Ok(()) };
        let want = if aggregate.op == AggregateOp::CountValues { ValueType::String } else { ValueType::Scalar };
        self.expect(param, want, "aggregation parameter")
    }

    /// What stands between the operands.
    fn operator_span(&self, binary: &Binary) -> Span {
        let (start, end) = (binary.lhs.span.end, binary.rhs.span.start);
        let between = self.text.get(start..end).unwrap_or("");
        let lead = between.len() - between.trim_start().len();
        Lines::new(self.text).span(start + lead, start + between.trim_end().len().max(lead))
    }

    fn binary(&self, binary: &mut Binary, span: Span) -> Result<(), ParseError> {
        self.expr(&mut binary.lhs)?;
        self.expr(&mut binary.rhs)?;
        let (left, right) = (binary.lhs.value_type(), binary.rhs.value_type());
        let op = binary.op;
        if binary.return_bool && !op.is_comparison() {
            return self.fail(self.operator_span(binary), "bool modifier can only be used on comparison operators");
        }
        let scalars = (left, right) == (ValueType::Scalar, ValueType::Scalar);
        if op.is_comparison() && !binary.return_bool && scalars {
            return self.fail(self.operator_span(binary), "comparisons between scalars must use BOOL modifier");
        }
        let operator_span = self.operator_span(binary);
        let Some(matching) = &mut binary.matching else { return Ok(()) };
        if op.is_set() && matching.cardinality == Cardinality::OneToOne {
            matching.cardinality = Cardinality::ManyToMany;
        }
        if matching.on
            && let Some(label) = matching.labels.iter().find(|label| matching.include.contains(label))
        {
            let message = format!("label {} must not occur in ON and GROUP clause at once", model::quote(label));
            return self.fail(operator_span, message);
        }
        for side in [&binary.lhs, &binary.rhs] {
            if !matches!(side.value_type(), ValueType::Scalar | ValueType::Vector) {
                let message = "binary expression must contain only scalar and instant vector types";
                return self.fail(side.span, message);
            }
        }
        if left != ValueType::Vector || right != ValueType::Vector {
            if !matching.labels.is_empty() {
                return self.fail(span, "vector matching only allowed between instant vectors");
            }
            if matching.fills() {
                return self.fail(span, "filling in missing series only allowed between instant vectors");
            }
            if op.is_set() {
                let message = format!("set operator \"{}\" not allowed in binary scalar expression", op.as_str());
                return self.fail(span, message);
            }
            binary.matching = None;
        } else if op.is_set() && matching.cardinality != Cardinality::ManyToMany {
            return self.fail(span, format!("no grouping allowed for \"{}\" operation", op.as_str()));
        } else if op.is_set() && matching.fills() {
            return self.fail(span, "filling in missing series not allowed for set operators");
        }
        Ok(())
    }

    fn call(&self, call: &mut Call, span: Span) -> Result<(), ParseError> {
        let (name, given) = (call.function.name, call.args.len());
        let (least, most) = call.function.argument_counts();
        if most == Some(least) && given != least {
            return self.fail(span, format!("expected {least} argument(s) in call to \"{name}\", got {given}"));
        }
        if given < least {
            return self
                .fail(span, format!("expected at least {least} argument(s) in call to \"{name}\", got {given}"));
        }
        if let Some(most) = most
            && given > most
        {
            return self.fail(span, format!("expected at most {most} argument(s) in call to \"{name}\", got {given}"));
        }
        let context = format!("call to function \"{name}\"");
        if name == INFO && given > 1 {
            self.label_selector(&call.args[1], span, &context)?;
        }
        // A selector of labels may match nothing but empty values.
        let checked = if name == INFO { 1 } else { given };
        for (at, arg) in call.args[..checked].iter_mut().enumerate() {
            self.expect(arg, call.function.arg_type(at), &context)?;
        }
        Ok(())
    }

    /// The second argument of `info`: a selector without the name of a metric in front.
    fn label_selector(&self, arg: &Expr, call: Span, context: &str) -> Result<(), ParseError> {
        let got = arg.value_type();
        if got != ValueType::Vector {
            return self.fail(call, format!("expected type {} in {context}, got {got}", ValueType::Vector));
        }
        match &arg.kind {
            ExprKind::Selector(selector) if selector.name.is_none() => Ok(()),
            ExprKind::Selector(_) => self.fail(arg.span, "expected label selectors only, got vector selector instead"),
            _ => self.fail(arg.span, "expected label selectors only"),
        }
    }

    fn selector(&self, selector: &Selector) -> Result<(), ParseError> {
        let span = selector.span;
        if let Some(name) = &selector.name {
            let others = &selector.matchers[..selector.matchers.len() - 1];
            return match others.iter().find(|matcher| matcher.name() == METRIC_NAME) {
                Some(matcher) => {
                    let (first, second) = (model::quote(name), model::quote(matcher.value()));
                    self.fail(span, format!("metric name must not be set twice: {first} or {second}"))
                }
                None => Ok(()),
            };
        }
        if selector.matchers.iter().all(model::Matcher::matches_empty) {
            return self.fail(span, "vector selector must contain at least one non-empty matcher");
        }
        Ok(())
    }
}

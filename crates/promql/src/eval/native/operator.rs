//! Operators of which one side at least is a histogram.

use model::{CounterReset, FloatHistogram};

use crate::eval::column::{Column, Native, Point};
use crate::eval::native::remarks::{Doing, Remarks};
use crate::eval::operator::Operator;
use crate::syntax::BinaryOp;

/// The histogram, to change it. One that stands elsewhere too is copied.
pub(crate) fn owned(native: Native) -> FloatHistogram {
    Native::try_unwrap(native).unwrap_or_else(|shared| FloatHistogram::clone(&shared))
}

fn native(histogram: FloatHistogram) -> Point {
    Point::Native(Native::new(histogram))
}

fn kind(point: &Point) -> &'static str {
    match point {
        Point::Float(_) => "float",
        Point::Native(_) => "histogram",
    }
}

/// The result for two values; `None` where there is none, which is told unless a comparison is just false.
pub(crate) fn apply(operator: Operator, lhs: Point, rhs: Point, remarks: Remarks<'_>) -> Option<Point> {
    let op = operator.op;
    match (op, lhs, rhs) {
        (BinaryOp::Mul, Point::Float(factor), Point::Native(histogram))
        | (BinaryOp::Mul, Point::Native(histogram), Point::Float(factor)) => {
            Some(native(owned(histogram).times(factor)))
        }
        (BinaryOp::Div, Point::Native(histogram), Point::Float(divisor)) => {
            Some(native(owned(histogram).divided_by(divisor)))
        }
        (BinaryOp::TrimAbove, Point::Native(histogram), Point::Float(value)) => {
            Some(native(owned(histogram).trimmed_above(value)))
        }
        (BinaryOp::TrimBelow, Point::Native(histogram), Point::Float(value)) => {
            Some(native(owned(histogram).trimmed_below(value)))
        }
        (BinaryOp::Add | BinaryOp::Sub, Point::Native(lhs), Point::Native(rhs)) => {
            let (result, doing) = if op == BinaryOp::Add {
                (lhs.plus(&rhs), Doing::Addition)
            } else {
                (lhs.minus(&rhs), Doing::Subtraction)
            };
            let Ok((mut histogram, added)) = result else {
                remarks.incompatible_operands(op.as_str());
                return None;
            };
            if op == BinaryOp::Sub {
                histogram.counter_reset = CounterReset::Gauge;
            }
            remarks.added(added, doing);
            Some(native(histogram))
        }
        (BinaryOp::Equal | BinaryOp::NotEqual, Point::Native(lhs), Point::Native(rhs)) => {
            let holds = lhs.same_as(&rhs) == (op == BinaryOp::Equal);
            if operator.return_bool {
                Some(Point::Float(f64::from(u8::from(holds))))
            } else {
                holds.then_some(Point::Native(lhs))
            }
        }
        (_, Point::Float(lhs), Point::Float(rhs)) if !op.is_trim() => operator.apply(lhs, rhs).map(Point::Float),
        (_, lhs, rhs) => {
            remarks.incompatible_types(kind(&lhs), op.as_str(), kind(&rhs));
            None
        }
    }
}

/// Applies the operator to the histograms of a column and a scalar.
pub(crate) fn with_scalar(
    operator: Operator,
    column: &mut Column,
    scalar: &[f64],
    scalar_is_left: bool,
    remarks: Remarks<'_>,
) {
    column.replace_natives(|at, histogram| {
        let (vector, scalar) = (Point::Native(histogram), Point::Float(scalar[at]));
        let (lhs, rhs) = if scalar_is_left { (scalar, vector) } else { (vector, scalar) };
        apply(operator, lhs, rhs, remarks)
    });
    if operator.op.is_trim() {
        // There is nothing to trim of floats.
        column.filter_map(|at, value| {
            let _ = apply(operator, Point::Float(value), Point::Float(scalar[at]), remarks);
            None
        });
    }
}

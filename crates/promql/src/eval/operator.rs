//! Operators between floats.

use crate::syntax::BinaryOp;

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
        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless | BinaryOp::TrimAbove | BinaryOp::TrimBelow => false,
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
        self.return_bool || !(self.op.is_comparison() || self.op.is_set() || self.op.is_trim())
    }
}

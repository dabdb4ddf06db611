//! What stands behind an expression: `[5m]`, `[1h:5m]`, `offset 5m`, `@ time`.

use model::Timestamp;

use crate::syntax::ast::{At, BinaryOp, Expr, ExprKind, Span, Subquery};
use crate::syntax::error::ParseError;
use crate::syntax::parser::Parser;
use crate::syntax::token::{Keyword, TokenKind};

/// How many modifiers may stand behind one another; a subquery of a subquery makes the tree deeper.
const POSTFIX_MAX: usize = 64;

impl Parser {
    /// `expr` with everything that stands behind it.
    pub(crate) fn postfix(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        for _ in 0..POSTFIX_MAX {
            expr = match self.peek().kind {
                TokenKind::LeftBracket => self.brackets(expr)?,
                TokenKind::Keyword(Keyword::Offset) => self.offset(expr)?,
                TokenKind::At => self.at_modifier(expr)?,
                TokenKind::Keyword(Keyword::Anchored) => {
                    return Err(self.error(expr.span, "anchored modifier is experimental and not enabled"));
                }
                TokenKind::Keyword(Keyword::Smoothed) => {
                    return Err(self.error(expr.span, "smoothed modifier is experimental and not enabled"));
                }
                _ => return Ok(expr),
            };
        }
        Err(self.error(self.peek().span, format!("more than {POSTFIX_MAX} modifiers behind one expression")))
    }

    fn brackets(&mut self, expr: Expr) -> Result<Expr, ParseError> {
        let open = self.advance().span;
        let range_ms = self.positive_duration("subquery or range selector")?;
        if self.eat(TokenKind::Colon).is_some() {
            let step_ms = match self.peek().kind {
                TokenKind::RightBracket => None,
                TokenKind::Number | TokenKind::Duration => Some(self.positive_duration("subquery selector")?),
                _ => {
                    return Err(self.unexpected("subquery selector", "number, duration, step(), range(), or \"]\""));
                }
            };
            let Some(close) = self.eat(TokenKind::RightBracket) else {
                return Err(self.unexpected("subquery selector", "\"]\""));
            };
            let span = expr.span.to(close.span);
            let subquery = Subquery { expr, range_ms, step_ms, offset_ms: 0, at: None };
            return Ok(Expr { kind: ExprKind::Subquery(Box::new(subquery)), span });
        }
        let Some(close) = self.eat(TokenKind::RightBracket) else {
            self.refuse_duration_arithmetic()?;
            return Err(self.unexpected("subquery or range", "\":\" or \"]\""));
        };
        let span = expr.span.to(close.span);
        let brackets = open.to(close.span);
        match expr.kind {
            ExprKind::Selector(selector) if selector.offset_ms != 0 => {
                Err(self.error(brackets, "no offset modifiers allowed before range"))
            }
            ExprKind::Selector(selector) if selector.at.is_some() => {
                Err(self.error(brackets, "no @ modifiers allowed before range"))
            }
            ExprKind::Selector(selector) => Ok(Expr { kind: ExprKind::Matrix(selector, range_ms), span }),
            _ => Err(self.error(brackets, "ranges only allowed for vector selectors")),
        }
    }

    /// A duration above zero, milliseconds.
    fn positive_duration(&mut self, context: &str) -> Result<i64, ParseError> {
        let span = self.peek().span;
        let negative = self.sign_of_literal();
        self.refuse_duration_arithmetic()?;
        if !matches!(self.peek().kind, TokenKind::Number | TokenKind::Duration) {
            return Err(self.unexpected(context, "number, duration, step(), or range()"));
        }
        let ms = self.duration_ms(span)?;
        self.refuse_duration_arithmetic()?;
        if ms <= 0 || negative { Err(self.error(span, "duration must be greater than 0")) } else { Ok(ms) }
    }

    /// Takes a sign that stands before a number or a duration; whether it was a minus.
    fn sign_of_literal(&mut self) -> bool {
        let TokenKind::Operator(sign @ (BinaryOp::Add | BinaryOp::Sub)) = self.peek().kind else { return false };
        let literal = matches!(self.peek_second(), TokenKind::Number | TokenKind::Duration);
        if literal {
            self.advance();
        }
        literal && sign == BinaryOp::Sub
    }

    /// A number of seconds or a duration, in milliseconds.
    fn duration_ms(&mut self, span: Span) -> Result<i64, ParseError> {
        let seconds = self.number()?.value;
        // Go's durations are nanoseconds in 64 bits.
        if seconds.is_nan() || seconds.abs() * 1e9 >= i64::MAX as f64 {
            return Err(self.error(span, "duration out of range"));
        }
        Ok((seconds * 1000.0).round() as i64)
    }

    /// Durations that are computed stand behind a feature flag in Prometheus, whose words these are.
    fn refuse_duration_arithmetic(&self) -> Result<(), ParseError> {
        let token = self.peek();
        match token.kind {
            TokenKind::LeftParen | TokenKind::Preprocessor | TokenKind::Operator(_) => {
                Err(self.error(token.span, "experimental duration expression is not enabled"))
            }
            _ => Ok(()),
        }
    }

    fn offset(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        self.advance();
        let start = self.peek().span;
        let negative = self.sign_of_literal();
        self.refuse_duration_arithmetic()?;
        if !matches!(self.peek().kind, TokenKind::Number | TokenKind::Duration) {
            return Err(self.unexpected("offset", "number, duration, step(), or range()"));
        }
        let end = self.peek().span;
        let ms = self.duration_ms(start.to(end))?;
        let span = expr.span;
        let target = match &mut expr.kind {
            ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) => &mut selector.offset_ms,
            ExprKind::Subquery(subquery) => &mut subquery.offset_ms,
            _ => {
                let wanted = "an instant vector selector or range vector selector or a subquery";
                return Err(self.error(span, format!("offset modifier must be preceded by {wanted}")));
            }
        };
        if *target != 0 {
            return Err(self.error(span, "offset may not be set multiple times"));
        }
        *target = if negative { -ms } else { ms };
        expr.span = span.to(end);
        Ok(expr)
    }

    fn at_modifier(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        self.advance();
        let (at, end) = self.at_value(expr.span)?;
        let span = expr.span;
        let target = match &mut expr.kind {
            ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) => &mut selector.at,
            ExprKind::Subquery(subquery) => &mut subquery.at,
            _ => {
                let wanted = "an instant vector selector or range vector selector or a subquery";
                return Err(self.error(span, format!("@ modifier must be preceded by {wanted}")));
            }
        };
        if target.is_some() {
            return Err(self.error(span, "@ <timestamp> may not be set multiple times"));
        }
        *target = Some(at);
        expr.span = span.to(end);
        Ok(expr)
    }

    /// What stands behind `@`, and where it ends.
    fn at_value(&mut self, span: Span) -> Result<(At, Span), ParseError> {
        if self.peek().kind == TokenKind::Preprocessor {
            let at = match self.peek().text.to_ascii_lowercase().as_str() {
                "start" => At::Start,
                "end" => At::End,
                _ => return Err(self.unexpected("@", "timestamp")),
            };
            self.advance();
            if self.eat(TokenKind::LeftParen).is_none() {
                return Err(self.unexpected("@", "timestamp"));
            }
            return match self.eat(TokenKind::RightParen) {
                Some(close) => Ok((at, close.span)),
                None => Err(self.unexpected("@", "timestamp")),
            };
        }
        let mut sign = 1.0;
        while let TokenKind::Operator(op @ (BinaryOp::Add | BinaryOp::Sub)) = self.peek().kind {
            sign = if op == BinaryOp::Sub { -sign } else { sign };
            self.advance();
        }
        if !matches!(self.peek().kind, TokenKind::Number | TokenKind::Duration) {
            return Err(self.unexpected("@", "timestamp"));
        }
        let end = self.peek().span;
        let seconds = sign * self.number()?.value;
        if !seconds.is_finite() || seconds.abs() * 1000.0 >= i64::MAX as f64 {
            let seconds = if seconds.is_finite() { format!("{seconds:.6}") } else { model::format_float(seconds) };
            return Err(self.error(span, format!("timestamp out of bounds for @ modifier: {seconds}")));
        }
        Ok((At::Time(Timestamp::from_ms((seconds * 1000.0).round() as i64)), end))
    }
}

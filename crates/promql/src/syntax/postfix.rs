//! What stands behind an expression: `[5m]`, `[1h:5m]`, `offset 5m`, `@ time`.

use model::Timestamp;

use crate::syntax::ast::{At, Boundary, Expr, ExprKind, Subquery};
use crate::syntax::error::ParseError;
use crate::syntax::length::Length;
use crate::syntax::operator::BinaryOp;
use crate::syntax::parser::Parser;
use crate::syntax::span::Span;
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
                TokenKind::Keyword(Keyword::Anchored) => self.boundary(expr, Boundary::Anchored)?,
                TokenKind::Keyword(Keyword::Smoothed) => self.boundary(expr, Boundary::Smoothed)?,
                _ => return Ok(expr),
            };
        }
        Err(self.error(self.peek().span, format!("more than {POSTFIX_MAX} modifiers behind one expression")))
    }

    fn brackets(&mut self, expr: Expr) -> Result<Expr, ParseError> {
        let open = self.advance().span;
        let range = self.positive_duration("subquery or range selector", None)?;
        if self.eat(TokenKind::Colon).is_some() {
            let step = match self.peek().kind {
                TokenKind::RightBracket => None,
                _ => {
                    let expected = "number, duration, step(), range(), or \"]\"";
                    Some(self.positive_duration("subquery selector", Some(expected))?)
                }
            };
            let Some(close) = self.eat(TokenKind::RightBracket) else {
                return Err(self.unexpected("subquery selector", "\"]\""));
            };
            let span = expr.span.to(close.span);
            let subquery = Subquery { expr, range, step, offset: Length::Fixed(0), at: None };
            return Ok(Expr { kind: ExprKind::Subquery(Box::new(subquery)), span });
        }
        let Some(close) = self.eat(TokenKind::RightBracket) else {
            return Err(self.unexpected("subquery or range", "\":\" or \"]\""));
        };
        let span = expr.span.to(close.span);
        let brackets = open.to(close.span);
        match expr.kind {
            ExprKind::Selector(selector) if !selector.offset.is_zero() => {
                Err(self.error(brackets, "no offset modifiers allowed before range"))
            }
            ExprKind::Selector(selector) if selector.at.is_some() => {
                Err(self.error(brackets, "no @ modifiers allowed before range"))
            }
            ExprKind::Selector(selector) => Ok(Expr { kind: ExprKind::Matrix(selector, range), span }),
            _ => Err(self.error(brackets, "ranges only allowed for vector selectors")),
        }
    }

    fn offset(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        self.advance();
        let (offset, end) = self.offset_duration()?;
        let span = expr.span;
        let target = match &mut expr.kind {
            ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) => &mut selector.offset,
            ExprKind::Subquery(subquery) => &mut subquery.offset,
            _ => {
                let wanted = "an instant vector selector or range vector selector or a subquery";
                return Err(self.error(span, format!("offset modifier must be preceded by {wanted}")));
            }
        };
        if !target.is_zero() {
            return Err(self.error(span, "offset may not be set multiple times"));
        }
        *target = offset;
        expr.span = span.to(end);
        Ok(expr)
    }

    fn boundary(&mut self, mut expr: Expr, boundary: Boundary) -> Result<Expr, ParseError> {
        let (word, span) = (boundary.as_str(), expr.span);
        if !self.options().extended_range_selectors {
            return Err(self.error(span, format!("{word} modifier is experimental and not enabled")));
        }
        let end = self.advance().span;
        let selector = match &mut expr.kind {
            ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) => selector,
            ExprKind::Subquery(_) => {
                return Err(self.error(span, format!("{word} modifier is not supported for subqueries")));
            }
            // Prometheus's words for what can't have one.
            _ => return Err(self.error(span, format!("{word} modifier not implemented"))),
        };
        if selector.boundary != Boundary::Range && selector.boundary != boundary {
            return Err(self.error(span, "anchored and smoothed modifiers cannot be used together"));
        }
        selector.boundary = boundary;
        Ok(Expr { span: span.to(end), ..expr })
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

//! Durations as they are written: `5m`, `300`, and behind a feature flag `step() * 2`.

use crate::syntax::error::ParseError;
use crate::syntax::length::{DurationExpr, DurationKind, Length, SECONDS_MAX};
use crate::syntax::operator::BinaryOp;
use crate::syntax::parser::{DEPTH_MAX, Parser, SIGN_PRECEDENCE, precedence};
use crate::syntax::span::Span;
use crate::syntax::token::TokenKind;

const EXPECTED: &str = "number, duration, step(), or range()";

/// The words that a duration may begin with.
#[derive(Clone, Copy)]
enum Word {
    Step,
    Range,
    MinOf,
    MaxOf,
}

impl Parser {
    /// A duration above zero; `context` is for the error if there is none.
    pub(crate) fn positive_duration(&mut self, context: &str, expected: Option<&str>) -> Result<Length, ParseError> {
        let duration = self.duration(context, expected.unwrap_or(EXPECTED), 0)?;
        if let DurationKind::Literal(number) = duration.kind
            && number.value <= 0.0
        {
            return Err(self.error(duration.span, "duration must be greater than 0"));
        }
        Ok(length(duration))
    }

    /// What stands behind `offset`, and where it ends. Operators behind it belong to the expression, unless it is in parentheses.
    pub(crate) fn offset_duration(&mut self) -> Result<(Length, Span), ParseError> {
        let is_group = self.peek().kind == TokenKind::LeftParen;
        let duration = match self.sign() {
            _ if is_group => self.duration("offset", EXPECTED, 0)?,
            None => self.duration_operand("offset", EXPECTED)?,
            Some((minus, span)) => {
                let operand = self.duration_operand("offset", EXPECTED)?;
                self.signed(minus, span, operand)?
            }
        };
        let span = duration.span;
        Ok((length(duration), span))
    }

    /// Operators of at least this precedence and the durations between them.
    fn duration(&mut self, context: &str, expected: &str, least: u8) -> Result<DurationExpr, ParseError> {
        self.enter()?;
        let mut lhs = match self.sign() {
            None => self.duration_operand(context, expected)?,
            Some((minus, span)) => {
                let operand = self.duration(context, expected, SIGN_PRECEDENCE)?;
                self.signed(minus, span, operand)?
            }
        };
        let mut links = 0;
        while let TokenKind::Operator(op) = self.peek().kind {
            use BinaryOp::{Add, Div, Mod, Mul, Pow, Sub};
            let (strength, to_the_right) = precedence(op);
            if strength < least || !matches!(op, Add | Sub | Mul | Div | Mod | Pow) {
                break;
            }
            links += 1;
            if links > DEPTH_MAX {
                return Err(self.error(self.peek().span, format!("more than {DEPTH_MAX} operators in a duration")));
            }
            self.is_allowed(lhs.span)?;
            let operator = self.advance().span;
            let rhs = self.duration(context, expected, if to_the_right { strength } else { strength + 1 })?;
            if let (Div | Mod, DurationKind::Literal(number)) = (op, &rhs.kind)
                && number.value == 0.0
            {
                let what = if op == Div { "division" } else { "modulo" };
                return Err(self.error(operator, format!("{what} by zero")));
            }
            let span = lhs.span.to(rhs.span);
            lhs = DurationExpr { kind: DurationKind::Binary(op, Box::new(lhs), Box::new(rhs)), span };
        }
        self.leave();
        Ok(lhs)
    }

    /// A duration without operators around it.
    fn duration_operand(&mut self, context: &str, expected: &str) -> Result<DurationExpr, ParseError> {
        let start = self.peek().span;
        let (kind, end) = match (self.peek().kind, self.duration_word()) {
            (TokenKind::Number | TokenKind::Duration, _) => {
                let number = self.number()?;
                if number.value.is_nan() || number.value.abs() >= SECONDS_MAX {
                    return Err(self.error(start, "duration out of range"));
                }
                (DurationKind::Literal(number), start)
            }
            (TokenKind::LeftParen, _) => {
                self.advance();
                let inner = self.duration(context, expected, 0)?;
                self.is_allowed(inner.span)?;
                let close = self.close(context, expected)?;
                (DurationKind::Paren(Box::new(inner)), close)
            }
            (_, Some(word)) => {
                self.advance();
                if self.eat(TokenKind::LeftParen).is_none() {
                    return Err(self.unexpected(context, expected));
                }
                let kind = match word {
                    Word::Step => DurationKind::Step,
                    Word::Range => DurationKind::Range,
                    Word::MinOf | Word::MaxOf => {
                        let first = Box::new(self.duration(context, expected, 0)?);
                        if self.eat(TokenKind::Comma).is_none() {
                            return Err(self.unexpected(context, expected));
                        }
                        let second = Box::new(self.duration(context, expected, 0)?);
                        let smaller = matches!(word, Word::MinOf);
                        if smaller { DurationKind::MinOf(first, second) } else { DurationKind::MaxOf(first, second) }
                    }
                };
                let close = self.close(context, expected)?;
                self.is_allowed(start)?;
                (kind, close)
            }
            _ => return Err(self.unexpected(context, expected)),
        };
        Ok(DurationExpr { kind, span: start.to(end) })
    }

    fn duration_word(&self) -> Option<Word> {
        let token = self.peek();
        let words = [("step", Word::Step), ("range", Word::Range), ("min_of", Word::MinOf), ("max_of", Word::MaxOf)];
        let found = words.into_iter().find(|(text, _)| token.text.eq_ignore_ascii_case(text));
        found.filter(|_| token.kind == TokenKind::Preprocessor).map(|(_, word)| word)
    }

    fn close(&mut self, context: &str, expected: &str) -> Result<Span, ParseError> {
        self.eat(TokenKind::RightParen).map(|close| close.span).ok_or_else(|| self.unexpected(context, expected))
    }

    /// Takes a sign; whether it is a minus, and where it stands.
    fn sign(&mut self) -> Option<(bool, Span)> {
        let TokenKind::Operator(sign @ (BinaryOp::Add | BinaryOp::Sub)) = self.peek().kind else { return None };
        Some((sign == BinaryOp::Sub, self.advance().span))
    }

    /// A duration behind a sign, which becomes part of a literal.
    fn signed(&self, minus: bool, sign: Span, operand: DurationExpr) -> Result<DurationExpr, ParseError> {
        let span = sign.to(operand.span);
        let kind = match operand.kind {
            DurationKind::Literal(mut number) => {
                number.value = if minus { -number.value } else { number.value };
                DurationKind::Literal(number)
            }
            _ if !minus => return Ok(operand),
            _ => {
                self.is_allowed(span)?;
                DurationKind::Minus(Box::new(operand))
            }
        };
        Ok(DurationExpr { kind, span })
    }

    /// Durations that are computed stand behind a feature flag in Prometheus, whose words these are.
    fn is_allowed(&self, span: Span) -> Result<(), ParseError> {
        if self.options().duration_expressions {
            return Ok(());
        }
        Err(self.error(span, "experimental duration expression is not enabled"))
    }
}

/// A literal is a fixed length.
fn length(duration: DurationExpr) -> Length {
    match duration.kind {
        DurationKind::Literal(number) => Length::Fixed((number.value * 1000.0).round() as i64),
        _ => Length::Computed(Box::new(duration)),
    }
}

//! Selectors: a metric's name and matchers in braces.

use model::{METRIC_NAME, MatchOp, Matcher};

use crate::syntax::ast::{Boundary, Expr, ExprKind, Selector};
use crate::syntax::error::ParseError;
use crate::syntax::length::Length;
use crate::syntax::operator::BinaryOp;
use crate::syntax::parser::Parser;
use crate::syntax::token::TokenKind;

impl Parser {
    /// `name`, `name{…}` or `{…}`.
    pub(crate) fn selector(&mut self) -> Result<Expr, ParseError> {
        let first = self.peek().clone();
        let mut span = first.span;
        let mut name = None;
        if first.is_metric_name() {
            self.advance();
            name = Some(first.text);
        }
        let mut matchers = Vec::new();
        if self.peek().kind == TokenKind::LeftBrace {
            self.advance();
            matchers = self.matchers()?;
            span = span.to(self.advance().span);
        }
        if let Some(name) = &name {
            matchers.push(Matcher::equal(METRIC_NAME, name.as_str()));
        }
        let selector = Selector { name, matchers, offset: Length::Fixed(0), at: None, boundary: Boundary::Range, span };
        Ok(Expr { kind: ExprKind::Selector(Box::new(selector)), span })
    }

    /// The matchers up to the closing brace, which stays.
    fn matchers(&mut self) -> Result<Vec<Matcher>, ParseError> {
        let mut matchers = Vec::new();
        loop {
            match self.peek().kind {
                TokenKind::RightBrace => return Ok(matchers),
                TokenKind::Identifier | TokenKind::String => matchers.push(self.matcher()?),
                _ => return Err(self.unexpected("label matching", "identifier or \"}\"")),
            }
            if self.eat(TokenKind::Comma).is_none() && self.peek().kind != TokenKind::RightBrace {
                return Err(self.unexpected("label matching", "\",\" or \"}\""));
            }
        }
    }

    fn matcher(&mut self) -> Result<Matcher, ParseError> {
        let token = self.advance();
        let quoted = token.kind == TokenKind::String;
        let name = if quoted { self.string_value(&token)?.value } else { token.text.clone() };
        let op = match self.peek().kind {
            TokenKind::Assign => MatchOp::Equal,
            TokenKind::Operator(BinaryOp::NotEqual) => MatchOp::NotEqual,
            TokenKind::RegexMatch => MatchOp::Regex,
            TokenKind::RegexNotMatch => MatchOp::NotRegex,
            TokenKind::Comma | TokenKind::RightBrace if quoted => return Ok(Matcher::equal(METRIC_NAME, name)),
            _ => return Err(self.unexpected("label matching", "label matching operator")),
        };
        self.advance();
        if self.peek().kind != TokenKind::String {
            return Err(self.unexpected("label matching", "string"));
        }
        let value_token = self.advance();
        let value = self.string_value(&value_token)?.value;
        Matcher::new(op, name, value).map_err(|e| self.error(token.span.to(value_token.span), e.to_string()))
    }
}

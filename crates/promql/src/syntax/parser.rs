//! The parser: Pratt's, one function per level.

use model::Matcher;

use crate::syntax::ast::{Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, ExprKind, Matching};
use crate::syntax::check::check;
use crate::syntax::error::ParseError;
use crate::syntax::functions;
use crate::syntax::lexer::tokenize;
use crate::syntax::literal::{Number, StringLiteral};
use crate::syntax::number::parse_number;
use crate::syntax::operator::{BinaryOp, UnaryOp};
use crate::syntax::span::Span;
use crate::syntax::strings::{quote_bytes, unquote};
use crate::syntax::token::{Keyword, Token, TokenKind};

/// How deep expressions may be nested: the parser, the checks and the evaluation go down the tree by recursion.
pub(crate) const DEPTH_MAX: usize = 128;
/// How long a chain such as `a + b + c` may be; its tree is as deep as it is long.
const CHAIN_MAX: usize = 512;

/// What of the language is allowed. The default is what Prometheus allows without feature flags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ParseOptions {
    /// Functions and aggregations that Prometheus keeps behind `promql-experimental-functions`.
    pub experimental_functions: bool,
    /// Durations that are computed, which Prometheus keeps behind `promql-duration-expr`.
    pub duration_expressions: bool,
    /// `fill`, `fill_left` and `fill_right`, which Prometheus keeps behind `promql-binop-fill-modifiers`.
    pub fill_modifiers: bool,
    /// `anchored` and `smoothed`, which Prometheus keeps behind `promql-extended-range-selectors`.
    pub extended_range_selectors: bool,
    /// A metric's name that a function or an operator takes away is there until the end of the query, so that what stands around it
    /// can use it; Prometheus keeps this behind `promql-delayed-name-removal`.
    pub delayed_name_removal: bool,
    /// Start timestamps tell of counter resets, and `start_timestamp` gives them; Prometheus keeps this behind `use-start-timestamps`.
    pub start_timestamps: bool,
}

impl ParseOptions {
    /// All that there is.
    pub const fn everything() -> Self {
        ParseOptions {
            experimental_functions: true,
            duration_expressions: true,
            fill_modifiers: true,
            extended_range_selectors: true,
            delayed_name_removal: true,
            start_timestamps: true,
        }
    }
}

/// Reads an expression with the default options.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    parse_with(text, ParseOptions::default())
}

/// Reads an expression and checks its types.
pub fn parse_with(text: &str, options: ParseOptions) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text, options);
    if parser.peek().kind == TokenKind::Eof {
        return Err(parser.error(Span::default(), "no expression found in input"));
    }
    let mut expr = parser.expression(0)?;
    if parser.peek().kind != TokenKind::Eof {
        return Err(parser.unexpected("", ""));
    }
    check(text, &mut expr)?;
    Ok(expr)
}

/// Reads a selector without range and modifiers, as `match[]` takes it. At least one matcher must refuse the empty value.
pub fn parse_selectors(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let mut parser = Parser::new(text, ParseOptions::default());
    let mut expr = parser.primary()?;
    if parser.peek().kind != TokenKind::Eof {
        return Err(parser.unexpected("", ""));
    }
    check(text, &mut expr)?;
    match expr.kind {
        ExprKind::Selector(selector) => Ok(selector.matchers),
        _ => Err(parser.error(expr.span, "expected a series selector")),
    }
}

/// A cursor over the tokens.
pub(crate) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    options: ParseOptions,
}

/// How strongly an operator binds, and whether it groups to the right.
pub(crate) fn precedence(op: BinaryOp) -> (u8, bool) {
    match op {
        BinaryOp::Or => (1, false),
        BinaryOp::And | BinaryOp::Unless => (2, false),
        op if op.is_comparison() || op.is_trim() => (3, false),
        BinaryOp::Add | BinaryOp::Sub => (4, false),
        BinaryOp::Pow => (6, true),
        _ => (5, false),
    }
}

/// Only `^` binds more strongly than a sign.
pub(crate) const SIGN_PRECEDENCE: u8 = 6;

impl Parser {
    fn new(text: &str, options: ParseOptions) -> Self {
        Parser { tokens: tokenize(text), at: 0, depth: 0, options }
    }

    pub(crate) fn peek(&self) -> &Token {
        // The last token is the end or an error, and neither is ever consumed.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub(crate) fn peek_second(&self) -> TokenKind {
        self.tokens[(self.at + 1).min(self.tokens.len() - 1)].kind
    }

    pub(crate) fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    pub(crate) fn eat(&mut self, kind: TokenKind) -> Option<Token> {
        (self.peek().kind == kind).then(|| self.advance())
    }

    pub(crate) fn error(&self, span: Span, message: impl Into<String>) -> ParseError {
        ParseError::new(span, message)
    }

    /// The next token is not what it should be.
    pub(crate) fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let token = self.peek();
        if token.kind == TokenKind::Error {
            return self.error(token.span, token.text.clone());
        }
        let mut message = format!("unexpected {}", token.describe());
        if !context.is_empty() {
            message.push_str(" in ");
            message.push_str(context);
        }
        if !expected.is_empty() {
            message.push_str(", expected ");
            message.push_str(expected);
        }
        self.error(token.span, message)
    }

    /// Operators of at least this precedence and their operands.
    pub(crate) fn expression(&mut self, least: u8) -> Result<Expr, ParseError> {
        self.enter()?;
        let mut lhs = self.operand()?;
        let mut links = 0;
        while let TokenKind::Operator(op) = self.peek().kind {
            let (strength, to_the_right) = precedence(op);
            if strength < least {
                break;
            }
            links += 1;
            if links > CHAIN_MAX {
                let message = format!("more than {CHAIN_MAX} operators in a row without parentheses");
                return Err(self.error(self.peek().span, message));
            }
            self.advance();
            lhs = self.binary(op, lhs, if to_the_right { strength } else { strength + 1 })?;
        }
        self.leave();
        Ok(lhs)
    }

    /// Goes one level deeper; too deep is an error.
    pub(crate) fn enter(&mut self) -> Result<(), ParseError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error(self.peek().span, format!("expression is nested more than {DEPTH_MAX} levels deep")));
        }
        Ok(())
    }

    /// Comes back from one level.
    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(crate) fn options(&self) -> ParseOptions {
        self.options
    }

    /// A signed or unsigned operand.
    fn operand(&mut self) -> Result<Expr, ParseError> {
        let sign = match self.peek().kind {
            TokenKind::Operator(BinaryOp::Sub) => UnaryOp::Minus,
            TokenKind::Operator(BinaryOp::Add) => UnaryOp::Plus,
            _ => {
                let primary = self.primary()?;
                return self.postfix(primary);
            }
        };
        let start = self.advance().span;
        let mut expr = self.expression(SIGN_PRECEDENCE)?;
        let span = start.to(expr.span);
        if let ExprKind::Number(number) = &mut expr.kind {
            number.value = if sign == UnaryOp::Minus { -number.value } else { number.value };
            return Ok(Expr { span, ..expr });
        }
        Ok(Expr { kind: ExprKind::Unary(sign, Box::new(expr)), span })
    }

    fn binary(&mut self, op: BinaryOp, lhs: Expr, least: u8) -> Result<Expr, ParseError> {
        let return_bool = self.eat(TokenKind::Keyword(Keyword::Bool)).is_some();
        let mut matching = Matching {
            cardinality: Cardinality::OneToOne,
            on: false,
            labels: Vec::new(),
            include: Vec::new(),
            fill_left: None,
            fill_right: None,
        };
        if let TokenKind::Keyword(keyword @ (Keyword::On | Keyword::Ignoring)) = self.peek().kind {
            self.advance();
            matching.on = keyword == Keyword::On;
            matching.labels = self.grouping_labels()?;
            if let TokenKind::Keyword(keyword @ (Keyword::GroupLeft | Keyword::GroupRight)) = self.peek().kind {
                self.advance();
                let left = keyword == Keyword::GroupLeft;
                matching.cardinality = if left { Cardinality::ManyToOne } else { Cardinality::OneToMany };
                if self.peek().kind == TokenKind::LeftParen {
                    matching.include = self.grouping_labels()?;
                }
            }
        }
        self.fill_modifiers(&mut matching, lhs.span)?;
        let rhs = self.expression(least)?;
        let span = lhs.span.to(rhs.span);
        let binary = Binary { op, lhs, rhs, return_bool, matching: Some(matching) };
        Ok(Expr { kind: ExprKind::Binary(Box::new(binary)), span })
    }

    /// `(a, "b c", d)`.
    fn grouping_labels(&mut self) -> Result<Vec<String>, ParseError> {
        if self.eat(TokenKind::LeftParen).is_none() {
            return Err(self.unexpected("grouping opts", "\"(\""));
        }
        let mut labels = Vec::new();
        loop {
            if self.eat(TokenKind::RightParen).is_some() {
                return Ok(labels);
            }
            let token = self.peek();
            if token.is_label_name() {
                labels.push(self.advance().text);
            } else if token.kind == TokenKind::String {
                let token = self.advance();
                let name = self.string_value(&token)?;
                if name.value.is_empty() || name.invalid.is_some() {
                    let quoted = name.invalid.map_or_else(|| model::quote(&name.value), |b| quote_bytes(&b));
                    return Err(self.error(token.span, format!("invalid label name for grouping: {quoted}")));
                }
                labels.push(name.value);
            } else {
                return Err(self.unexpected("grouping opts", "label"));
            }
            if self.eat(TokenKind::Comma).is_none() && self.peek().kind != TokenKind::RightParen {
                return Err(self.unexpected("grouping opts", "\",\" or \")\""));
            }
        }
    }

    /// An expression without operators around it and modifiers behind it.
    fn primary(&mut self) -> Result<Expr, ParseError> {
        let token = self.peek().clone();
        match token.kind {
            TokenKind::Number | TokenKind::Duration => {
                let number = self.number()?;
                Ok(Expr { kind: ExprKind::Number(number), span: token.span })
            }
            TokenKind::String => {
                self.advance();
                Ok(Expr { kind: ExprKind::String(self.string_value(&token)?), span: token.span })
            }
            TokenKind::LeftParen => {
                self.advance();
                let inner = self.expression(0)?;
                let Some(close) = self.eat(TokenKind::RightParen) else { return Err(self.unexpected("", "")) };
                Ok(Expr { kind: ExprKind::Paren(Box::new(inner)), span: token.span.to(close.span) })
            }
            TokenKind::Aggregator(op) => self.aggregation_or_selector(op),
            TokenKind::Identifier | TokenKind::Preprocessor if self.peek_second() == TokenKind::LeftParen => {
                self.call()
            }
            TokenKind::LeftBrace => self.selector(),
            _ if token.is_metric_name() => self.selector(),
            _ => Err(self.unexpected("", "")),
        }
    }

    /// A number or a duration, the latter in seconds.
    pub(crate) fn number(&mut self) -> Result<Number, ParseError> {
        let token = self.advance();
        if token.kind == TokenKind::Duration {
            let ms = model::parse_duration(&token.text)
                .map_err(|error| self.error(token.span, why_no_duration(&token.text, &error)))?;
            return Ok(Number { value: ms as f64 / 1000.0, duration: true });
        }
        match parse_number(&token.text) {
            Some(value) if value.is_finite() || !token.text.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
                Ok(Number { value, duration: false })
            }
            _ => {
                let quoted = model::quote(&token.text);
                let message = format!("error parsing number: strconv.ParseFloat: parsing {quoted}: value out of range");
                Err(self.error(token.span, message))
            }
        }
    }

    pub(crate) fn string_value(&self, token: &Token) -> Result<StringLiteral, ParseError> {
        let bytes = unquote(&token.text)
            .ok_or_else(|| self.error(token.span, format!("error unquoting string {}", model::quote(&token.text))))?;
        Ok(match String::from_utf8(bytes) {
            Ok(value) => StringLiteral { value, invalid: None },
            Err(error) => StringLiteral {
                value: String::from_utf8_lossy(error.as_bytes()).into_owned(),
                invalid: Some(error.into_bytes()),
            },
        })
    }

    fn aggregation_or_selector(&mut self, op: AggregateOp) -> Result<Expr, ParseError> {
        use Keyword::{By, Without};
        match self.peek_second() {
            TokenKind::LeftParen | TokenKind::Keyword(By | Without) => {}
            _ => return self.selector(),
        }
        let name = self.advance();
        let mut modifier = self.aggregation_modifier()?;
        if self.peek().kind != TokenKind::LeftParen {
            return Err(self.unexpected("aggregation", ""));
        }
        let (mut args, mut end) = self.arguments()?;
        if modifier.is_none()
            && let TokenKind::Keyword(By | Without) = self.peek().kind
        {
            modifier = self.aggregation_modifier()?;
            end = self.tokens[self.at - 1].span;
        }
        let span = name.span.to(end);
        if args.is_empty() {
            return Err(self.error(span, "no arguments for aggregate expression provided"));
        }
        if op.is_experimental() && !self.options.experimental_functions {
            let flag = "is experimental and must be enabled with --enable-feature=promql-experimental-functions";
            return Err(self.error(span, format!("{}() {flag}", op.as_str())));
        }
        let wanted = if op.has_param() { 2 } else { 1 };
        if args.len() != wanted {
            let got = args.len();
            let message = "wrong number of arguments for aggregate expression provided";
            return Err(self.error(span, format!("{message}, expected {wanted}, got {got}")));
        }
        let expr = args.remove(wanted - 1);
        let (without, grouping) = modifier.unwrap_or_default();
        let aggregate = Aggregate { op, expr, param: args.pop(), grouping, without };
        Ok(Expr { kind: ExprKind::Aggregate(Box::new(aggregate)), span })
    }

    /// `fill (0)`, or `fill_left (0)` and `fill_right (0)`. Without parentheses they are names of metrics.
    fn fill_modifiers(&mut self, matching: &mut Matching, lhs: Span) -> Result<(), ParseError> {
        use Keyword::{Fill, FillLeft, FillRight};
        while let TokenKind::Keyword(side @ (Fill | FillLeft | FillRight)) = self.peek().kind
            && self.peek_second() == TokenKind::LeftParen
        {
            let (left, right) = (side != FillRight, side != FillLeft);
            // Who has been filled already isn't filled again.
            if left && matching.fill_left.is_some() || right && matching.fill_right.is_some() {
                return Err(self.unexpected("", ""));
            }
            if !self.options.fill_modifiers {
                return Err(self.error(lhs, "binop fill modifiers are experimental and not enabled"));
            }
            self.advance();
            self.advance();
            let sign = match self.peek().kind {
                TokenKind::Operator(sign @ (BinaryOp::Add | BinaryOp::Sub)) => {
                    self.advance();
                    if sign == BinaryOp::Sub { -1.0 } else { 1.0 }
                }
                _ => 1.0,
            };
            if !matches!(self.peek().kind, TokenKind::Number | TokenKind::Duration) {
                return Err(self.unexpected("", ""));
            }
            let value = Some(Number { value: sign * self.number()?.value, duration: false });
            if self.eat(TokenKind::RightParen).is_none() {
                return Err(self.unexpected("", ""));
            }
            matching.fill_left = if left { value } else { matching.fill_left };
            matching.fill_right = if right { value } else { matching.fill_right };
        }
        Ok(())
    }

    /// `by (…)` or `without (…)`.
    fn aggregation_modifier(&mut self) -> Result<Option<(bool, Vec<String>)>, ParseError> {
        let TokenKind::Keyword(keyword @ (Keyword::By | Keyword::Without)) = self.peek().kind else { return Ok(None) };
        self.advance();
        Ok(Some((keyword == Keyword::Without, self.grouping_labels()?)))
    }

    fn call(&mut self) -> Result<Expr, ParseError> {
        let name = self.advance();
        let quoted = model::quote(&name.text);
        let (args, end) = self.arguments()?;
        let Some(function) = functions::find(&name.text) else {
            return Err(self.error(name.span, functions::why_unknown(&name.text)));
        };
        if function.experimental && !self.options.experimental_functions {
            return Err(self.error(name.span, format!("function {quoted} is not enabled")));
        }
        Ok(Expr { kind: ExprKind::Call(Call { function, args }), span: name.span.to(end) })
    }

    /// `(a, b)`, and where its closing parenthesis stands.
    fn arguments(&mut self) -> Result<(Vec<Expr>, Span), ParseError> {
        self.advance();
        let mut args = Vec::new();
        if let Some(close) = self.eat(TokenKind::RightParen) {
            return Ok((args, close.span));
        }
        loop {
            args.push(self.expression(0)?);
            if let Some(close) = self.eat(TokenKind::RightParen) {
                return Ok((args, close.span));
            }
            let Some(comma) = self.eat(TokenKind::Comma) else { return Err(self.unexpected("", "")) };
            if self.peek().kind == TokenKind::RightParen {
                return Err(self.error(comma.span, "trailing commas not allowed in function call args"));
            }
        }
    }
}

/// What to say about a text that looks like a duration and is none.
fn why_no_duration(text: &str, error: &model::DurationError) -> String {
    let units = text.split(|c: char| c.is_ascii_digit()).filter(|unit| !unit.is_empty());
    let unknown = units.into_iter().find(|unit| !["ms", "s", "m", "h", "d", "w", "y"].contains(unit));
    match (error, unknown) {
        (model::DurationError::OutOfRange(_), _) => "duration out of range".to_owned(),
        (_, Some(unit)) => format!("unknown unit {} in duration {}", model::quote(unit), model::quote(text)),
        _ => format!("not a valid duration string: {}", model::quote(text)),
    }
}

//! Tokens and the words of the language.

use model::quote;

use crate::syntax::ast::AggregateOp;
use crate::syntax::operator::BinaryOp;
use crate::syntax::span::Span;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Eof,
    /// The lexer could not go on; the token's text says why.
    Error,
    Comma,
    Colon,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    /// `=` inside braces, a mistake outside.
    Assign,
    RegexMatch,
    RegexNotMatch,
    At,
    Identifier,
    /// An identifier with a colon, which only metrics have.
    MetricIdentifier,
    String,
    Number,
    Duration,
    Operator(BinaryOp),
    Aggregator(AggregateOp),
    Keyword(Keyword),
    /// A word that also is a function: `start`, `end`, `step`, `range`, `min_of`, `max_of`.
    Preprocessor,
}

/// Words with a meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    Offset,
    Smoothed,
    Anchored,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Fill,
    FillLeft,
    FillRight,
    Bool,
}

/// The words, in lower case; the language doesn't distinguish.
const WORDS: &[(&str, TokenKind)] = &[
    ("and", TokenKind::Operator(BinaryOp::And)),
    ("or", TokenKind::Operator(BinaryOp::Or)),
    ("unless", TokenKind::Operator(BinaryOp::Unless)),
    ("atan2", TokenKind::Operator(BinaryOp::Atan2)),
    ("sum", TokenKind::Aggregator(AggregateOp::Sum)),
    ("avg", TokenKind::Aggregator(AggregateOp::Avg)),
    ("count", TokenKind::Aggregator(AggregateOp::Count)),
    ("min", TokenKind::Aggregator(AggregateOp::Min)),
    ("max", TokenKind::Aggregator(AggregateOp::Max)),
    ("group", TokenKind::Aggregator(AggregateOp::Group)),
    ("stddev", TokenKind::Aggregator(AggregateOp::Stddev)),
    ("stdvar", TokenKind::Aggregator(AggregateOp::Stdvar)),
    ("topk", TokenKind::Aggregator(AggregateOp::Topk)),
    ("bottomk", TokenKind::Aggregator(AggregateOp::Bottomk)),
    ("count_values", TokenKind::Aggregator(AggregateOp::CountValues)),
    ("quantile", TokenKind::Aggregator(AggregateOp::Quantile)),
    ("limitk", TokenKind::Aggregator(AggregateOp::Limitk)),
    ("limit_ratio", TokenKind::Aggregator(AggregateOp::LimitRatio)),
    ("offset", TokenKind::Keyword(Keyword::Offset)),
    ("smoothed", TokenKind::Keyword(Keyword::Smoothed)),
    ("anchored", TokenKind::Keyword(Keyword::Anchored)),
    ("by", TokenKind::Keyword(Keyword::By)),
    ("without", TokenKind::Keyword(Keyword::Without)),
    ("on", TokenKind::Keyword(Keyword::On)),
    ("ignoring", TokenKind::Keyword(Keyword::Ignoring)),
    ("group_left", TokenKind::Keyword(Keyword::GroupLeft)),
    ("group_right", TokenKind::Keyword(Keyword::GroupRight)),
    ("fill", TokenKind::Keyword(Keyword::Fill)),
    ("fill_left", TokenKind::Keyword(Keyword::FillLeft)),
    ("fill_right", TokenKind::Keyword(Keyword::FillRight)),
    ("bool", TokenKind::Keyword(Keyword::Bool)),
    ("start", TokenKind::Preprocessor),
    ("end", TokenKind::Preprocessor),
    ("step", TokenKind::Preprocessor),
    ("range", TokenKind::Preprocessor),
    ("max_of", TokenKind::Preprocessor),
    ("min_of", TokenKind::Preprocessor),
    ("inf", TokenKind::Number),
    ("nan", TokenKind::Number),
];

/// The meaning of a word, if it has one.
pub(crate) fn word(text: &str) -> Option<TokenKind> {
    WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, kind)| *kind)
}

/// One token.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
    /// As written; of an error, the message.
    pub(crate) text: String,
}

impl Token {
    /// As Prometheus names an unexpected token.
    pub(crate) fn describe(&self) -> String {
        let text = &self.text;
        match self.kind {
            TokenKind::Eof => "end of input".to_owned(),
            TokenKind::Error => text.clone(),
            TokenKind::Identifier => format!("identifier {}", quote(text)),
            TokenKind::MetricIdentifier => format!("metric identifier {}", quote(text)),
            TokenKind::String => format!("string {}", shortened(text)),
            TokenKind::Number => format!("number {}", shortened(text)),
            TokenKind::Duration => format!("duration {}", shortened(text)),
            TokenKind::Operator(_) | TokenKind::At | TokenKind::RegexMatch | TokenKind::RegexNotMatch => {
                format!("<op:{text}>")
            }
            TokenKind::Aggregator(_) => format!("<aggr:{text}>"),
            TokenKind::Keyword(_) => format!("<{text}>"),
            _ => shortened(text),
        }
    }

    /// Whether the token may stand where a metric's name is wanted.
    pub(crate) fn is_metric_name(&self) -> bool {
        match self.kind {
            TokenKind::Identifier
            | TokenKind::MetricIdentifier
            | TokenKind::Aggregator(_)
            | TokenKind::Preprocessor
            | TokenKind::Operator(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless) => true,
            TokenKind::Keyword(keyword) => {
                use Keyword::{Bool, GroupLeft, GroupRight, Ignoring, On};
                !matches!(keyword, On | Ignoring | GroupLeft | GroupRight | Bool)
            }
            _ => false,
        }
    }

    /// Whether the token may stand where a label's name is wanted.
    pub(crate) fn is_label_name(&self) -> bool {
        matches!(self.kind, TokenKind::Keyword(_) | TokenKind::Operator(BinaryOp::Atan2))
            || (self.is_metric_name() && self.kind != TokenKind::MetricIdentifier)
    }
}

/// The text in quotes; of a long one the first ten characters.
fn shortened(text: &str) -> String {
    if text.len() > 10 { format!("{}...", quote(&text.chars().take(10).collect::<String>())) } else { quote(text) }
}

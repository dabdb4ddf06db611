//! From text to tokens.
//!
//! What a character means depends on where it stands: braces hold label matchers, brackets hold durations. The lexer
//! walks the whole text first; where it can't go on it leaves an error token, which the parser reports if it comes that
//! far, so an earlier mistake in the grammar is reported before a later one in the spelling.

use crate::syntax::lines::Lines;
use crate::syntax::number::parse_number;
use crate::syntax::operator::BinaryOp;
use crate::syntax::strings::unquote;
use crate::syntax::token::{Keyword, Token, TokenKind, word};

/// All tokens of `text`; the last one is the end of the input or an error.
pub(crate) fn tokenize(text: &str) -> Vec<Token> {
    let mut lexer =
        Lexer { text, at: 0, tokens: Vec::new(), parens: 0, in_braces: false, in_brackets: false, colon: false };
    let lines = Lines::new(text);
    loop {
        lexer.skip_space_and_comments();
        let start = lexer.at;
        match lexer.next_kind() {
            Ok(kind) => {
                let token = Token { kind, span: lines.span(start, lexer.at), text: text[start..lexer.at].to_owned() };
                lexer.tokens.push(token);
                if kind == TokenKind::Eof {
                    return lexer.tokens;
                }
            }
            Err(message) => {
                lexer.tokens.push(Token { kind: TokenKind::Error, span: lines.span(start, lexer.at), text: message });
                return lexer.tokens;
            }
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    parens: usize,
    in_braces: bool,
    in_brackets: bool,
    /// Whether the brackets had their colon.
    colon: bool,
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

/// Whether a text has the form of a unit; `hs` has, and is refused when the duration is read.
fn is_like_unit(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| "smhdwy".contains(first)) && matches!(chars.as_str(), "" | "s")
}

/// Go's `%q` of a character.
fn quoted(c: Option<char>) -> String {
    match c {
        None => "end of input".to_owned(),
        Some('\'') => r"'\''".to_owned(),
        Some('"') => "'\"'".to_owned(),
        Some(c) => {
            let text = model::quote(&c.to_string());
            format!("'{}'", &text[1..text.len() - 1])
        }
    }
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn eat_while(&mut self, accept: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.bump();
        }
    }

    fn skip_space_and_comments(&mut self) {
        loop {
            self.eat_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            if self.peek() != Some('#') {
                return;
            }
            self.eat_while(|c| !matches!(c, '\n' | '\r'));
        }
    }

    fn next_kind(&mut self) -> Result<TokenKind, String> {
        let start = self.at;
        let in_duration = self.tokens.last().is_some_and(|token| token.kind == TokenKind::LeftBracket);
        let Some(c) = self.bump() else { return self.end(in_duration) };
        match c {
            '"' | '\'' | '`' if in_duration => {
                Err(format!("unexpected character in duration expression: {}", quoted(Some(c))))
            }
            '"' | '\'' | '`' => self.string(start, c),
            ',' => Ok(TokenKind::Comma),
            _ if self.in_braces => self.inside_braces(c),
            '0'..='9' => self.number_or_duration(start),
            '.' if self.peek().is_some_and(|next| next.is_ascii_digit()) => self.number_or_duration(start),
            c if is_alpha(c) || c == ':' => self.name(start, c),
            c => self.punctuation(c),
        }
    }

    fn end(&self, in_duration: bool) -> Result<TokenKind, String> {
        if in_duration {
            Err("unexpected end of input in duration expression".to_owned())
        } else if self.in_braces {
            Err("unexpected end of input inside braces".to_owned())
        } else if self.parens > 0 {
            Err("unclosed left parenthesis".to_owned())
        } else if self.in_brackets {
            Err("unclosed left bracket".to_owned())
        } else {
            Ok(TokenKind::Eof)
        }
    }

    fn inside_braces(&mut self, c: char) -> Result<TokenKind, String> {
        match c {
            c if is_alpha(c) => {
                self.eat_while(is_alphanumeric);
                Ok(TokenKind::Identifier)
            }
            '=' => Ok(if self.eat('~') { TokenKind::RegexMatch } else { TokenKind::Assign }),
            '!' => match self.bump() {
                Some('~') => Ok(TokenKind::RegexNotMatch),
                Some('=') => Ok(TokenKind::Operator(BinaryOp::NotEqual)),
                other => Err(format!("unexpected character after '!' inside braces: {}", quoted(other))),
            },
            '{' => Err("unexpected left brace '{'".to_owned()),
            '}' => {
                self.in_braces = false;
                Ok(TokenKind::RightBrace)
            }
            c => Err(format!("unexpected character inside braces: {}", quoted(Some(c)))),
        }
    }

    fn punctuation(&mut self, c: char) -> Result<TokenKind, String> {
        use BinaryOp::{Add, Div, Equal, Greater, GreaterEqual, Less, LessEqual, Mod, Mul, NotEqual, Pow, Sub};
        let operator = |op| Ok(TokenKind::Operator(op));
        match c {
            '*' => operator(Mul),
            '/' => operator(Div),
            '%' => operator(Mod),
            '+' => operator(Add),
            '-' => operator(Sub),
            '^' => operator(Pow),
            '=' if self.eat('=') => operator(Equal),
            '=' if self.peek() == Some('~') => Err("unexpected character after '=': '~'".to_owned()),
            '=' => Ok(TokenKind::Assign),
            '!' if self.eat('=') => operator(NotEqual),
            '!' => Err(format!("unexpected character after '!': {}", quoted(self.bump()))),
            '<' if self.eat('=') => operator(LessEqual),
            '>' if self.eat('=') => operator(GreaterEqual),
            '<' if self.eat('/') => operator(BinaryOp::TrimAbove),
            '>' if self.eat('/') => operator(BinaryOp::TrimBelow),
            '<' => operator(Less),
            '>' => operator(Greater),
            '@' => Ok(TokenKind::At),
            _ => self.bracket(c),
        }
    }

    fn bracket(&mut self, c: char) -> Result<TokenKind, String> {
        match c {
            '(' => {
                self.parens += 1;
                Ok(TokenKind::LeftParen)
            }
            ')' => {
                self.parens = self.parens.checked_sub(1).ok_or("unexpected right parenthesis ')'")?;
                Ok(TokenKind::RightParen)
            }
            '{' => {
                self.in_braces = true;
                Ok(TokenKind::LeftBrace)
            }
            '[' if self.in_brackets => Err("unexpected left bracket '['".to_owned()),
            '[' => {
                (self.in_brackets, self.colon) = (true, false);
                Ok(TokenKind::LeftBracket)
            }
            ']' if self.in_brackets => {
                self.in_brackets = false;
                Ok(TokenKind::RightBracket)
            }
            ']' => Err("unexpected right bracket ']'".to_owned()),
            c => Err(format!("unexpected character: {}", quoted(Some(c)))),
        }
    }

    fn name(&mut self, start: usize, first: char) -> Result<TokenKind, String> {
        if self.in_brackets {
            return self.name_in_brackets(start, first);
        }
        self.eat_while(|c| is_alphanumeric(c) || c == ':');
        let text = &self.text[start..self.at];
        Ok(match word(text) {
            // `fill` is a word only in front of its value, so metrics of that name stay usable.
            Some(TokenKind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight))
                if !self.text[self.at..].trim_start().starts_with('(') =>
            {
                TokenKind::Identifier
            }
            Some(kind) => kind,
            None if text.contains(':') => TokenKind::MetricIdentifier,
            None => TokenKind::Identifier,
        })
    }

    fn name_in_brackets(&mut self, start: usize, first: char) -> Result<TokenKind, String> {
        if first == ':' {
            return if std::mem::replace(&mut self.colon, true) {
                Err("unexpected colon ':'".to_owned())
            } else {
                Ok(TokenKind::Colon)
            };
        }
        self.eat_while(is_alpha);
        match word(&self.text[start..self.at]) {
            Some(TokenKind::Preprocessor) => Ok(TokenKind::Preprocessor),
            _ => Err(format!("unexpected character: {}, expected ':'", quoted(Some(first)))),
        }
    }

    fn string(&mut self, start: usize, quote: char) -> Result<TokenKind, String> {
        loop {
            match self.bump() {
                None if quote == '`' => return Err("unterminated raw string".to_owned()),
                None => return Err("unterminated quoted string".to_owned()),
                Some('\n') if quote != '`' => return Err("unterminated quoted string".to_owned()),
                Some('\\') if quote != '`' => {
                    self.bump().ok_or("escape sequence not terminated")?;
                }
                Some(c) if c == quote => break,
                Some(_) => {}
            }
        }
        match unquote(&self.text[start..self.at]) {
            Some(_) => Ok(TokenKind::String),
            None => Err(format!("unknown escape sequence in string {}", &self.text[start..self.at])),
        }
    }

    /// A number, or a duration such as `1h30m`. What looks like either and is none is one error about the whole word.
    fn number_or_duration(&mut self, start: usize) -> Result<TokenKind, String> {
        let hex = self.text[start..].starts_with("0x") || self.text[start..].starts_with("0X");
        loop {
            self.eat_while(|c| is_alphanumeric(c) || c == '.');
            // The sign of an exponent belongs to the number.
            let exponent = !hex && self.text[start..self.at].ends_with(['e', 'E']) && self.mantissa(start);
            if !(exponent && (self.eat('+') || self.eat('-'))) {
                break;
            }
        }
        let text = &self.text[start..self.at];
        let is_duration = text.starts_with(|c: char| c.is_ascii_digit())
            && text.ends_with(|c: char| c.is_ascii_alphabetic())
            && text.split(|c: char| c.is_ascii_digit()).filter(|unit| !unit.is_empty()).all(is_like_unit);
        if is_duration {
            Ok(TokenKind::Duration)
        } else if parse_number(text).is_some() {
            Ok(TokenKind::Number)
        } else {
            Err(format!("bad number or duration syntax: {}", model::quote(text)))
        }
    }

    /// Whether what was read since `start`, without the `e` at its end, is a number without an exponent.
    fn mantissa(&self, start: usize) -> bool {
        self.text[start..self.at - 1].bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'_')
    }
}

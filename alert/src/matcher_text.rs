//! Matchers as text, in both grammars that Alertmanager reads: the classic one (`foo = "bar"`, `foo=~ba.*`, values without
//! quotes up to the end) and the one with UTF-8 names (`"größe"="7"`).
//!
//! Where both can read a text the classic one decides, which is Alertmanager's rule for files that were written before the
//! other existed.

use std::fmt::Write as _;

use model::{MatchOp, Matcher};

/// Why a text is no matcher.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad matcher {text:?}: {reason}")]
pub struct MatcherError {
    /// The text as given.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Reads a list of matchers: `a="b"`, `a="b",c=~"d"`, `{a="b", c!="d"}`. `{}` and the empty text give none.
pub fn parse_matchers(text: &str) -> Result<Vec<Matcher>, MatcherError> {
    classic_list(text)
        .or_else(|_| Scanner { rest: text.trim() }.list())
        .map_err(|reason| MatcherError { text: text.to_owned(), reason })
}

/// Matchers as Alertmanager prints them, sorted, the way they stand in a group key: `{a="b",c=~"d"}`.
pub(crate) fn print_matchers(matchers: &[Matcher]) -> String {
    let mut sorted: Vec<&Matcher> = matchers.iter().collect();
    sorted.sort_by_key(|m| (m.name().to_owned(), m.value().to_owned(), m.op().to_string()));
    let mut out = String::from("{");
    for (i, matcher) in sorted.into_iter().enumerate() {
        let separator = if i == 0 { "" } else { "," };
        let quote = if model::is_valid_label_name(matcher.name()) { "" } else { "\"" };
        let value = matcher.value().replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
        let _ = write!(out, "{separator}{quote}{}{quote}{}\"{value}\"", matcher.name(), matcher.op());
    }
    out.push('}');
    out
}

/// The operator at the beginning of a text, and what follows.
fn operator(text: &str) -> Option<(MatchOp, &str)> {
    const OPERATORS: [(&str, MatchOp); 4] =
        [("=~", MatchOp::Regex), ("!~", MatchOp::NotRegex), ("!=", MatchOp::NotEqual), ("=", MatchOp::Equal)];
    OPERATORS.iter().find_map(|(word, op)| text.strip_prefix(word).map(|rest| (*op, rest)))
}

fn classic_list(text: &str) -> Result<Vec<Matcher>, String> {
    let trimmed = text.trim();
    let inner = match (trimmed.strip_prefix('{'), trimmed.strip_suffix('}')) {
        (Some(inner), Some(_)) => inner.strip_suffix('}').ok_or("unbalanced braces")?,
        (None, None) => trimmed,
        _ => return Err("unbalanced braces".to_owned()),
    };
    let (mut matchers, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                matchers.push(classic(&inner[start..at])?);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !inner[start..].trim().is_empty() {
        matchers.push(classic(&inner[start..])?);
    }
    Ok(matchers)
}

fn classic(text: &str) -> Result<Matcher, String> {
    let text = text.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let name_len = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let name = &text[..name_len];
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("no label name".to_owned());
    }
    let (op, value) = operator(text[name_len..].trim_start()).ok_or("no operator: want =, !=, =~ or !~")?;
    let value = value.trim();
    let quoted = value.starts_with('"');
    let body = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').ok_or("the quote is not closed")?,
        None => value,
    };
    let (mut out, mut chars) = (String::new(), body.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted || chars.peek().is_some() => match chars.next() {
                Some('n') => out.push('\n'),
                Some(c @ ('"' | '\\')) => out.push(c),
                Some(other) => out.extend(['\\', other]),
                None => return Err("the quote is not closed".to_owned()),
            },
            '"' => return Err("a quote inside the value needs a backslash".to_owned()),
            c => out.push(c),
        }
    }
    Matcher::new(op, name, out).map_err(|e| e.to_string())
}

/// Reads the grammar with UTF-8 names.
struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    fn list(mut self) -> Result<Vec<Matcher>, String> {
        let braced = self.eat('{');
        let mut matchers = Vec::new();
        while !self.rest.is_empty() && !self.rest.starts_with('}') {
            matchers.push(self.matcher()?);
            if !self.eat(',') {
                break;
            }
        }
        if braced && !self.eat('}') {
            return Err(self.unexpected("a comma or a closing brace"));
        }
        if self.rest.is_empty() { Ok(matchers) } else { Err(self.unexpected("the end")) }
    }

    fn matcher(&mut self) -> Result<Matcher, String> {
        let name = self.word("a label name")?;
        let (op, rest) = operator(self.rest).ok_or_else(|| self.unexpected("=, !=, =~ or !~"))?;
        self.rest = rest.trim_start();
        let value = self.word("a value")?;
        Matcher::new(op, name, value).map_err(|e| e.to_string())
    }

    fn eat(&mut self, c: char) -> bool {
        let eaten = self.rest.strip_prefix(c);
        self.rest = eaten.unwrap_or(self.rest).trim_start();
        eaten.is_some()
    }

    /// A text in quotes, or a run of characters that mean nothing else.
    fn word(&mut self, what: &str) -> Result<String, String> {
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        let reserved = |c: char| c.is_whitespace() || "{}!=~,\\\"'`".contains(c);
        let len = self.rest.find(reserved).unwrap_or(self.rest.len());
        if len == 0 {
            return Err(self.unexpected(what));
        }
        let (word, rest) = self.rest.split_at(len);
        self.rest = rest.trim_start();
        Ok(word.to_owned())
    }

    /// Go's double-quoted string.
    fn quoted(&mut self) -> Result<String, String> {
        let mut out = String::new();
        let mut chars = self.rest[1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = self.rest[at + 2..].trim_start();
                    return Ok(out);
                }
                '\\' => {
                    let (_, escape) = chars.next().ok_or("the quote is not closed")?;
                    let digits = match escape {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        _ => 0,
                    };
                    let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                    out.push(unescaped(escape, &hex).ok_or_else(|| format!("unknown escape \\{escape}{hex}"))?);
                }
                c => out.push(c),
            }
        }
        Err("the quote is not closed".to_owned())
    }

    fn unexpected(&self, wanted: &str) -> String {
        match self.rest.chars().next() {
            Some(c) => format!("found {c:?}, expected {wanted}"),
            None => format!("the text ends, expected {wanted}"),
        }
    }
}

fn unescaped(escape: char, hex: &str) -> Option<char> {
    Some(match escape {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' | '"' => escape,
        'x' | 'u' | 'U' => char::from_u32(u32::from_str_radix(hex, 16).ok()?)?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let matchers = parse_matchers(text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(print_matchers(&matchers), want, "{text}");
    }

    #[test]
    fn reads_both_grammars() {
        check("", "{}");
        check("{}", "{}");
        check("foo=bar", r#"{foo="bar"}"#);
        check(r#"foo="bar""#, r#"{foo="bar"}"#);
        check(r#" foo =~ "ba.*" "#, r#"{foo=~"ba.*"}"#);
        check(r#"{foo!="bar", x!~"a|b"}"#, r#"{foo!="bar",x!~"a|b"}"#);
        check(r#"b=2,a=1,"#, r#"{a="1",b="2"}"#);
        check("foo=bar baz", r#"{foo="bar baz"}"#);
        check("foo=", r#"{foo=""}"#);
        check(r#"foo="a,b",c="d""#, r#"{c="d",foo="a,b"}"#);
        check(r#"foo="a\"b\\c\nd""#, r#"{foo="a\"b\\c\nd"}"#);
        check(r#"foo=~"\d+""#, r#"{foo=~"\\d+"}"#);
        check(r#""my.label"="x""#, r#"{"my.label"="x"}"#);
        check(r#"{größe="7", a=b}"#, r#"{a="b","größe"="7"}"#);
        check(r#""é"="\u00e9\t""#, "{\"é\"=\"é\t\"}");
    }

    #[test]
    fn refuses_the_rest_with_a_reason() {
        let check = |text: &str, reason: &str| {
            let error = parse_matchers(text).unwrap_err();
            assert!(error.reason.contains(reason), "{text}: {}", error.reason);
        };
        check("foo", "the text ends, expected =");
        check("=bar", "expected a label name");
        check(r#"foo="bar"#, "the quote is not closed");
        check(r#"{foo="bar""#, "closing brace");
        check("foo=~(", "error parsing regexp");
        check(r#"foo="a" b="c""#, "expected the end");
        check(r#"{"foo"==bar}"#, "expected a value");
    }
}

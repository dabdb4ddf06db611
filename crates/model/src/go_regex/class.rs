//! Character classes: `[a-z]`, `\d`, `[[:alpha:]]`, `\p{Greek}`.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange, HirKind};

use crate::go_regex::error::RegexError;
use crate::go_regex::escape::parse_escape;

const BAD_RANGE: &str = "invalid character class range";

const DIGIT: &[(char, char)] = &[('0', '9')];
const SPACE: &[(char, char)] = &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

/// POSIX's classes by name; ASCII only.
const POSIX: [(&str, &[(char, char)]); 14] = [
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\u{7f}')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\u{1f}'), ('\u{7f}', '\u{7f}')]),
    ("digit", DIGIT),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", WORD),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];

/// A class and the position behind it.
pub(super) type Parsed = (ClassUnicode, usize);

/// The class of one code point, with the other cases of it under `(?i)`. A surrogate matches nothing, as no text holds one.
pub(super) fn single(code: u32, fold: bool) -> ClassUnicode {
    range(code, code, fold)
}

/// `\d`, `\pL`, `\p{Greek}` and the like at `start`; `None` where no such class stands there.
pub(super) fn escaped_class(pattern: &str, start: usize, fold: bool) -> Result<Option<Parsed>, RegexError> {
    let rest = &pattern.as_bytes()[start..];
    let (Some(b'\\'), Some(kind)) = (rest.first(), rest.get(1)) else { return Ok(None) };
    let ranges = match kind.to_ascii_lowercase() {
        b'd' => DIGIT,
        b's' => SPACE,
        b'w' => WORD,
        b'p' => return unicode_class(pattern, start, fold).map(Some),
        _ => return Ok(None),
    };
    Ok(Some((ascii(ranges, kind.is_ascii_uppercase(), fold), start + 2)))
}

/// The class in brackets that begins at `start`.
pub(super) fn bracket_class(pattern: &str, start: usize, fold: bool) -> Result<Parsed, RegexError> {
    let error = |reason, from: usize, to: usize| RegexError {
        pattern: pattern.to_owned(),
        fragment: pattern[from..to].to_owned(),
        reason,
    };
    let unclosed = || error("missing closing ]", start, pattern.len());
    let bytes = pattern.as_bytes();
    let negated = bytes.get(start + 1) == Some(&b'^');
    let mut pos = start + 1 + usize::from(negated);
    let mut class = ClassUnicode::empty();
    let mut first = true; // a `]` that comes first is a character of the class
    loop {
        match bytes.get(pos) {
            None => return Err(unclosed()),
            Some(b']') if !first => break,
            Some(_) => first = false,
        }
        let named = match posix_class(pattern, pos, fold)? {
            Some(parsed) => Some(parsed),
            None => escaped_class(pattern, pos, fold)?,
        };
        if let Some((more, end)) = named {
            class.union(&more);
            pos = end;
            continue;
        }
        let (low, mut end) = class_char(pattern, pos)?.ok_or_else(unclosed)?;
        let mut high = low;
        if bytes.get(end) == Some(&b'-') && bytes.get(end + 1).is_some_and(|next| *next != b']') {
            (high, end) = class_char(pattern, end + 1)?.ok_or_else(unclosed)?;
            if high < low {
                return Err(error(BAD_RANGE, pos, end));
            }
        }
        class.union(&range(low, high, fold));
        pos = end;
    }
    if negated {
        class.negate();
    }
    Ok((class, pos + 1))
}

/// One character of a class, perhaps escaped; `None` at the end of the pattern.
fn class_char(pattern: &str, start: usize) -> Result<Option<(u32, usize)>, RegexError> {
    match pattern[start..].chars().next() {
        None => Ok(None),
        Some('\\') => parse_escape(pattern, start).map(Some),
        Some(c) => Ok(Some((u32::from(c), start + c.len_utf8()))),
    }
}

/// `[:alpha:]` or `[:^alpha:]` at `start`. Without a `:]` behind it, the bracket is a character like any other.
fn posix_class(pattern: &str, start: usize, fold: bool) -> Result<Option<Parsed>, RegexError> {
    let Some(inside) = pattern[start..].strip_prefix("[:") else { return Ok(None) };
    let Some(len) = inside.find(":]") else { return Ok(None) };
    let end = start + 2 + len + 2;
    let (name, negated) = inside[..len].strip_prefix('^').map_or((&inside[..len], false), |name| (name, true));
    match POSIX.iter().find(|(known, _)| *known == name) {
        Some((_, ranges)) => Ok(Some((ascii(ranges, negated, fold), end))),
        None => {
            Err(RegexError { pattern: pattern.to_owned(), fragment: pattern[start..end].to_owned(), reason: BAD_RANGE })
        }
    }
}

/// `\pN`, `\p{Greek}`, `\P{^Greek}` at `start`.
fn unicode_class(pattern: &str, start: usize, fold: bool) -> Result<Parsed, RegexError> {
    let error = |end: usize| RegexError {
        pattern: pattern.to_owned(),
        fragment: pattern[start..end].to_owned(),
        reason: BAD_RANGE,
    };
    let rest = &pattern[start + 2..];
    let (name, end) = match rest.strip_prefix('{') {
        Some(inside) => {
            let len = inside.find('}').ok_or_else(|| error(pattern.len()))?;
            (&inside[..len], start + 2 + len + 2)
        }
        None => {
            let len = rest.chars().next().map_or(0, char::len_utf8);
            (&rest[..len], start + 2 + len)
        }
    };
    let (name, inverted) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
    let mut class = named_unicode_class(name).ok_or_else(|| error(end))?;
    if fold {
        class.case_fold_simple();
    }
    if inverted != pattern[start..].starts_with("\\P") {
        class.negate();
    }
    Ok((class, end))
}

/// A general category or a script. Other properties, which Rust's syntax knows, are none in Go.
fn named_unicode_class(name: &str) -> Option<ClassUnicode> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b' '));
    if name.is_empty() || !plain {
        return None;
    }
    ["gc", "sc"].iter().find_map(|property| {
        match regex_syntax::parse(&format!("\\p{{{property}={name}}}")).ok()?.into_kind() {
            HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => Some(class),
            _ => None,
        }
    })
}

fn ascii(ranges: &[(char, char)], negated: bool, fold: bool) -> ClassUnicode {
    let mut class = ClassUnicode::new(ranges.iter().map(|(low, high)| ClassUnicodeRange::new(*low, *high)));
    if fold {
        class.case_fold_simple();
    }
    if negated {
        class.negate();
    }
    class
}

/// The code points from `low` to `high` that are characters.
fn range(low: u32, high: u32, fold: bool) -> ClassUnicode {
    let up = char::from_u32(low).unwrap_or('\u{e000}'); // only surrogates are no characters here
    let down = char::from_u32(high).unwrap_or('\u{d7ff}');
    if up > down {
        return ClassUnicode::empty();
    }
    let mut class = ClassUnicode::new([ClassUnicodeRange::new(up, down)]);
    if fold {
        class.case_fold_simple();
    }
    class
}

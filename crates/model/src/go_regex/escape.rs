//! Escapes for one character: `\n`, `\.`, `\x41`, `\x{263a}`, `\101`.

use crate::go_regex::error::RegexError;

const TRAILING: &str = "trailing backslash at end of expression";
const INVALID: &str = "invalid escape sequence";

/// Reads the escape at `start`, where a backslash stands: the code point (a surrogate is one for Go) and the position
/// behind it.
pub(super) fn parse_escape(pattern: &str, start: usize) -> Result<(u32, usize), RegexError> {
    let error = |reason, end: usize| {
        let fragment = if reason == TRAILING { String::new() } else { pattern[start..end].to_owned() };
        RegexError { pattern: pattern.to_owned(), fragment, reason }
    };
    let mut chars = pattern[start + 1..].chars();
    let position = |chars: &std::str::Chars<'_>| pattern.len() - chars.as_str().len();
    let Some(c) = chars.next() else { return Err(error(TRAILING, start)) };
    let octal_follows = |chars: &std::str::Chars<'_>| chars.as_str().starts_with(|d: char| d.is_digit(8));
    let code = match c {
        'a' => 0x07,
        'f' => 0x0c,
        'n' => 0x0a,
        'r' => 0x0d,
        't' => 0x09,
        'v' => 0x0b,
        '0'..='7' if c == '0' || octal_follows(&chars) => {
            let mut code = c.to_digit(8).unwrap_or(0);
            for _ in 0..2 {
                if octal_follows(&chars) {
                    code = code * 8 + chars.next().and_then(|d| d.to_digit(8)).unwrap_or(0);
                }
            }
            code
        }
        'x' => hexadecimal(&mut chars).ok_or_else(|| error(INVALID, position(&chars)))?,
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => u32::from(c),
        _ => return Err(error(INVALID, position(&chars))),
    };
    Ok((code, position(&chars)))
}

/// Two hexadecimal digits, or any number of them in braces; the characters that were read are gone either way.
fn hexadecimal(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    let first = chars.next()?;
    if first != '{' {
        let second = chars.next()?;
        return Some(first.to_digit(16)? * 16 + second.to_digit(16)?);
    }
    let mut code = None;
    loop {
        match chars.next()? {
            '}' => return code,
            digit => {
                let next = code.unwrap_or(0) * 16 + digit.to_digit(16)?;
                code = Some(next).filter(|code| *code <= u32::from(char::MAX));
                code?;
            }
        }
    }
}

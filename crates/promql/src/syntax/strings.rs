//! Texts in quotes with Go's escapes.

/// Takes the quotes and escapes off a literal as the lexer found it. The answer may be no UTF-8 (`"\xff"`); `None` where
/// an escape is none of Go's.
pub(crate) fn unquote(literal: &str) -> Option<Vec<u8>> {
    let mut chars = literal.chars();
    let quote = chars.next()?;
    let body = chars.as_str().strip_suffix(quote)?;
    if quote == '`' {
        return Some(body.replace('\r', "").into_bytes());
    }
    if !matches!(quote, '"' | '\'') {
        return None;
    }
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => unescape(&mut rest, quote, &mut out)?,
            '\n' => return None,
            c if c == quote => return None,
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Some(out)
}

/// Reads one escape behind its backslash.
fn unescape(rest: &mut std::str::Chars<'_>, quote: char, out: &mut Vec<u8>) -> Option<()> {
    let c = rest.next()?;
    let mut number = |digits: usize, radix: u32, first: Option<char>| -> Option<u32> {
        let mut value = first.map_or(Some(0), |c| c.to_digit(radix))?;
        for _ in 0..digits {
            value = value.checked_mul(radix)?.checked_add(rest.next()?.to_digit(radix)?)?;
        }
        Some(value)
    };
    let simple = match c {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        c if c == quote => c as u8,
        'x' => u8::try_from(number(2, 16, None)?).ok()?,
        '0'..='7' => u8::try_from(number(2, 8, Some(c))?).ok()?,
        'u' | 'U' => {
            let code = number(if c == 'u' { 4 } else { 8 }, 16, None)?;
            out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(());
        }
        _ => return None,
    };
    out.push(simple);
    Some(())
}

/// Go's `%q` of bytes that may be no UTF-8.
pub(crate) fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        let quoted = model::quote(chunk.valid());
        out.push_str(&quoted[1..quoted.len() - 1]);
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_go_s() {
        let check = |literal: &str, want: Option<&[u8]>| assert_eq!(unquote(literal).as_deref(), want, "{literal}");
        check(r#""""#, Some(b""));
        check(r#"'a"b'"#, Some(b"a\"b"));
        check(r#""a\nb\x41\101\u00e9""#, Some("a\nbAA\u{e9}".as_bytes()));
        check(r#""\xc5""#, Some(b"\xc5"));
        check(r"`a\n`", Some(b"a\\n"));
        check(r#""\'""#, None);
        check(r#""\400""#, None);
        check(r#""\ud800""#, None);
        check(r#""\"#, None);
    }

    #[test]
    fn bytes_are_quoted_as_go_does() {
        assert_eq!(quote_bytes(b"a\xc5z"), r#""a\xc5z""#);
        assert_eq!(quote_bytes("é\n".as_bytes()), "\"é\\n\"");
    }
}

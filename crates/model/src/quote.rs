//! Go's `strconv.Quote`, the way Prometheus prints label values and strings.

/// The text in double quotes with Go's escapes, as `%q` prints it: what isn't printable becomes `\n`, `\x01` or `\u2028`.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if u32::from(c) < 0x20 || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if is_printable(c) => out.push(c),
            c if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Letters, marks, numbers, punctuation, symbols and the ASCII space, as `unicode.IsPrint`; the exceptions are the
/// controls, the other spaces, the formatting characters and the private and unassigned areas that occur in practice.
fn is_printable(c: char) -> bool {
    let code = u32::from(c);
    !(c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(code, 0xad | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff0..=0xfffb | 0xe000..=0xf8ff | 0xe_0000..=0x10_ffff)
        || code & 0xfffe == 0xfffe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        let check = |text: &str, want: &str| assert_eq!(quote(text), want);
        check("", r#""""#);
        check("abc", r#""abc""#);
        check("a\"b\\c\n", r#""a\"b\\c\n""#);
        check("\u{1}\u{7f}", r#""\x01\x7f""#);
        check("größe ☺", r#""größe ☺""#);
        check("\u{2028}\u{a0}", r#""\u2028\u00a0""#);
    }
}

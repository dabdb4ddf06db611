//! Numbers as Go reads them.

/// Reads a number literal: decimal, exponent, hexadecimal, `1_000`, a leading zero for octal, `Inf`, `NaN`; `None` where
/// Go would refuse it.
pub(crate) fn parse_number(text: &str) -> Option<f64> {
    let digits = without_underscores(text)?;
    let lower = digits.to_ascii_lowercase();
    match lower.as_str() {
        "inf" | "+inf" => return Some(f64::INFINITY),
        "-inf" => return Some(f64::NEG_INFINITY),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    if let Some(hex) = lower.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(|value| value as f64);
    }
    if lower.len() > 1 && lower.starts_with('0') {
        // Go's ParseInt with base 0 takes a leading zero for octal; what is no octal number falls through.
        if let Ok(value) = i64::from_str_radix(&lower, 8) {
            return Some(value as f64);
        }
    }
    digits.parse().ok()
}

/// Underscores may only separate digits, or stand behind the prefix.
fn without_underscores(text: &str) -> Option<String> {
    if !text.contains('_') {
        return Some(text.to_owned());
    }
    let bytes = text.as_bytes();
    let hex = bytes.len() > 1 && bytes[0] == b'0' && matches!(bytes[1], b'x' | b'X');
    let digit = |at: Option<&u8>| at.is_some_and(|b| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() });
    let allowed = |at: usize| {
        let behind_prefix = hex && at == 2;
        (behind_prefix || (at > 0 && digit(bytes.get(at - 1)))) && digit(bytes.get(at + 1))
    };
    let all_allowed = bytes.iter().enumerate().all(|(at, b)| *b != b'_' || allowed(at));
    all_allowed.then(|| text.replace('_', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_go_s() {
        let check = |text: &str, want: Option<f64>| assert_eq!(parse_number(text), want, "{text}");
        check("1", Some(1.0));
        check("1_000", Some(1000.0));
        check("0x1f", Some(31.0));
        check("0x_1F", Some(31.0));
        check("010", Some(8.0));
        check("08", Some(8.0));
        check(".5", Some(0.5));
        check("5.", Some(5.0));
        check("1e3", Some(1000.0));
        check("Inf", Some(f64::INFINITY));
        check("1__0", None);
        check("1_", None);
        assert!(parse_number("nAn").is_some_and(f64::is_nan));
    }
}

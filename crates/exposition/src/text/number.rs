//! Values and timestamps as Go's `strconv` reads them.

/// The NaN that a scraped `NaN` becomes; never the stale marker (Prometheus, `model/value/value.go`).
const NORMAL_NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

/// Reads a sample's value: decimal, with or without an exponent, `NaN` and `Inf` in any case. As in Prometheus, hexadecimal
/// numbers, underscores and what doesn't fit into a float are refused. Measured by `benches/text.rs`.
#[inline]
pub(crate) fn parse_value(token: &[u8]) -> Result<f64, &'static str> {
    match fast_float2::parse::<f64, _>(token) {
        Ok(value) if value.is_finite() => Ok(value),
        _ => parse_value_slow(token),
    }
}

/// The twin of [`parse_value`] for what the fast reader refuses or takes differently: it reads `+nan`, and says infinite
/// where a number is too large.
#[cold]
fn parse_value_slow(token: &[u8]) -> Result<f64, &'static str> {
    let invalid = "expected a number";
    let unsigned = token.strip_prefix(b"+").or_else(|| token.strip_prefix(b"-")).unwrap_or(token);
    let word = unsigned.to_ascii_lowercase();
    match word.as_slice() {
        b"nan" if unsigned.len() == token.len() => Ok(NORMAL_NAN),
        b"inf" | b"infinity" if token[0] == b'-' => Ok(f64::NEG_INFINITY),
        b"inf" | b"infinity" => Ok(f64::INFINITY),
        _ if fast_float2::parse::<f64, _>(token).is_ok_and(f64::is_infinite) => Err("the number is out of range"),
        _ => Err(invalid),
    }
}

/// Reads a timestamp: digits only, as Prometheus's text format has no sign there.
#[inline]
pub(crate) fn parse_timestamp(digits: &[u8]) -> Result<i64, &'static str> {
    let mut value = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err("expected a timestamp in milliseconds or the end of the line");
        }
        value = value
            .checked_mul(10)
            .and_then(|v| v.checked_add(i64::from(digit - b'0')))
            .ok_or("the timestamp is out of range")?;
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_values_as_go_does() {
        let check = |text: &str, want: f64| {
            assert_eq!(parse_value(text.as_bytes()).map(f64::to_bits), Ok(want.to_bits()), "{text}");
        };
        check("0", 0.0);
        check("-0", -0.0);
        check("+1", 1.0);
        check(".5", 0.5);
        check("5.", 5.0);
        check("1e3", 1000.0);
        check("1E-3", 0.001);
        check("7.424100000000001e-05", 7.424_100_000_000_001e-5);
        check("1e-400", 0.0);
        check("4.9e-324", 5e-324);
        check("1.7976931348623157e308", f64::MAX);
        check("123456789012345678901234567890", 123_456_789_012_345_678_901_234_567_890.0);
        check("Inf", f64::INFINITY);
        check("+Inf", f64::INFINITY);
        check("-inf", f64::NEG_INFINITY);
        check("-INFINITY", f64::NEG_INFINITY);
        check("NaN", NORMAL_NAN);
        check("nan", NORMAL_NAN);
    }

    #[test]
    fn refuses_values_that_prometheus_refuses() {
        for bad in [
            "", "+", "-", ".", "e5", "1e", "true", "1_2", "0x1p-3", "0x1P-3", "0x10", "+NaN", "-nan", "1e400",
            "-1e400", "1\r", "infinit", "1.2.3", "--1", "\u{661}",
        ] {
            assert!(parse_value(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn reads_timestamps() {
        assert_eq!(parse_timestamp(b"1700000000000"), Ok(1_700_000_000_000));
        assert_eq!(parse_timestamp(b"9223372036854775807"), Ok(i64::MAX));
        for bad in ["9223372036854775808", "-1", "1.5", "1_2", "+1"] {
            assert!(parse_timestamp(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

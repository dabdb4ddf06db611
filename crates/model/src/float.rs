//! Floats as text, the way Go's `strconv` writes and reads them.

/// Go's `FormatFloat(v, 'g', -1, 64)`: the shortest digits that read back the same, with an exponent below 1e-4 and from
/// 1e6 on; `NaN`, `+Inf`, `-Inf`. The exposition format writes this.
pub fn format_float(value: f64) -> String {
    format_with(value, -4, 6)
}

/// Go's `FormatFloat(v, 'f', -1, 64)`: the shortest digits that read back the same, never an exponent. PromQL writes
/// numbers and label values (`count_values`) this way.
pub fn format_plain_float(value: f64) -> String {
    format_with(value, i32::MIN, i32::MAX)
}

/// Prometheus's JSON form of a sample value: Go's 'f' form between 1e-6 and 1e21, an exponent outside.
pub fn format_json_float(value: f64) -> String {
    format_with(value, -6, 21)
}

/// Digits with an exponent where the decimal exponent is below `low` or at least `high`.
fn format_with(value: f64, low: i32, high: i32) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    if high > 15 && value.abs() < 1e15 && value.fract() == 0.0 {
        return itoa::Buffer::new().format(value as i64).to_owned();
    }
    let (digits, exponent) = shortest_digits(value.abs());
    let sign = if value < 0.0 { "-" } else { "" };
    if exponent < low || exponent >= high {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}e{exponent_sign}{:02}", exponent.abs());
    }
    let point = exponent + 1; // where the decimal point stands, counted in digits
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    if point <= 0 {
        format!("{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
    } else if point >= count {
        format!("{sign}{digits}{}", "0".repeat((point - count).unsigned_abs() as usize))
    } else {
        let (whole, fraction) = digits.split_at(point.unsigned_abs() as usize);
        format!("{sign}{whole}.{fraction}")
    }
}

/// The shortest decimal digits of a positive finite float, and the decimal exponent of the first of them.
fn shortest_digits(value: f64) -> (String, i32) {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let leading = all.len() - all.trim_start_matches('0').len();
    let digits = all.trim_start_matches('0').trim_end_matches('0').to_owned();
    let whole_len = i32::try_from(whole.len()).unwrap_or(0);
    let leading = i32::try_from(leading).unwrap_or(0);
    (digits, exponent + whole_len - 1 - leading)
}

/// Go's `strconv.ParseFloat` for what occurs in configuration, expositions and queries: decimal, exponent, `0x` integers
/// and hexadecimal floats are not among them here; `NaN`, `Inf`, `+Inf`, `-Inf` in any case are. `None` where the text is none.
pub fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let first = unsigned.as_bytes().first()?;
    if first.is_ascii_digit() || *first == b'.' {
        return text.parse().ok();
    }
    let negative = text.starts_with('-');
    match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" if negative => Some(f64::NEG_INFINITY),
        "inf" | "infinity" => Some(f64::INFINITY),
        "nan" if unsigned.len() == text.len() => Some(f64::NAN),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_as_go_does() {
        let check = |value: f64, want: &str| assert_eq!(format_float(value), want);
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.0, "1");
        check(-1.5, "-1.5");
        check(0.1, "0.1");
        check(0.0001, "0.0001");
        check(0.00001, "1e-05");
        check(100_000.0, "100000");
        check(1_000_000.0, "1e+06");
        check(123_456.5, "123456.5");
        check(123_456_789.125, "1.23456789125e+08");
        check(1.7e308, "1.7e+308");
        check(5e-324, "5e-324");
        check(f64::INFINITY, "+Inf");
        check(f64::NEG_INFINITY, "-Inf");
        check(f64::NAN, "NaN");
        check(0.9893, "0.9893");
    }

    #[test]
    fn writes_plain_floats_without_exponent() {
        let check = |value: f64, want: &str| assert_eq!(format_plain_float(value), want);
        check(1e21, "1000000000000000000000");
        check(1.5e-7, "0.00000015");
        check(1_234_567_890_123_456_800.0, "1234567890123456800");
        check(123_456_789.125, "123456789.125");
        check(-2.0, "-2");
    }

    #[test]
    fn writes_json_values_as_prometheus_does() {
        let check = |value: f64, want: &str| assert_eq!(format_json_float(value), want);
        check(0.00001, "0.00001");
        check(0.000_000_1, "1e-07");
        check(1e20, "100000000000000000000");
        check(1e21, "1e+21");
    }

    #[test]
    fn what_is_written_reads_back() {
        for bits in (0..2000_u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)) {
            let value = f64::from_bits(bits);
            if !value.is_nan() {
                assert_eq!(parse_float(&format_float(value)).map(f64::to_bits), Some(value.to_bits()));
                assert_eq!(parse_float(&format_json_float(value)).map(f64::to_bits), Some(value.to_bits()));
            }
        }
    }

    #[test]
    fn reads_special_values_only_where_go_does() {
        assert_eq!(parse_float("+Inf"), Some(f64::INFINITY));
        assert_eq!(parse_float("-inf"), Some(f64::NEG_INFINITY));
        assert!(parse_float("NaN").is_some_and(f64::is_nan));
        for bad in ["", "+NaN", "abc", "1x", "-", "1 "] {
            assert_eq!(parse_float(bad), None, "{bad}");
        }
    }
}

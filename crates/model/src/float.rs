//! Floats as text, the way Go's `strconv` writes and reads them.

use std::ops::Range;

/// Go's `FormatFloat(v, 'g', -1, 64)`: the shortest digits that read back the same, with an exponent below 1e-4 and from
/// 1e6 on; `NaN`, `+Inf`, `-Inf`. The exposition format writes this.
pub fn format_float(value: f64) -> String {
    format_with(value, EXPOSITION)
}

/// Appends what [`format_float`] gives, without a string of its own.
pub fn write_float(out: &mut Vec<u8>, value: f64) {
    write_with(out, value, EXPOSITION);
}

/// Go's `FormatFloat(v, 'f', -1, 64)`: the shortest digits that read back the same, never an exponent. PromQL writes
/// numbers and label values (`count_values`) this way.
pub fn format_plain_float(value: f64) -> String {
    format_with(value, i32::MIN..i32::MAX)
}

/// Prometheus's JSON form of a sample value: Go's 'f' form between 1e-6 and 1e21, an exponent outside.
pub fn format_json_float(value: f64) -> String {
    format_with(value, JSON)
}

/// Appends what [`format_json_float`] gives, without a string of its own.
pub fn write_json_float(out: &mut Vec<u8>, value: f64) {
    write_with(out, value, JSON);
}

/// Go's `%v`: digits between 1e-4 and 1e21, an exponent outside.
pub fn format_go_float(value: f64) -> String {
    format_with(value, -4..21)
}

/// Which decimal exponents are written as digits alone.
const EXPOSITION: Range<i32> = -4..6;
const JSON: Range<i32> = -6..21;

fn format_with(value: f64, plain: Range<i32>) -> String {
    let mut out = Vec::with_capacity(24);
    write_with(&mut out, value, plain);
    String::from_utf8(out).expect("digits, signs and letters are ASCII")
}

/// Digits, with an exponent where the decimal exponent is not within `plain`.
fn write_with(out: &mut Vec<u8>, value: f64, plain: Range<i32>) {
    if value.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let value = value.abs();
    if value == 0.0 {
        return out.push(b'0');
    }
    // Whole numbers, which are most of them, without a detour.
    if value < WHOLE_MAX && value.trunc() == value {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(value as u64).as_bytes();
        let exponent = digits.len() as i32 - 1;
        if plain.contains(&exponent) {
            return out.extend_from_slice(digits);
        }
        let trailing = digits.iter().rev().take_while(|digit| **digit == b'0').count();
        let significant = &digits[..digits.len() - trailing];
        return write_digits(out, significant, exponent, plain);
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value).as_bytes();
    // Digits alone it writes from 1e-5 on and below 1e16, a whole number with `.0`.
    if plain.contains(&-5) && plain.contains(&15) && !text.contains(&b'e') && !text.ends_with(b".0") {
        return out.extend_from_slice(text);
    }
    let (mantissa, exponent) = match text.iter().position(|byte| *byte == b'e') {
        Some(at) => (&text[..at], str::from_utf8(&text[at + 1..]).ok().and_then(|digits| digits.parse().ok())),
        None => (text, Some(0)),
    };
    let mut digits = [0_u8; 24];
    let (mut len, mut whole) = (0, 0);
    for byte in mantissa {
        if *byte == b'.' {
            whole = len;
        } else {
            digits[len] = *byte;
            len += 1;
        }
    }
    whole = if mantissa.contains(&b'.') { whole } else { len };
    let leading = digits[..len].iter().take_while(|digit| **digit == b'0').count();
    let trailing = digits[leading..len].iter().rev().take_while(|digit| **digit == b'0').count();
    let exponent: i32 = exponent.unwrap_or(0) + whole as i32 - 1 - leading as i32;
    write_digits(out, &digits[leading..len - trailing], exponent, plain);
}

/// Beyond this the shortest digits of a whole number are not all of its digits.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Writes significant digits, without zeros at either end; `exponent` is that of the first.
fn write_digits(out: &mut Vec<u8>, digits: &[u8], exponent: i32, plain: Range<i32>) {
    if !plain.contains(&exponent) {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        if exponent.abs() < 10 {
            out.push(b'0');
        }
        return out.extend_from_slice(itoa::Buffer::new().format(exponent.abs()).as_bytes());
    }
    let zeros = |out: &mut Vec<u8>, count: usize| out.resize(out.len() + count, b'0');
    let point = exponent + 1; // where the decimal point stands, counted in digits
    if point <= 0 {
        out.extend_from_slice(b"0.");
        zeros(out, point.unsigned_abs() as usize);
        out.extend_from_slice(digits);
    } else if point as usize >= digits.len() {
        out.extend_from_slice(digits);
        zeros(out, point as usize - digits.len());
    } else {
        let (whole, fraction) = digits.split_at(point as usize);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
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
        check(0.000_001_2, "0.0000012");
        check(0.000_012_345, "0.000012345");
        check(-123_456.75, "-123456.75");
        check(1_234_567_890_123_456.8, "1234567890123456.8");
        check(9_007_199_254_740_994.0, "9007199254740994");
        check(1e16, "10000000000000000");
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

//! Numbers for people: `humanize` and its kin.

use gotmpl::Value;
use model::{Timestamp, parse_duration, parse_float};

use crate::value::type_name;

/// Go's `ConvertToFloat` of Prometheus's templates: numbers, and strings that are numbers.
pub(crate) fn to_float(value: &Value) -> Result<f64, String> {
    match value {
        Value::String(text) => {
            parse_float(text).ok_or_else(|| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))
        }
        other => other.as_float().ok_or_else(|| format!("can't convert {} to float", type_name(other))),
    }
}

/// `humanize`: metric prefixes.
pub(crate) fn humanize(value: &Value) -> Result<Value, String> {
    let v = to_float(value)?;
    if v == 0.0 || !v.is_finite() {
        return Ok(four_digits(v).into());
    }
    let (scaled, prefix) = if v.abs() >= 1.0 { scale_up(v, 1000.0, &LARGE) } else { scale_down(v) };
    Ok(format!("{}{prefix}", four_digits(scaled)).into())
}

/// `humanize1024`: binary prefixes.
pub(crate) fn humanize_1024(value: &Value) -> Result<Value, String> {
    let v = to_float(value)?;
    if v.abs() <= 1.0 || !v.is_finite() {
        return Ok(four_digits(v).into());
    }
    let (scaled, prefix) = scale_up(v, 1024.0, &BINARY);
    Ok(format!("{}{prefix}", four_digits(scaled)).into())
}

/// `humanizeDuration`: seconds as days, hours, minutes and seconds.
pub(crate) fn humanize_duration(value: &Value) -> Result<Value, String> {
    let v = to_float(value)?;
    if !v.is_finite() {
        return Ok(four_digits(v).into());
    }
    if v != 0.0 && v.abs() < 1.0 {
        let (scaled, prefix) = scale_down(v);
        return Ok(format!("{}{prefix}s", four_digits(scaled)).into());
    }
    let sign = if v < 0.0 { "-" } else { "" };
    let whole = v.abs() as i64;
    let (seconds, minutes, hours, days) = (whole % 60, whole / 60 % 60, whole / 3600 % 24, whole / 86_400);
    let text = match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", four_digits(v.abs())),
        (0, 0, _) => format!("{sign}{minutes}m {seconds}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    };
    Ok(text.into())
}

/// `humanizePercentage`: a ratio as percent.
pub(crate) fn humanize_percentage(value: &Value) -> Result<Value, String> {
    Ok(format!("{}%", four_digits(to_float(value)? * 100.0)).into())
}

/// `humanizeTimestamp`: seconds since the epoch as Go prints a time.
pub(crate) fn humanize_timestamp(value: &Value) -> Result<Value, String> {
    let v = to_float(value)?;
    if v.is_finite() { Ok(go_time(to_timestamp(v)?).into()) } else { Ok(four_digits(v).into()) }
}

/// `toTime`: seconds since the epoch as Go prints a time. Go gives an object with methods here; a template can print
/// ours and nothing else.
pub(crate) fn to_time(value: &Value) -> Result<Value, String> {
    Ok(go_time(to_timestamp(to_float(value)?)?).into())
}

/// `parseDuration`: a duration in Prometheus's grammar, in seconds.
pub(crate) fn parse_duration_seconds(value: &Value) -> Result<Value, String> {
    let text = value.as_str().ok_or_else(|| format!("parseDuration: want a string, got {}", type_name(value)))?;
    parse_duration(text).map(|ms| Value::Float(ms as f64 / 1000.0)).map_err(|e| e.to_string())
}

fn to_timestamp(seconds: f64) -> Result<Timestamp, String> {
    let ns = seconds * 1e9;
    if !ns.is_finite() || ns >= i64::MAX as f64 || ns <= i64::MIN as f64 {
        let shown = model::format_float(seconds);
        return Err(format!("{shown} cannot be represented as a nanoseconds timestamp since it overflows int64"));
    }
    Ok(Timestamp::from_ms((ns as i64).div_euclid(1_000_000)))
}

/// `2015-06-23 13:33:04.128 +0000 UTC`.
fn go_time(time: Timestamp) -> String {
    let rfc3339 = time.to_rfc3339();
    let text = rfc3339.trim_end_matches('Z');
    format!("{} +0000 UTC", text.replacen('T', " ", 1))
}

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];
const BINARY: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];

fn scale_up(mut v: f64, base: f64, prefixes: &[&'static str; 8]) -> (f64, &'static str) {
    let mut prefix = "";
    for next in prefixes {
        if v.abs() < base {
            break;
        }
        prefix = next;
        v /= base;
    }
    (v, prefix)
}

fn scale_down(mut v: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in SMALL {
        if v.abs() >= 1.0 {
            break;
        }
        prefix = next;
        v *= 1000.0;
    }
    (v, prefix)
}

/// Go's `%.4g`: four significant digits without trailing zeros, an exponent below 1e-4 and from 1e4 on.
fn four_digits(v: f64) -> String {
    if !v.is_finite() || v == 0.0 {
        return model::format_float(v);
    }
    let scientific = format!("{v:.3e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..4).contains(&exponent) {
        let decimals = usize::try_from(3 - exponent).unwrap_or(0);
        trim(&format!("{v:.decimals$}"))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trim(mantissa), exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_significant_digits_as_go() {
        let check = |v: f64, want: &str| assert_eq!(four_digits(v), want);
        check(0.0, "0");
        check(1.0, "1");
        check(-1.5, "-1.5");
        check(1000.0, "1000");
        check(9999.4, "9999");
        check(9999.6, "1e+04");
        check(12_346.0, "1.235e+04");
        check(0.000_123_45, "0.0001234");
        check(0.000_012_345, "1.234e-05");
        check(123.456, "123.5");
        check(f64::NAN, "NaN");
        check(f64::INFINITY, "+Inf");
    }
}

//! Durations in Prometheus's grammar: `1h30m`, units `y w d h m s ms` in this order, each at most once.

/// Units from the largest to the smallest with their milliseconds; a year has 365 days.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing was given.
    #[error("empty duration string")]
    Empty,
    /// The text doesn't follow the grammar.
    #[error("not a valid duration string: {0:?} (want a number with a unit, as 30s, 5m or 1h30m)")]
    Invalid(String),
    /// The duration doesn't fit into 292 years.
    #[error("duration out of range: {0:?}")]
    OutOfRange(String),
}

/// Reads a duration in Prometheus's grammar; the answer is in milliseconds. A bare `0` is a duration, any other bare
/// number is not.
pub fn parse_duration(text: &str) -> Result<i64, DurationError> {
    match text {
        "" => return Err(DurationError::Empty),
        "0" => return Ok(0),
        _ => {}
    }
    let invalid = || DurationError::Invalid(text.to_owned());
    let overflow = || DurationError::OutOfRange(text.to_owned());
    let (mut rest, mut next_unit, mut total) = (text, 0, 0_i64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        if digits == 0 || letters == 0 {
            return Err(invalid());
        }
        let unit = &rest[digits..digits + letters];
        let position = UNITS[next_unit..].iter().position(|(name, _)| *name == unit).ok_or_else(invalid)? + next_unit;
        let number: i64 = rest[..digits].parse().map_err(|_| overflow())?;
        let ms = number.checked_mul(UNITS[position].1).ok_or_else(overflow)?;
        total = total.checked_add(ms).ok_or_else(overflow)?;
        next_unit = position + 1;
        rest = &rest[digits + letters..];
    }
    // Go's durations are nanoseconds in 64 bits; what Prometheus refuses we refuse as well.
    if total > i64::MAX / 1_000_000 { Err(overflow()) } else { Ok(total) }
}

/// Writes milliseconds as Prometheus does: the largest units first, weeks and years only where they divide the whole.
pub fn format_duration(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    let mut rest = ms.unsigned_abs();
    if ms < 0 {
        out.push('-');
    }
    for (unit, unit_ms) in UNITS {
        let unit_ms = unit_ms.unsigned_abs();
        let exact_only = matches!(unit, "y" | "w");
        if rest < unit_ms || (exact_only && !rest.is_multiple_of(unit_ms)) {
            continue;
        }
        out.push_str(&(rest / unit_ms).to_string());
        out.push_str(unit);
        rest %= unit_ms;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let check = |text: &str, ms: i64, canonical: &str| {
            assert_eq!(parse_duration(text), Ok(ms), "{text}");
            assert_eq!(format_duration(ms), canonical, "{text}");
        };
        check("0", 0, "0s");
        check("0w", 0, "0s");
        check("0s", 0, "0s");
        check("324ms", 324, "324ms");
        check("3s", 3000, "3s");
        check("5m", 300_000, "5m");
        check("1h", 3_600_000, "1h");
        check("4d", 4 * 86_400_000, "4d");
        check("4d1h", 4 * 86_400_000 + 3_600_000, "4d1h");
        check("14d", 14 * 86_400_000, "2w");
        check("3w", 21 * 86_400_000, "3w");
        check("3w2d1h", 23 * 86_400_000 + 3_600_000, "23d1h");
        check("10y", 3650 * 86_400_000, "10y");
        check("1m30s", 90_000, "1m30s");
        check("90s", 90_000, "1m30s");
    }

    #[test]
    fn refuses_what_prometheus_refuses() {
        for bad in ["1", "1y1m1d", "-1w", "1.5d", "d", "294y", "200y10400w", "107675d", "2584200h", "", "1s1s", "1 s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}

//! Timestamps: seconds, perhaps with a fraction.

use crate::text::number::parse_value;

/// Whole seconds up to this many digits stay exact when they are multiplied.
const EXACT_DIGITS: usize = 12;

/// Reads seconds as milliseconds. As in Prometheus the fraction goes through a float and what is left below a millisecond is
/// cut off, so `1.001` may become 1000: both systems must store the same time for the same line.
#[inline]
pub(super) fn parse_seconds(token: &[u8]) -> Result<i64, &'static str> {
    if token.len() <= EXACT_DIGITS && !token.is_empty() && token.iter().all(u8::is_ascii_digit) {
        return Ok(token.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')) * 1000);
    }
    let seconds = parse_value(token).map_err(|_| "expected a timestamp in seconds")?;
    let ms = seconds * 1000.0;
    // The comparison is false for NaN as well.
    if ms.abs() < i64::MAX as f64 { Ok(ms as i64) } else { Err("the timestamp is out of range") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_seconds_as_prometheus_does() {
        let check = |text: &str, want: i64| assert_eq!(parse_seconds(text.as_bytes()), Ok(want), "{text}");
        check("0", 0);
        check("1700000000", 1_700_000_000_000);
        check("1700000000.123", 1_700_000_000_123);
        check("1520879607.789", 1_520_879_607_789);
        check("1.001", 1000); // 1.001 * 1000 is 1000.9999999999999
        check("0.0019", 1);
        check("-0.5", -500);
        check("-1", -1000);
        check("1e3", 1_000_000);
        check("+5", 5000);
        check("9999999999999", 9_999_999_999_999_000);
    }

    #[test]
    fn refuses_what_is_no_time() {
        for bad in ["", "NaN", "Inf", "-Inf", "1e300", "9e18", "1_0", "0x1", "12z", "#"] {
            assert!(parse_seconds(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whole_seconds_are_what_the_float_gives(seconds in 0..1_000_000_000_000_i64) {
            prop_assert_eq!(parse_seconds(seconds.to_string().as_bytes()), Ok((seconds as f64 * 1000.0) as i64));
        }
    }
}

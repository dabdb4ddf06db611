//! Points in time and ranges of them, in milliseconds since the epoch.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, negative before it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot parse {0:?} as a time: want RFC 3339 (2026-01-02T15:04:05Z) or seconds since the epoch")]
pub struct TimeError(pub String);

impl Timestamp {
    /// The earliest time that can be told.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// The latest time that can be told.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// From milliseconds since the epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Timestamp(ms)
    }

    /// Milliseconds since the epoch.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// From seconds since the epoch, rounded to the nearest millisecond as Prometheus's API does.
    pub fn from_secs_f64(secs: f64) -> Self {
        Timestamp((secs * 1000.0).round() as i64)
    }

    /// Seconds since the epoch.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The largest multiple of `step_ms` (which must be positive) that is not after this time.
    pub const fn align_down(self, step_ms: i64) -> Self {
        Timestamp(self.0.div_euclid(step_ms) * step_ms)
    }

    /// This time moved by `ms`, held at the limits instead of overflowing.
    pub const fn saturating_add(self, ms: i64) -> Self {
        Timestamp(self.0.saturating_add(ms))
    }

    /// This time moved back by `ms`, held at the limits instead of overflowing.
    pub const fn saturating_sub(self, ms: i64) -> Self {
        Timestamp(self.0.saturating_sub(ms))
    }

    /// RFC 3339 in UTC with milliseconds where there are any; the nearest end of the calendar outside years ±9999.
    pub fn to_rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .unwrap_or(if self.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX })
            .to_string()
    }

    /// Reads what Prometheus's API takes as a time: RFC 3339, or seconds since the epoch with an optional fraction.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        if let Ok(secs) = text.parse::<f64>() {
            if !secs.is_finite() || secs.abs() * 1000.0 >= i64::MAX as f64 {
                return Err(TimeError(text.to_owned()));
            }
            return Ok(Timestamp::from_secs_f64(secs));
        }
        match text.parse::<jiff::Timestamp>() {
            Ok(t) => Ok(Timestamp(t.as_millisecond())),
            Err(_) => Err(TimeError(text.to_owned())),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

impl fmt::Display for Timestamp {
    /// Milliseconds since the epoch, as Prometheus prints a sample's time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Add<i64> for Timestamp {
    type Output = Timestamp;
    /// Moves by milliseconds.
    fn add(self, ms: i64) -> Timestamp {
        Timestamp(self.0 + ms)
    }
}

impl AddAssign<i64> for Timestamp {
    fn add_assign(&mut self, ms: i64) {
        self.0 += ms;
    }
}

impl Sub<i64> for Timestamp {
    type Output = Timestamp;
    /// Moves back by milliseconds.
    fn sub(self, ms: i64) -> Timestamp {
        Timestamp(self.0 - ms)
    }
}

impl Sub for Timestamp {
    type Output = i64;
    /// The distance in milliseconds.
    fn sub(self, earlier: Timestamp) -> i64 {
        self.0 - earlier.0
    }
}

/// A range of time, both ends included, as in Prometheus's storage interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The first millisecond in the range.
    pub min: Timestamp,
    /// The last millisecond in the range.
    pub max: Timestamp,
}

impl TimeRange {
    /// All of time.
    pub const ALL: TimeRange = TimeRange { min: Timestamp::MIN, max: Timestamp::MAX };

    /// From `min` to `max`, both included.
    pub const fn new(min: Timestamp, max: Timestamp) -> Self {
        TimeRange { min, max }
    }

    /// Whether `t` lies in the range.
    pub fn contains(&self, t: Timestamp) -> bool {
        self.min <= t && t <= self.max
    }

    /// Whether the two ranges share a millisecond.
    pub fn overlaps(&self, other: TimeRange) -> bool {
        self.min <= other.max && other.min <= self.max
    }

    /// The milliseconds that lie in both ranges; empty (`min > max`) where they don't overlap.
    pub fn intersect(&self, other: TimeRange) -> TimeRange {
        TimeRange { min: self.min.max(other.min), max: self.max.min(other.max) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_the_api_takes() {
        let check = |text: &str, ms: i64| assert_eq!(Timestamp::parse(text).map(Timestamp::as_ms), Ok(ms), "{text}");
        check("0", 0);
        check("1700000000", 1_700_000_000_000);
        check("1700000000.1234", 1_700_000_000_123);
        check("-1.5", -1500);
        check("2023-11-14T22:13:20Z", 1_700_000_000_000);
        check("2023-11-14T23:13:20.5+01:00", 1_700_000_000_500);
        for bad in ["", "yesterday", "NaN", "1e300", "2023-11-14"] {
            assert_eq!(Timestamp::parse(bad), Err(TimeError(bad.to_owned())));
        }
    }

    #[test]
    fn prints_rfc3339() {
        assert_eq!(Timestamp::from_ms(1_700_000_000_500).to_rfc3339(), "2023-11-14T22:13:20.5Z");
        assert_eq!(Timestamp::from_ms(0).to_rfc3339(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn aligns_towards_the_past() {
        assert_eq!(Timestamp::from_ms(17).align_down(5), Timestamp::from_ms(15));
        assert_eq!(Timestamp::from_ms(-1).align_down(5), Timestamp::from_ms(-5));
        assert_eq!(Timestamp::from_ms(15).align_down(5), Timestamp::from_ms(15));
    }

    #[test]
    fn ranges_include_both_ends() {
        let range = |a, b| TimeRange::new(Timestamp::from_ms(a), Timestamp::from_ms(b));
        assert!(range(1, 5).overlaps(range(5, 9)));
        assert!(!range(1, 5).overlaps(range(6, 9)));
        assert_eq!(range(1, 5).intersect(range(3, 9)), range(3, 5));
    }
}

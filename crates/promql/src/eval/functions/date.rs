//! Parts of a date, in UTC, of values that are seconds since the epoch.

use jiff::civil::DateTime;

/// The part of a date that a function tells.
pub(crate) type DatePart = fn(DateTime) -> i16;

/// The function of this name.
pub(crate) fn find(name: &str) -> Option<DatePart> {
    TABLE.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
}

const TABLE: &[(&str, DatePart)] = &[
    ("day_of_month", |t| t.day().into()),
    ("day_of_week", |t| t.weekday().to_sunday_zero_offset().into()),
    ("day_of_year", |t| t.day_of_year()),
    ("days_in_month", |t| t.days_in_month().into()),
    ("hour", |t| t.hour().into()),
    ("minute", |t| t.minute().into()),
    ("month", |t| t.month().into()),
    ("year", |t| t.year()),
];

/// The part of the date that `seconds` since the epoch stand for; NaN outside the calendar's years ±9999.
pub(crate) fn part(function: DatePart, seconds: f64) -> f64 {
    if seconds.is_nan() {
        return f64::NAN;
    }
    match jiff::Timestamp::from_second(seconds as i64) {
        Ok(time) => f64::from(function(jiff::tz::Offset::UTC.to_datetime(time))),
        Err(_) => f64::NAN,
    }
}

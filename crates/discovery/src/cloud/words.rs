//! Words that the configurations of all clouds have.

use config::{DurationMs, Report, Spanned};

const DEFAULT_PORT: u16 = 80;

/// `port`: 80 where nothing is said.
pub(crate) fn port(raw: Option<&Spanned<u64>>, report: &mut Report) -> u16 {
    let Some(port) = raw else { return DEFAULT_PORT };
    let number = u16::try_from(port.value).map_err(|_| format!("{} is not a port", port.value));
    report.check(port, number).unwrap_or(DEFAULT_PORT)
}

/// `refresh_interval`, in milliseconds.
pub(crate) fn refresh_interval_ms(raw: Option<&Spanned<DurationMs>>, default_ms: i64, report: &mut Report) -> i64 {
    raw.map_or(default_ms, |interval| {
        if interval.0 <= 0 {
            report.error(interval, "refresh_interval must be longer than 0");
        }
        interval.0
    })
}

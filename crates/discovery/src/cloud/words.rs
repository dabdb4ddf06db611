//! Words that the configurations of all clouds have.

use config::{DurationMs, HttpClientConfig, Position, RawHttpClientConfig, Report, Spanned};

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

/// The words of an HTTP client in a section that is called `key`.
pub(crate) fn http_client(
    raw: RawHttpClientConfig,
    key: &str,
    position: Position,
    report: &mut Report,
) -> HttpClientConfig {
    let http = HttpClientConfig::validate(raw, report);
    if http.tls.server_name.is_some() {
        report.error(
            position,
            format_args!("tls_config.server_name is not supported for {key}: it can't be another name than the API's"),
        );
    }
    http
}

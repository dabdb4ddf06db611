//! Which exposition formats are asked for, and which answers are understood.

use config::{Report, Spanned};
use serde::Deserialize;

/// The formats that Prometheus knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Protocol {
    /// Protobuf, delimited.
    PrometheusProto,
    /// OpenMetrics text.
    #[serde(rename = "OpenMetricsText0.0.1")]
    OpenMetricsText001,
    /// OpenMetrics text.
    #[serde(rename = "OpenMetricsText1.0.0")]
    OpenMetricsText100,
    /// The text format.
    #[serde(rename = "PrometheusText0.0.4")]
    PrometheusText004,
    /// The text format with quoted UTF-8 names.
    #[serde(rename = "PrometheusText1.0.0")]
    PrometheusText100,
}

/// The media type of text where nothing better is known.
const ANY: &str = "*/*;q=0.1";

impl Protocol {
    /// Whether the format is read here. The others are left out of what is asked for.
    pub fn is_served(self) -> bool {
        matches!(self, Protocol::PrometheusText004 | Protocol::PrometheusText100)
    }

    fn media_type(self) -> &'static str {
        match self {
            Protocol::PrometheusText100 => "text/plain;version=1.0.0",
            _ => "text/plain;version=0.0.4",
        }
    }
}

/// How names that aren't plain ASCII are asked for (`metric_name_escaping_scheme`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Escaping {
    /// As they are.
    #[default]
    #[serde(rename = "allow-utf-8")]
    AllowUtf8,
    /// Other characters as underscores.
    Underscores,
    /// Dots as `_dot_`.
    Dots,
    /// Other characters as their code points.
    Values,
}

impl Escaping {
    fn as_str(self) -> &'static str {
        match self {
            Escaping::AllowUtf8 => "allow-utf-8",
            Escaping::Underscores => "underscores",
            Escaping::Dots => "dots",
            Escaping::Values => "values",
        }
    }
}

/// Checks `scrape_protocols`: at least one of them must be read here, and none may come twice.
pub(crate) fn validate_protocols(raw: &Spanned<Vec<Protocol>>, report: &mut Report) -> Vec<Protocol> {
    for (at, protocol) in raw.iter().enumerate() {
        if raw[..at].contains(protocol) {
            report.error(raw, format_args!("{protocol:?} is given twice in scrape_protocols"));
        }
    }
    let served: Vec<Protocol> = raw.iter().copied().filter(|protocol| protocol.is_served()).collect();
    if served.is_empty() {
        report.error(
            raw,
            "scrape_protocols has none that is supported yet: add PrometheusText0.0.4 or PrometheusText1.0.0",
        );
    }
    served
}

/// The `Accept` header: the formats in order of preference, anything else as a last resort.
pub(crate) fn accept_header(protocols: &[Protocol], escaping: Escaping) -> String {
    let mut header = String::new();
    for (rank, protocol) in protocols.iter().enumerate() {
        let weight = 9_usize.saturating_sub(rank).max(2);
        let escaping = match protocol {
            Protocol::PrometheusText100 => format!(";escaping={}", escaping.as_str()),
            _ => String::new(),
        };
        header.push_str(&format!("{}{escaping};q=0.{weight},", protocol.media_type()));
    }
    header + ANY
}

/// Decides by an answer's `Content-Type` whether it can be read as text.
pub(crate) fn check_content_type(content_type: Option<&str>, fallback: Option<Protocol>) -> Result<(), String> {
    let essence = content_type.map(|value| value.split(';').next().unwrap_or("").trim().to_ascii_lowercase());
    match (essence.as_deref(), fallback) {
        (Some("text/plain"), _) => Ok(()),
        (Some("application/openmetrics-text" | "application/vnd.google.protobuf"), _) => Err(format!(
            "the target answered with {:?}, which was not asked for and is not supported yet",
            content_type.unwrap_or("")
        )),
        (_, Some(_)) => Ok(()),
        (None | Some(""), None) => {
            Err("the target sent no Content-Type and no scrape_fallback_protocol is configured".to_owned())
        }
        (Some(_), None) => Err(format!(
            "received unsupported Content-Type {:?} and no scrape_fallback_protocol is configured",
            content_type.unwrap_or("")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_in_order_of_preference() {
        let both = [Protocol::PrometheusText100, Protocol::PrometheusText004];
        assert_eq!(
            accept_header(&both, Escaping::AllowUtf8),
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.9,text/plain;version=0.0.4;q=0.8,*/*;q=0.1"
        );
        assert_eq!(accept_header(&both[1..], Escaping::Dots), "text/plain;version=0.0.4;q=0.9,*/*;q=0.1");
    }

    #[test]
    fn reads_text_only() {
        let check = |content_type, fallback, good: bool| {
            assert_eq!(check_content_type(content_type, fallback).is_ok(), good, "{content_type:?}");
        };
        let text = Some(Protocol::PrometheusText004);
        check(Some("text/plain; version=0.0.4; charset=utf-8"), None, true);
        check(Some("Text/Plain"), None, true);
        check(Some("application/openmetrics-text; version=1.0.0"), text, false);
        check(Some("text/html"), None, false);
        check(Some("text/html"), text, true);
        check(None, None, false);
        check(None, text, true);
    }
}

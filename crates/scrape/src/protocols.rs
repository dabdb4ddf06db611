//! Which exposition formats are asked for, and as which an answer is read.

use config::{Report, Spanned};
use serde::Deserialize;

use crate::names::Escaping;

/// The formats that Prometheus knows, by what `scrape_protocols` calls them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Protocol {
    /// Protobuf, delimited: the only one with native histograms.
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

/// What is asked for where nothing is configured: the text formats, behind protobuf where native histograms or start timestamps are wanted.
const DEFAULTS: [Protocol; 5] = [
    Protocol::PrometheusProto,
    Protocol::OpenMetricsText100,
    Protocol::OpenMetricsText001,
    Protocol::PrometheusText100,
    Protocol::PrometheusText004,
];

/// How an answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    OpenMetrics,
    Protobuf,
}

impl Protocol {
    /// Those that are asked for by default.
    pub(crate) fn defaults(protobuf_first: bool) -> Vec<Protocol> {
        DEFAULTS[usize::from(!protobuf_first)..].to_vec()
    }

    fn media_type(self) -> &'static str {
        match self {
            Protocol::PrometheusProto => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            }
            Protocol::OpenMetricsText001 => "application/openmetrics-text;version=0.0.1",
            Protocol::OpenMetricsText100 => "application/openmetrics-text;version=1.0.0",
            Protocol::PrometheusText004 => "text/plain;version=0.0.4",
            Protocol::PrometheusText100 => "text/plain;version=1.0.0",
        }
    }

    /// Whether the format knows that names may be escaped.
    fn knows_escaping(self) -> bool {
        matches!(self, Protocol::PrometheusText100 | Protocol::OpenMetricsText100)
    }

    fn format(self) -> Format {
        match self {
            Protocol::PrometheusProto => Format::Protobuf,
            Protocol::OpenMetricsText001 | Protocol::OpenMetricsText100 => Format::OpenMetrics,
            Protocol::PrometheusText004 | Protocol::PrometheusText100 => Format::Text,
        }
    }
}

/// Checks `scrape_protocols`: there is one, and none comes twice.
pub(crate) fn validate_protocols(raw: &Spanned<Vec<Protocol>>, report: &mut Report) -> Vec<Protocol> {
    if raw.is_empty() {
        report.error(raw, "scrape_protocols cannot be empty");
    }
    for (at, protocol) in raw.iter().enumerate() {
        if raw[..at].contains(protocol) {
            report.error(raw, "duplicated protocol in scrape_protocols");
        }
    }
    raw.value.clone()
}

/// The `Accept` header: the formats in order of preference, anything else as a last resort.
pub(crate) fn accept_header(protocols: &[Protocol], escaping: Escaping) -> String {
    let mut header = String::new();
    let mut weight = DEFAULTS.len() + 1;
    for protocol in protocols {
        let escaping =
            if protocol.knows_escaping() { format!(";escaping={}", escaping.as_str()) } else { String::new() };
        header.push_str(&format!("{}{escaping};q=0.{weight},", protocol.media_type()));
        weight -= 1;
    }
    header + &format!("*/*;q=0.{weight}")
}

/// Decides by an answer's `Content-Type` how it is read; where that says nothing, as the fallback.
pub(crate) fn format_of(content_type: Option<&str>, fallback: Option<Protocol>) -> Result<Format, String> {
    let content_type = content_type.unwrap_or_default();
    let media_type = media_type(content_type);
    match (media_type.as_deref(), fallback) {
        (Some("text/plain"), _) => Ok(Format::Text),
        (Some("application/openmetrics-text"), _) => Ok(Format::OpenMetrics),
        (Some("application/vnd.google.protobuf"), _) => Ok(Format::Protobuf),
        (_, Some(protocol)) => Ok(protocol.format()),
        (_, None) if content_type.is_empty() => Err("non-compliant scrape target sending blank Content-Type and no \
             fallback_scrape_protocol specified for target"
            .to_owned()),
        (None, None) => {
            Err(format!("cannot parse Content-Type {content_type:?} and no fallback_scrape_protocol for target"))
        }
        (Some(_), None) => Err(format!(
            "received unsupported Content-Type {content_type:?} and no fallback_scrape_protocol specified for target"
        )),
    }
}

/// The media type in lower case, if the header is well-formed with its parameters.
fn media_type(header: &str) -> Option<String> {
    let (media_type, mut rest) = header.split_once(';').unwrap_or((header, ""));
    let media_type = media_type.trim().to_ascii_lowercase();
    let is_good = match media_type.split_once('/') {
        Some((kind, subtype)) => is_token(kind) && is_token(subtype),
        None => is_token(&media_type),
    };
    while is_good && !rest.trim().is_empty() {
        let (name, value) = rest.split_once('=')?;
        if !is_token(name.trim()) {
            return None;
        }
        rest = behind_value(value)?;
    }
    is_good.then_some(media_type)
}

/// What stands behind a parameter's value and its `;`.
fn behind_value(text: &str) -> Option<&str> {
    let rest = match text.strip_prefix('"') {
        Some(quoted) => {
            let mut is_escaped = false;
            let end = quoted.find(|c| {
                let ends = c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                ends
            })?;
            &quoted[end + 1..]
        }
        None => {
            let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
            is_token(&text[..end]).then_some(&text[end..])?
        }
    };
    let rest = rest.trim_start();
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(';') }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_in_order_of_preference() {
        assert_eq!(
            accept_header(&Protocol::defaults(true), Escaping::AllowUtf8),
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
             application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
        );
        assert_eq!(
            accept_header(&Protocol::defaults(false), Escaping::Underscores),
            "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=underscores;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        );
        let one = accept_header(&[Protocol::PrometheusText004], Escaping::Dots);
        assert_eq!(one, "text/plain;version=0.0.4;q=0.6,*/*;q=0.5");
    }

    #[test]
    fn the_content_type_decides() {
        let check = |content_type, fallback, want: Result<Format, &str>| {
            assert_eq!(format_of(content_type, fallback), want.map_err(str::to_owned), "{content_type:?}");
        };
        let proto = Some(Protocol::PrometheusProto);
        check(Some("text/plain; version=0.0.4; charset=utf-8"), proto, Ok(Format::Text));
        check(Some("Text/Plain"), None, Ok(Format::Text));
        check(Some("text/plain;"), None, Ok(Format::Text));
        check(Some("application/openmetrics-text; version=\"1.\\\"0\"; a=b"), None, Ok(Format::OpenMetrics));
        check(Some("application/vnd.google.protobuf;proto=x"), None, Ok(Format::Protobuf));
        check(Some("text/html"), proto, Ok(Format::Protobuf));
        check(Some("text/plain; version"), proto, Ok(Format::Protobuf));
        check(None, Some(Protocol::OpenMetricsText001), Ok(Format::OpenMetrics));
        check(None, Some(Protocol::PrometheusText100), Ok(Format::Text));
        let blank = "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified \
                     for target";
        check(None, None, Err(blank));
        check(Some(""), None, Err(blank));
        let unsupported = "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified \
                           for target";
        check(Some("text/html"), None, Err(unsupported));
        for bad in
            ["text/plain; version", "text/plain; a=b c", "text/plain; =x", "text/pl(ain", "; a=b", "text/plain; a=\"b"]
        {
            let want = format!("cannot parse Content-Type {bad:?} and no fallback_scrape_protocol for target");
            check(Some(bad), None, Err(&want));
        }
    }
}

//! In which format an answer is: what Prometheus's negotiation gives, and OpenMetrics for those who prefer it.
//!
//! Prometheus itself never answers `/federate` with OpenMetrics: it gives a reader that prefers it text. Otherwise the rules are its own:
//! the clause with the highest quality that names a format wins, the first of equals; wildcards name none, and where nothing is named
//! the answer is text. The two textual forms of protocol buffers, which are for people, are not offered.

use exposition::Escaping;

const PROTOBUF: &str = "application/vnd.google.protobuf";
const OPENMETRICS: &str = "application/openmetrics-text";
const MESSAGE: &str = "io.prometheus.client.MetricFamily";

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The text format 0.0.4.
    Text,
    /// OpenMetrics; of a version only its name is told, what is written here is the same in both.
    OpenMetrics { version: &'static str },
    /// Messages with their lengths, the only ones with room for native histograms.
    Protobuf,
}

/// A format, and how names are written in it that not every reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) kind: Kind,
    pub(super) escaping: Escaping,
}

/// One clause of `Accept`.
struct Clause<'a> {
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f64,
}

impl Format {
    /// What a reader gets that sent this in `Accept`.
    pub(super) fn negotiate(accept: &str) -> Self {
        let mut clauses: Vec<Clause<'_>> = accept.split(',').map(Clause::parse).collect();
        clauses.retain(|clause| clause.quality > 0.0);
        clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality));
        let mut format = Format { kind: Kind::Text, escaping: Escaping::Underscores };
        for clause in clauses {
            format.escaping = clause.parameter("escaping").and_then(Escaping::from_word).unwrap_or(format.escaping);
            if let Some(kind) = clause.kind() {
                return Format { kind, ..format };
            }
        }
        format
    }

    /// What stands in `Content-Type`.
    pub(super) fn content_type(self) -> String {
        let escaping = self.escaping.as_str();
        match self.kind {
            Kind::Text => format!("text/plain; version=0.0.4; charset=utf-8; escaping={escaping}"),
            Kind::OpenMetrics { version } => {
                format!("{OPENMETRICS}; version={version}; charset=utf-8; escaping={escaping}")
            }
            Kind::Protobuf => format!("{PROTOBUF}; proto={MESSAGE}; encoding=delimited; escaping={escaping}"),
        }
    }
}

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let parameters: Vec<_> =
            parts.filter_map(|part| part.split_once('=')).map(|(name, value)| (name.trim(), value.trim())).collect();
        let quality = parameters.iter().find(|(name, _)| *name == "q");
        let quality = quality.map_or(1.0, |(_, quality)| quality.parse().unwrap_or(0.0));
        Clause { media_type, parameters, quality }
    }

    fn parameter(&self, wanted: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
    }

    fn kind(&self) -> Option<Kind> {
        let is = |media_type: &str| self.media_type.eq_ignore_ascii_case(media_type);
        let version = self.parameter("version");
        if is(PROTOBUF) {
            let is_meant = self.parameter("proto") == Some(MESSAGE) && self.parameter("encoding") == Some("delimited");
            return is_meant.then_some(Kind::Protobuf);
        }
        if is(OPENMETRICS) {
            return match version {
                Some("1.0.0") => Some(Kind::OpenMetrics { version: "1.0.0" }),
                Some("0.0.1") | None => Some(Kind::OpenMetrics { version: "0.0.1" }),
                Some(_) => None,
            };
        }
        (is("text/plain") && matches!(version, Some("0.0.4") | None)).then_some(Kind::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_that_is_known_wins() {
        let check = |accept: &str, want: &str| assert_eq!(Format::negotiate(accept).content_type(), want, "{accept}");
        let text = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
        let text_utf8 = "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8";
        let protobuf =
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=";
        let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=";
        let ask_protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

        check("", text);
        check("*/*", text);
        check("text/*;q=0.9, text/html", text);
        check("text/plain", text);
        check("text/plain;version=1.0.0", text);
        check("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.7,text/plain;version=0.0.4;q=0.5", text_utf8);
        check("text/plain;version=0.0.4;q=0.7,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5", text);
        check("text/plain; escaping=dots", "text/plain; version=0.0.4; charset=utf-8; escaping=dots");
        check("text/plain; escaping=unheard-of", text);
        check("application/openmetrics-text;version=1.0.0", &format!("{openmetrics}underscores"));
        check(
            "application/openmetrics-text",
            "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores",
        );
        check("application/openmetrics-text;version=2.0.0", text);
        check(
            "text/plain;q=0.5,application/openmetrics-text; version=1.0.0; q=0.9",
            &format!("{openmetrics}underscores"),
        );
        check("text/plain;q=0.9,application/openmetrics-text; version=1.0.0; q=0.5", text);
        check("application/openmetrics-text;version=1.0.0;q=0,text/plain;q=0.1", text);
        check("application/openmetrics-text;q=hot,text/plain", text);
        check(ask_protobuf, &format!("{protobuf}underscores"));
        check("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", text);
        check("application/vnd.google.protobuf;encoding=delimited", text);
        // Prometheus 3, with and without native histograms; 2.42 with them.
        let others = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                      application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                      text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        check(others, &format!("{openmetrics}allow-utf-8"));
        check(&format!("{ask_protobuf};escaping=allow-utf-8;q=0.6,{others}"), &format!("{protobuf}allow-utf-8"));
        check(
            &format!(
                "{ask_protobuf},application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
            ),
            &format!("{protobuf}underscores"),
        );
    }
}

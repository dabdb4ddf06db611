//! How samples come over the wire. The answer's content type decides, so an old node and a new one understand each other.

use crate::wire::MEDIA_TYPE;

/// A way to pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Prometheus's `/federate`: the newest sample of each series, as text. A sample that came and went between two pulls is
    /// never seen.
    Text,
    /// Our own: everything that was committed since the last pull.
    Cursor,
}

/// What we can read, best first.
pub(super) const ACCEPT: &str = "application/vnd.watershed.federation;version=1,\
     text/plain;version=1.0.0;escaping=allow-utf-8;q=0.7,text/plain;version=0.0.4;q=0.5";

impl Protocol {
    /// The word on pages and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Text => "text",
            Protocol::Cursor => "cursor",
        }
    }

    /// The protocol of an answer with this content type; `None` where we can't read it.
    pub(super) fn from_content_type(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let is = |known: &str| media_type.eq_ignore_ascii_case(known);
        let text = is("text/plain").then_some(Protocol::Text);
        text.or_else(|| is(MEDIA_TYPE).then_some(Protocol::Cursor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_decides() {
        let check = |content_type: &str, want| assert_eq!(Protocol::from_content_type(content_type), want);
        check("text/plain; version=0.0.4; charset=utf-8", Some(Protocol::Text));
        check("Text/Plain", Some(Protocol::Text));
        check("application/vnd.watershed.federation;version=1", Some(Protocol::Cursor));
        check("application/openmetrics-text; version=1.0.0", None);
        check("text/html; charset=utf-8", None);
        check("", None);
    }
}

//! The other global of a pair, in the configuration.

use std::fmt;

use config::{HttpClientConfig, Report, Spanned};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::pull::url::base_url;

config::with_http_client! {
    /// `peer` with the words of an HTTP client.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct RawSection {
        url: Option<Spanned<String>>,
    }
}

/// `peer` as written: a URL, or a section with one.
#[derive(Debug, Clone)]
pub struct RawPeer(Written);

#[derive(Debug, Clone)]
enum Written {
    Url(String),
    Section(Box<RawSection>),
}

impl<'de> Deserialize<'de> for RawPeer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or a section with url")
            }

            fn visit_str<E>(self, url: &str) -> Result<Written, E> {
                Ok(Written::Url(url.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
                Ok(Written::Section(Box::deserialize(MapAccessDeserializer::new(map))?))
            }
        }

        deserializer.deserialize_any(Either).map(RawPeer)
    }
}

/// The other global of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerConfig {
    /// Its base URL, without query and credentials.
    pub url: Url,
    /// How to talk to it.
    pub http: HttpClientConfig,
}

impl PeerConfig {
    /// Checks what was written.
    pub fn validate(raw: Spanned<RawPeer>, report: &mut Report) -> Option<Self> {
        let position = raw.position;
        let (url, http) = match raw.value.0 {
            Written::Url(url) => (Some(Spanned::new(url, position)), HttpClientConfig::default()),
            Written::Section(mut section) => {
                let http = HttpClientConfig::validate(section.take_http_client(), report);
                (section.url, http)
            }
        };
        let Some(url) = url else {
            report.error(position, "the peer has no url");
            return None;
        };
        Some(PeerConfig { url: report.check(&url, base_url("peer", &url))?, http })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        peer: Spanned<RawPeer>,
    }

    fn validate(text: &str) -> Result<Option<PeerConfig>, String> {
        let file: File = config::load(text, "global.yml").map_err(|errors| errors.to_string())?;
        let mut report = Report::new("global.yml");
        let peer = PeerConfig::validate(file.peer, &mut report);
        report.finish(peer).map_err(|errors| errors.to_string())
    }

    #[test]
    fn reads_a_url_or_a_section() {
        let check = |text: &str, url: &str, has_credentials: bool| {
            let peer = validate(text).expect(text).expect(text);
            assert_eq!((peer.url.as_str(), peer.http.authorization.is_some()), (url, has_credentials));
        };
        check("peer: http://g2:9190", "http://g2:9190/", false);
        check("peer: {url: 'https://g2/mon', basic_auth: {username: a, password: b}}", "https://g2/mon", true);
    }

    #[test]
    fn refuses_with_the_place() {
        let check = |text: &str, want: &str| {
            let error = validate(text).expect_err(text);
            assert!(error.contains(want), "{text}: {error}");
        };
        check("peer: g2:9190", "global.yml:1:7: the peer's URL must begin with http://");
        check("peer: {ulr: 'http://g2'}", "did you mean \"url\"?");
        check("peer: {basic_auth: {username: a, password: b}}", "the peer has no url");
        check("peer: {url: 'http://a:b@g2'}", "global.yml:1:13: credentials don't belong into the peer's URL");
    }
}

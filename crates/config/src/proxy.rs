//! Which proxy a request goes through: `proxy_url` and its neighbours, by the rules of Go's HTTP client.

use std::fmt::Display;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::error::Report;
use crate::header::sensitive;
use crate::http_raw::RawProxy;
use crate::no_proxy::NoProxy;
use crate::secret::Secret;

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyScheme {
    /// HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// SOCKS 5; the proxy looks names up.
    Socks5,
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    scheme: ProxyScheme,
    host: String,
    port: u16,
    credentials: Option<(String, Secret)>,
}

impl Proxy {
    /// Reads a URL; without a scheme it is an HTTP proxy.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
        let url = url.map_err(|error| format!("is not a URL: {error}"))?;
        let (scheme, default_port) = match url.scheme() {
            "http" => (ProxyScheme::Http, 80),
            "https" => (ProxyScheme::Https, 443),
            "socks5" | "socks5h" => (ProxyScheme::Socks5, 1080),
            other => return Err(format!("has the scheme {other:?}: want http, https, socks5 or socks5h")),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("names no host")?.to_owned();
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        let password = Secret::new(decoded(url.password().unwrap_or_default()));
        let credentials = has_credentials.then(|| (decoded(url.username()), password));
        Ok(Proxy { scheme, host, port: url.port().unwrap_or(default_port), credentials })
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> ProxyScheme {
        self.scheme
    }

    /// Its host as in a URL: an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// User and password out of the URL.
    pub fn credentials(&self) -> Option<(&str, &Secret)> {
        self.credentials.as_ref().map(|(user, password)| (user.as_str(), password))
    }

    /// The value of `Proxy-Authorization`, where the URL has credentials; it is marked as sensitive.
    pub fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.credentials()?;
        let value = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.expose())));
        sensitive("Proxy-Authorization", &value).ok()
    }
}

/// `proxy_url`, `no_proxy`, `proxy_from_environment` and `proxy_connect_header`, validated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyConfig {
    for_http: Option<Proxy>,
    for_https: Option<Proxy>,
    /// What is reached directly. Where nothing is said of it, that is nothing at all, not even this machine.
    except: Option<NoProxy>,
    connect_headers: Vec<(HeaderName, Secret)>,
}

impl ProxyConfig {
    /// One proxy for everything.
    pub fn everywhere(proxy: Proxy) -> Self {
        ProxyConfig { for_http: Some(proxy.clone()), for_https: Some(proxy), ..ProxyConfig::default() }
    }

    /// Checks what was written.
    pub(crate) fn validate(raw: RawProxy, report: &mut Report) -> Self {
        let url = raw.proxy_url.filter(|url| !url.is_empty());
        let no_proxy = raw.no_proxy.filter(|hosts| !hosts.is_empty());
        let environment = raw.proxy_from_environment.filter(|on| on.value);
        if let Some(on) = &environment {
            for (key, is_given) in [("proxy_url", url.is_some()), ("no_proxy", no_proxy.is_some())] {
                if is_given {
                    let message = format!("if proxy_from_environment is configured, {key} must not be configured");
                    report.error(on, message);
                }
            }
        } else if let (Some(no_proxy), None) = (&no_proxy, &url) {
            report.error(no_proxy, "if no_proxy is configured, proxy_url must also be configured");
        }
        let mut connect_headers = Vec::new();
        if let Some(raw) = raw.proxy_connect_header.filter(|headers| !headers.is_empty()) {
            if url.is_none() && environment.is_none() {
                report.error(
                    &raw,
                    "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured",
                );
            }
            for (name, values) in &raw.value {
                let parsed = HeaderName::from_bytes(name.as_bytes());
                let parsed = parsed.map_err(|_| format!("{name:?} is not a valid header name"));
                let Some(name) = report.check(&raw, parsed) else { continue };
                for value in values {
                    report.check(&raw, sensitive(name.as_str(), value.expose()));
                    connect_headers.push((name.clone(), value.clone()));
                }
            }
        }
        let proxies = match (&url, &environment) {
            (Some(url), _) => {
                let proxy = Proxy::parse(url).map_err(|reason| format!("proxy_url {reason}"));
                let proxy = report.check(url, proxy);
                (proxy.clone(), proxy, no_proxy.map(|hosts| NoProxy::parse(&hosts)))
            }
            (None, Some(on)) => {
                let variables = report.proxy_environment().clone();
                let mut proxy = |name: &str, value: &Secret| {
                    let parsed = (!value.is_empty()).then(|| Proxy::parse(value.expose()))?;
                    report.check(on, parsed.map_err(|reason: String| named(name, &reason)))
                };
                let (http, https) = (proxy("HTTP_PROXY", &variables.http), proxy("HTTPS_PROXY", &variables.https));
                (http, https, Some(NoProxy::parse(&variables.no_proxy)))
            }
            (None, None) => (None, None, None),
        };
        let (for_http, for_https, except) = proxies;
        ProxyConfig { for_http, for_https, except, connect_headers }
    }

    /// The proxy that a request goes through.
    pub fn of(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.scheme() == "https" { &self.for_https } else { &self.for_http };
        proxy.as_ref().filter(|_| !self.except.as_ref().is_some_and(|except| except.covers(url)))
    }

    /// What a request for a tunnel (`CONNECT`) has beside `Proxy-Authorization`.
    pub fn connect_headers(&self) -> &[(HeaderName, Secret)] {
        &self.connect_headers
    }
}

fn named(variable: &str, reason: &dyn Display) -> String {
    format!("the environment variable {variable} {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_proxies() {
        let check = |text: &str, want: Result<(ProxyScheme, &str, u16), &str>| {
            let got = Proxy::parse(text);
            let got = got.as_ref().map(|proxy| (proxy.scheme(), proxy.host(), proxy.port()));
            assert_eq!(got.map_err(String::as_str), want, "{text}");
        };
        check("http://p:3128", Ok((ProxyScheme::Http, "p", 3128)));
        check("p.example", Ok((ProxyScheme::Http, "p.example", 80)));
        check("p:3128", Ok((ProxyScheme::Http, "p", 3128)));
        check("https://p", Ok((ProxyScheme::Https, "p", 443)));
        check("http://[fd00::1]:8080", Ok((ProxyScheme::Http, "[fd00::1]", 8080)));
        check("socks5://p", Ok((ProxyScheme::Socks5, "p", 1080)));
        check("socks5h://p:9050", Ok((ProxyScheme::Socks5, "p", 9050)));
        check("ftp://p", Err("has the scheme \"ftp\": want http, https, socks5 or socks5h"));
        check(":", Err("is not a URL: empty host"));
        check("socks5:///", Err("names no host"));
    }

    #[test]
    fn credentials_are_decoded_and_hidden() {
        let proxy = Proxy::parse("http://u%40x:hunter%3A2@p:1").expect("a proxy");
        assert_eq!(proxy.credentials().map(|(user, _)| user), Some("u@x"));
        let value = proxy.authorization().expect("credentials");
        assert_eq!(value, format!("Basic {}", BASE64_STANDARD.encode("u@x:hunter:2")));
        assert!(value.is_sensitive() && !format!("{proxy:?}").contains("hunter"));
        assert_eq!(Proxy::parse("http://p").expect("a proxy").authorization(), None);
    }
}

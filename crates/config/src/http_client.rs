//! The configuration of an HTTP client, validated.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName};

use crate::error::Report;
use crate::header::{Authorization, BasicAuth, ExtraHeader, HttpClientError, SecretSource};
use crate::http_raw::{RawAuthorization, RawBasicAuth, RawHeaders, RawHttpClientConfig, RawProxy};
use crate::oauth2::OAuth2Config;
use crate::proxy::ProxyConfig;
use crate::secret::Secret;
use crate::spanned::Spanned;
use crate::tls::TlsConfig;

/// How to talk to an HTTP server: Prometheus's `http_config`, with defaults in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpClientConfig {
    /// The `Authorization` header.
    pub authorization: Option<Authorization>,
    /// Where a token for that header comes from instead.
    pub oauth2: Option<OAuth2Config>,
    /// More headers.
    pub headers: Vec<ExtraHeader>,
    /// TLS.
    pub tls: TlsConfig,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// Whether HTTP/2 is spoken with servers that offer it over TLS.
    pub enable_http2: bool,
    /// The proxy.
    pub proxy: ProxyConfig,
}

impl Default for HttpClientConfig {
    /// No credentials, the system's authorities, redirects followed.
    fn default() -> Self {
        HttpClientConfig {
            authorization: None,
            oauth2: None,
            headers: Vec::new(),
            tls: TlsConfig::default(),
            follow_redirects: true,
            enable_http2: true,
            proxy: ProxyConfig::default(),
        }
    }
}

impl HttpClientConfig {
    /// Checks what was written.
    pub fn validate(raw: RawHttpClientConfig, report: &mut Report) -> Self {
        refuse_second_credentials(&raw, report);
        let proxy = RawProxy {
            proxy_url: raw.proxy_url,
            no_proxy: raw.no_proxy,
            proxy_from_environment: raw.proxy_from_environment,
            proxy_connect_header: raw.proxy_connect_header,
        };
        let basic = raw.basic_auth.map(|basic| basic_auth(basic, report));
        let credentials = raw.authorization.and_then(|auth| authorization(auth, report));
        let token = raw.bearer_token.map(|token| bearer(SecretSource::Inline(token.value)));
        let token_file = raw.bearer_token_file.map(|file| bearer(SecretSource::File(report.resolve(&file))));
        HttpClientConfig {
            authorization: basic.or(credentials).or(token).or(token_file),
            oauth2: raw.oauth2.and_then(|oauth2| OAuth2Config::validate(oauth2, report)),
            headers: raw.http_headers.map(|headers| extra_headers(headers, report)).unwrap_or_default(),
            tls: raw.tls_config.map(|tls| TlsConfig::validate(tls, report)).unwrap_or_default(),
            follow_redirects: raw.follow_redirects.unwrap_or(true),
            enable_http2: raw.enable_http2.unwrap_or(true),
            proxy: ProxyConfig::validate(proxy, report),
        }
    }

    /// The configured headers, `Authorization` among them, with files read anew. A token of `oauth2` is not: it has to be fetched.
    pub fn headers(&self) -> Result<HeaderMap, HttpClientError> {
        let mut headers = HeaderMap::new();
        for header in &self.headers {
            for value in header.read() {
                headers.append(&header.name, value?);
            }
        }
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.header()?);
        }
        Ok(headers)
    }
}

fn bearer(credentials: SecretSource) -> Authorization {
    Authorization::Credentials { scheme: "Bearer".to_owned(), credentials }
}

/// Credentials are given in one way. The second one that is written is the error's place.
fn refuse_second_credentials(raw: &RawHttpClientConfig, report: &mut Report) {
    let basic = raw.basic_auth.as_ref().map(|basic| basic.position);
    let authorization = raw.authorization.as_ref().map(|authorization| authorization.position);
    let oauth2 = raw.oauth2.as_ref().map(|oauth2| oauth2.position);
    let token = raw.bearer_token.as_ref().map(|token| token.position);
    let file = raw.bearer_token_file.as_ref().map(|file| file.position);
    let has_bearer = token.is_some() || file.is_some();
    let message = if token.is_some() && file.is_some() {
        "at most one of bearer_token & bearer_token_file must be configured"
    } else if has_bearer && (basic.is_some() || oauth2.is_some()) {
        "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured"
    } else if has_bearer {
        "authorization is not compatible with bearer_token & bearer_token_file"
    } else {
        "at most one of basic_auth, oauth2 & authorization must be configured"
    };
    let mut given: Vec<_> = [basic, authorization, oauth2, token, file].into_iter().flatten().collect();
    given.sort();
    if let Some(second) = given.get(1) {
        report.error(*second, message);
    }
}

fn basic_auth(raw: Spanned<RawBasicAuth>, report: &mut Report) -> Authorization {
    let (position, raw) = (raw.position, raw.value);
    report.refuse_reference("username", raw.username_ref.as_ref());
    report.refuse_reference("password", raw.password_ref.as_ref());
    if raw.username.is_some() && raw.username_file.is_some() {
        report.error(position, "at most one of basic_auth username and username_file may be given");
    }
    if raw.password.is_some() && raw.password_file.is_some() {
        report.error(position, "at most one of basic_auth password and password_file may be given");
    }
    let source = |inline: Option<Secret>, file: Option<Spanned<String>>| match file {
        Some(file) => SecretSource::File(report.resolve(&file)),
        None => SecretSource::Inline(inline.unwrap_or_default()),
    };
    let username = source(raw.username.map(Secret::new), raw.username_file);
    let password = source(raw.password, raw.password_file);
    Authorization::Basic(BasicAuth { username, password })
}

fn authorization(raw: Spanned<RawAuthorization>, report: &mut Report) -> Option<Authorization> {
    let (position, raw) = (raw.position, raw.value);
    report.refuse_reference("credentials", raw.credentials_ref.as_ref());
    let scheme = raw.scheme.filter(|s| !s.trim().is_empty());
    if let Some(scheme) = scheme.as_ref().filter(|s| s.eq_ignore_ascii_case("basic")) {
        report.error(scheme, "authorization type cannot be set to \"basic\", use basic_auth instead");
    }
    let scheme = scheme.map_or_else(|| "Bearer".to_owned(), |s| s.value.trim().to_owned());
    match (raw.credentials, raw.credentials_file) {
        (Some(_), Some(file)) => {
            report.error(&file, "at most one of authorization credentials and credentials_file may be given");
            None
        }
        (Some(secret), None) => Some(Authorization::Credentials { scheme, credentials: SecretSource::Inline(secret) }),
        (None, Some(file)) => {
            Some(Authorization::Credentials { scheme, credentials: SecretSource::File(report.resolve(&file)) })
        }
        (None, None) => {
            report.error(position, "authorization needs credentials or credentials_file");
            None
        }
    }
}

/// Headers that the client itself owns, which Prometheus refuses in `http_headers` as well.
const RESERVED: [&str; 24] = [
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-prometheus-scrape-timeout-seconds",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "accept",
];

fn extra_headers(raw: Spanned<RawHeaders>, report: &mut Report) -> Vec<ExtraHeader> {
    let (position, raw) = (raw.position, raw.value);
    let mut headers = Vec::new();
    for (name, header) in raw {
        let name = match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) if !RESERVED.contains(&name.as_str()) => name,
            Ok(name) => {
                report.error(position, format_args!("setting the header {name:?} is not allowed"));
                continue;
            }
            Err(_) => {
                report.error(position, format_args!("{name:?} is not a valid header name"));
                continue;
            }
        };
        let inline = header.values.into_iter().map(Secret::new).chain(header.secrets).map(SecretSource::Inline);
        let files = header.files.iter().map(|file| SecretSource::File(report.resolve(file)));
        headers.push(ExtraHeader { name, values: inline.chain(files).collect() });
    }
    headers
}

#[cfg(test)]
mod tests;

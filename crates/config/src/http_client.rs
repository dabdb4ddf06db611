//! The configuration of an HTTP client, validated, and the clients made from it.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName};
use url::Url;

use crate::error::Report;
use crate::header::{Authorization, BasicAuth, ExtraHeader, HttpClientError, SecretSource};
use crate::http_raw::{RawAuthorization, RawBasicAuth, RawHeaders, RawHttpClientConfig};
use crate::secret::Secret;
use crate::spanned::{Position, Spanned};
use crate::tls::TlsConfig;

/// Redirects that are followed before giving up, as Go's client does.
const REDIRECTS_MAX: usize = 10;

/// How to talk to an HTTP server: Prometheus's `http_config`, with defaults in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpClientConfig {
    /// The `Authorization` header.
    pub authorization: Option<Authorization>,
    /// More headers.
    pub headers: Vec<ExtraHeader>,
    /// TLS.
    pub tls: TlsConfig,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// The proxy.
    pub proxy: Option<Url>,
    /// Hosts that are reached without the proxy, separated by commas.
    pub no_proxy: Option<String>,
}

impl Default for HttpClientConfig {
    /// No credentials, the system's authorities, redirects followed.
    fn default() -> Self {
        HttpClientConfig {
            authorization: None,
            headers: Vec::new(),
            tls: TlsConfig::default(),
            follow_redirects: true,
            proxy: None,
            no_proxy: None,
        }
    }
}

impl HttpClientConfig {
    /// Checks what was written.
    pub fn validate(raw: RawHttpClientConfig, report: &mut Report) -> Self {
        report.unsupported("oauth2", raw.oauth2.as_ref());
        report.unsupported("proxy_connect_header", raw.proxy_connect_header.as_ref());
        report.unsupported("proxy_from_environment", raw.proxy_from_environment.as_ref().filter(|on| on.value));
        let authorizations: Vec<(Position, Authorization)> = [
            raw.basic_auth.and_then(|basic| Some((basic.position, basic_auth(basic, report)?))),
            raw.authorization.and_then(|auth| Some((auth.position, authorization(auth, report)?))),
            raw.bearer_token.map(|token| (token.position, bearer(SecretSource::Inline(token.value)))),
            raw.bearer_token_file.map(|f| (f.position, bearer(SecretSource::File(report.resolve(&f))))),
        ]
        .into_iter()
        .flatten()
        .collect();
        if let Some((second, _)) = authorizations.get(1) {
            report.error(
                *second,
                "at most one of basic_auth, authorization, bearer_token and bearer_token_file may be given",
            );
        }
        let proxy = raw.proxy_url.and_then(|url| {
            let parsed = Url::parse(&url).map_err(|e| format!("proxy_url is not a URL: {e}"));
            report.check(&url, parsed)
        });
        if let (Some(no_proxy), None) = (&raw.no_proxy, &proxy) {
            report.error(no_proxy, "no_proxy needs proxy_url");
        }
        HttpClientConfig {
            authorization: authorizations.into_iter().next().map(|(_, authorization)| authorization),
            headers: raw.http_headers.map(|headers| extra_headers(headers, report)).unwrap_or_default(),
            tls: raw.tls_config.map(|tls| TlsConfig::validate(tls, report)).unwrap_or_default(),
            follow_redirects: raw.follow_redirects.unwrap_or(true),
            proxy,
            no_proxy: raw.no_proxy.map(|s| s.value),
        }
    }

    /// A client for everything but scraping. `timeout` bounds a whole request. Credentials are added per request, with
    /// [`authorize`](Self::authorize).
    ///
    /// # Errors
    /// `tls_config.server_name` is refused: this client cannot ask for another name than the URL's host.
    pub fn reqwest_client(&self, timeout: Duration) -> Result<reqwest::Client, HttpClientError> {
        if self.tls.server_name.is_some() {
            return Err(HttpClientError::Unsupported(
                "tls_config.server_name is not supported for this client: use the certificate's name as host in the URL",
            ));
        }
        let redirects = match self.follow_redirects {
            true => reqwest::redirect::Policy::limited(REDIRECTS_MAX),
            false => reqwest::redirect::Policy::none(),
        };
        let mut builder = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(redirects)
            .user_agent(concat!("Watershed/", env!("CARGO_PKG_VERSION")))
            .no_proxy() // only what the configuration names, never the environment
            .tls_backend_preconfigured(self.tls.rustls_config()?);
        if let Some(url) = &self.proxy {
            let except = self.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
            let proxy = reqwest::Proxy::all(url.clone()).map_err(HttpClientError::Build)?;
            builder = builder.proxy(proxy.no_proxy(except));
        }
        builder.build().map_err(HttpClientError::Build)
    }

    /// The configured headers, `Authorization` among them, with files read anew.
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

    /// Adds the configured headers to a request, with files read anew.
    pub fn authorize(&self, request: reqwest::RequestBuilder) -> Result<reqwest::RequestBuilder, HttpClientError> {
        Ok(request.headers(self.headers()?))
    }
}

fn bearer(credentials: SecretSource) -> Authorization {
    Authorization::Credentials { scheme: "Bearer".to_owned(), credentials }
}

fn basic_auth(raw: Spanned<RawBasicAuth>, report: &mut Report) -> Option<Authorization> {
    let (position, raw) = (raw.position, raw.value);
    report.unsupported("username_ref", raw.username_ref.as_ref());
    report.unsupported("password_ref", raw.password_ref.as_ref());
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
    Some(Authorization::Basic(BasicAuth { username, password }))
}

fn authorization(raw: Spanned<RawAuthorization>, report: &mut Report) -> Option<Authorization> {
    let (position, raw) = (raw.position, raw.value);
    report.unsupported("credentials_ref", raw.credentials_ref.as_ref());
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

//! The raw form of an HTTP client's configuration: Prometheus's words, as a named section or within another section.

use serde::Deserialize;
use std::collections::BTreeMap;

use crate::secret::Secret;
use crate::spanned::Spanned;

/// `basic_auth`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawBasicAuth {
    /// The user's name.
    pub username: Option<String>,
    /// A file that holds it.
    pub username_file: Option<Spanned<String>>,
    /// The name of a secret in a secret manager: known, not served.
    pub username_ref: Option<Spanned<String>>,
    /// The password.
    pub password: Option<Secret>,
    /// A file that holds it.
    pub password_file: Option<Spanned<String>>,
    /// The name of a secret in a secret manager: known, not served.
    pub password_ref: Option<Spanned<String>>,
}

/// `authorization`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawAuthorization {
    /// The scheme, `Bearer` by default.
    #[serde(rename = "type")]
    pub scheme: Option<Spanned<String>>,
    /// What follows the scheme.
    pub credentials: Option<Secret>,
    /// A file that holds it.
    pub credentials_file: Option<Spanned<String>>,
    /// The name of a secret in a secret manager: known, not served.
    pub credentials_ref: Option<Spanned<String>>,
}

/// `tls_config`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawTlsConfig {
    /// Certificates of authorities, PEM.
    pub ca: Option<Spanned<String>>,
    /// The client's certificate chain, PEM.
    pub cert: Option<Spanned<String>>,
    /// The client's key, PEM.
    pub key: Option<Secret>,
    /// A file with `ca`.
    pub ca_file: Option<Spanned<String>>,
    /// A file with `cert`.
    pub cert_file: Option<Spanned<String>>,
    /// A file with `key`.
    pub key_file: Option<Spanned<String>>,
    /// The name of a secret in a secret manager: known, not served.
    pub ca_ref: Option<Spanned<String>>,
    /// The name of a secret in a secret manager: known, not served.
    pub cert_ref: Option<Spanned<String>>,
    /// The name of a secret in a secret manager: known, not served.
    pub key_ref: Option<Spanned<String>>,
    /// The name that the server's certificate must have.
    pub server_name: Option<Spanned<String>>,
    /// Take any certificate.
    pub insecure_skip_verify: bool,
    /// The lowest version that is spoken.
    pub min_version: Option<Spanned<String>>,
    /// The highest version that is spoken.
    pub max_version: Option<Spanned<String>>,
}

/// One header of `http_headers`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawExtraHeader {
    /// Values.
    pub values: Vec<String>,
    /// Values that aren't shown.
    pub secrets: Vec<Secret>,
    /// Files that hold values.
    pub files: Vec<Spanned<String>>,
}

/// Declares a raw configuration section that has Prometheus's HTTP client words among its own, and a method
/// `take_http_client` that hands them out as [`RawHttpClientConfig`](crate::RawHttpClientConfig).
///
/// `#[serde(flatten)]` would do the same but loses the position of every value and the refusal of unknown keys.
#[macro_export]
macro_rules! with_http_client {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($body:tt)* }) => {
        $(#[$meta])*
        $vis struct $name {
            $($body)*
            /// User name and password.
            pub basic_auth: Option<$crate::Spanned<$crate::RawBasicAuth>>,
            /// The `Authorization` header.
            pub authorization: Option<$crate::Spanned<$crate::RawAuthorization>>,
            /// OAuth 2: known, not served.
            pub oauth2: Option<$crate::Spanned<$crate::Ignored>>,
            /// The old word for `authorization: {credentials: …}`.
            pub bearer_token: Option<$crate::Spanned<$crate::Secret>>,
            /// The old word for `authorization: {credentials_file: …}`.
            pub bearer_token_file: Option<$crate::Spanned<String>>,
            /// TLS.
            pub tls_config: Option<$crate::Spanned<$crate::RawTlsConfig>>,
            /// Whether redirects are followed; yes by default.
            pub follow_redirects: Option<bool>,
            /// Whether HTTP/2 may be spoken: HTTP/1.1 always is, so either answer is kept.
            pub enable_http2: Option<bool>,
            /// The proxy.
            pub proxy_url: Option<$crate::Spanned<String>>,
            /// Hosts that are reached without the proxy.
            pub no_proxy: Option<$crate::Spanned<String>>,
            /// The proxy out of the environment: known, not served.
            pub proxy_from_environment: Option<$crate::Spanned<bool>>,
            /// Headers for the proxy: known, not served.
            pub proxy_connect_header: Option<$crate::Spanned<$crate::Ignored>>,
            /// More headers.
            pub http_headers: Option<$crate::Spanned<$crate::RawHeaders>>,
        }

        impl $name {
            /// Takes the words of the HTTP client out.
            $vis fn take_http_client(&mut self) -> $crate::RawHttpClientConfig {
                $crate::RawHttpClientConfig {
                    basic_auth: self.basic_auth.take(),
                    authorization: self.authorization.take(),
                    oauth2: self.oauth2.take(),
                    bearer_token: self.bearer_token.take(),
                    bearer_token_file: self.bearer_token_file.take(),
                    tls_config: self.tls_config.take(),
                    follow_redirects: self.follow_redirects.take(),
                    enable_http2: self.enable_http2.take(),
                    proxy_url: self.proxy_url.take(),
                    no_proxy: self.no_proxy.take(),
                    proxy_from_environment: self.proxy_from_environment.take(),
                    proxy_connect_header: self.proxy_connect_header.take(),
                    http_headers: self.http_headers.take(),
                }
            }
        }
    };
}

/// `http_headers`: header name to values.
pub type RawHeaders = BTreeMap<String, RawExtraHeader>;

/// A value that is only noticed, because what it configures is known and not served.
#[derive(Debug, Clone, Default)]
pub struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Ignored)
    }
}

with_http_client! {
    /// An HTTP client's configuration as written, as a section of its own (`http_config`).
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct RawHttpClientConfig {}
}

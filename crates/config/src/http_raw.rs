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
    /// The name of a secret in a secret manager: known, refused.
    pub username_ref: Option<Spanned<String>>,
    /// The password.
    pub password: Option<Secret>,
    /// A file that holds it.
    pub password_file: Option<Spanned<String>>,
    /// The name of a secret in a secret manager: known, refused.
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
    /// The name of a secret in a secret manager: known, refused.
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
    /// The name of a secret in a secret manager: known, refused.
    pub ca_ref: Option<Spanned<String>>,
    /// The name of a secret in a secret manager: known, refused.
    pub cert_ref: Option<Spanned<String>>,
    /// The name of a secret in a secret manager: known, refused.
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
            /// Where a token comes from.
            pub oauth2: Option<$crate::Spanned<$crate::RawOAuth2>>,
            /// The old word for `authorization: {credentials: …}`.
            pub bearer_token: Option<$crate::Spanned<$crate::Secret>>,
            /// The old word for `authorization: {credentials_file: …}`.
            pub bearer_token_file: Option<$crate::Spanned<String>>,
            /// TLS.
            pub tls_config: Option<$crate::Spanned<$crate::RawTlsConfig>>,
            /// Whether redirects are followed; yes by default.
            pub follow_redirects: Option<bool>,
            /// Whether HTTP/2 may be spoken over TLS; yes by default.
            pub enable_http2: Option<bool>,
            /// The proxy.
            pub proxy_url: Option<$crate::Spanned<String>>,
            /// Hosts that are reached without the proxy.
            pub no_proxy: Option<$crate::Spanned<String>>,
            /// Whether the environment names the proxy.
            pub proxy_from_environment: Option<$crate::Spanned<bool>>,
            /// Headers of requests for a tunnel through the proxy.
            pub proxy_connect_header: Option<$crate::Spanned<$crate::RawConnectHeaders>>,
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

/// `proxy_connect_header`: header name to values.
pub type RawConnectHeaders = BTreeMap<String, Vec<Secret>>;

/// `oauth2`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawOAuth2 {
    /// The client's name.
    pub client_id: Option<String>,
    /// How a token is asked for, `client_credentials` by default.
    pub grant_type: Option<Spanned<String>>,
    /// The client's secret.
    pub client_secret: Option<Secret>,
    /// A file that holds it.
    pub client_secret_file: Option<Spanned<String>>,
    /// The name of a secret in a secret manager: known, refused.
    pub client_secret_ref: Option<Spanned<String>>,
    /// The key of signed assertions: known, refused, as what follows.
    pub client_certificate_key: Option<Spanned<Ignored>>,
    /// A file that holds it.
    pub client_certificate_key_file: Option<Spanned<Ignored>>,
    /// Its name for the server.
    pub client_certificate_key_id: Option<Spanned<Ignored>>,
    /// The name of a secret in a secret manager.
    pub client_certificate_key_ref: Option<Spanned<Ignored>>,
    /// How assertions are signed.
    pub signature_algorithm: Option<Spanned<Ignored>>,
    /// Who signs them.
    pub iss: Option<Spanned<Ignored>>,
    /// Whom they are for.
    pub audience: Option<Spanned<Ignored>>,
    /// What else they say.
    pub claims: Option<Spanned<Ignored>>,
    /// What the token shall be good for.
    pub scopes: Vec<String>,
    /// Where tokens are given out.
    pub token_url: Option<Spanned<String>>,
    /// More parameters of the request.
    pub endpoint_params: Option<Spanned<BTreeMap<String, Secret>>>,
    /// TLS to that place.
    pub tls_config: Option<Spanned<RawTlsConfig>>,
    /// The proxy to that place.
    pub proxy_url: Option<Spanned<String>>,
    /// Hosts that are reached without it.
    pub no_proxy: Option<Spanned<String>>,
    /// Whether the environment names the proxy.
    pub proxy_from_environment: Option<Spanned<bool>>,
    /// Headers of requests for a tunnel through the proxy.
    pub proxy_connect_header: Option<Spanned<RawConnectHeaders>>,
}

/// The words about proxies, which a client and its `oauth2` have both.
#[derive(Debug)]
pub(crate) struct RawProxy {
    pub(crate) proxy_url: Option<Spanned<String>>,
    pub(crate) no_proxy: Option<Spanned<String>>,
    pub(crate) proxy_from_environment: Option<Spanned<bool>>,
    pub(crate) proxy_connect_header: Option<Spanned<RawConnectHeaders>>,
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

//! Reading configuration files: YAML with positions, errors that name file, line and column, secrets, and the words that
//! every HTTP client of the stack is configured with.
//!
//! A file is read in two stages. [`load`] gives a raw serde struct: unknown keys are refused with a suggestion, and
//! values that need a check are [`Spanned`]. Its owner then validates it against a [`Report`], which collects every error
//! with its place, and gives a type with all defaults in. The YAML itself is a library's; what is ours is the position of
//! each error, the suggestion, and Prometheus's grammar for durations, secrets and clients. What the keys mean is
//! known only by the crates that own them.

mod cause;
mod duration;
mod environment;
mod error;
mod files;
mod header;
mod http_client;
mod http_raw;
mod no_proxy;
mod oauth2;
mod proxy;
mod proxy_environment;
mod redact;
mod secret;
mod size;
mod spanned;
mod suggest;
mod tls;
mod yaml;

pub use cause::chain;
pub use duration::DurationMs;
pub use environment::expand_environment;
pub use error::{Error, Errors, Report};
pub use files::{matching_files, read_file};
pub use header::{Authorization, BasicAuth, ExtraHeader, HttpClientError, SecretSource};
pub use http_client::HttpClientConfig;
pub use http_raw::{
    Ignored, RawAuthorization, RawBasicAuth, RawConnectHeaders, RawExtraHeader, RawHeaders, RawHttpClientConfig,
    RawOAuth2, RawTlsConfig,
};
pub use oauth2::OAuth2Config;
pub use proxy::{Proxy, ProxyConfig, ProxyScheme};
pub use proxy_environment::ProxyEnvironment;
pub use redact::redact;
pub use secret::Secret;
pub use size::parse_size;
pub use spanned::{Position, Spanned};
pub use suggest::suggestion;
pub use tls::{TlsConfig, TlsVersion};
pub use yaml::load;

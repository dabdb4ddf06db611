//! `oauth2`: where a client gets its token.

use std::collections::BTreeMap;

use url::Url;

use crate::error::Report;
use crate::header::SecretSource;
use crate::http_raw::{RawOAuth2, RawProxy};
use crate::proxy::ProxyConfig;
use crate::secret::Secret;
use crate::spanned::Spanned;
use crate::tls::TlsConfig;

const CLIENT_CREDENTIALS: &str = "client_credentials";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// `oauth2`, validated: a token is asked for with a client's name and secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2Config {
    /// The client's name.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretSource,
    /// What the token shall be good for.
    pub scopes: Vec<String>,
    /// Where tokens are given out.
    pub token_url: Url,
    /// More parameters of the request; another `grant_type` takes the place of `client_credentials`.
    pub endpoint_params: BTreeMap<String, Secret>,
    /// TLS to that place.
    pub tls: TlsConfig,
    /// The proxy to that place.
    pub proxy: ProxyConfig,
}

impl OAuth2Config {
    /// Checks what was written.
    pub(crate) fn validate(raw: Spanned<RawOAuth2>, report: &mut Report) -> Option<Self> {
        let (position, raw) = (raw.position, raw.value);
        refuse_assertions(&raw, report);
        report.refuse_reference("client_secret", raw.client_secret_ref.as_ref());
        let client_secret = match (raw.client_secret, raw.client_secret_file.filter(|file| !file.is_empty())) {
            (Some(_), Some(file)) => {
                report.error(&file, "at most one of oauth2 client_secret and client_secret_file may be given");
                SecretSource::File(report.resolve(&file))
            }
            (None, Some(file)) => SecretSource::File(report.resolve(&file)),
            (secret, None) => SecretSource::Inline(secret.unwrap_or_default()),
        };
        if let Some(params) = &raw.endpoint_params
            && params.contains_key("scope")
            && !raw.scopes.is_empty()
        {
            report.error(params, "scope stands in endpoint_params and in scopes: leave one of them out");
        }
        let tls = raw.tls_config.map(|tls| TlsConfig::validate(tls, report)).unwrap_or_default();
        let proxy = RawProxy {
            proxy_url: raw.proxy_url,
            no_proxy: raw.no_proxy,
            proxy_from_environment: raw.proxy_from_environment,
            proxy_connect_header: raw.proxy_connect_header,
        };
        let proxy = ProxyConfig::validate(proxy, report);
        let client_id = raw.client_id.filter(|id| !id.is_empty());
        if client_id.is_none() {
            report.error(position, "oauth2 client_id must be configured");
        }
        let Some(token_url) = raw.token_url.filter(|url| !url.is_empty()) else {
            report.error(position, "oauth2 token_url must be configured");
            return None;
        };
        Some(OAuth2Config {
            client_id: client_id?,
            client_secret,
            scopes: raw.scopes,
            token_url: report.check(&token_url, endpoint(&token_url))?,
            endpoint_params: raw.endpoint_params.map(|params| params.value).unwrap_or_default(),
            tls,
            proxy,
        })
    }
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("oauth2 token_url is not a URL: {error}"))?;
    match url.scheme() {
        "http" | "https" if url.host_str().is_some_and(|host| !host.is_empty()) => Ok(url),
        _ => Err("oauth2 token_url must begin with https:// or http:// and name a host".to_owned()),
    }
}

/// The grant that needs a signed assertion, and its words.
fn refuse_assertions(raw: &RawOAuth2, report: &mut Report) {
    let instead = "use the grant type client_credentials, or let another program fetch the token into a file and name that as \
                   authorization.credentials_file";
    match raw.grant_type.as_ref().map(|grant| (grant, grant.as_str())) {
        None | Some((_, "" | CLIENT_CREDENTIALS)) => {}
        Some((grant, JWT_BEARER)) => {
            report
                .error(grant, format_args!("tokens for signed assertions ({JWT_BEARER}) are not asked for: {instead}"));
            return; // its words are not worth an error each
        }
        Some((grant, other)) => {
            report.error(grant, format_args!("unknown grant_type {other:?}: want {CLIENT_CREDENTIALS}"));
        }
    }
    let words = [
        ("client_certificate_key", raw.client_certificate_key.as_ref()),
        ("client_certificate_key_file", raw.client_certificate_key_file.as_ref()),
        ("client_certificate_key_id", raw.client_certificate_key_id.as_ref()),
        ("client_certificate_key_ref", raw.client_certificate_key_ref.as_ref()),
        ("signature_algorithm", raw.signature_algorithm.as_ref()),
        ("iss", raw.iss.as_ref()),
        ("audience", raw.audience.as_ref()),
        ("claims", raw.claims.as_ref()),
    ];
    for (key, value) in words {
        if let Some(value) = value {
            report.error(
                value,
                format_args!("{key} belongs to signed assertions ({JWT_BEARER}), which are not made: {instead}"),
            );
        }
    }
}

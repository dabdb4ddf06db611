//! Application default credentials: where Google's programs look for them.

use http_client::HttpClient;
use std::path::PathBuf;

use config::{HttpClientError, Secret};
use serde::Deserialize;
use url::Url;

use crate::cloud::client::{may_have_secrets, metadata_client};
use crate::cloud::file::{self, FileError};
use crate::cloud::lease::Leased;
use crate::cloud::oauth::{TokenError, token};
use crate::cloud::surroundings::Surroundings;
use crate::gce::jwt::{Claims, SignError, signed};

const SCOPE: &str = "https://www.googleapis.com/auth/compute.readonly";
const FILE_VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const USUAL_FILE: &str = ".config/gcloud/application_default_credentials.json";
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
const METADATA_HOST: &str = "169.254.169.254";

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{0:?} is not a file of credentials in JSON")]
    Json(PathBuf),
    #[error(
        "{path:?} has credentials of the type {kind:?}, which is not served: give the key of a service account, log in by \
         \"gcloud auth application-default login\", or give the machine a service account"
    )]
    Kind { path: PathBuf, kind: String },
    #[error("the service account in {path:?} can't be used")]
    Sign {
        path: PathBuf,
        #[source]
        source: SignError,
    },
    #[error("token_uri is not a URL with https://: {0:?}")]
    TokenUrl(String),
    #[error("cannot get a token with {path:?}")]
    Token {
        path: PathBuf,
        #[source]
        source: TokenError,
    },
    #[error("the HTTP client can't be used")]
    Client(#[from] HttpClientError),
    #[error("GCE_METADATA_HOST is not a host: {0:?}")]
    Host(String),
    #[error(
        "cannot get a token from the metadata server: does this run at Google, with a service account? Otherwise name a file of \
         credentials in GOOGLE_APPLICATION_CREDENTIALS"
    )]
    Metadata(#[source] TokenError),
}

/// A file of credentials, of any type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Written {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    private_key_id: String,
    private_key: Secret,
    token_uri: String,
    client_id: String,
    client_secret: Secret,
    refresh_token: Secret,
}

/// A token to read what Compute Engine has.
pub(crate) async fn access_token(
    client: &HttpClient,
    surroundings: &Surroundings,
) -> Result<Leased<Secret>, CredentialsError> {
    let (path, is_asked_for) = match surroundings.variable(FILE_VARIABLE) {
        Some(path) => (Some(PathBuf::from(path)), true),
        None => (surroundings.at_home(USUAL_FILE), false),
    };
    let Some(path) = path else { return of_machine(surroundings).await };
    match file::read(&path) {
        Ok(text) => of_file(client, path, &text, surroundings).await,
        Err(error) if error.is_missing() && !is_asked_for => of_machine(surroundings).await,
        Err(error) => Err(error.into()),
    }
}

async fn of_file(
    client: &HttpClient,
    path: PathBuf,
    text: &str,
    surroundings: &Surroundings,
) -> Result<Leased<Secret>, CredentialsError> {
    let Ok(written) = serde_json::from_str::<Written>(text) else { return Err(CredentialsError::Json(path)) };
    let url = token_url(&written)?;
    let now = surroundings.now();
    let form = match written.kind.as_str() {
        "service_account" => {
            let claims = Claims {
                issuer: &written.client_email,
                scope: SCOPE,
                audience: url.as_str(),
                key_id: &written.private_key_id,
            };
            let assertion = signed(&claims, &written.private_key, now);
            let assertion = assertion.map_err(|source| CredentialsError::Sign { path: path.clone(), source })?;
            vec![("grant_type", Secret::new("urn:ietf:params:oauth:grant-type:jwt-bearer")), ("assertion", assertion)]
        }
        "authorized_user" => vec![
            ("grant_type", Secret::new("refresh_token")),
            ("client_id", Secret::new(written.client_id)),
            ("client_secret", written.client_secret),
            ("refresh_token", written.refresh_token),
        ],
        _ => return Err(CredentialsError::Kind { path, kind: written.kind }),
    };
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.expose())).collect();
    let asked = token(now, || client.post(url.clone()).form(&form)).await;
    asked.map_err(|source| CredentialsError::Token { path, source })
}

/// Where the credentials are good for a token.
fn token_url(written: &Written) -> Result<Url, CredentialsError> {
    let text = if written.token_uri.is_empty() { TOKEN_URL } else { &written.token_uri };
    let url = Url::parse(text).ok().filter(may_have_secrets);
    url.ok_or_else(|| CredentialsError::TokenUrl(text.to_owned()))
}

/// A token of the service account that the machine has.
async fn of_machine(surroundings: &Surroundings) -> Result<Leased<Secret>, CredentialsError> {
    let host = surroundings.variable("GCE_METADATA_HOST").unwrap_or_else(|| METADATA_HOST.to_owned());
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
    let url = Url::parse_with_params(&url, [("scopes", SCOPE)]).map_err(|_| CredentialsError::Host(host))?;
    let client = metadata_client()?;
    let asked = token(surroundings.now(), || client.get(url.clone()).header("metadata-flavor", "Google"));
    asked.await.map_err(CredentialsError::Metadata)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::SystemClock;

    use super::*;

    #[tokio::test]
    async fn credentials_of_no_use_say_why_and_no_secret() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = metadata_client().expect("a client");
        let surroundings = Surroundings::new([], Arc::new(SystemClock));
        let check = async |text: &str, want: &str| {
            let error = of_file(&client, PathBuf::from("c.json"), text, &surroundings).await;
            let error = config::chain(&error.map(|_| ()).expect_err("no token"));
            assert!(error.contains(want) && !error.contains("hunter2"), "{error}");
        };
        check("{", "\"c.json\" is not a file of credentials in JSON").await;
        check(
            r#"{"type": "external_account", "client_secret": "hunter2"}"#,
            "credentials of the type \"external_account\", which is not served: give the key of a service account",
        )
        .await;
        check(
            r#"{"type": "service_account", "private_key": "hunter2"}"#,
            "\"c.json\" can't be used: private_key is not an RSA key in PEM",
        )
        .await;
        check(
            r#"{"type": "authorized_user", "refresh_token": "hunter2", "token_uri": "http://example.org"}"#,
            "token_uri is not a URL with https://: \"http://example.org\"",
        )
        .await;
    }
}

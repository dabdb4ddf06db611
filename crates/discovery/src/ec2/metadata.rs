//! What an instance, or the host of a container, says to those that run on it. Of instances only version 2 of their metadata service is
//! asked, in which a token has to be fetched first.

use config::HttpClientError;
use http_client::HttpClient;
use http_client::RequestBuilder;
use reqwest::StatusCode;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;

use crate::answer::{AnswerError, of_any_status};
use crate::cloud::client::metadata_client;
use crate::cloud::file::{self, FileError};
use crate::cloud::lease::Leased;
use crate::cloud::surroundings::Surroundings;
use crate::ec2::credentials::{Credentials, Told};

const TOKEN_SECONDS: &str = "21600";
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");

/// Why a metadata server has not told something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetadataError {
    #[error("the HTTP client can't be used")]
    Client(#[from] HttpClientError),
    #[error("AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL: {0}")]
    Url(url::ParseError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("the metadata server answered {0}")]
    Refused(StatusCode),
    #[error("the instance has no role: give it one, or give other credentials")]
    NoRole,
    #[error("the answer of the metadata server has not what is looked for")]
    Unreadable,
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the metadata server's token has characters that a header must not have")]
    Token,
}

#[derive(Deserialize)]
struct Identity {
    region: String,
}

/// The metadata service of the instance.
pub(crate) struct Instance {
    client: HttpClient,
    base: Url,
    token: HeaderValue,
}

impl Instance {
    /// Begins a session with the service.
    pub(crate) async fn open(surroundings: &Surroundings) -> Result<Self, MetadataError> {
        let mode = surroundings.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
        let usual = match mode {
            Some(mode) if mode.eq_ignore_ascii_case("ipv6") => "http://[fd00:ec2::254]",
            _ => "http://169.254.169.254",
        };
        let base = surroundings.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let base = Url::parse(base.as_deref().unwrap_or(usual)).map_err(MetadataError::Url)?;
        let client = metadata_client()?;
        let request = client.put(at(&base, &["latest", "api", "token"]));
        let token = text(request.header("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS)).await?;
        Ok(Instance { token: header(token.trim())?, client, base })
    }

    async fn get(&self, path: &[&str]) -> Result<String, MetadataError> {
        text(self.client.get(at(&self.base, path)).header(TOKEN_HEADER, self.token.clone())).await
    }

    /// The region that the instance is in.
    pub(crate) async fn region(&self) -> Result<String, MetadataError> {
        let identity = self.get(&["latest", "dynamic", "instance-identity", "document"]).await?;
        let identity: Identity = serde_json::from_str(&identity).map_err(|_| MetadataError::Unreadable)?;
        Ok(identity.region)
    }

    /// The credentials of the instance's role.
    pub(crate) async fn credentials(&self) -> Result<Leased<Credentials>, MetadataError> {
        let path = ["latest", "meta-data", "iam", "security-credentials"];
        let roles = self.get(&[path.as_slice(), &[""]].concat()).await.map_err(no_role)?;
        let role = roles.lines().next().unwrap_or_default().trim();
        if role.is_empty() {
            return Err(MetadataError::NoRole);
        }
        let told = self.get(&[path.as_slice(), &[role]].concat()).await?;
        read_credentials(&told)
    }
}

fn no_role(error: MetadataError) -> MetadataError {
    if matches!(error, MetadataError::Refused(StatusCode::NOT_FOUND)) { MetadataError::NoRole } else { error }
}

/// The credentials that the host of a container has for it.
pub(crate) async fn of_container(url: &Url, surroundings: &Surroundings) -> Result<Leased<Credentials>, MetadataError> {
    let mut request = metadata_client()?.get(url.clone());
    let token = match surroundings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(path) => Some(file::read(path.as_ref())?),
        None => surroundings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    };
    if let Some(token) = token {
        request = request.header(reqwest::header::AUTHORIZATION, header(token.trim())?);
    }
    read_credentials(&text(request).await?)
}

fn read_credentials(text: &str) -> Result<Leased<Credentials>, MetadataError> {
    let told: Told = serde_json::from_str(text).map_err(|_| MetadataError::Unreadable)?;
    told.leased().ok_or(MetadataError::Unreadable)
}

fn at(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

fn header(token: &str) -> Result<HeaderValue, MetadataError> {
    let mut token = HeaderValue::from_str(token).map_err(|_| MetadataError::Token)?;
    token.set_sensitive(true);
    Ok(token)
}

async fn text(request: RequestBuilder) -> Result<String, MetadataError> {
    match of_any_status(request).await? {
        (StatusCode::OK, body) => String::from_utf8(body).map_err(|_| MetadataError::Unreadable),
        (status, _) => Err(MetadataError::Refused(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_whole_or_not_there() {
        let check = |text: &str, want: Option<i64>| {
            let leased = read_credentials(text).ok();
            assert_eq!(leased.and_then(|leased| leased.until).map(|until| until.as_ms()), want, "{text}");
        };
        let whole = r#"{"Code": "Success", "AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c", "Expiration": "1970-01-01T01:00:00Z"}"#;
        check(whole, Some(3_600_000));
        check(&whole.replace(r#""Code": "Success", "#, ""), Some(3_600_000));
        check(&whole.replace("Success", "AssumeRoleUnauthorizedAccess"), None);
        check(&whole.replace("SecretAccessKey", "Other"), None);
        check(&whole.replace("1970", "soon"), None);
        check("[]", None);
    }
}

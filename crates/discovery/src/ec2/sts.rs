//! Credentials from AWS's security token service.

use config::Secret;
use serde::Deserialize;

use crate::cloud::lease::Leased;
use crate::cloud::surroundings::Surroundings;
use crate::ec2::credentials::{Credentials, leased};
use crate::ec2::plan::Role;
use crate::ec2::query::{Query, QueryError};

const VERSION: &str = "2011-06-15";
/// The shortest time that STS gives.
const DURATION_SECONDS: &str = "900";

/// Why a role isn't assumed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssumeError {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("the answer of STS has no credentials that can be read")]
    Unreadable,
}

#[derive(Deserialize)]
struct Assumed {
    #[serde(rename = "AssumeRoleResult", alias = "AssumeRoleWithWebIdentityResult")]
    result: AssumedResult,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AssumedResult {
    credentials: AssumedCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AssumedCredentials {
    access_key_id: Secret,
    secret_access_key: Secret,
    session_token: Secret,
    expiration: String,
}

impl Assumed {
    fn leased(self) -> Result<Leased<Credentials>, AssumeError> {
        let told = self.result.credentials;
        leased(told.access_key_id, told.secret_access_key, told.session_token, &told.expiration)
            .ok_or(AssumeError::Unreadable)
    }
}

/// The credentials of a role, for somebody with other credentials.
pub(crate) async fn assume(
    sts: &Query<'_>,
    credentials: &Credentials,
    role: &Role,
) -> Result<Leased<Credentials>, AssumeError> {
    let session = session_name(role, sts.surroundings);
    let mut words = vec![("Action", "AssumeRole"), ("Version", VERSION), ("RoleArn", &role.arn)];
    words.extend([("RoleSessionName", session.as_str()), ("DurationSeconds", DURATION_SECONDS)]);
    words.extend(role.external_id.as_deref().map(|id| ("ExternalId", id)));
    sts.ask::<Assumed>(Some(credentials), &words).await?.leased()
}

/// The credentials of a role, for somebody with a token that the role trusts.
pub(crate) async fn assume_by_token(
    sts: &Query<'_>,
    token: &Secret,
    role: &Role,
) -> Result<Leased<Credentials>, AssumeError> {
    let session = session_name(role, sts.surroundings);
    let words = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", VERSION),
        ("RoleArn", &role.arn),
        ("RoleSessionName", &session),
        ("WebIdentityToken", token.expose()),
    ];
    sts.ask::<Assumed>(None, &words).await?.leased()
}

/// The name under which AWS logs what is done with the credentials.
fn session_name(role: &Role, surroundings: &Surroundings) -> String {
    role.session_name.clone().unwrap_or_else(|| format!("watershed-{}", surroundings.now()))
}

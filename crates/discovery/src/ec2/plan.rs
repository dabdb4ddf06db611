//! Where credentials and the region come from: the order is that of AWS's own programs.

use std::path::PathBuf;

use config::Secret;
use url::Url;

use crate::cloud::client::may_have_secrets;
use crate::cloud::file::FileError;
use crate::cloud::surroundings::Surroundings;
use crate::ec2::config::Ec2SdConfig;
use crate::ec2::credentials::Credentials;
use crate::ec2::profile::{Profile, Profiles};

/// Where a container asks for its credentials by a path alone.
const CONTAINER_SERVER: &str = "http://169.254.170.2";
/// Servers that containers may ask without TLS, beside loopback.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

/// Where the first credentials are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// They are known.
    Keys(Credentials),
    /// STS gives them for a token in a file.
    WebIdentity {
        /// The file.
        token_file: PathBuf,
        /// For which role.
        role: Role,
    },
    /// The server of the container's host gives them.
    Container(Url),
    /// The metadata server of the instance gives them.
    Instance,
}

/// A role to assume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) external_id: Option<String>,
    pub(crate) session_name: Option<String>,
}

/// The way to credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) origin: Origin,
    /// The roles to assume one after the other.
    pub(crate) roles: Vec<Role>,
}

/// Why there is no way to credentials.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("there is no profile {0:?} in AWS's files config and credentials")]
    NoProfile(String),
    #[error(
        "the profile {profile:?} has {key}, which is not served: give a profile with keys, with a role or with a web identity, or let \
         whoever logs in write keys into AWS's file credentials"
    )]
    Unserved { profile: String, key: &'static str },
    #[error("the profile {0:?} is its own source by source_profile")]
    Circle(String),
    #[error(
        "the profile {profile:?} has a credential_source {source_name:?}, expected Environment, Ec2InstanceMetadata or EcsContainer"
    )]
    CredentialSource { profile: String, source_name: String },
    #[error(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI must have https:// or name this host, and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI be a path"
    )]
    Container,
    #[error(
        "there are no credentials: give access_key and secret_key, a profile, the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
         let the instance have a role (its metadata are disabled by AWS_EC2_METADATA_DISABLED)"
    )]
    Nothing,
}

/// The way to credentials, as things are now.
pub(crate) fn plan(config: &Ec2SdConfig, surroundings: &Surroundings) -> Result<Plan, PlanError> {
    let keys = config
        .keys
        .clone()
        .map(|(access_key, secret_key)| Origin::Keys(Credentials { access_key, secret_key, session_token: None }));
    let mut plan = match (keys, &config.profile) {
        (Some(origin), _) => Plan { origin, roles: Vec::new() },
        (None, Some(profile)) => of_profile(profile, true, surroundings)?,
        (None, None) => match of_environment(surroundings) {
            Some(origin) => Plan { origin, roles: Vec::new() },
            None => {
                let named = named_profile(surroundings);
                of_profile(named.as_deref().unwrap_or("default"), named.is_some(), surroundings)?
            }
        },
    };
    let role =
        config.role_arn.clone().map(|arn| Role { arn, external_id: config.external_id.clone(), session_name: None });
    plan.roles.extend(role);
    Ok(plan)
}

/// The region of the configuration, the environment or the profile; nothing where the instance has to be asked.
pub(crate) fn region(config: &Ec2SdConfig, surroundings: &Surroundings) -> Result<Option<String>, PlanError> {
    let given = config.region.clone();
    let given =
        given.or_else(|| surroundings.variable("AWS_REGION").or_else(|| surroundings.variable("AWS_DEFAULT_REGION")));
    if given.is_some() {
        return Ok(given);
    }
    let profile = config.profile.clone().or_else(|| named_profile(surroundings));
    let profiles = Profiles::read(surroundings)?;
    let profile = profiles.get(profile.as_deref().unwrap_or("default"));
    Ok(profile.and_then(|profile| profile.text("region")).map(str::to_owned))
}

fn named_profile(surroundings: &Surroundings) -> Option<String> {
    surroundings.variable("AWS_PROFILE").or_else(|| surroundings.variable("AWS_DEFAULT_PROFILE"))
}

fn of_environment(surroundings: &Surroundings) -> Option<Origin> {
    environment_keys(surroundings).map(Origin::Keys).or_else(|| {
        let token_file = surroundings.variable("AWS_WEB_IDENTITY_TOKEN_FILE")?.into();
        let arn = surroundings.variable("AWS_ROLE_ARN")?;
        let session_name = surroundings.variable("AWS_ROLE_SESSION_NAME");
        Some(Origin::WebIdentity { token_file, role: Role { arn, external_id: None, session_name } })
    })
}

fn environment_keys(surroundings: &Surroundings) -> Option<Credentials> {
    let secret = |name| surroundings.variable(name).map(Secret::new);
    Some(Credentials {
        access_key: secret("AWS_ACCESS_KEY_ID").or_else(|| secret("AWS_ACCESS_KEY"))?,
        secret_key: secret("AWS_SECRET_ACCESS_KEY").or_else(|| secret("AWS_SECRET_KEY"))?,
        session_token: secret("AWS_SESSION_TOKEN"),
    })
}

/// The way that a profile tells, over the profiles that it refers to.
fn of_profile(name: &str, is_asked_for: bool, surroundings: &Surroundings) -> Result<Plan, PlanError> {
    let profiles = Profiles::read(surroundings)?;
    let (mut roles, mut seen) = (Vec::new(), Vec::new());
    let mut name = name;
    loop {
        let Some(profile) = profiles.get(name) else {
            if is_asked_for || !seen.is_empty() {
                return Err(PlanError::NoProfile(name.to_owned()));
            }
            return Ok(Plan { origin: of_machine(surroundings)?, roles });
        };
        if profile.get("web_identity_token_file").is_none()
            && let Some(role) = role_of(profile)
        {
            unserved(name, profile, &["mfa_serial"])?;
            roles.insert(0, role); // what is found last is assumed first
            if let Some(source) = profile.text("source_profile").filter(|source| *source != name) {
                if seen.contains(&source) {
                    return Err(PlanError::Circle(source.to_owned()));
                }
                seen.push(name);
                name = source;
                continue;
            }
        }
        return Ok(Plan { origin: origin_of(name, profile, surroundings)?, roles });
    }
}

fn role_of(profile: &Profile) -> Option<Role> {
    let text = |key: &str| profile.text(key).map(str::to_owned);
    Some(Role { arn: text("role_arn")?, external_id: text("external_id"), session_name: text("role_session_name") })
}

fn origin_of(name: &str, profile: &Profile, surroundings: &Surroundings) -> Result<Origin, PlanError> {
    let keys = (profile.get("aws_access_key_id"), profile.get("aws_secret_access_key"));
    if let (Some(access_key), Some(secret_key)) = keys {
        let session_token = profile.get("aws_session_token").cloned();
        let credentials = Credentials { access_key: access_key.clone(), secret_key: secret_key.clone(), session_token };
        return Ok(Origin::Keys(credentials));
    }
    match profile.text("credential_source") {
        Some("Environment") => return environment_keys(surroundings).map(Origin::Keys).ok_or(PlanError::Nothing),
        Some("Ec2InstanceMetadata") => return Ok(Origin::Instance),
        Some("EcsContainer") => return container(surroundings)?.ok_or(PlanError::Container),
        Some(other) => {
            return Err(PlanError::CredentialSource { profile: name.to_owned(), source_name: other.to_owned() });
        }
        None => {}
    }
    if let (Some(token_file), Some(role)) = (profile.text("web_identity_token_file"), role_of(profile)) {
        return Ok(Origin::WebIdentity { token_file: token_file.into(), role });
    }
    unserved(name, profile, &["sso_session", "sso_start_url", "credential_process", "login_session"])?;
    of_machine(surroundings)
}

/// Refuses what would need a person or another program.
fn unserved(name: &str, profile: &Profile, keys: &[&'static str]) -> Result<(), PlanError> {
    match keys.iter().find(|key| profile.get(key).is_some()) {
        Some(key) => Err(PlanError::Unserved { profile: name.to_owned(), key }),
        None => Ok(()),
    }
}

/// The credentials that the machine itself has.
fn of_machine(surroundings: &Surroundings) -> Result<Origin, PlanError> {
    let disabled = surroundings.variable("AWS_EC2_METADATA_DISABLED");
    match container(surroundings)? {
        Some(container) => Ok(container),
        None if disabled.is_some_and(|text| text.eq_ignore_ascii_case("true")) => Err(PlanError::Nothing),
        None => Ok(Origin::Instance),
    }
}

fn container(surroundings: &Surroundings) -> Result<Option<Origin>, PlanError> {
    let text = match surroundings.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        Some(path) if path.starts_with('/') => format!("{CONTAINER_SERVER}{path}"),
        Some(_) => return Err(PlanError::Container),
        None => match surroundings.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            Some(text) => text,
            None => return Ok(None),
        },
    };
    let url = Url::parse(&text).map_err(|_| PlanError::Container)?;
    let is_host_of_container =
        url.scheme() == "http" && url.host_str().is_some_and(|host| CONTAINER_HOSTS.contains(&host));
    let may_be_asked = is_host_of_container || may_have_secrets(&url);
    if may_be_asked { Ok(Some(Origin::Container(url))) } else { Err(PlanError::Container) }
}

#[cfg(test)]
mod tests;

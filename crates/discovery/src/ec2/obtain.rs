//! Going the way to credentials.

use config::Secret;
use http_client::HttpClient;

use crate::cloud::file::{self, FileError};
use crate::cloud::lease::Leased;
use crate::cloud::surroundings::Surroundings;
use crate::ec2::credentials::Credentials;
use crate::ec2::endpoint::{EndpointError, endpoint};
use crate::ec2::metadata::{self, Instance, MetadataError};
use crate::ec2::plan::{Origin, Plan, PlanError};
use crate::ec2::query::Query;
use crate::ec2::sts::{self, AssumeError};

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("cannot get the credentials of this container")]
    Container(#[source] MetadataError),
    #[error(
        "cannot get credentials from the instance's metadata: is this an instance of EC2? Give other credentials where it is not"
    )]
    Instance(#[source] MetadataError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("cannot assume the role {arn}")]
    Role {
        arn: String,
        #[source]
        source: AssumeError,
    },
}

/// How to talk to STS.
pub(crate) struct Obtaining<'a> {
    pub(crate) client: &'a HttpClient,
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) region: &'a str,
}

impl Obtaining<'_> {
    /// The credentials at the end of the way.
    pub(crate) async fn credentials(&self, plan: &Plan) -> Result<Leased<Credentials>, CredentialsError> {
        let mut leased = match &plan.origin {
            Origin::Keys(keys) => Leased::for_good(keys.clone()),
            Origin::Container(url) => {
                metadata::of_container(url, self.surroundings).await.map_err(CredentialsError::Container)?
            }
            Origin::Instance => {
                let asking = async { Instance::open(self.surroundings).await?.credentials().await };
                asking.await.map_err(CredentialsError::Instance)?
            }
            Origin::WebIdentity { token_file, role } => {
                let token = Secret::new(file::read(token_file)?.trim());
                let assumed = sts::assume_by_token(&self.sts()?, &token, role).await;
                assumed.map_err(|source| CredentialsError::Role { arn: role.arn.clone(), source })?
            }
        };
        for role in &plan.roles {
            let assumed = sts::assume(&self.sts()?, &leased.value, role).await;
            leased = assumed.map_err(|source| CredentialsError::Role { arn: role.arn.clone(), source })?;
        }
        Ok(leased)
    }

    fn sts(&self) -> Result<Query<'_>, EndpointError> {
        Ok(Query {
            client: self.client,
            surroundings: self.surroundings,
            url: endpoint("sts", self.region, self.surroundings)?,
            service: "sts",
            region: self.region,
        })
    }
}

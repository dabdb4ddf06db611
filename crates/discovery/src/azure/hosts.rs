//! Where the servers of Azure's clouds are.

use url::Url;

use crate::azure::config::AzureCloud;
use crate::cloud::client::may_have_secrets;
use crate::cloud::surroundings::Surroundings;

/// Why it isn't known where to ask.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error("AZURE_AUTHORITY_HOST is not a URL with https://: {0:?}")]
    Authority(String),
    #[error("the API's URL can't be made")]
    Url(#[from] url::ParseError),
}

/// Where tokens are given out, and the resource manager, for which they are.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    pub(crate) authority: Url,
    pub(crate) resource_manager: Url,
    /// For what a token is asked.
    pub(crate) audience: &'static str,
}

impl Hosts {
    /// Those of a cloud, or what the environment says.
    pub(crate) fn of(cloud: AzureCloud, surroundings: &Surroundings) -> Result<Self, HostError> {
        let (authority, audience) = match cloud {
            AzureCloud::Public => ("https://login.microsoftonline.com/", "https://management.azure.com"),
            AzureCloud::China => ("https://login.chinacloudapi.cn/", "https://management.chinacloudapi.cn"),
            AzureCloud::UsGovernment => ("https://login.microsoftonline.us/", "https://management.usgovcloudapi.net"),
        };
        let authority = match surroundings.variable("AZURE_AUTHORITY_HOST") {
            Some(text) => {
                let url = Url::parse(&text).ok().filter(may_have_secrets);
                url.ok_or(HostError::Authority(text))?
            }
            None => Url::parse(authority)?,
        };
        let given = surroundings.resource_manager.clone();
        Ok(Hosts { authority, resource_manager: given.map_or_else(|| Url::parse(audience), Ok)?, audience })
    }
}

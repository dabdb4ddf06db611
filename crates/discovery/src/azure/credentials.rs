//! Tokens for Azure's resource manager.

use config::{HttpClientError, Secret};
use http_client::HttpClient;
use url::Url;

use crate::azure::config::{AzureAuthentication, AzureSdConfig};
use crate::azure::hosts::Hosts;
use crate::cloud::client::metadata_client;
use crate::cloud::file::{self, FileError};
use crate::cloud::lease::Leased;
use crate::cloud::oauth::{TokenError, token};
use crate::cloud::surroundings::Surroundings;

/// Where the metadata server of a virtual machine is.
const METADATA: &str = "http://169.254.169.254";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("the authority gives no token")]
    Authority(#[source] TokenError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the tenant {0:?} can't be a part of a URL")]
    Tenant(String),
    #[error("the HTTP client can't be used")]
    Client(#[from] HttpClientError),
    #[error(
        "WorkloadIdentity needs the variable {0}, which Azure's webhook sets in pods with the label azure.workload.identity/use: \"true\""
    )]
    NoWorkload(&'static str),
    #[error("{0} is not a URL")]
    Endpoint(&'static str),
    #[error(
        "the managed identity of {0} is not served, only those of virtual machines and of App Service: use authentication_method OAuth"
    )]
    Platform(&'static str),
    #[error("cannot get a token of the machine's managed identity")]
    Machine(#[source] TokenError),
    #[error(
        "{0} is set, and the SDK's login with it is not served: set AZURE_CLIENT_SECRET, or use another authentication_method"
    )]
    Login(&'static str),
    #[error(
        "the environment has no credentials, and the machine has no managed identity; the login of the az program is not used: set \
         AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or use authentication_method OAuth"
    )]
    Nothing(#[source] Box<CredentialsError>),
}

/// Asks for tokens, in the way that the configuration says.
pub(crate) struct Asking<'a> {
    pub(crate) config: &'a AzureSdConfig,
    pub(crate) client: &'a HttpClient,
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) hosts: &'a Hosts,
}

impl Asking<'_> {
    /// A token.
    pub(crate) async fn token(&self) -> Result<Leased<Secret>, CredentialsError> {
        let AzureSdConfig { tenant_id, client_id, client_secret, .. } = self.config;
        match self.config.authentication {
            AzureAuthentication::OAuth => {
                self.by_application(tenant_id, client_id, [("client_secret", client_secret.expose())]).await
            }
            AzureAuthentication::ManagedIdentity => self.of_machine(client_id).await,
            AzureAuthentication::WorkloadIdentity => self.by_workload("").await,
            AzureAuthentication::Sdk => self.by_environment().await,
        }
    }

    /// The first way that the environment has something for, in the order of Azure's SDK.
    async fn by_environment(&self) -> Result<Leased<Secret>, CredentialsError> {
        let variable = |name| self.surroundings.variable(name);
        let (tenant, client) = (variable("AZURE_TENANT_ID"), variable("AZURE_CLIENT_ID"));
        if let (Some(tenant), Some(client)) = (tenant, &client) {
            if let Some(secret) = variable("AZURE_CLIENT_SECRET") {
                return self.by_application(&tenant, client, [("client_secret", secret.as_str())]).await;
            }
            let others = ["AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_USERNAME"];
            if let Some(other) = others.into_iter().find(|name| variable(name).is_some()) {
                return Err(CredentialsError::Login(other));
            }
        }
        if variable("AZURE_FEDERATED_TOKEN_FILE").is_some() {
            return self.by_workload(&self.config.tenant_id).await;
        }
        let machine = self.of_machine(client.as_deref().unwrap_or_default()).await;
        machine.map_err(|error| CredentialsError::Nothing(Box::new(error)))
    }

    /// With a token in a file, for the tenant that is given or the one that the environment says.
    async fn by_workload(&self, tenant: &str) -> Result<Leased<Secret>, CredentialsError> {
        let variable = |name| self.surroundings.variable(name).ok_or(CredentialsError::NoWorkload(name));
        let tenant = if tenant.is_empty() { variable("AZURE_TENANT_ID")? } else { tenant.to_owned() };
        let client = variable("AZURE_CLIENT_ID")?;
        let assertion = file::read(variable("AZURE_FEDERATED_TOKEN_FILE")?.as_ref())?;
        let proof = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.trim())];
        self.by_application(&tenant, &client, proof).await
    }

    /// As an application that proves who it is.
    async fn by_application<const N: usize>(
        &self,
        tenant: &str,
        client: &str,
        proof: [(&str, &str); N],
    ) -> Result<Leased<Secret>, CredentialsError> {
        let mut url = self.hosts.authority.clone();
        match url.path_segments_mut() {
            Ok(mut path) => path.pop_if_empty().extend([tenant, "oauth2", "v2.0", "token"]),
            Err(()) => return Err(CredentialsError::Tenant(tenant.to_owned())),
        };
        let scope = format!("{}/.default", self.hosts.audience);
        let mut form = vec![("grant_type", "client_credentials"), ("client_id", client), ("scope", &scope)];
        form.extend(proof);
        let asked = token(self.surroundings.now(), || self.client.post(url.clone()).form(&form)).await;
        asked.map_err(CredentialsError::Authority)
    }

    /// From the server next to the machine, for the identity of this client or the only one.
    async fn of_machine(&self, client: &str) -> Result<Leased<Secret>, CredentialsError> {
        let variable = |name| self.surroundings.variable(name);
        let (endpoint, header) = (variable("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER"));
        let (mut url, header) = match (endpoint, header) {
            (Some(_), Some(_)) if variable("IDENTITY_SERVER_THUMBPRINT").is_some() => {
                return Err(CredentialsError::Platform("Service Fabric"));
            }
            (Some(endpoint), Some(secret)) => {
                let url = Url::parse(&endpoint).map_err(|_| CredentialsError::Endpoint("IDENTITY_ENDPOINT"))?;
                (with_version(url, "2019-08-01"), ("x-identity-header", secret))
            }
            (Some(_), None) => return Err(CredentialsError::Platform("Azure Arc")),
            (None, _) if variable("MSI_ENDPOINT").is_some() => {
                return Err(CredentialsError::Platform("Cloud Shell or Azure Machine Learning"));
            }
            (None, _) => {
                const HOST: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
                let base = variable(HOST).unwrap_or_else(|| METADATA.to_owned());
                let url = Url::parse(&base).and_then(|url| url.join("/metadata/identity/oauth2/token"));
                let url = url.map_err(|_| CredentialsError::Endpoint(HOST))?;
                (with_version(url, "2018-02-01"), ("metadata", "true".to_owned()))
            }
        };
        url.query_pairs_mut().append_pair("resource", self.hosts.audience);
        if !client.is_empty() {
            url.query_pairs_mut().append_pair("client_id", client);
        }
        let near = metadata_client()?;
        let asked = token(self.surroundings.now(), || near.get(url.clone()).header(header.0, &header.1)).await;
        asked.map_err(CredentialsError::Machine)
    }
}

fn with_version(mut url: Url, version: &str) -> Url {
    url.query_pairs_mut().append_pair("api-version", version);
    url
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use config::{Report, Spanned};
    use model::SystemClock;

    use super::*;
    use crate::azure::config::RawAzureSdConfig;

    #[tokio::test]
    async fn what_is_not_served_says_what_to_do() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = metadata_client().expect("a client");
        let check = async |method: &str, variables: &[(&str, &str)], want: &str| {
            let text = format!("{{subscription_id: s, authentication_method: {method}}}");
            let raw: Spanned<RawAzureSdConfig> = config::load(&text, "a.yml").expect("a section");
            let config = AzureSdConfig::validate(raw.value, raw.position, &mut Report::new("a.yml")).expect("valid");
            let surroundings = Surroundings::new(variables.iter().copied(), Arc::new(SystemClock));
            let hosts = Hosts::of(config.cloud, &surroundings).expect("hosts");
            let asking = Asking { config: &config, client: &client, surroundings: &surroundings, hosts: &hosts };
            let error = asking.token().await.map(|_| ()).expect_err("no token");
            assert!(config::chain(&error).contains(want), "{error}");
        };
        check("WorkloadIdentity", &[], "needs the variable AZURE_TENANT_ID").await;
        let workload = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];
        check("WorkloadIdentity", &workload, "needs the variable AZURE_FEDERATED_TOKEN_FILE").await;
        let arc = [("IDENTITY_ENDPOINT", "http://127.0.0.1")];
        check("ManagedIdentity", &arc, "of Azure Arc is not served").await;
        check("ManagedIdentity", &[("MSI_ENDPOINT", "x")], "of Cloud Shell or Azure Machine Learning is not served")
            .await;
        let fabric = [arc[0], ("IDENTITY_HEADER", "h"), ("IDENTITY_SERVER_THUMBPRINT", "p")];
        check("ManagedIdentity", &fabric, "of Service Fabric is not served").await;
        check("SDK", &arc, "the login of the az program is not used: set AZURE_TENANT_ID, AZURE_CLIENT_ID").await;
        let password = [workload[0], workload[1], ("AZURE_USERNAME", "u")];
        check("SDK", &password, "AZURE_USERNAME is set, and the SDK's login with it is not served").await;
    }
}

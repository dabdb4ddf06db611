//! Listing the machines again and again.

use std::sync::Arc;
use std::time::Duration;

use config::{HttpClientError, Secret};
use futures::{StreamExt, TryStreamExt, stream};

use crate::azure::api::Api;
use crate::azure::config::AzureSdConfig;
use crate::azure::credentials::{Asking, CredentialsError};
use crate::azure::hosts::{HostError, Hosts};
use crate::azure::interface::{Addresses, Remembered, Role};
use crate::azure::machine::Machine;
use crate::azure::resource::{ResourceId, ResourceIdError};
use crate::cloud::client::api_client;
use crate::cloud::lease::Lease;
use crate::cloud::rest::{Rest, RestError};
use crate::environment::Environment;
use crate::group::{Round, TargetGroup};
use crate::refresh::Asked;

/// So many network interfaces are asked for at once.
const REQUESTS_AT_ONCE: usize = 16;

/// Why the machines are not known.
#[derive(Debug, thiserror::Error)]
enum AzureError {
    #[error("the HTTP client can't be used")]
    Client(#[from] HttpClientError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("there are no credentials for Azure")]
    Credentials(#[from] CredentialsError),
    #[error("could not get virtual machines")]
    Machines(#[source] RestError),
    #[error("could not get virtual machine scale sets")]
    ScaleSets(#[source] RestError),
    #[error("could not get virtual machine scale set vms")]
    ScaleSetMachines(#[source] RestError),
    #[error("failed to retrieve Interface {id}")]
    Interface {
        id: String,
        #[source]
        source: RestError,
    },
    #[error(transparent)]
    ResourceId(#[from] ResourceIdError),
    #[error("unable to find a private IP for VM {0}")]
    NoPrivateAddress(String),
}

impl AzureError {
    fn is_about_token(&self) -> bool {
        match self {
            AzureError::Machines(error)
            | AzureError::ScaleSets(error)
            | AzureError::ScaleSetMachines(error)
            | AzureError::Interface { source: error, .. } => error.is_about_token(),
            _ => false,
        }
    }
}

/// A machine, and the scale set that it is in.
struct Found {
    machine: Machine,
    scale_set: Option<String>,
}

/// Lists the machines.
pub(crate) struct AzureSource {
    config: AzureSdConfig,
    environment: Arc<Environment>,
    owner: String,
    token: Lease<Secret>,
    interfaces: Remembered,
}

impl Asked for AzureSource {
    fn interval(&self) -> Duration {
        self.config.interval()
    }

    async fn ask(&self) -> Round {
        let groups = self.fetch().await.inspect_err(|error| {
            self.environment.metrics.azure_failures.inc();
            self.environment.metrics.refresh_failed(&self.owner, "azure", error);
        });
        self.interfaces.tidy(self.environment.surroundings.now());
        vec![(String::new(), groups.ok())]
    }
}

impl AzureSource {
    pub(crate) fn new(config: AzureSdConfig, environment: Arc<Environment>, owner: String) -> Self {
        AzureSource { config, environment, owner, token: Lease::default(), interfaces: Remembered::default() }
    }

    async fn fetch(&self) -> Result<Vec<TargetGroup>, AzureError> {
        let surroundings = &self.environment.surroundings;
        let hosts = Hosts::of(self.config.cloud, surroundings)?;
        // Made anew each time, so that keys and certificates may be replaced.
        let client = api_client(&self.config.http, self.config.interval())?;
        let asking = Asking { config: &self.config, client: &client, surroundings, hosts: &hosts };
        let token = self.token.get(surroundings.now(), asking.token()).await?;
        let rest = Rest { client: client.clone(), token };
        let api = Api { rest, base: hosts.resource_manager, subscription: &self.config.subscription_id };
        let targets = self.targets(&api).await;
        if targets.as_ref().is_err_and(AzureError::is_about_token) {
            self.token.forget().await;
        }
        targets
    }

    async fn targets(&self, api: &Api<'_>) -> Result<Vec<TargetGroup>, AzureError> {
        let found = self.machines(api).await?;
        let targets = stream::iter(found).map(|found| self.target(api, found)).buffered(REQUESTS_AT_ONCE);
        let targets: Vec<Option<TargetGroup>> = targets.try_collect().await?;
        Ok(targets.into_iter().flatten().collect())
    }

    async fn machines(&self, api: &Api<'_>) -> Result<Vec<Found>, AzureError> {
        let group = self.config.resource_group.as_str();
        let alone = api.machines(group).await.map_err(AzureError::Machines)?;
        let mut found: Vec<Found> = alone.into_iter().map(|machine| Found { machine, scale_set: None }).collect();
        for scale_set in api.scale_sets(group).await.map_err(AzureError::ScaleSets)? {
            let group = ResourceId::parse(&scale_set.id)?.group;
            let machines = api.scale_set_machines(group, &scale_set.name).await;
            let machines = machines.map_err(AzureError::ScaleSetMachines)?.into_iter();
            found.extend(machines.map(|machine| Found { machine, scale_set: Some(scale_set.name.clone()) }));
        }
        Ok(found)
    }

    /// The target of a machine; nothing for one that isn't allocated, or has vanished meanwhile.
    async fn target(&self, api: &Api<'_>, found: Found) -> Result<Option<TargetGroup>, AzureError> {
        let addresses = self.addresses(api, &found).await?;
        let Found { machine, scale_set } = &found;
        let id = ResourceId::parse(&machine.id)?;
        Ok(addresses.map(|addresses| machine.target(id.group, scale_set.as_deref(), &addresses, &self.config)))
    }

    async fn addresses(&self, api: &Api<'_>, found: &Found) -> Result<Option<Addresses>, AzureError> {
        for id in found.machine.interfaces() {
            match self.interface(api, found, id).await? {
                Some(Role::Secondary) => {}
                Some(Role::Primary(Some(addresses))) => return Ok(Some(addresses)),
                Some(Role::Primary(None)) => return Err(AzureError::NoPrivateAddress(found.machine.name.clone())),
                Some(Role::Deallocated) | None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// What an interface says of its machine; nothing where there is no such interface.
    async fn interface(&self, api: &Api<'_>, found: &Found, id: &str) -> Result<Option<Role>, AzureError> {
        let now = self.environment.surroundings.now();
        if let Some(role) = self.interfaces.get(id, now) {
            self.environment.metrics.azure_cache_hits.inc();
            return Ok(Some(role));
        }
        let resource = ResourceId::parse(id)?;
        let interface = match &found.scale_set {
            None => api.interface(&resource).await,
            Some(scale_set) => api.scale_set_interface(&resource, scale_set, &found.machine.instance_id).await,
        };
        match interface {
            Ok(interface) => {
                let role = interface.role();
                self.interfaces.put(id, &role, now, self.config.refresh_interval_ms);
                Ok(Some(role))
            }
            Err(error) if error.is_not_found() => {
                tracing::warn!(config = %self.owner, id, "network interface does not exist");
                Ok(None)
            }
            Err(source) => Err(AzureError::Interface { id: id.to_owned(), source }),
        }
    }
}

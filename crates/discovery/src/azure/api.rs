//! The requests to the resource manager.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::azure::interface::Interface;
use crate::azure::machine::Machine;
use crate::azure::resource::ResourceId;
use crate::cloud::rest::{PAGES_MAX, Rest, RestError};
use crate::meta_labels::or_default;

const COMPUTE_VERSION: &str = "2024-03-01";
const NETWORK_VERSION: &str = "2023-05-01";
/// Interfaces of machines in scale sets are served in this version alone.
const SCALE_SET_NETWORK_VERSION: &str = "2018-10-01";
/// Public addresses are told together with the interface.
const EXPAND: (&str, &str) = ("$expand", "IPConfigurations/PublicIPAddress");

/// A page of a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    #[serde(default = "Vec::new")]
    value: Vec<T>,
    /// Where the next page is; empty at the last one.
    #[serde(default, deserialize_with = "or_default")]
    next_link: String,
}

/// A scale set.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ScaleSet {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The resource manager, for one subscription.
pub(crate) struct Api<'a> {
    pub(crate) rest: Rest,
    pub(crate) base: Url,
    pub(crate) subscription: &'a str,
}

impl Api<'_> {
    /// The machines of a resource group, or of all of them, that are in no scale set.
    pub(crate) async fn machines(&self, group: &str) -> Result<Vec<Machine>, RestError> {
        self.list(self.compute(group, &["virtualMachines"])).await
    }

    /// The scale sets of a resource group, or of all of them.
    pub(crate) async fn scale_sets(&self, group: &str) -> Result<Vec<ScaleSet>, RestError> {
        self.list(self.compute(group, &["virtualMachineScaleSets"])).await
    }

    /// The machines of a scale set.
    pub(crate) async fn scale_set_machines(&self, group: &str, name: &str) -> Result<Vec<Machine>, RestError> {
        self.list(self.compute(group, &["virtualMachineScaleSets", name, "virtualMachines"])).await
    }

    /// A network interface of a machine that is in no scale set.
    pub(crate) async fn interface(&self, id: &ResourceId<'_>) -> Result<Interface, RestError> {
        let path = ["providers", "Microsoft.Network", "networkInterfaces", id.name];
        self.rest.get(&self.url(id.group, &path, &[("api-version", NETWORK_VERSION), EXPAND])).await
    }

    /// A network interface of a machine of a scale set.
    pub(crate) async fn scale_set_interface(
        &self,
        id: &ResourceId<'_>,
        scale_set: &str,
        instance: &str,
    ) -> Result<Interface, RestError> {
        let of_machine = ["virtualMachineScaleSets", scale_set, "virtualMachines", instance];
        let path = [["providers", "Microsoft.Compute"].as_slice(), &of_machine, &["networkInterfaces", id.name]];
        self.rest.get(&self.url(id.group, &path.concat(), &[("api-version", SCALE_SET_NETWORK_VERSION), EXPAND])).await
    }

    fn compute(&self, group: &str, path: &[&str]) -> Url {
        let path = [&["providers", "Microsoft.Compute"], path].concat();
        self.url(group, &path, &[("api-version", COMPUTE_VERSION)])
    }

    fn url(&self, group: &str, path: &[&str], words: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["subscriptions", self.subscription]);
            if !group.is_empty() {
                segments.extend(["resourceGroups", group]);
            }
            segments.extend(path);
        }
        url.query_pairs_mut().extend_pairs(words);
        url
    }

    /// All pages of a list. The token goes nowhere else than to the resource manager, whatever a page says.
    async fn list<T: DeserializeOwned>(&self, first: Url) -> Result<Vec<T>, RestError> {
        let (mut all, mut url) = (Vec::new(), first);
        for _ in 0..PAGES_MAX {
            let page: Page<T> = self.rest.get(&url).await?;
            all.extend(page.value);
            if page.next_link.is_empty() {
                return Ok(all);
            }
            let next = Url::parse(&page.next_link).ok().filter(|next| next.origin() == self.base.origin());
            url = next.ok_or(RestError::Elsewhere(page.next_link))?;
        }
        Err(RestError::TooManyPages)
    }
}

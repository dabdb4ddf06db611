//! Listing the instances again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::HttpClientError;
use tokio::sync::OnceCell;

use crate::cloud::client::api_client;
use crate::cloud::lease::Lease;
use crate::cloud::rest::PAGES_MAX;
use crate::ec2::config::{Ec2SdConfig, region_name};
use crate::ec2::credentials::Credentials;
use crate::ec2::endpoint::{EndpointError, endpoint};
use crate::ec2::instance::{Instances, Zones};
use crate::ec2::labels::{Region, target};
use crate::ec2::metadata::{Instance, MetadataError};
use crate::ec2::obtain::{CredentialsError, Obtaining};
use crate::ec2::plan::{PlanError, plan, region};
use crate::ec2::query::{Query, QueryError};
use crate::environment::Environment;
use crate::group::{Round, TargetGroup};
use crate::refresh::Asked;

const VERSION: &str = "2016-11-15";

/// Why the instances are not known.
#[derive(Debug, thiserror::Error)]
enum Ec2Error {
    #[error("the HTTP client can't be used")]
    Client(#[from] HttpClientError),
    #[error("could not determine AWS region")]
    Region(#[source] RegionError),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("there are no credentials for AWS")]
    Credentials(#[from] CredentialsError),
    #[error("could not describe instances")]
    Instances(#[source] QueryError),
    #[error("could not describe instances: the list has more than {PAGES_MAX} pages")]
    TooManyPages,
}

#[derive(Debug, thiserror::Error)]
enum RegionError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("give region, or AWS_REGION: the instance's metadata don't tell it")]
    Metadata(#[from] MetadataError),
    #[error("{0}")]
    Name(String),
}

/// Lists the instances.
pub(crate) struct Ec2Source {
    config: Ec2SdConfig,
    environment: Arc<Environment>,
    owner: String,
    region: OnceCell<String>,
    credentials: Lease<Credentials>,
    /// The IDs of the region's zones by their names, once they are known.
    zones: OnceCell<BTreeMap<String, String>>,
}

impl Asked for Ec2Source {
    fn interval(&self) -> Duration {
        self.config.interval()
    }

    async fn ask(&self) -> Round {
        let groups = self.fetch().await.inspect_err(|error| {
            self.environment.metrics.refresh_failed(&self.owner, "ec2", error);
        });
        vec![(String::new(), groups.ok())]
    }
}

impl Ec2Source {
    pub(crate) fn new(config: Ec2SdConfig, environment: Arc<Environment>, owner: String) -> Self {
        let (region, zones) = (OnceCell::new(), OnceCell::new());
        Ec2Source { config, environment, owner, region, credentials: Lease::default(), zones }
    }

    async fn fetch(&self) -> Result<Vec<TargetGroup>, Ec2Error> {
        let surroundings = &self.environment.surroundings;
        // Made anew each time, so that keys and certificates may be replaced.
        let client = api_client(&self.config.http, self.config.interval())?;
        let region = self.region.get_or_try_init(|| self.find_region()).await.map_err(Ec2Error::Region)?;
        let obtaining = Obtaining { client: &client, surroundings, region };
        let obtained = async { obtaining.credentials(&plan(&self.config, surroundings)?).await };
        let credentials = self.credentials.get(surroundings.now(), obtained).await?;
        let url = match &self.config.endpoint {
            Some(url) => url.clone(),
            None => endpoint("ec2", region, surroundings)?,
        };
        let query = Query { client: &client, surroundings, url, service: "ec2", region };
        let zones = self.zones.get_or_try_init(|| zones(&query, &credentials)).await;
        let unknown = BTreeMap::new();
        let zones = zones.unwrap_or_else(|error| {
            let error = config::chain(&error);
            tracing::debug!(config = %self.owner, error, "the IDs of zones are not known");
            &unknown
        });
        let region = Region { name: region, port: self.config.port, zones };
        let found = self.instances(&query, &credentials, &region).await;
        if matches!(&found, Err(Ec2Error::Instances(error)) if error.is_about_credentials()) {
            self.credentials.forget().await;
        }
        found
    }

    async fn find_region(&self) -> Result<String, RegionError> {
        let surroundings = &self.environment.surroundings;
        let region = match region(&self.config, surroundings)? {
            Some(region) => region,
            None => Instance::open(surroundings).await?.region().await?,
        };
        region_name(&region).map_err(RegionError::Name)
    }

    async fn instances(
        &self,
        query: &Query<'_>,
        credentials: &Credentials,
        region: &Region<'_>,
    ) -> Result<Vec<TargetGroup>, Ec2Error> {
        let filters = filter_words(&self.config);
        let page_instances = self.environment.surroundings.ec2_page_instances.to_string();
        let (mut targets, mut next) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let mut words =
                vec![("Action", "DescribeInstances"), ("Version", VERSION), ("MaxResults", &page_instances)];
            words.extend(filters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            if !next.is_empty() {
                words.push(("NextToken", &next));
            }
            let page: Instances = query.ask(Some(credentials), &words).await.map_err(Ec2Error::Instances)?;
            for reservation in &page.reservation_set.item {
                let instances = reservation.instances_set.item.iter();
                targets.extend(instances.filter_map(|instance| target(instance, &reservation.owner_id, region)));
            }
            next = page.next_token;
            if next.is_empty() {
                return Ok(targets);
            }
        }
        Err(Ec2Error::TooManyPages)
    }
}

/// The filters as words of a query.
fn filter_words(config: &Ec2SdConfig) -> Vec<(String, String)> {
    let mut words = Vec::new();
    for (filter, n) in config.filters.iter().zip(1..) {
        words.push((format!("Filter.{n}.Name"), filter.name.clone()));
        let values = filter.values.iter().zip(1..);
        words.extend(values.map(|(value, m)| (format!("Filter.{n}.Value.{m}"), value.clone())));
    }
    words
}

async fn zones(query: &Query<'_>, credentials: &Credentials) -> Result<BTreeMap<String, String>, QueryError> {
    let words = [("Action", "DescribeAvailabilityZones"), ("Version", VERSION)];
    let zones: Zones = query.ask(Some(credentials), &words).await?;
    Ok(zones.availability_zone_info.item.into_iter().map(|zone| (zone.zone_name, zone.zone_id)).collect())
}

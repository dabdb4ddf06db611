//! Listing the instances again and again.

use std::sync::Arc;
use std::time::Duration;

use config::{HttpClientError, Secret};
use url::Url;

use crate::cloud::client::api_client;
use crate::cloud::lease::Lease;
use crate::cloud::rest::{PAGES_MAX, Rest, RestError};
use crate::environment::Environment;
use crate::gce::config::GceSdConfig;
use crate::gce::credentials::{CredentialsError, access_token};
use crate::gce::instance::{Instances, target};
use crate::group::{Round, TargetGroup};
use crate::refresh::Asked;

const API: &str = "https://compute.googleapis.com/";

/// Why the instances are not known.
#[derive(Debug, thiserror::Error)]
enum GceError {
    #[error("the HTTP client can't be used")]
    Client(#[from] HttpClientError),
    #[error("the API's URL can't be made")]
    Url(#[from] url::ParseError),
    #[error("there are no credentials for Google Cloud")]
    Credentials(#[from] CredentialsError),
    #[error("error retrieving refresh targets from gce")]
    Instances(#[from] RestError),
}

/// Lists the instances.
pub(crate) struct GceSource {
    config: GceSdConfig,
    environment: Arc<Environment>,
    owner: String,
    token: Lease<Secret>,
}

impl Asked for GceSource {
    fn interval(&self) -> Duration {
        self.config.interval()
    }

    async fn ask(&self) -> Round {
        let groups = self.fetch().await.inspect_err(|error| {
            self.environment.metrics.refresh_failed(&self.owner, "gce", error);
        });
        vec![(String::new(), groups.ok())]
    }
}

impl GceSource {
    pub(crate) fn new(config: GceSdConfig, environment: Arc<Environment>, owner: String) -> Self {
        GceSource { config, environment, owner, token: Lease::default() }
    }

    async fn fetch(&self) -> Result<Vec<TargetGroup>, GceError> {
        let surroundings = &self.environment.surroundings;
        // Made anew each time, so that keys and certificates may be replaced.
        let client = api_client(&self.config.http, self.config.interval())?;
        let token = self.token.get(surroundings.now(), access_token(&client, surroundings)).await?;
        let rest = Rest { client, token };
        let found = self.instances(&rest, &self.url()?).await;
        if found.as_ref().is_err_and(RestError::is_about_token) {
            self.token.forget().await;
        }
        Ok(found?)
    }

    async fn instances(&self, rest: &Rest, url: &Url) -> Result<Vec<TargetGroup>, RestError> {
        let (mut targets, mut next) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let mut page_url = url.clone();
            if !next.is_empty() {
                page_url.query_pairs_mut().append_pair("pageToken", &next);
            }
            let page: Instances = rest.get(&page_url).await?;
            targets.extend(page.items.iter().filter_map(|instance| target(instance, &self.config)));
            next = page.next_page_token;
            if next.is_empty() {
                return Ok(targets);
            }
        }
        Err(RestError::TooManyPages)
    }

    fn url(&self) -> Result<Url, url::ParseError> {
        let given = self.environment.surroundings.compute_engine.clone();
        let mut url = given.map_or_else(|| Url::parse(API), Ok)?;
        let GceSdConfig { project, zone, filter, .. } = &self.config;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["compute", "v1", "projects", project, "zones", zone, "instances"]);
        }
        if !filter.is_empty() {
            url.query_pairs_mut().append_pair("filter", filter);
        }
        Ok(url)
    }
}

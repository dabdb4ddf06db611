//! Keeping a store what the API server has: list, then watch, and again from where it broke off.
//!
//! A watch that ends goes on from the version that was seen last. One whose version the server doesn't have any more (410), or that fails
//! several times in a row, begins with a list again; until that is there the store stays as it was.

use std::sync::Arc;
use std::time::Duration;

use config::chain;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::kubernetes::access::{ApiServer, InCluster};
use crate::kubernetes::client::{ApiError, Client, Query};
use crate::kubernetes::object::record::{Event, Record, event, page};
use crate::kubernetes::store::{Changes, Store};
use crate::metrics::KubernetesMetrics;
use crate::patience::{after_failures, of_watch};

/// Objects on a page of a list.
const PAGE_OBJECTS: u32 = 500;
/// A list with more pages than this is broken off.
const PAGES_MAX: usize = 10_000;
/// After so many failed watches in a row everything is listed anew: the server may have lost the version that is asked for.
const WATCHES_MAX: u32 = 3;
/// A server that ends watches sooner than this isn't asked again at once.
const SHORT: Duration = Duration::from_secs(1);
/// A watch that has lasted so long was a good one, however it ends.
const STEADY: Duration = Duration::from_secs(10);

/// The key of an object and what is kept of it.
type Object = (String, Record);

/// Follows the objects of one query.
pub(crate) struct Watch {
    pub(crate) server: ApiServer,
    pub(crate) in_cluster: Arc<InCluster>,
    pub(crate) query: Query,
    pub(crate) store: Arc<Store>,
    pub(crate) metrics: KubernetesMetrics,
}

impl Watch {
    /// Follows until it is stopped.
    pub(crate) async fn follow(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.run() => {}
        }
    }

    async fn run(&self) {
        let mut failures = 0;
        loop {
            match self.list().await {
                Ok(version) => self.watch(version, &mut failures).await,
                Err(error) => self.rest(&mut failures, "list", &error).await,
            }
        }
    }

    /// Counts and tells a failure, and waits.
    async fn rest(&self, failures: &mut u32, verb: &str, error: &ApiError) {
        *failures = failures.saturating_add(1);
        self.metrics.failures.inc();
        let wait = after_failures(*failures, &self.query);
        tracing::error!(
            error = %chain(error), verb, objects = self.query.describe(), retry_in = ?wait,
            "Kubernetes objects not followed, the last targets stay"
        );
        tokio::time::sleep(wait).await;
    }

    fn client(&self) -> Result<Client, ApiError> {
        Client::new(self.server.access(&self.in_cluster)?)
    }

    /// Makes the store what the server lists; the answer is the version of the list.
    async fn list(&self) -> Result<String, ApiError> {
        let client = self.client()?;
        let all = match self.pages(&client, Some(PAGE_OBJECTS)).await {
            // It took so long that the server has forgotten how it was when it began.
            Err(ApiError::Gone(_)) => self.pages(&client, None).await,
            all => all,
        };
        let (objects, version) = all?;
        self.count(self.store.replace(objects));
        Ok(version)
    }

    async fn pages(&self, client: &Client, limit: Option<u32>) -> Result<(Vec<Object>, String), ApiError> {
        let (mut objects, mut next) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let page = page(self.query.kind, &client.page(&self.query, limit, &next).await?)?;
            objects.extend(page.objects);
            if page.next.is_empty() {
                return Ok((objects, page.version));
            }
            next = page.next;
        }
        Err(ApiError::TooLong(PAGES_MAX))
    }

    /// Watches on and on, until everything has to be listed anew.
    async fn watch(&self, mut version: String, failures: &mut u32) {
        let mut failed = 0;
        loop {
            let (began, before) = (Instant::now(), version.clone());
            let result = self.watch_once(&mut version).await;
            if version != before || began.elapsed() > STEADY {
                (*failures, failed) = (0, 0);
            }
            match result {
                Ok(()) if began.elapsed() < SHORT && version == before => tokio::time::sleep(SHORT).await,
                Ok(()) => {}
                Err(ApiError::Gone(message)) => {
                    tracing::info!(objects = self.query.describe(), message, "Kubernetes objects are listed anew");
                    if *failures > 0 {
                        tokio::time::sleep(after_failures(*failures, &self.query)).await;
                    }
                    *failures += 1; // forgotten with the first event; a server that forgets all versions at once isn't asked ever faster
                    return;
                }
                Err(error) => {
                    failed += 1;
                    self.rest(failures, "watch", &error).await;
                    if error.is_about_version() || failed >= WATCHES_MAX {
                        return;
                    }
                }
            }
        }
    }

    async fn watch_once(&self, version: &mut String) -> Result<(), ApiError> {
        let kind = self.query.kind;
        let patience = of_watch(&(&self.query, &*version));
        let mut lines = self.client()?.watch(&self.query, version, patience).await?;
        while let Some(line) = lines.next().await? {
            let Some(event) = event(kind, &line)? else { continue };
            *version = match event {
                Event::Put { version, key, record } => {
                    self.count(self.store.put(&key, *record));
                    version
                }
                Event::Gone { version, key } => {
                    self.count(self.store.remove(&key));
                    version
                }
                Event::Bookmark { version } => version,
                Event::Error(status) => return Err(ApiError::of_status(status, &self.query)),
            };
        }
        Ok(())
    }

    fn count(&self, changes: Changes) {
        if let Some(role) = self.query.kind.role() {
            self.metrics.count(role, changes.added, changes.updated, changes.deleted);
        }
    }
}

//! A manager with its storage, and configurations for it.

use std::sync::Arc;
use std::time::Duration;

use config::{Report, Spanned};
use discovery::Environment;
use model::{Labels, SystemClock};
use prometheus_client::registry::Registry;
use scrape::{GlobalConfig, Manager, Options, RawScrapeConfig, ScrapeConfig, TargetStatus};

use crate::server::{Answer, Server};
use crate::store::Store;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) manager: Manager,
    pub(crate) registry: Registry,
}

impl World {
    pub(crate) fn new() -> World {
        World::storing(false)
    }

    /// One that stores zeros where metrics began, or doesn't.
    fn storing(store_start_zeros: bool) -> World {
        let (store, mut registry) = (Store::new(), Registry::default());
        let options = Options {
            clock: Arc::new(SystemClock),
            storage: Arc::new(store.clone()),
            discovery: Environment::new(&mut registry),
            placements: None,
            timestamp_tolerance_ms: 2,
            store_metadata: true,
            store_start_zeros,
            threads: 2,
            hostname: None,
        };
        let manager = Manager::new(options, &mut registry).unwrap();
        World { store, manager, registry }
    }

    /// A world that scrapes one server every 200 ms with more words of configuration.
    pub(crate) async fn with(answer: Answer, words: &str) -> (World, Server) {
        World::new().scraping(answer, words).await
    }

    /// The same, and zeros are stored where metrics began.
    pub(crate) async fn with_zeros(answer: Answer, words: &str) -> (World, Server) {
        World::storing(true).scraping(answer, words).await
    }

    async fn scraping(self, answer: Answer, words: &str) -> (World, Server) {
        let (world, server) = (self, Server::start(answer).await);
        world.apply(&[job(&server.address, words)]).await;
        (world, server)
    }

    pub(crate) async fn apply(&self, jobs: &[String]) {
        self.manager.apply(configs(jobs), &Labels::empty()).await.unwrap();
    }

    /// Waits for the `nth` scrape after now to be stored.
    pub(crate) async fn scrapes(&self, n: usize) {
        let wanted = self.store.commit_count() + n;
        self.store.wait(|store| (store.commit_count() >= wanted).then_some(())).await;
    }

    /// Waits until `up` of the job `j` is `value` and says what the target's page shows then.
    pub(crate) async fn wait_up(&self, value: f64) -> TargetStatus {
        let up = self.up();
        self.store.wait(|store| (store.last(&up) == Some(value)).then_some(())).await;
        // The page is written after the commit, before the next scrape.
        for _ in 0..5000 {
            let status = self.target();
            if status.health == if value == 1.0 { scrape::Health::Up } else { scrape::Health::Down } {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("the page doesn't show it: {:?}", self.target());
    }

    pub(crate) fn target(&self) -> TargetStatus {
        self.manager.targets().active.remove(0)
    }

    pub(crate) fn up(&self) -> String {
        self.series("up", "")
    }

    /// A series of the only target.
    pub(crate) fn series(&self, name: &str, more: &str) -> String {
        series(name, more, self.target().discovered_labels.value("__address__"))
    }

    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

/// A series of the job `j` as it prints; `more` are labels that sort behind `job`.
pub(crate) fn series(name: &str, more: &str, address: &str) -> String {
    format!("{name}{{instance=\"{address}\", job=\"j\"{more}}}")
}

pub(crate) fn job(address: &str, words: &str) -> String {
    format!(
        "job_name: j\nscrape_interval: 200ms\nscrape_timeout: 150ms\nstatic_configs: [{{targets: ['{address}']}}]\n{words}"
    )
}

pub(crate) fn configs(jobs: &[String]) -> Vec<ScrapeConfig> {
    let mut report = Report::new("p.yml");
    let raw: Vec<Spanned<RawScrapeConfig>> = jobs.iter().map(|job| config::load(job, "p.yml").unwrap()).collect();
    let configs = ScrapeConfig::validate_all(raw, &[], &GlobalConfig::default(), &mut report);
    report.finish(configs).unwrap()
}

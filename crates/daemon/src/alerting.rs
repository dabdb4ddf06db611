//! Where alerts go: into the pipeline inside the node, to external Alertmanagers, or both.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;

use alert::{
    Alertmanager, AlertmanagerConfig, Fanout, Forwarder, Health, HeartbeatOptions, Heartbeats, RawAlerting, Wiring,
};
use api::AlertmanagersOfNow;
use axum::Router;
use config::Report;
use discovery::{Environment, NameValidation};
use model::Clock;
use prometheus_client::registry::Registry;
use rules::Notifier;
use scrape::GlobalConfig;

use crate::built_in::Inhibition;
use crate::error::StartError;
use crate::files_read::FilesRead;

/// The section `alerting`, checked, with the file of `alerting.local` read.
#[derive(Debug, Default)]
pub struct AlertingConfig {
    section: alert::Alerting,
    local: Option<alert::Config>,
}

impl AlertingConfig {
    /// Checks the section, and the file of `alerting.local`, which becomes one of `files`. The pipeline inside the node inhibits what built-in alerts make pointless.
    pub(crate) fn validate(
        raw: RawAlerting,
        names: NameValidation,
        inhibitions: &[Inhibition],
        files: &mut FilesRead,
        report: &mut Report,
    ) -> Self {
        let section = raw.validate(names, report);
        let proxies = report.proxy_environment().clone();
        let mut read = |local: &alert::LocalConfig| {
            let file = &local.config_file;
            let own = Report::new(file).with_proxies(proxies.clone());
            config::read_file(file).and_then(|text| {
                files.add(file, &text);
                alert::Config::load(&text, own)
            })
        };
        let mut local = section.local.as_ref().and_then(|local| report.take(read(local)));
        for Inhibition { source, target, equal } in inhibitions {
            local.iter_mut().for_each(|local| local.inhibit(source.clone(), target.clone(), equal.clone()));
        }
        AlertingConfig { section, local }
    }

    /// What is wrong with the files that tell of Alertmanagers.
    pub(crate) fn check_files(&self) -> Vec<config::Error> {
        self.section.alertmanagers.iter().flat_map(AlertmanagerConfig::check_files).collect()
    }
}

/// Delivers what the rules find.
pub(crate) struct Alerting {
    fanout: Arc<Fanout>,
    forwarder: Arc<Forwarder>,
    /// Runs from the start or not at all: switching it on or off takes a restart, changing its routes doesn't.
    local: Option<Arc<Alertmanager>>,
    heartbeats: Heartbeats,
}

impl Alerting {
    /// Takes up what a former run had not delivered yet. Rules are heard from the first [`Alerting::apply`] on.
    pub(crate) fn start(
        config: &mut AlertingConfig,
        data_dir: &Path,
        clock: &Arc<dyn Clock>,
        external_url: &str,
        health: Health,
        discovery: Arc<Environment>,
        registry: &mut Registry,
    ) -> Result<Arc<Self>, StartError> {
        let options = alert::Options {
            data_dir: data_dir.to_owned(),
            clock: clock.clone(),
            external_url: external_url.to_owned(),
            start_id: RandomState::new().hash_one(external_url),
        };
        let local = match (config.local.take(), &config.section.local) {
            (Some(local), Some(section)) => Some(
                Alertmanager::start(local, &section.pair, options, registry)
                    .map_err(|e| StartError::other("cannot take up the state of alerts", e))?,
            ),
            _ => None,
        };
        let beating = HeartbeatOptions { clock: clock.clone(), external_url: external_url.to_owned(), health };
        let heartbeats = Heartbeats::new(beating, registry);
        let fanout = Arc::new(Fanout::new(Wiring::default()));
        let forwarder = Forwarder::new(discovery, registry);
        Ok(Arc::new(Alerting { fanout, forwarder, local, heartbeats }))
    }

    /// Whether a new configuration can be put in force without a restart.
    pub(crate) fn accepts(&self, config: &AlertingConfig) -> Result<(), String> {
        if config.section.local.is_some() == self.local.is_some() {
            Ok(())
        } else {
            Err("alerting.local can't be switched on or off while the node runs: restart it".to_owned())
        }
    }

    /// Puts a configuration in force; what waits for delivery is kept.
    pub(crate) async fn apply(&self, config: AlertingConfig, global: &GlobalConfig) {
        let AlertingConfig { section, local } = config;
        if let (Some(alertmanager), Some(config)) = (&self.local, local) {
            alertmanager.reload(config);
        }
        if let (Some(alertmanager), Some(local)) = (&self.local, &section.local) {
            alertmanager.set_pair(&local.pair);
        }
        self.heartbeats.set(section.heartbeats);
        self.forwarder.set(section.alertmanagers).await;
        let mut notifiers: Vec<Arc<dyn Notifier>> = vec![self.forwarder.clone()];
        notifiers.extend(self.local.as_ref().map(|local| local.notifier()));
        let external_labels = global.external_labels.clone();
        self.fanout.set(Wiring { external_labels, relabeling: section.relabeling, notifiers });
    }

    /// The door for alerts from rules.
    pub(crate) fn notifier(&self) -> Arc<dyn Notifier> {
        self.fanout.clone()
    }

    /// The external Alertmanagers, for the API.
    pub(crate) fn alertmanagers(&self) -> AlertmanagersOfNow {
        let forwarder = self.forwarder.clone();
        Box::new(move || {
            let alert::Alertmanagers { active, dropped } = forwarder.alertmanagers();
            api::Alertmanagers { active, dropped }
        })
    }

    /// Alertmanager's API v2, where the pipeline runs inside the node.
    pub(crate) fn routes(&self) -> Router {
        match &self.local {
            Some(local) => Router::new().nest("/api/v2", local.router()),
            None => Router::new(),
        }
    }

    /// Makes a last attempt to deliver what is due and brings the state onto the disk.
    pub(crate) async fn shutdown(&self) {
        self.heartbeats.stop();
        self.forwarder.shutdown().await;
        if let Some(local) = &self.local {
            local.shutdown().await;
        }
    }
}

//! Asking a daemon for targets, again and again.

use std::sync::Arc;
use std::time::Duration;

use crate::docker::config::{DockerSdConfig, DockerSwarmSdConfig};
use crate::docker::container::container_targets;
use crate::docker::daemon::{Daemon, DaemonError};
use crate::docker::swarm::swarm_targets;
use crate::environment::Environment;
use crate::group::{Round, TargetGroup};
use crate::refresh::Asked;

/// Asks a daemon for what is configured.
pub(crate) struct DockerSource<C> {
    pub(crate) config: C,
    pub(crate) environment: Arc<Environment>,
    pub(crate) owner: String,
}

impl Asked for DockerSource<DockerSdConfig> {
    fn interval(&self) -> Duration {
        self.config.refresh_interval
    }

    async fn ask(&self) -> Round {
        let targets = async {
            let daemon = Daemon::meet(&self.config.server, self.interval()).await?;
            container_targets(&daemon, &self.config).await
        };
        self.round("docker", targets.await)
    }
}

impl Asked for DockerSource<DockerSwarmSdConfig> {
    fn interval(&self) -> Duration {
        self.config.refresh_interval
    }

    async fn ask(&self) -> Round {
        let targets = async {
            let daemon = Daemon::meet(&self.config.server, self.interval()).await?;
            swarm_targets(&daemon, &self.config).await
        };
        self.round("dockerswarm", targets.await)
    }
}

impl<C> DockerSource<C> {
    fn round(&self, mechanism: &str, targets: Result<Vec<TargetGroup>, DaemonError>) -> Round {
        let failed = |error: &DaemonError| self.environment.metrics.refresh_failed(&self.owner, mechanism, error);
        vec![(String::new(), targets.inspect_err(failed).ok())]
    }
}

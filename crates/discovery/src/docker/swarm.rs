//! What a swarm has: services, tasks and nodes, and the targets that they are.

mod node;
mod service;
mod task;

use crate::docker::config::{DockerSwarmSdConfig, SwarmRole};
use crate::docker::daemon::{Daemon, DaemonError};
use crate::group::TargetGroup;

/// The targets of the swarm that a daemon manages.
pub(crate) async fn swarm_targets(
    daemon: &Daemon<'_>,
    config: &DockerSwarmSdConfig,
) -> Result<Vec<TargetGroup>, DaemonError> {
    match config.role {
        SwarmRole::Services => service::targets(daemon, config).await,
        SwarmRole::Tasks => task::targets(daemon, config).await,
        SwarmRole::Nodes => node::targets(daemon, config).await,
    }
}

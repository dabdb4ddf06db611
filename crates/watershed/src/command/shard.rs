//! `watershed shard`: runs a shard.

use std::process::ExitCode;

use anyhow::Result;

use super::node;
use crate::arguments::ShardFlags;
use crate::signals::Signals;

/// Runs until it is told to stop.
pub(crate) async fn run(flags: ShardFlags) -> Result<ExitCode> {
    let signals = Signals::listen()?;
    let mut options = node::options(&flags.node)?;
    options.agent = flags.agent;
    options.flags.insert("agent".to_owned(), flags.agent.to_string());
    let running = shard::start(options).await?;
    Ok(node::until_told_to_stop(running, signals).await)
}

//! `watershed global`: runs a global.

use std::process::ExitCode;

use anyhow::Result;

use super::node;
use crate::arguments::NodeFlags;
use crate::signals::Signals;

/// Runs until it is told to stop.
pub(crate) async fn run(flags: NodeFlags) -> Result<ExitCode> {
    let signals = Signals::listen()?;
    let running = global::start(node::options(&flags)?).await?;
    Ok(node::until_told_to_stop(running, signals).await)
}

//! `watershed demo`: the whole hierarchy on this machine.

use std::process::ExitCode;

use anyhow::Result;

use crate::arguments::DemoFlags;
use crate::demo;
use crate::signals::{Asked, Signals};

/// Runs until it is told to stop.
pub(crate) async fn run(flags: DemoFlags) -> Result<ExitCode> {
    let mut signals = Signals::listen()?;
    demo::run(&flags, async { while signals.next().await != Asked::Stop {} }).await?;
    Ok(ExitCode::SUCCESS)
}

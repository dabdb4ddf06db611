//! Which command it is.

use std::io;
use std::process::ExitCode;

use anyhow::Result;

use super::{analyze, create_blocks, dump, list, verify};
use crate::tsdb_arguments::{CreateBlocksFrom, Tsdb};

/// Runs one of the commands. That nobody reads the output any more (`| head`) is no failure.
pub(crate) fn run(command: &Tsdb) -> Result<ExitCode> {
    let result = match command {
        Tsdb::List(flags) => list::run(flags),
        Tsdb::Dump(flags) => dump::run(flags),
        Tsdb::Analyze(flags) => analyze::run(flags),
        Tsdb::Verify(flags) => verify::run(flags),
        Tsdb::CreateBlocksFrom(CreateBlocksFrom::Openmetrics(flags)) => create_blocks::run(flags),
    };
    result.or_else(|error| if is_broken_pipe(&error) { Ok(ExitCode::SUCCESS) } else { Err(error) })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io_errors = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    io_errors.into_iter().any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

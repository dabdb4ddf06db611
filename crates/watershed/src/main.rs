//! The `watershed` binary: arguments, logging, signals; one file per subcommand.

mod allocator;
mod arguments;
mod command;
mod demo;
mod feature;
mod import;
mod logging;
mod memory;
mod process;
mod signals;
mod terminal;
mod test_arguments;
mod tsdb_arguments;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;

fn main() -> ExitCode {
    allocator::configure();
    let arguments = Arguments::parse(); // usage errors end here, with exit code 2
    logging::init(&arguments.logging);
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::error!("another TLS provider is installed already");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the runtime");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Shard(flags) => command::shard::run(flags).await,
            Command::Global(flags) => command::global::run(flags).await,
            Command::Demo(flags) => command::demo::run(flags).await,
            Command::Check(what) => command::check::run(&what),
            Command::Test(what) => command::test::run(&what).await,
            Command::Tsdb(what) => command::tsdb::run(&what),
        }
    });
    match result {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

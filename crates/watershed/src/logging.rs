//! Logs to standard error, as lines for people or as JSON.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::arguments::{LogFormat, Logging};

/// Starts logging. Libraries below us are heard from `warn` on, unless the level is `debug`.
pub(crate) fn init(logging: &Logging) {
    let level = logging.level.as_str();
    let directives = match level {
        "debug" => "debug,hyper=info,rustls=info".to_owned(),
        _ => level.to_owned(),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(directives))
        .with_writer(io::stderr)
        .with_target(false);
    match logging.format {
        LogFormat::Logfmt => builder.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

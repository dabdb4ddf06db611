//! The programs of others that the tests talk to.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::ask::Client;
use crate::process::{Process, free_port};
use crate::wait::eventually;

const START_BOUND: Duration = Duration::from_secs(30);

/// A program on the PATH. Where it isn't, says that `test` is skipped, in the form that `scripts/test` collects.
#[expect(clippy::print_stdout, reason = "scripts/test reads what was skipped from here")]
pub fn find(test: &str, program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    if found.is_none() {
        println!("SKIPPED {test}: {program} is not installed");
    }
    found
}

/// Whether a `prometheus` or `promtool` is of Prometheus 3, as this project is; Debian's is of 2.
pub fn is_prometheus_3(program: &Path) -> Result<bool> {
    let output = Command::new(program).arg("--version").output()?;
    let printed = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&printed).contains(", version 3."))
}

/// Starts a node_exporter and gives its `host:port`.
pub async fn node_exporter(program: &Path, dir: &Path) -> Result<(Process, String)> {
    let address = format!("127.0.0.1:{}", free_port()?);
    let listen = format!("--web.listen-address={address}");
    let process = Process::start(program, [&listen], &dir.join("node_exporter.log"))?;
    let client = Client::new(format!("http://{address}"))?;
    eventually("node_exporter answers", START_BOUND, || async { client.text("/metrics").await.map(drop) }).await?;
    Ok((process, address))
}

/// Starts a Prometheus with a configuration and a directory of its own, and waits until it is ready.
pub async fn prometheus(program: &Path, dir: &Path, config: &str) -> Result<(Process, Client)> {
    let file = dir.join("prometheus.yml");
    std::fs::write(&file, config)?;
    prometheus_on(program, dir, &dir.join("prometheus-data"), &file, &[]).await
}

/// Starts a Prometheus on a directory that may be somebody else's, and waits until it is ready.
pub async fn prometheus_on(
    program: &Path,
    dir: &Path,
    data: &Path,
    config: &Path,
    flags: &[&str],
) -> Result<(Process, Client)> {
    let port = free_port()?;
    let mut arguments = vec![
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", data.display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let mut process = Process::start(program, &arguments, &dir.join("prometheus.log"))?;
    let client = Client::new(format!("http://127.0.0.1:{port}"))?;
    eventually("prometheus is ready", START_BOUND, || {
        let alive = process.check_alive();
        let client = client.clone();
        async move { alive.map(|()| client)?.ready().await }
    })
    .await?;
    Ok((process, client))
}

//! A shard or a global as its own process.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::ask::Client;
use crate::process::{Process, free_port, watershed};
use crate::wait::eventually;

const START_BOUND: Duration = Duration::from_secs(30);

/// Writes a file into a directory, which is created if it is missing.
pub fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    fs::create_dir_all(dir)?;
    let path = dir.join(name);
    fs::write(&path, text)?;
    Ok(path)
}

/// A node with its own directory and port; it can be killed and started again on the same data.
pub struct Node {
    /// Asks it.
    pub client: Client,
    /// Its data directory.
    pub data: PathBuf,
    tier: &'static str,
    config: PathBuf,
    log: PathBuf,
    port: u16,
    flags: Vec<String>,
    process: Option<Process>,
}

impl Node {
    /// Starts a `shard` or a `global` in `dir` with a configuration, and waits until it is ready.
    pub async fn start(tier: &'static str, dir: &Path, config: &str, flags: &[&str]) -> Result<Self> {
        let config = write(dir, &format!("{tier}.yml"), config)?;
        Self::start_with(tier, dir, config, flags).await
    }

    /// The same on a port that nobody takes while the node is down.
    pub async fn start_on(port: u16, tier: &'static str, dir: &Path, config: &str, flags: &[&str]) -> Result<Self> {
        let config = write(dir, &format!("{tier}.yml"), config)?;
        Self::start_as(port, tier, dir, config, flags).await
    }

    /// The same with a configuration file that exists.
    pub async fn start_with(tier: &'static str, dir: &Path, config: PathBuf, flags: &[&str]) -> Result<Self> {
        Self::start_as(free_port()?, tier, dir, config, flags).await
    }

    async fn start_as(port: u16, tier: &'static str, dir: &Path, config: PathBuf, flags: &[&str]) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let mut node = Node {
            client: Client::new(format!("http://127.0.0.1:{port}"))?,
            data: dir.join(format!("{tier}-data")),
            tier,
            config,
            log: dir.join(format!("{tier}.log")),
            port,
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            process: None,
        };
        node.restart().await?;
        Ok(node)
    }

    /// Starts the process (again) and waits until it is ready.
    pub async fn restart(&mut self) -> Result<()> {
        let mut arguments = vec![
            self.tier.to_owned(),
            format!("--config.file={}", self.config.display()),
            format!("--storage.tsdb.path={}", self.data.display()),
            format!("--web.listen-address=127.0.0.1:{}", self.port),
            "--web.enable-lifecycle".to_owned(),
        ];
        arguments.extend(self.flags.iter().cloned());
        let mut process = Process::start(&watershed()?, &arguments, &self.log)?;
        let client = self.client.clone();
        eventually("the node is ready", START_BOUND, || {
            let alive = process.check_alive();
            let client = client.clone();
            async move { alive.map(|()| client)?.ready().await }
        })
        .await?;
        self.process = Some(process);
        Ok(())
    }

    /// SIGKILL.
    pub async fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// SIGKILL, and a start on the same data after a while.
    pub async fn kill_for(&mut self, time: Duration) -> Result<()> {
        self.kill().await?;
        tokio::time::sleep(time).await;
        self.restart().await
    }

    /// SIGTERM; tells whether it ended well.
    pub async fn stop(&mut self) -> Result<bool> {
        match self.process.take() {
            Some(mut process) => process.stop().await,
            None => Ok(true),
        }
    }

    /// What the node has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

//! Child processes that die with the test.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const STOP_BOUND: Duration = Duration::from_secs(20);

/// The binary under test: `$WATERSHED_BIN`, or the one that cargo built beside this test.
pub fn watershed() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("WATERSHED_BIN") {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let target = test.parent().and_then(Path::parent).context("the test is not in a target directory")?;
    let binary = target.join("watershed");
    if !binary.exists() {
        bail!("{} is not there: run `cargo build -p watershed` first", binary.display());
    }
    Ok(binary)
}

/// A port that nobody listens on right now.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The first of `count` ports in a row that nobody listens on right now. They lie below those that the system gives out by itself, so
/// that no connection takes one before it is used, and where they are looked for first depends on the process.
pub fn free_ports(count: u16) -> Result<u16> {
    const FROM: u16 = 20_000;
    const END: u16 = 32_000;
    let rows = (END - FROM) / count.max(1);
    let first = std::process::id() % u32::from(rows);
    let mut bases = (0..rows).map(|row| FROM + (first as u16 + row) % rows * count);
    let is_free = |base: &u16| {
        let ports: Result<Vec<_>, _> =
            (*base..*base + count).map(|port| TcpListener::bind(("127.0.0.1", port))).collect();
        ports.is_ok()
    };
    bases.find(is_free).with_context(|| format!("no {count} ports in a row are free between {FROM} and {END}"))
}

/// A running program; it is killed when this is dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program; what it prints goes to `log`.
    pub fn start<S: AsRef<std::ffi::OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
        log: &Path,
    ) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log)?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Process { child, log: log.to_owned() })
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// SIGTERM or another signal by name, as `TERM`, `INT`, `HUP`.
    pub async fn signal(&self, name: &str) -> Result<()> {
        let id = self.child.id().context("the process has ended already")?.to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().await?;
        if status.success() { Ok(()) } else { bail!("kill -s {name} {id} failed") }
    }

    /// SIGTERM, and waits until it has ended; tells whether it ended well.
    pub async fn stop(&mut self) -> Result<bool> {
        self.signal("TERM").await?;
        let status = timeout(STOP_BOUND, self.child.wait())
            .await
            .with_context(|| format!("still running {STOP_BOUND:?} after SIGTERM"))??;
        Ok(status.success())
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Fails with what it has printed where it has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("ended with {status}:\n{}", self.log()),
            None => Ok(()),
        }
    }
}

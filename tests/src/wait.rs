//! Waiting for something to become true.

use std::future::Future;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks again and again until `look` gives a value; after `bound` fails with what was awaited and the last reason.
pub async fn eventually<T, F>(what: &str, bound: Duration, mut look: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let begin = Instant::now();
    loop {
        match look().await {
            Ok(value) => return Ok(value),
            Err(reason) if begin.elapsed() > bound => bail!("{what}: not within {bound:?}: {reason:#}"),
            Err(_) => sleep(LOOK_EVERY).await,
        }
    }
}

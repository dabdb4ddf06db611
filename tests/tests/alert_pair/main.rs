//! A pair of shards tells every alert, and as long as nobody dies and nothing is cut, once.
//!
//! `WATERSHED_ALERT_PAIR_SEED` repeats a run's plan, `WATERSHED_ALERT_PAIR_SECONDS` makes it longer (CI: 40).

mod couple;
mod hook;

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use anyhow::{Result, ensure};
use tests::{Random, Weather, eventually, setting};
use tokio::time::{Instant, sleep};

use couple::{Couple, POSTED, post_on_plan, target};
use hook::{Counts, Hook};

const ALERTS: usize = 1000;
const SECONDS: u64 = 40;
/// How long the pair may take to tell everything once everybody lives and the links are fine again.
const CATCH_UP: Duration = Duration::from_secs(60);

/// The tests take ports and the machine's time from each other.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn until_told(hook: &Hook, alerts: &str, status: &str) -> Result<Counts> {
    eventually(&format!("{ALERTS} alerts are told as {status}"), CATCH_UP, || async {
        let counts = hook.counts(alerts, status);
        ensure!(counts.told == ALERTS, "{counts:?}");
        Ok(counts)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calm_pair_tells_a_thousand_alerts_of_its_rules_once() -> Result<()> {
    let _alone = ONE_AT_A_TIME.lock().await;
    let dir = tempfile::tempdir()?;
    let hook = Hook::start().await?;
    let (target, broken) = target(ALERTS).await?;
    let couple = Couple::start(dir.path(), &hook.url, Some(&target), 1).await?;
    couple.joined().await?;
    broken.store(true, std::sync::atomic::Ordering::SeqCst);
    until_told(&hook, "Broken", "firing").await?;
    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    until_told(&hook, "Broken", "resolved").await?;
    couple.quiet(&hook).await?;
    for status in ["firing", "resolved"] {
        let counts = hook.counts("Broken", status);
        println!("{status}: {counts:?}");
        ensure!(counts.repeated == 0, "{status}: {counts:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_alert_is_lost_between_kills_and_cuts() -> Result<()> {
    let _alone = ONE_AT_A_TIME.lock().await;
    let seed = setting("WATERSHED_ALERT_PAIR_SEED", || RandomState::new().hash_one("alert pair"))?;
    let seconds = setting("WATERSHED_ALERT_PAIR_SECONDS", || SECONDS)?;
    println!("WATERSHED_ALERT_PAIR_SEED={seed}");
    let mut random = Random::new(seed);
    let dir = tempfile::tempdir()?;
    let hook = Hook::start().await?;
    let mut couple = Couple::start(dir.path(), &hook.url, None, seed).await?;
    couple.joined().await?;
    let posting = post_on_plan(&couple, ALERTS, Duration::from_secs(seconds), &mut random)?;
    let (begin, mut kills, mut cuts) = (Instant::now(), 0, 0);
    while begin.elapsed() < Duration::from_secs(seconds) {
        match random.below(3) {
            0 => {
                couple.kill_one(&mut random).await?;
                kills += 1;
            }
            _ => {
                let weather = random.pick(&[Weather::Clear, Weather::Bad, Weather::Cut]);
                cuts += u64::from(weather == Weather::Cut);
                couple.set_weather(weather);
            }
        }
        sleep(Duration::from_millis(500 + random.below(2500))).await;
    }
    couple.set_weather(Weather::Clear);
    posting.done().await?;
    let failed = |e: anyhow::Error| e.context(format!("seed {seed}, {kills} kills, {cuts} cuts"));
    until_told(&hook, POSTED, "firing").await.map_err(failed)?;
    couple.joined().await?;
    couple.resolve_all(ALERTS).await?;
    until_told(&hook, POSTED, "resolved").await.map_err(failed)?;
    couple.quiet(&hook).await?;
    println!("{}", couple.link_report());
    for status in ["firing", "resolved"] {
        let counts = hook.counts(POSTED, status);
        let lost = ALERTS - counts.told;
        println!("{ALERTS} alerts in {seconds} s, {kills} kills, {cuts} cuts, {status}: lost {lost}, {counts:?}");
    }
    // A receiver that remembers keys has each alert once, whatever happened.
    let firing = hook.counts(POSTED, "firing");
    ensure!(firing.repeated == firing.known_by_key, "seed {seed}: {firing:?}");
    Ok(())
}

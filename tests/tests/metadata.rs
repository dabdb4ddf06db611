//! What a target says of its metrics: over the API, into the write-ahead log with the series, and back.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::routing::get;
use model::{Labels, SystemClock};
use prometheus_client::registry::Registry;
use serde_json::json;
use tests::{Node, eventually};
use tokio::net::TcpListener;
use tsdb::{Db, Options};

const BOUND: Duration = Duration::from_secs(60);

/// A target whose words about a metric change when it is told.
async fn target(changed: Arc<AtomicBool>) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?.to_string();
    let page = move || {
        let help = if changed.load(Ordering::SeqCst) { "New words." } else { "Old words,\\nand \\\\ more." };
        async move {
            format!(
                "# HELP jobs_total {help}\n# TYPE jobs_total counter\njobs_total{{kind=\"a\"}} 1\njobs_total{{kind=\"b\"}} 2\n\
                 # TYPE bare gauge\nbare 1\nsilent 1\n"
            )
        }
    };
    let router = Router::new().route("/metrics", get(page));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// Type and help of a series of the target, as the log of a directory that nobody uses has them.
fn logged(db: &Db, target: &str, name: &str, kind: Option<&str>) -> Option<(String, String)> {
    let mut pairs = vec![("__name__", name), ("instance", target), ("job", "told")];
    pairs.extend(kind.map(|kind| ("kind", kind)));
    let metadata = db.series_metadata(&Labels::from_pairs(pairs))?;
    Some((metadata.kind.as_str().to_owned(), metadata.help.clone()))
}

async fn told(shard: &Node, help: &str) -> Result<()> {
    let want = json!({
        "jobs_total": [{"type": "counter", "help": help, "unit": ""}],
        "bare": [{"type": "gauge", "help": "", "unit": ""}],
    });
    eventually("the API tells what the target says", BOUND, || async {
        let got = shard.client.api("metadata").await?;
        ensure!(got == want, "{got}");
        // It is in the log when the samples are.
        ensure!(shard.client.value("count(jobs_total)").await? == 2.0, "no samples yet");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn metadata_of_a_scrape_outlives_the_shard() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let changed = Arc::new(AtomicBool::new(false));
    let target = target(changed.clone()).await?;
    let config = format!(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\n\
         scrape_configs:\n  - job_name: told\n    static_configs: [{{targets: ['{target}']}}]\n"
    );
    let flags = ["--enable-feature=metadata-wal-records"];
    let mut shard = Node::start("shard", dir.path(), &config, &flags).await?;
    told(&shard, "Old words,\nand \\ more.").await?;
    shard.kill().await?;
    let data = shard.data.clone();
    let check = |help: &str| -> Result<()> {
        let db = Db::open(Options::new(&data), Arc::new(SystemClock), &mut Registry::default())?;
        let counter = Some(("counter".to_owned(), help.to_owned()));
        for kind in ["a", "b"] {
            let got = logged(&db, &target, "jobs_total", Some(kind));
            ensure!(got == counter, "{kind}: {got:?}");
        }
        let bare = logged(&db, &target, "bare", None).context("bare is not known")?;
        ensure!(bare == ("gauge".to_owned(), String::new()), "{bare:?}");
        ensure!(logged(&db, &target, "silent", None).is_none(), "nobody said anything of it");
        Ok(())
    };
    check("Old words,\nand \\ more.")?;
    changed.store(true, Ordering::SeqCst);
    shard.restart().await?;
    told(&shard, "New words.").await?;
    ensure!(shard.stop().await?, "the shard did not end well:\n{}", shard.log());
    check("New words.")
}

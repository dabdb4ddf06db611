//! Blocks go to the bucket, promtool reads them there, and a global answers from there what it no longer has itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tests::{Node, eventually, find};

const BOUND: Duration = Duration::from_secs(90);

fn blocks(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut blocks: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.join("meta.json").exists()).collect();
    blocks.sort();
    blocks
}

fn meta(block: &Path) -> Result<serde_json::Value> {
    Ok(serde_json::from_slice(&fs::read(block.join("meta.json"))?)?)
}

#[tokio::test]
async fn blocks_reach_the_bucket_and_are_read_from_there() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let shard = Node::start(
        "shard",
        dir.path(),
        "global: {scrape_interval: 1s, external_labels: {cluster: eu-1}}\n\
         scrape_configs:\n  - job_name: self\n    static_configs: [{targets: ['127.0.0.1:9']}]\n",
        &[],
    )
    .await?;
    let bucket = dir.path().join("bucket");
    let config = format!(
        "global: {{scrape_interval: 1s, external_labels: {{tier: global}}}}\n\
         federation: {{selectors: ['{{job=\"self\"}}'], shards: [{{name: eu-1, replicas: ['{}']}}]}}\n\
         bucket: {{type: FILESYSTEM, config: {{directory: '{}'}}}}\n",
        shard.client.url,
        bucket.display()
    );
    let flags = ["--storage.tsdb.min-block-duration=4s", "--storage.tsdb.retention.time=12s"];
    let global = Node::start("global", dir.path(), &config, &flags).await?;
    // The first may be from before the first pull, and have nothing but what the global says of its pulls.
    let (block, range_end, from_bucket) = eventually("the global answers from the bucket", BOUND, || async {
        let uploaded = blocks(&bucket);
        ensure!(uploaded.len() >= 3, "{} blocks in the bucket", uploaded.len());
        let local = blocks(&global.data)
            .iter()
            .map(|block| Ok(meta(block)?["minTime"].as_i64()))
            .collect::<Result<Vec<_>>>()?;
        let begin = local.into_iter().flatten().min().context("no local block")?;
        for block in uploaded {
            let meta = meta(&block)?;
            if meta["maxTime"].as_i64().is_none_or(|end| end > begin) {
                continue;
            }
            ensure!(meta["thanos"]["extensions"]["watershed"]["window_ms"] == 4000, "{meta}");
            ensure!(meta["thanos"]["labels"]["tier"] == "global", "{meta}");
            ensure!(meta["thanos"]["downsample"]["resolution"] == 0, "{meta}");
            let range_end = meta["maxTime"].as_f64().context("no maxTime")? / 1000.0;
            let points = global.client.samples("up{job=\"self\"}", 4, range_end).await?;
            if !points.is_empty() {
                return Ok((block, range_end, points));
            }
        }
        bail!("no block that is in the bucket only has an answer")
    })
    .await?;
    let at_source = shard.client.samples("up{job=\"self\"}", 4, range_end).await?;
    let (pulled, stored) =
        (from_bucket.values().next().context("no series")?, at_source.values().next().context("no series")?);
    ensure!(pulled.iter().all(|point| stored.contains(point)), "{pulled:?} is not among {stored:?}");

    let hierarchy = global.client.api("hierarchy").await?;
    ensure!(hierarchy["bucket"]["blocks"].as_array().is_some_and(|blocks| blocks.len() >= 3), "{hierarchy}");

    let Some(promtool) = find("blocks_reach_the_bucket_and_are_read_from_there (promtool part)", "promtool") else {
        return Ok(());
    };
    let block = block.file_name().context("no name")?;
    let out = Command::new(promtool).args(["tsdb", "analyze"]).arg(&bucket).arg(block).output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    ensure!(out.status.success() && text.contains("Series: "), "{text}\n{}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}

//! Generated queries, asked of a real Prometheus and of a shard over the same blocks.
//!
//! `WATERSHED_SEED` chooses the queries and is printed, `WATERSHED_QUERIES` says how many. The peer is 2.42. What has changed since is kept out
//! by the data and the times, not by leaving answers out: samples, evaluation times and the times at which subqueries evaluate never
//! coincide with the end of a range (left-open since 3.0); counters are far from zero (extrapolation towards it has changed); functions that
//! jump (comparisons, rounding) are applied to whole numbers only, because sums of others differ in their last bits; `predict_linear` comes without
//! `@`, with which 2.42 loses points of range queries.
#![expect(clippy::print_stdout, reason = "the seed and the differences are the point")]

mod compare;
mod data;
mod generate;

use std::process::Command;

use anyhow::{Context, Result, ensure};
use tests::{Client, Node, find, prometheus_on, watershed};

use crate::compare::difference;
use crate::data::{END, exposition};
use crate::generate::Generator;

const QUERIES: u64 = 400;

fn number(variable: &str) -> Result<Option<u64>> {
    let Some(text) = std::env::var_os(variable) else { return Ok(None) };
    let text = text.into_string().ok().with_context(|| variable.to_owned())?;
    Ok(Some(text.parse().with_context(|| format!("{variable}={text}"))?))
}

/// The parameters of an instant query and of a range query.
fn requests(query: &str, generator: &mut Generator) -> [String; 2] {
    let mut time = || {
        // Neither a multiple of a step nor the time of a sample.
        let seconds = END - 3_600 - i64::try_from(generator.below(4 * 3_600)).unwrap_or(0);
        format!("{}.777", seconds - seconds.rem_euclid(15))
    };
    let (at, start) = (time(), time());
    let step = generator.one_of(&["30", "60", "97", "300"]);
    let start_seconds: f64 = start.parse().unwrap_or(0.0);
    let form = |pairs: &[(&str, &str)]| {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs.iter().copied()).finish()
    };
    let end = format!("{:.3}", start_seconds + 1_800.0);
    [
        format!("query?{}", form(&[("query", query), ("time", &at)])),
        format!("query_range?{}", form(&[("query", query), ("start", &start), ("end", &end), ("step", step)])),
    ]
}

#[tokio::test]
async fn generated_queries_are_answered_as_by_prometheus() -> Result<()> {
    let name = "generated_queries_are_answered_as_by_prometheus";
    let (Some(prometheus), Some(promtool)) = (find(name, "prometheus"), find(name, "promtool")) else { return Ok(()) };
    let clock = std::time::UNIX_EPOCH.elapsed()?.as_nanos();
    let seed = number("WATERSHED_SEED")?.unwrap_or(clock as u64 % 1_000_000);
    let queries = number("WATERSHED_QUERIES")?.unwrap_or(QUERIES);
    println!("WATERSHED_SEED={seed} WATERSHED_QUERIES={queries}");

    let dir = tempfile::tempdir()?;
    let (input, theirs, ours) =
        (dir.path().join("input"), dir.path().join("prometheus-data"), dir.path().join("shard-data"));
    std::fs::write(&input, exposition())?;
    let arguments = ["tsdb", "create-blocks-from", "openmetrics"];
    let created = Command::new(&promtool).args(arguments).args([&input, &theirs]).output()?;
    ensure!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    ensure!(Command::new("cp").arg("-a").arg(&theirs).arg(&ours).status()?.success(), "the blocks can't be copied");

    let config = dir.path().join("prometheus.yml");
    std::fs::write(&config, "global: {}\n")?;
    let flags = ["--storage.tsdb.retention.time=100y"];
    let (_process, theirs) = prometheus_on(&prometheus, dir.path(), &theirs, &config, &flags).await?;
    ensure!(watershed()?.exists(), "there is no binary");
    let shard = Node::start("shard", dir.path(), "global: {}\n", &flags).await?;
    agree(&theirs, &shard.client, Generator::new(seed), queries).await
}

async fn agree(theirs: &Client, ours: &Client, mut generator: Generator, queries: u64) -> Result<()> {
    let (mut answered, mut asked, mut differences) = (0, 0, Vec::new());
    for _ in 0..queries {
        let query = generator.query();
        for request in requests(&query, &mut generator) {
            let path = format!("/api/v1/{request}");
            let (want, got) = (theirs.answer(&path, None).await?, ours.answer(&path, None).await?);
            asked += 1;
            answered += u64::from(want.0 == 200 && want.1["data"]["result"].as_array().is_some_and(|r| !r.is_empty()));
            differences.extend(difference(&want, &got).map(|what| format!("{query}\n  {request}\n  {what}")));
        }
    }
    differences.iter().for_each(|difference| println!("{difference}\n"));
    ensure!(differences.is_empty(), "{} of {asked} answers differ, see above", differences.len());
    // A generator whose queries find nothing shows nothing.
    ensure!(answered > asked / 2, "only {answered} of {asked} answers have series");
    Ok(())
}

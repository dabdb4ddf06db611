//! `create-blocks-from openmetrics` beside promtool.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use tests::{Node, eventually, find, is_prometheus_3, watershed};

use crate::fixture::{Pair, START, exposition, pair, printed, run, sorted, text};

const BOUND: Duration = Duration::from_secs(30);

#[test]
fn blocks_from_openmetrics_hold_what_promtool_puts_into_them() -> Result<()> {
    let test = "blocks_from_openmetrics_hold_what_promtool_puts_into_them";
    let Some(Pair { dir, promtool, watershed, theirs, ours }) = pair(test, &exposition(12))? else {
        return Ok(());
    };
    let want = printed(&promtool, &["tsdb", "dump", text(&theirs)])?;
    ensure!(want.lines().count() == 200 * 12 + 5, "{}", want.lines().count());
    for (program, data) in [(&promtool, &ours), (&watershed, &theirs), (&watershed, &ours)] {
        let got = printed(program, &["tsdb", "dump", text(data)])?;
        ensure!(sorted(&got) == sorted(&want), "{} dumps {} otherwise", program.display(), data.display());
    }
    let some = ["--min-time", "1700000000000", "--max-time", "1700050000000"];
    let want = printed(&promtool, &[&["tsdb", "dump"], &some[..], &["--match={i=~\"1.*\"}", text(&theirs)]].concat())?;
    ensure!(!want.is_empty());
    let got = printed(&watershed, &[&["tsdb", "dump"], &some[..], &["--match={i=~\"1.*\"}", text(&ours)]].concat())?;
    ensure!(sorted(&got) == sorted(&want), "a part is dumped otherwise");
    let several = printed(&watershed, &["tsdb", "dump", "--match=late", "--match", "alone", text(&ours)])?;
    ensure!(several.lines().count() == 2, "{several}");
    // There and back. What is below a millisecond is cut off a float, so not every time comes back as it was.
    let file = dir.path().join("dumped");
    let even = "--match={__name__=~\"m|h_.*|late|alone\"}";
    fs::write(&file, printed(&watershed, &["tsdb", "dump", "--format=openmetrics", even, text(&ours)])?)?;
    let back = dir.path().join("back");
    printed(&watershed, &["tsdb", "create-blocks-from", "openmetrics", "--quiet", text(&file), text(&back)])?;
    let dump = |data: &Path| printed(&watershed, &["tsdb", "dump", even, text(data)]);
    ensure!(dump(&back)? == dump(&ours)?, "what was dumped reads back otherwise");
    Ok(())
}

#[test]
fn bounds_and_quantiles_are_stored_as_prometheus_3_writes_them() -> Result<()> {
    let input = "# TYPE h histogram\nh_bucket{le=\"1\"} 1 1\nh_bucket{le=\"1e1\"} 2 1\nh_bucket{le=\"+Inf\"} 2 1\n\
                 # TYPE s summary\ns{quantile=\"1\",le=\"1\"} 3 1\n\
                 # TYPE g gauge\ng{le=\"1\"} 4 1\n# EOF\n";
    let want = "{__name__=\"g\", le=\"1\"} 4 1000\n\
                {__name__=\"h_bucket\", le=\"+Inf\"} 2 1000\n\
                {__name__=\"h_bucket\", le=\"1.0\"} 1 1000\n\
                {__name__=\"h_bucket\", le=\"10.0\"} 2 1000\n\
                {__name__=\"s\", le=\"1\", quantile=\"1.0\"} 3 1000\n";
    let made_by = |program: &Path| -> Result<String> {
        let dir = tempfile::tempdir()?;
        let (file, data) = (dir.path().join("input"), dir.path().join("data"));
        fs::write(&file, input)?;
        printed(program, &["tsdb", "create-blocks-from", "openmetrics", text(&file), text(&data)])?;
        printed(&watershed()?, &["tsdb", "dump", text(&data)])
    };
    let got = made_by(&watershed()?)?;
    ensure!(got == want, "{got}");
    if let Some(promtool) = find("bounds_and_quantiles_are_stored_as_prometheus_3_writes_them", "promtool")
        && is_prometheus_3(&promtool)?
    {
        let theirs = made_by(&promtool)?;
        ensure!(theirs == want, "promtool: {theirs}");
    }
    Ok(())
}

#[test]
fn accepts_and_refuses_the_texts_that_promtool_does() -> Result<()> {
    let test = "accepts_and_refuses_the_texts_that_promtool_does";
    let Some(promtool) = find(test, "promtool") else { return Ok(()) };
    let watershed = watershed()?;
    let cases: &[(&str, bool)] = &[
        ("", false),
        ("# EOF", true),
        ("# EOF\n", true),
        ("# EOF\n\n", false),
        ("# EOF\na 1 1\n", false),
        ("a 1 1\n", false),
        ("a 1 1\n# EOF", true),
        ("a 1 1\n\n# EOF\n", false),
        ("a 1\n# EOF\n", false),
        ("a 1 1 1\n# EOF\n", false),
        ("a  1 1\n# EOF\n", false),
        ("a\t1 1\n# EOF\n", false),
        ("a 1 1.5\n# EOF\n", true),
        ("a 1 1e3\n# EOF\n", true),
        ("a 1 NaN\n# EOF\n", false),
        ("a 0x1p-3 1\n# EOF\n", false),
        ("a 1_0 1\n# EOF\n", false),
        ("a NaN 1\n# EOF\n", true),
        ("a{} 1 1\n# EOF\n", true),
        ("a{b=\"c\", d=\"e\"} 1 1\n# EOF\n", false),
        ("a{b=\"c\"d=\"e\"} 1 1\n# EOF\n", false),
        ("a{b=\"c\",b=\"d\"} 1 1\n# EOF\n", false),
        ("a{b=\"\"} 1 1\n# EOF\n", true),
        ("a{b='c'} 1 1\n# EOF\n", false),
        ("a {b=\"c\"} 1 1\n# EOF\n", false),
        ("a{b=\"\u{e4}\"} 1 1\n# EOF\n", true),
        ("a_total 1 1 # {} 1\n# EOF\n", true),
        ("a_total 1 1 # {t=\"x\"} 1 1\n# EOF\n", true),
        ("a 1 1 # {t=\"x\"}\n# EOF\n", false),
        ("a 1 1 # {t=\"x\"} 1 1 1\n# EOF\n", false),
        ("a 1 1 # x\n# EOF\n", false),
        ("# comment\n# EOF\n", false),
        ("# HELP a b\n# EOF\n", true),
        ("# HELP a\n# EOF\n", false),
        ("# TYPE a counter\na_total 1 1\na_created 1 1\n# EOF\n", true),
        ("# TYPE a stateset\n# EOF\n", true),
        ("# TYPE a gaugehistogram\n# EOF\n", true),
        ("# TYPE a untyped\n# EOF\n", false),
        ("# TYPE a counter \n# EOF\n", false),
        ("# UNIT a_b b\n# EOF\n", true),
        ("# UNIT ab b\n# EOF\n", false),
        // any order over blocks
        ("a 1 2\na 1 2\n# EOF\n", true),
        ("a 1 100000\na 1 1\n# EOF\n", true),
    ];
    for (input, accepted) in cases {
        let dir = tempfile::tempdir()?;
        let (file, theirs, ours) = (dir.path().join("input"), dir.path().join("theirs"), dir.path().join("ours"));
        fs::write(&file, input)?;
        let create = |program: &Path, data: &Path| {
            run(program, &["tsdb", "create-blocks-from", "openmetrics", text(&file), text(data)])
        };
        // An empty file can't be mapped, which is why promtool refuses it.
        let want = create(&promtool, &theirs)?;
        ensure!(want.status.success() == *accepted, "promtool: {input:?}: {}", String::from_utf8_lossy(&want.stderr));
        let got = create(&watershed, &ours)?;
        let error = String::from_utf8_lossy(&got.stderr);
        ensure!(got.status.success() == *accepted, "{input:?}: {error}");
        if !accepted {
            ensure!(got.status.code() == Some(1), "{input:?}: {:?}", got.status);
            ensure!(error.contains("line ") && error.contains("column "), "{input:?}: {error}");
            let left: Vec<_> = fs::read_dir(&ours).into_iter().flatten().flatten().map(|e| e.path()).collect();
            ensure!(left.is_empty(), "{input:?} left {left:?}");
        }
    }
    Ok(())
}

#[test]
fn what_promtool_drops_without_a_word_is_an_error() -> Result<()> {
    let watershed = watershed()?;
    for (input, place, reason) in [
        ("a 1 2\na 1 1\n# EOF\n", "line 2, column 1", "out of order sample"),
        ("a 1 2\nb 1 2\na 2 2\n# EOF\n", "line 3, column 1", "duplicate sample for timestamp"),
    ] {
        let dir = tempfile::tempdir()?;
        let (file, data) = (dir.path().join("input"), dir.path().join("data"));
        fs::write(&file, input)?;
        let out = run(&watershed, &["tsdb", "create-blocks-from", "openmetrics", text(&file), text(&data)])?;
        let error = String::from_utf8_lossy(&out.stderr);
        ensure!(out.status.code() == Some(1) && error.contains(place) && error.contains(reason), "{input:?}: {error}");
        ensure!(!data.exists(), "nothing is left of {input:?}");
    }
    Ok(())
}

#[test]
fn labels_are_added_and_standard_input_is_read() -> Result<()> {
    let watershed = watershed()?;
    let dir = tempfile::tempdir()?;
    let (file, data) = (dir.path().join("input"), dir.path().join("data"));
    fs::write(&file, "a{b=\"c\"} 1 1700000000\na{b=\"d\"} 1 1700020000\n# EOF\n")?;
    let labels = ["--label", "job=x", "--label=b=y", "--max-block-duration=18h", "--json"];
    let out = Command::new(&watershed)
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args(labels)
        .args(["-", text(&data)])
        .stdin(fs::File::open(&file)?)
        .output()?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let json: Value = serde_json::from_slice(&out.stdout)?;
    ensure!(json["blocks"].as_array().is_some_and(|blocks| blocks.len() == 1), "one block of 18 hours: {json}");
    let dump = printed(&watershed, &["tsdb", "dump", text(&data)])?;
    let series = "{__name__=\"a\", b=\"y\", job=\"x\"} 1";
    ensure!(dump == format!("{series} 1700000000000\n{series} 1700020000000\n"), "{dump}");
    let usage = run(&watershed, &["tsdb", "dump", "--format=none", text(&data)])?;
    ensure!(usage.status.code() == Some(2), "wrong usage ends with 2");
    let missing = run(&watershed, &["tsdb", "list", text(&dir.path().join("nothing"))])?;
    ensure!(missing.status.code() == Some(1), "a directory that is not there ends with 1");
    Ok(())
}

#[test]
fn a_wrong_path_is_an_error_that_says_so() -> Result<()> {
    let watershed = watershed()?;
    let dir = tempfile::tempdir()?;
    let (file, empty) = (dir.path().join("input"), dir.path().join("empty"));
    fs::write(&file, "a 1 1700000000\n# EOF\n")?;
    fs::create_dir(&empty)?;
    let check = |arguments: &[&str], word: &str| -> Result<()> {
        let out = run(&watershed, &[&["tsdb"], arguments].concat())?;
        let error = String::from_utf8_lossy(&out.stderr);
        ensure!(out.status.code() == Some(1) && error.contains(word), "{arguments:?}: {}: {error}", out.status);
        ensure!(out.stdout.is_empty(), "{arguments:?} printed something");
        Ok(())
    };
    for command in ["list", "dump", "analyze", "verify"] {
        check(&[command, text(&empty)], "is it a data directory?")?;
        check(&[command, text(&file)], "Not a directory")?;
        check(&[command, text(&dir.path().join("nothing"))], "No such file or directory")?;
    }
    let create = ["create-blocks-from", "openmetrics"];
    check(&[&create[..], &[text(&file), text(&file)]].concat(), "is not a directory")?;
    check(
        &[&create[..], &[text(&empty), text(&empty)]].concat(),
        "cannot read the text: Is a directory (os error 21)",
    )?;
    // Milliseconds where seconds belong are taken, as promtool does, but not without a word.
    fs::write(&file, "a 1 1700000000000\n# EOF\n")?;
    let out = run(&watershed, &[&["tsdb"], &create[..], &[text(&file), text(&empty)]].concat())?;
    let warning = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success() && warning.contains("not in milliseconds"), "{}: {warning}", out.status);
    Ok(())
}

#[tokio::test]
async fn a_running_shard_takes_in_what_is_put_beside_it() -> Result<()> {
    let watershed = watershed()?;
    let dir = tempfile::tempdir()?;
    // Blocks of some seconds, so that the directory is looked at every second.
    let flags = ["--storage.tsdb.min-block-duration=5s", "--storage.tsdb.retention.time=100y"];
    let mut shard = Node::start("shard", dir.path(), "global: {scrape_interval: 1s}\n", &flags).await?;
    let file = dir.path().join("input");
    fs::write(&file, format!("# TYPE old gauge\nold{{kind=\"made\"}} 7 {START}\n# EOF\n"))?;
    let created =
        printed(&watershed, &["tsdb", "create-blocks-from", "openmetrics", "--json", text(&file), text(&shard.data)])?;
    let made: Value = serde_json::from_str(&created)?;
    let client = &shard.client;
    eventually("the block is shown", BOUND, || async {
        let found = client.query("old", Some(START as f64 + 1.0)).await?;
        ensure!(found[0]["value"][1] == "7", "{found}");
        Ok(())
    })
    .await?;
    // Somebody deletes it again.
    fs::remove_dir_all(made["blocks"][0]["path"].as_str().unwrap_or_default())?;
    eventually("the block is no longer asked", BOUND, || async {
        let found = client.query("old", Some(START as f64 + 1.0)).await?;
        ensure!(found.as_array().is_some_and(Vec::is_empty), "{found}");
        Ok(())
    })
    .await?;
    ensure!(shard.log().contains("block is gone from the directory"), "{}", shard.log());
    ensure!(shard.stop().await?, "the shard did not end well:\n{}", shard.log());
    Ok(())
}

//! Every file in config-examples/ is one that works.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::{Node, Process, eventually, find, watershed};

const BOUND: Duration = Duration::from_secs(40);
/// Where the examples say the node_exporter is.
const EXPORTER: &str = "127.0.0.1:9100";

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config-examples")
}

#[test]
fn every_example_passes_the_check() -> Result<()> {
    let mut seen = 0;
    for entry in fs::read_dir(examples())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let what = match name.as_str() {
            name if name.contains("rules") => ["rules"].as_slice(),
            name if name.starts_with("alertmanager") => &["alert-config"],
            "agent.yml" => &["config", "--agent"],
            name if name.ends_with(".yml") => &["config"],
            _ => continue,
        };
        let out = Command::new(watershed()?).arg("check").args(what).arg(&path).output()?;
        ensure!(
            out.status.success(),
            "{name}: {}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
        seen += 1;
    }
    ensure!(seen >= 4, "only {seen} examples were found");
    Ok(())
}

#[test]
fn load_balancers_take_their_examples() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let example = |name: &str| examples().join("load-balancer").join(name).canonicalize();
    let check = |program: &str, arguments: &[&str]| -> Result<()> {
        let Some(program) = find("load_balancers_take_their_examples", program) else { return Ok(()) };
        let out = Command::new(&program).args(arguments).output()?;
        ensure!(out.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&out.stderr));
        Ok(())
    };
    check("haproxy", &["-c", "-f", &example("haproxy.cfg")?.to_string_lossy()])?;
    let own_files = format!("pid {}; error_log stderr;", dir.path().join("nginx.pid").display());
    check("nginx", &["-t", "-g", &own_files, "-c", &example("nginx.conf")?.to_string_lossy()])?;
    Ok(())
}

#[test]
fn manifests_hold_configurations_that_pass_the_check() -> Result<()> {
    let dir = tempfile::tempdir()?;
    for name in ["load-balancer/kubernetes.yaml", "kubernetes-shards.yaml"] {
        let manifest = fs::read_to_string(examples().join(name))?;
        let (_, config) =
            manifest.split_once("global.yml: |\n").with_context(|| format!("no configuration in {name}"))?;
        let config = config.split("---").next().unwrap_or_default();
        let config: String =
            config.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect();
        let file = tests::write(dir.path(), "global.yml", &config)?;
        let out = Command::new(watershed()?).args(["check", "config"]).arg(&file).output()?;
        ensure!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    }
    Ok(())
}

#[test]
fn the_check_says_where_an_error_is() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = tests::write(dir.path(), "bad.yml", "scrape_configs:\n  - job_name: a\n    metrics_pth: /x\n")?;
    let out = Command::new(watershed()?).args(["check", "config"]).arg(&file).output()?;
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    ensure!(out.status.code() == Some(1), "{:?}", out.status);
    ensure!(text.contains("bad.yml:3:5") && text.contains("metrics_path"), "{text}");
    let out = Command::new(watershed()?).args(["check", "nonsense"]).output()?;
    ensure!(out.status.code() == Some(2), "wrong usage ends with {:?}", out.status.code());
    Ok(())
}

#[tokio::test]
async fn the_example_shard_runs_against_a_real_exporter() -> Result<()> {
    let name = "the_example_shard_runs_against_a_real_exporter";
    let Some(program) = find(name, "prometheus-node-exporter") else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let _exporter =
        Process::start(&program, [format!("--web.listen-address={EXPORTER}")], &dir.path().join("exporter.log"))?;
    let shard = Node::start_with("shard", dir.path(), examples().join("shard.yml"), &[]).await?;
    eventually("the example's target is up", BOUND, || async {
        ensure!(shard.client.value("up{job=\"node\"}").await? == 1.0, "not up");
        Ok(())
    })
    .await?;
    let rules = shard.client.api("rules").await?;
    ensure!(rules["groups"].as_array().is_some_and(|groups| !groups.is_empty()), "{rules}");
    Ok(())
}

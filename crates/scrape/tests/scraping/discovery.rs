//! Targets in files.

use std::time::Duration;

use crate::server::{Answer, Server};
use crate::world::{World, configs, series};

#[tokio::test]
async fn follows_a_file_of_targets() {
    let (one, two) = (Server::start(Answer::text("a 1\n")).await, Server::start(Answer::text("a 2\n")).await);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("targets.yml");
    let write = |text: String| {
        // as editors and config maps do: a new file in the place of the old
        let draft = dir.path().join("draft");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(&draft, &file).unwrap();
    };
    write(format!("- targets: ['{}']\n", one.address));
    let world = World::new();
    let words = format!(
        "job_name: j\nscrape_interval: 200ms\nscrape_timeout: 150ms\nfile_sd_configs: [{{files: ['{}/*.yml']}}]\n\
         relabel_configs: [{{source_labels: [__address__], regex: 'dropped.*', action: drop}}]",
        dir.path().display()
    );
    world.apply(&[words]).await;
    let (first, second) = (series("a", "", &one.address), series("a", "", &two.address));
    world.store.wait(|s| (s.last(&first) == Some(1.0)).then_some(())).await;
    assert!(world.target().discovered_labels.value("__meta_filepath").ends_with("targets.yml"));

    write(format!("- targets: ['{}', 'dropped:1']\n", two.address));
    world.store.wait(|s| (s.last(&second) == Some(2.0)).then_some(())).await;
    world.store.wait(|s| s.is_stale(&first).then_some(())).await;
    let snapshot = world.manager.targets();
    assert_eq!((snapshot.active.len(), snapshot.dropped.len(), snapshot.dropped_counts["j"]), (1, 1, 1));
    assert_eq!(snapshot.dropped[0].discovered_labels.value("__address__"), "dropped:1");

    // a broken file keeps the targets it had
    write("- target: [x]\n".to_owned());
    wait_for(|| world.metrics().contains("prometheus_sd_file_read_errors_total 1")).await;
    world.scrapes(2).await;
    assert_eq!(world.store.last(&second), Some(2.0));

    // a file that is gone has no targets
    std::fs::remove_file(&file).unwrap();
    wait_for(|| world.manager.targets().active.is_empty()).await;
    world.manager.shutdown().await;
}

#[tokio::test]
async fn a_job_whose_certificates_are_missing_changes_nothing() {
    let (world, server) = World::with(Answer::text("a 1\n"), "").await;
    world.wait_up(1.0).await;
    let broken = crate::world::job(&server.address, "tls_config: {ca_file: /nowhere/ca.pem}");
    let error = world.manager.apply(configs(&[broken]), &model::Labels::empty()).await.unwrap_err();
    assert_eq!(error.to_string(), "scrape config \"j\": cannot prepare its HTTP client");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "cannot read \"/nowhere/ca.pem\"");
    world.scrapes(2).await;
    assert_eq!(world.target().last_error, "");
}

/// Waits for what no commit announces.
async fn wait_for(is_so: impl Fn() -> bool) {
    let bound = Duration::from_secs(20);
    let waiting = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while !is_so() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(bound, waiting).await.expect("seen within 20 s");
}

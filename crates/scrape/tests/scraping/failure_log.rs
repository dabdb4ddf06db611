//! The log of failed scrapes.

use std::path::Path;

use crate::formats::{TEXT, answer};
use crate::server::Server;
use crate::world::{World, job};

fn lines(file: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn failed_scrapes_are_logged_and_the_log_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("failed.json");
    let words = format!("scrape_failure_log_file: {}", file.display());
    let world = World::new();
    let (one, two) = (Server::start(answer(TEXT, b"a 1 x\n")).await, Server::start(answer(TEXT, b"a 1\n")).await);
    // Both jobs name the file; only one of them fails.
    let jobs = [job(&one.address, &words), job(&two.address, &words).replace("job_name: j", "job_name: k")];
    world.apply(&jobs).await;
    world.store.wait(|_| (lines(&file).len() >= 2).then_some(())).await;
    for line in lines(&file) {
        assert_eq!((&line["level"], &line["job_name"]), (&"ERROR".into(), &"j".into()), "{line}");
        assert_eq!(line["target"], format!("http://{}/metrics", one.address), "{line}");
        assert!(line["msg"].as_str().unwrap().starts_with("line 1, column 5: "), "{line}");
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
    }
    let moved = dir.path().join("moved.json");
    std::fs::rename(&file, &moved).unwrap();
    world.apply(&jobs).await;
    assert!(file.exists(), "opened anew");
    world.store.wait(|_| (!lines(&file).is_empty()).then_some(())).await;

    let nowhere = job(&one.address, &format!("scrape_failure_log_file: {}/none/x", dir.path().display()));
    let error = world.manager.apply(crate::world::configs(&[nowhere]), &model::Labels::empty()).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot open the scrape_failure_log_file \""), "{error}");
    world.scrapes(2).await;
}

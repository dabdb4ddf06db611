//! What is stored of what a target shows.

use model::is_stale;

use crate::server::{Answer, Server};
use crate::store::Store;
use crate::world::{World, job, series};

#[tokio::test]
async fn stores_samples_and_a_report_in_one_transaction() {
    let (world, _server) =
        World::with(Answer::text("# HELP a Help of a.\n# TYPE a gauge\na 1\nb{x=\"y\"} 2\n"), "").await;
    world.wait_up(1.0).await;
    let commit = world.store.commit(0);
    let names: Vec<&str> = commit.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "a",
            "b",
            "up",
            "scrape_duration_seconds",
            "scrape_samples_scraped",
            "scrape_samples_post_metric_relabeling",
            "scrape_series_added"
        ]
    );
    let values: Vec<f64> = commit.iter().map(|(.., value)| *value).collect();
    assert_eq!((values[0], values[1], values[2], values[4], values[5], values[6]), (1.0, 2.0, 1.0, 2.0, 2.0, 2.0));
    assert!(commit.iter().all(|(_, time, _)| *time == commit[0].1));
    assert_eq!(world.store.last(&world.series("b", ", x=\"y\"")), Some(2.0));
    let metadata = world.manager.metadata().remove(0).metrics.remove(0);
    assert_eq!(
        (metadata.metric.as_str(), metadata.kind.as_str(), metadata.help.as_str()),
        ("a", "gauge", "Help of a.")
    );
    world.manager.shutdown().await;
}

#[tokio::test]
async fn a_known_line_is_appended_by_reference() {
    let (world, server) = World::with(Answer::text("a 1\n"), "").await;
    world.scrapes(2).await;
    let before = world.store.appends_by_labels();
    world.scrapes(3).await;
    assert_eq!(world.store.appends_by_labels(), before);
    assert_eq!(server.connection_count(), 1, "the connection is kept");
    // a storage that has dropped the series gets its labels again
    world.store.forget_references();
    world.scrapes(2).await;
    assert!(world.store.appends_by_labels() > before);
    assert_eq!(world.store.last(&world.series("a", "")), Some(1.0));
}

#[tokio::test]
async fn timestamps_advance_by_the_interval() {
    let (world, _server) = World::with(Answer::text("a 1\n"), "").await;
    let up = world.up();
    // A busy machine may delay a scrape, but never by enough to leave its slot; two in a row are in time at last.
    let times = world.store.wait(|store| {
        let times: Vec<i64> = store.samples(&up).iter().map(|sample| sample.0).collect();
        (times.len() >= 5 && times.windows(2).any(|pair| pair[1] - pair[0] == 200)).then_some(times)
    });
    let times = times.await;
    let slots: Vec<i64> = times.windows(2).map(|pair| (pair[1] - pair[0] + 100) / 200).collect();
    assert!(slots.iter().all(|slot| *slot >= 1), "{times:?}");
}

#[tokio::test]
async fn vanished_series_end() {
    let (world, server) = World::with(Answer::text("a 1\nb 2\n"), "").await;
    world.wait_up(1.0).await;
    let (a, b) = (world.series("a", ""), world.series("b", ""));
    server.answer(Answer::text("a 3\n"));
    world.store.wait(|s| s.is_stale(&b).then_some(())).await;
    assert_eq!(world.store.last(&a), Some(3.0));
    assert_eq!(world.store.samples(&a).last().unwrap().0, world.store.samples(&b).last().unwrap().0);
    world.scrapes(2).await;
    assert_eq!(world.store.samples(&b).iter().filter(|(_, v)| is_stale(*v)).count(), 1, "it ends once");
}

#[tokio::test]
async fn a_failed_scrape_ends_all_series_but_the_report() {
    let (world, server) = World::with(Answer::text("a 1\n"), "").await;
    world.wait_up(1.0).await;
    let a = world.series("a", "");
    server.answer(Answer::text("b 1\na 2 x\n"));
    let status = world.wait_up(0.0).await;
    assert!(status.last_error.starts_with("line 2, column 5: "), "{}", status.last_error);
    assert!(world.store.is_stale(&a));
    assert_eq!(world.store.last(&world.series("b", "")), None, "rolled back");
    server.answer(Answer::text("a 4\n"));
    world.store.wait(|s| (s.last(&a) == Some(4.0)).then_some(())).await;
}

#[tokio::test]
async fn a_removed_target_ends_all_its_series() {
    let (world, _server) = World::with(Answer::text("a 1\n"), "").await;
    world.wait_up(1.0).await;
    let (a, up) = (world.series("a", ""), world.up());
    world.apply(&[]).await;
    assert!(world.manager.targets().active.is_empty());
    world.store.wait(|s| (s.is_stale(&a) && s.is_stale(&up)).then_some(())).await;
    world.manager.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_ends_no_series() {
    let (world, _server) = World::with(Answer::text("a 1\n"), "").await;
    world.wait_up(1.0).await;
    let a = world.series("a", "");
    world.manager.shutdown().await;
    assert_eq!(world.store.last(&a), Some(1.0));
}

#[tokio::test]
async fn a_reload_leaves_the_rest_alone() {
    let (world, server) = World::with(Answer::text("a 1\nb 1\n"), "").await;
    world.wait_up(1.0).await;
    let (a, b) = (world.series("a", ""), world.series("b", ""));
    // other rules for samples: the target goes on, what is dropped now ends
    world
        .apply(&[job(&server.address, "metric_relabel_configs: [{source_labels: [__name__], regex: b, action: drop}]")])
        .await;
    world.store.wait(|s| s.is_stale(&b).then_some(())).await;
    assert!(world.store.samples(&a).iter().all(|(_, v)| !is_stale(*v)));
    assert_eq!(server.connection_count(), 2, "a changed job has a new client");
    world
        .apply(&[job(&server.address, "metric_relabel_configs: [{source_labels: [__name__], regex: b, action: drop}]")])
        .await;
    world.scrapes(2).await;
    assert_eq!(server.connection_count(), 2, "an unchanged one has not");
}

async fn stored(words: &str, text: &str) -> (Store, String) {
    let (world, server) = World::with(Answer::text(text), words).await;
    world.wait_up(1.0).await;
    (world.store, server.address)
}

#[tokio::test]
async fn labels_of_target_and_job() {
    let exposed = "a{job=\"own\",instance=\"\",x=\"1\"} 1\n";
    let find = |store: &Store| store.series().into_iter().find(|s| s.starts_with("a{")).unwrap();
    let (store, address) = stored("", exposed).await;
    assert_eq!(find(&store), format!("a{{exported_job=\"own\", instance=\"{address}\", job=\"j\", x=\"1\"}}"));
    // an empty label of the target's own keeps the job's away
    let (store, _) = stored("honor_labels: true", exposed).await;
    assert_eq!(find(&store), "a{job=\"own\", x=\"1\"}");
    let (store, address) = stored("", "a{job=\"own\",exported_job=\"other\"} 1\n").await;
    assert_eq!(
        find(&store),
        format!("a{{exported_exported_job=\"own\", exported_job=\"other\", instance=\"{address}\", job=\"j\"}}")
    );
}

#[tokio::test]
async fn timestamps_of_the_targets_own() {
    let now = model::Clock::now(&model::SystemClock).as_ms();
    let text = format!("a 1 {}\nb 1\nfuture 1 {}\n", now - 5000, now + 3_600_000);
    let (world, server) = World::with(Answer::text(&text), "").await;
    world.wait_up(1.0).await;
    let (a, b) = (world.series("a", ""), world.series("b", ""));
    assert_eq!(world.store.samples(&a), [(now - 5000, 1.0)]);
    assert_eq!(world.store.last(&world.series("future", "")), None);
    server.answer(Answer::text(""));
    world.store.wait(|s| s.is_stale(&b).then_some(())).await;
    assert!(!world.store.is_stale(&a), "a series with its own timestamps doesn't end");

    let (world, server) = World::with(Answer::text(&text), "track_timestamps_staleness: true").await;
    world.wait_up(1.0).await;
    let a = world.series("a", "");
    server.answer(Answer::text(""));
    world.store.wait(|s| s.is_stale(&a).then_some(())).await;

    let (world, _server) = World::with(Answer::text(&text), "honor_timestamps: false").await;
    world.wait_up(1.0).await;
    assert!(world.store.samples(&world.series("a", ""))[0].0 >= now);
}

#[tokio::test]
async fn limits_fail_the_scrape_as_a_whole() {
    let check = async |words: &str, message: &str| {
        let (world, _server) =
            World::with(Answer::text("metric_a{label=\"value\"} 1\nmetric_b 2\nmetric_c 3\n"), words).await;
        let status = world.wait_up(0.0).await;
        assert!(status.last_error.contains(message), "{words}: {}", status.last_error);
        assert!(world.store.series().iter().all(|s| !s.starts_with("metric_")));
        world
    };
    let world = check("sample_limit: 2", "sample limit exceeded").await;
    assert_eq!(world.store.last(&world.series("scrape_samples_scraped", "")), Some(3.0), "all are counted");
    assert_eq!(world.store.last(&world.series("scrape_samples_post_metric_relabeling", "")), Some(3.0));
    assert!(world.metrics().contains("prometheus_target_scrapes_exceeded_sample_limit_total 1"));
    check("label_limit: 3", "label_limit exceeded (metric: metric_a, labels: 4, limit: 3)").await;
    check(
        "label_name_length_limit: 7",
        "label_name_length_limit exceeded (metric: metric_a, label: __name__, length: 8",
    )
    .await;
    check("label_value_length_limit: 4", "label_value_length_limit exceeded (metric: metric_a").await;
    check("body_size_limit: 10B", "more than the 10 bytes of body_size_limit").await;
}

#[tokio::test]
async fn a_job_with_too_many_targets_is_not_scraped() {
    let (world, server) = (World::new(), Server::start(Answer::text("a 1\n")).await);
    let two = format!(
        "job_name: j\nscrape_interval: 200ms\nscrape_timeout: 150ms\nextra_scrape_metrics: true\n\
         static_configs: [{{targets: ['{}', 'localhost:1']}}]\n",
        server.address
    );
    world.apply(&[format!("{two}target_limit: 1")]).await;
    let status = world.wait_up(0.0).await;
    assert_eq!(status.last_error, "target_limit exceeded (number of targets: 2, limit: 1)");
    assert_eq!(server.last_request(), "");
    world.apply(&[format!("{two}target_limit: 2")]).await;
    let up = series("up", "", &server.address);
    world.store.wait(|s| (s.last(&up) == Some(1.0)).then_some(())).await;
    assert_eq!(world.store.last(&series("scrape_body_size_bytes", "", &server.address)), Some(4.0));
}

#[tokio::test]
async fn repeated_and_relabelled_samples() {
    let words = "metric_relabel_configs:\n- {source_labels: [__name__], regex: 'drop.*', action: drop}\n\
                 - {source_labels: [__name__], regex: 'old', target_label: __name__, replacement: new}\n";
    let (world, _server) = World::with(Answer::text("dropped 1\nold 2\na 3\na 4\n"), words).await;
    world.wait_up(1.0).await;
    assert_eq!(world.store.last(&world.series("new", "")), Some(2.0));
    assert_eq!(world.store.last(&world.series("a", "")), Some(3.0), "the first of two wins");
    assert_eq!(world.store.last(&world.series("scrape_samples_scraped", "")), Some(4.0));
    assert_eq!(world.store.last(&world.series("scrape_samples_post_metric_relabeling", "")), Some(3.0));
    assert!(world.metrics().contains("prometheus_target_scrapes_sample_duplicate_timestamp_total"));
}

//! Two nodes, one bucket.

use std::fs;
use std::sync::Arc;

use bucket::Location;
use model::TimeRange;
use object_store::ObjectStore;

use crate::fixture::{Node, WIDTH_MS, content, in_memory, marked, ms, objects};

fn fill(node: &Node, seconds: impl Iterator<Item = i64>) {
    for second in seconds {
        for name in ["up", "down"] {
            node.append_float(name, second * 1000, (second % 7) as f64);
        }
    }
}

fn folder(dir: &tempfile::TempDir) -> Arc<dyn ObjectStore> {
    let location = Location::Filesystem { directory: dir.path().join("bucket"), prefix: String::new() };
    bucket::open(&location).expect("opens")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_at_once_each_window_is_there_once() {
    let dir = tempfile::tempdir().expect("a folder");
    for store in [in_memory(), folder(&dir)] {
        let (one, other) = (Node::new(store.clone()), Node::new(store.clone()));
        fill(&one, 0..50);
        fill(&other, 0..50);
        other.db().maintain().expect("maintained");
        let (first, second) = tokio::join!(one.sync(50_000), other.sync(50_000));
        first.expect("uploaded");
        second.expect("uploaded");
        let objects = objects(&*store).await;
        assert_eq!(objects.keys().filter(|name| name.ends_with("/meta.json")).count(), 4, "{:?}", objects.keys());
        assert!(marked(&*store).await.is_empty());
        let range = TimeRange::new(ms(0), ms(39_999));
        assert_eq!(content(&one.view().await, range).await, content(&**one.db(), range).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_block_with_more_samples_stays_whoever_comes_first() {
    for order in [[0, 1], [1, 0]] {
        let store = in_memory();
        let nodes = [Node::new(store.clone()), Node::new(store.clone())];
        fill(&nodes[0], 0..20);
        fill(&nodes[1], (0..20).filter(|second| *second != 5));
        for at in order {
            nodes[at].sync(20_000).await.expect("uploaded");
        }
        assert_eq!(nodes[0].ranges().await, [(0, 10_000)]);
        let range = TimeRange::new(ms(0), ms(WIDTH_MS - 1));
        assert_eq!(content(&nodes[0].view().await, range).await, content(&**nodes[0].db(), range).await);
        // What lost either never came or is marked, and nobody deletes it at once.
        let metas = objects(&*store).await.keys().filter(|name| name.ends_with("/meta.json")).count();
        assert_eq!(metas, marked(&*store).await.len() + 1);
        // Who lacks something is done with the window as long as it comes to know nothing new.
        assert_eq!(nodes[1].sync(20_000).await.ok(), Some(0));
        fill(&nodes[1], std::iter::once(5));
        nodes[1].db().flush_head(ms(10_000)).expect("cut");
        nodes[1].sync(20_000).await.expect("uploaded");
        assert_eq!(nodes[1].ranges().await, [(0, 10_000)]);
        assert_eq!(marked(&*store).await.len(), metas - 1, "it is the same as the other's now");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_different_samples_as_many_the_same_block_stays_for_all_and_it_is_told() {
    let mut winners = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let store = in_memory();
        let nodes = [Node::new(store.clone()), Node::new(store.clone())];
        nodes.iter().for_each(|node| fill(node, 0..20));
        nodes[0].append_float("extra", 5_000, 1.0);
        nodes[1].append_float("extra", 5_000, 2.0);
        for at in order {
            nodes[at].sync(20_000).await.expect("uploaded");
        }
        let blocks = nodes[0].view().await.blocks();
        assert_eq!(blocks.len(), 1);
        winners.push(blocks[0].meta().ulid);
        let conflicts: f64 = nodes.iter().map(|node| node.metric("watershed_bucket_window_conflicts_total")).sum();
        assert_eq!(conflicts, 1.0);
        let metas = objects(&*store).await.keys().filter(|name| name.ends_with("/meta.json")).count();
        assert_eq!(metas, marked(&*store).await.len() + 1);
    }
    assert_eq!(winners[0], winners[1]);
}

/// Two that upload different blocks of one window at the same moment don't see each other before.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_of_different_blocks_is_put_right_by_whoever_looks_next() {
    let dir = tempfile::tempdir().expect("a folder");
    for store in [in_memory(), folder(&dir)] {
        let nodes = [Node::new(store.clone()), Node::new(store.clone())];
        fill(&nodes[0], 0..60);
        fill(&nodes[1], (0..60).filter(|second| second % 10 != 5));
        let (first, second) = tokio::join!(nodes[0].sync(60_000), nodes[1].sync(60_000));
        first.expect("uploaded");
        second.expect("uploaded");
        let ranges = nodes[0].ranges().await;
        assert_eq!(ranges, (0..5).map(|k| (k * WIDTH_MS, (k + 1) * WIDTH_MS)).collect::<Vec<_>>());
        let metas = objects(&*store).await.keys().filter(|name| name.ends_with("/meta.json")).count();
        assert_eq!(metas, marked(&*store).await.len() + 5, "all that lost are marked");
        let range = TimeRange::new(ms(0), ms(49_999));
        assert_eq!(content(&nodes[1].view().await, range).await, content(&**nodes[0].db(), range).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mark_is_what_thanos_reads() {
    let store = in_memory();
    let nodes = [Node::new(store.clone()), Node::new(store.clone())];
    fill(&nodes[0], (0..20).filter(|second| *second != 5));
    fill(&nodes[1], 0..20);
    nodes[1].clock.set(ms(1_700_000_000_123));
    nodes[0].sync(20_000).await.expect("uploaded");
    nodes[1].sync(20_000).await.expect("uploaded");
    let marked = marked(&*store).await;
    let name = marked.first().expect("the first one lost");
    let mark = &objects(&*store).await[&format!("{name}/deletion-mark.json")];
    let mark: serde_json::Value = serde_json::from_slice(mark).expect("JSON");
    assert_eq!((&mark["id"], &mark["version"]), (&serde_json::json!(name), &serde_json::json!(1)));
    assert_eq!(mark["deletion_time"], 1_700_000_000);
    assert!(mark["details"].as_str().is_some_and(|details| details.contains("replaced by")), "{mark}");
    assert_eq!(nodes[1].metric("watershed_bucket_blocks_replaced_total"), 1.0);
}

/// Whatever of the local files is lost or left behind, the next start finds its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn local_files_may_be_lost_or_left_behind() {
    let store = in_memory();
    let mut node = Node::new(store.clone());
    fill(&node, 0..50);
    node.sync(50_000).await.expect("uploaded");
    let before = objects(&*store).await;
    let work = node.data_dir().join("bucket-blocks");
    fs::create_dir_all(work.join("7/half")).expect("made");
    fs::remove_file(node.data_dir().join("bucket-windows.json")).expect("was written");
    node.start();
    assert!(!work.exists(), "what a dead process left is gone");
    node.sync(50_000).await.expect("finds everything there");
    assert_eq!(objects(&*store).await, before);
    assert!(fs::read_dir(&work).into_iter().flatten().next().is_none(), "local copies go");
}

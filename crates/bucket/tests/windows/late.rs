//! When windows are made, and made again.

use model::TimeRange;

use crate::fixture::{DEADLINE_MS, Node, content, in_memory, marked, ms, objects};

fn fill(node: &Node, seconds: std::ops::Range<i64>) {
    for second in seconds {
        node.append_float("up", second * 1000, second as f64);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_window_is_made_when_it_is_complete_or_beyond_its_deadline() {
    let node = Node::new(in_memory());
    fill(&node, 0..35);
    // What lies behind a window has a part in it, so that must have come as well.
    node.sync(19_999).await.expect("nothing to do");
    assert!(node.ranges().await.is_empty());
    node.sync(20_000).await.expect("uploaded");
    assert_eq!(node.ranges().await, [(0, 10_000)]);
    node.clock.set(ms(20_000 + DEADLINE_MS - 1));
    node.sync(0).await.expect("nothing to do");
    assert_eq!(node.ranges().await, [(0, 10_000)]);
    node.clock.set(ms(20_000 + DEADLINE_MS));
    node.sync(0).await.expect("uploaded");
    assert_eq!(node.ranges().await, [(0, 10_000), (10_000, 20_000)]);
    node.clock.set(ms(500_000_000));
    node.sync(0).await.expect("uploaded");
    assert_eq!(node.ranges().await.last(), Some(&(30_000, 40_000)), "what is empty makes no block");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn late_samples_replace_the_block_of_their_window() {
    let node = Node::new(in_memory());
    fill(&node, 0..50);
    node.db().maintain().expect("maintained");
    node.sync(50_000).await.expect("uploaded");
    let before = node.ranges().await;
    assert_eq!(before.len(), 4);
    let blocks = node.db().blocks();
    assert!(node.uploader().is_uploaded(blocks[1].ulid, &blocks));

    let built = node.metric("watershed_bucket_windows_built_total");
    assert_eq!(node.sync(50_000).await.ok(), Some(0));
    assert_eq!(node.metric("watershed_bucket_windows_built_total"), built, "nothing has changed");

    // It goes into a block of its own when the next block is cut.
    node.append_float("late", 15_500, 1.0);
    fill(&node, 50..60);
    node.db().maintain().expect("maintained");
    let with_late = node.db().blocks();
    assert_eq!(with_late.len(), blocks.len() + 2);
    assert!(
        with_late
            .iter()
            .filter(|block| block.min_time < ms(30_000))
            .all(|block| { !node.uploader().is_uploaded(block.ulid, &with_late) }),
        "the window is made of all of them"
    );
    node.sync(50_000).await.expect("uploaded");
    assert_eq!(node.ranges().await, before, "each window once");
    assert!(node.uploader().is_uploaded(blocks[1].ulid, &with_late));
    assert_eq!(marked(&*node.store).await.len(), 1);
    assert_eq!(node.metric("watershed_bucket_blocks_replaced_total"), 1.0);
    let range = TimeRange::new(ms(0), ms(39_999));
    assert_eq!(content(&node.view().await, range).await, content(&**node.db(), range).await);
}

/// A window that was made at its deadline, of which the rest comes into the head.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_comes_after_the_deadline_is_in_the_end_in_the_bucket() {
    let node = Node::new(in_memory());
    fill(&node, 0..5);
    node.clock.set(ms(10_000 + DEADLINE_MS));
    node.sync(0).await.expect("uploaded");
    fill(&node, 5..40);
    node.db().maintain().expect("maintained");
    node.sync(40_000).await.expect("uploaded");
    assert_eq!(node.ranges().await, [(0, 10_000), (10_000, 20_000), (20_000, 30_000)]);
    let range = TimeRange::new(ms(0), ms(29_999));
    assert_eq!(content(&node.view().await, range).await, content(&**node.db(), range).await);
}

/// Killed after each object of an upload and after the marks: the next sync makes the same of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_kill_at_any_object_leaves_what_the_next_sync_repairs() {
    let mut node = Node::new(in_memory());
    fill(&node, 0..30);
    node.sync(20_000).await.expect("uploaded");
    let first = objects(&*node.store).await;
    node.append_float("late", 5_500, 1.0);
    fill(&node, 30..40);
    node.db().maintain().expect("maintained");
    node.sync(20_000).await.expect("uploaded");
    let finished = objects(&*node.store).await;
    let new: Vec<&String> = finished.keys().filter(|name| !first.contains_key(*name)).collect();
    let mut written = new.clone();
    // The order in which they are written.
    written.sort_by_key(|name| {
        ["000001", "index", "meta.json", "deletion-mark.json"].iter().position(|end| name.ends_with(end))
    });
    assert_eq!(written.len(), 4, "{written:?}");
    for count in 0..=written.len() {
        let store = in_memory();
        for name in first.keys().chain(written[..count].iter().copied()) {
            let path = object_store::path::Path::from(name.as_str());
            object_store::ObjectStoreExt::put(&*store, &path, finished[name].clone().into()).await.expect("put");
        }
        node.store = store;
        std::fs::remove_file(node.data_dir().join("bucket-windows.json")).expect("was written");
        node.start();
        node.sync(20_000).await.expect("uploaded");
        assert_eq!(
            objects(&*node.store).await.keys().collect::<Vec<_>>(),
            finished.keys().collect::<Vec<_>>(),
            "{count}"
        );
    }
}

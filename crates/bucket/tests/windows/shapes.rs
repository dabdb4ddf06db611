//! What a block of a window looks like, and blocks of other kinds beside it.

use std::fs;

use model::{Labels, TimeRange};
use serde_json::{Value, json};
use storage::chunk;

use crate::fixture::{Node, content, in_memory, ms, objects};

fn fill(node: &Node, seconds: std::ops::Range<i64>) {
    for second in seconds {
        node.append_float("up", second * 1000, second as f64);
    }
}

async fn metas(node: &Node) -> Vec<Value> {
    let objects = objects(&*node.store).await;
    let metas = objects.iter().filter(|(name, _)| name.ends_with("/meta.json"));
    metas.map(|(_, bytes)| serde_json::from_slice(bytes).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn its_description_says_what_it_is_and_nothing_of_who_wrote_it() {
    let node = Node::new(in_memory());
    fill(&node, 0..30);
    // Without a name.
    node.append(&Labels::from_pairs([("job", "nameless")]), 3_000, &chunk::Value::Float(1.0));
    node.clock.set(ms(40_000));
    node.sync(20_000).await.expect("uploaded");
    let metas = metas(&node).await;
    let [meta] = &metas[..] else { panic!("{metas:?}") };
    assert_eq!((&meta["minTime"], &meta["maxTime"]), (&json!(0), &json!(10_000)));
    assert_eq!(meta["compaction"], json!({"level": 1, "sources": [meta["ulid"]]}));
    assert_eq!((&meta["stats"]["numSeries"], &meta["stats"]["numSamples"]), (&json!(2), &json!(11)));
    let files = json!([
        {"rel_path": "chunks/000001", "size_bytes": meta["thanos"]["files"][0]["size_bytes"]},
        {"rel_path": "index", "size_bytes": meta["thanos"]["files"][1]["size_bytes"]},
        {"rel_path": "meta.json"},
    ]);
    let thanos = json!({
        "version": 1, "labels": {"tier": "global"}, "downsample": {"resolution": 0}, "source": "watershed", "files": files,
        "extensions": {"watershed": {"window_ms": 10_000, "made_of": 11}},
    });
    assert_eq!(meta["thanos"], thanos);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_are_one_series() {
    let mut node = Node::new(in_memory());
    node.replica_labels = vec!["replica".to_owned()];
    for second in 0..30 {
        for replica in ["a", "b"] {
            if (replica, second) != ("a", 4) {
                let labels = Labels::from_pairs([("__name__", "up"), ("replica", replica)]);
                let time = second * 1000 + i64::from(replica == "b") * 10;
                node.append(&labels, time, &chunk::Value::Float(second as f64));
            }
        }
    }
    node.sync(20_000).await.expect("uploaded");
    let read = content(&node.view().await, TimeRange::ALL).await;
    assert_eq!(read.keys().collect::<Vec<_>>(), ["up"]);
    let times: Vec<i64> = read["up"].iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [0, 1000, 2000, 3000, 4010, 5000, 6000, 7000, 8000, 9000]);
}

/// Earlier versions uploaded the database's blocks as they were.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn windows_that_earlier_versions_uploaded_stay_covered() {
    let mut node = Node::new(in_memory());
    fill(&node, 0..50);
    node.db().maintain().expect("maintained");
    let blocks = node.db().blocks();
    let old: Vec<_> = blocks.iter().filter(|block| block.max_time <= ms(20_000)).collect();
    assert_eq!(old.len(), 2);
    for block in &old {
        let mut meta: Value = serde_json::from_slice(&block.to_json()).expect("JSON");
        meta["thanos"] = json!({"version": 1, "labels": {"tier": "global"}, "downsample": {"resolution": 0}});
        for file in ["meta.json", "index", "chunks/000001"] {
            let bytes = match file {
                "meta.json" => meta.to_string().into_bytes(),
                _ => fs::read(node.data_dir().join(block.ulid.to_string()).join(file)).expect("is there"),
            };
            let path = object_store::path::Path::from(format!("{}/{file}", block.ulid));
            object_store::ObjectStoreExt::put(&*node.store, &path, bytes.into()).await.expect("put");
        }
    }
    let before = objects(&*node.store).await;
    let names: Vec<String> = old.iter().map(|block| block.ulid.to_string()).collect();
    let list = json!({"version": 1, "uploaded": names});
    for list in [Some(list.to_string()), None] {
        let file = node.data_dir().join("thanos.shipper.json");
        match list {
            Some(list) => fs::write(file, list).expect("written"),
            None => fs::remove_file(file).expect("was written"),
        }
        let _ = fs::remove_file(node.data_dir().join("bucket-windows.json"));
        node.start();
        node.sync(30_000).await.expect("nothing to do");
        assert_eq!(objects(&*node.store).await, before);
        assert!(node.uploader().is_uploaded(old[0].ulid, &blocks));
    }
    node.sync(50_000).await.expect("uploaded");
    assert_eq!(node.ranges().await.len(), 4);
    let range = TimeRange::new(ms(0), ms(39_999));
    assert_eq!(content(&node.view().await, range).await, content(&**node.db(), range).await);
}

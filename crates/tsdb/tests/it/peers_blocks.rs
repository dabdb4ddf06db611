//! Compaction and deletion: promtool and Prometheus on blocks that we compacted and deleted from, and we on theirs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use model::{Matcher, TimeRange};
use tsdb::{BlockMeta, Db, Options};

use crate::fixture::{append, copy_dir, dump, labels, ms, open, scratch};
use crate::peers::{Prometheus, free_port, has, promtool, promtool_dump};

const START_MS: i64 = 1_700_000_000_000;
const BLOCK_MS: i64 = 2_000;

fn small(dir: &Path) -> Options {
    Options { min_block_ms: BLOCK_MS, max_block_ms: 9 * BLOCK_MS, retention_ms: 0, ..Options::new(dir) }
}

/// Twelve blocks of two seconds, with series that come and go.
fn fill(db: &Db) {
    let series: Vec<_> = (0..30)
        .map(|i| labels(&[("__name__", ["m", "n"][i % 2]), ("i", &i.to_string()), ("text", "ä \"b\"")]))
        .collect();
    for step in 0..240 {
        let there = |i: usize| i % 3 != 2 || (step / 40) as usize % 5 == i % 5;
        let batch: Vec<_> = series
            .iter()
            .enumerate()
            .filter(|(i, _)| there(*i))
            .map(|(i, labels)| (labels, START_MS + step * 100, (step * i as i64) as f64 * 0.5))
            .collect();
        append(db, &batch);
    }
    db.flush_head(ms(START_MS + 12 * BLOCK_MS)).expect("cut");
    assert_eq!(db.blocks().len(), 12);
}

fn differing(got: &BTreeSet<String>, want: &BTreeSet<String>) -> String {
    format!("missing {:?}, more {:?}", want.difference(got).next(), got.difference(want).next())
}

#[test]
fn promtool_reads_what_we_compacted_and_deleted_from() {
    if !has("promtool_reads_what_we_compacted_and_deleted_from", "promtool") {
        return;
    }
    let dir = scratch();
    let (db, _registry) = open(small(dir.path()));
    fill(&db);
    let whole = dump(&db);
    while db.compact().expect("compacted").is_some() {}
    assert_eq!(dump(&db), whole);
    let path = dir.path().to_str().expect("path");
    let list = promtool(&["tsdb", "list", path]);
    assert_eq!(list.lines().count(), 1 + db.blocks().len(), "{list}");
    for BlockMeta { ulid, stats, .. } in db.blocks() {
        assert!(list.contains(&ulid.to_string()), "{list}");
        let analysis = promtool(&["tsdb", "analyze", path, &ulid.to_string()]);
        assert!(analysis.contains(&format!("Series: {}\n", stats.num_series)), "{analysis}");
    }
    let got = promtool_dump(dir.path());
    assert!(got == whole, "{}", differing(&got, &whole));
    // Tombstones of ours are honoured.
    let middle = TimeRange::new(ms(START_MS + 3_050), ms(START_MS + 17_777));
    db.delete_series(&[Matcher::equal("__name__", "m")], middle).expect("deleted");
    let left = dump(&db);
    assert!(left.len() < whole.len() * 3 / 4);
    let got = promtool_dump(dir.path());
    assert!(got == left, "{}", differing(&got, &left));
    db.clean_tombstones().expect("cleaned");
    let got = promtool_dump(dir.path());
    assert!(got == left, "{}", differing(&got, &left));
}

/// The blocks of `data` that hold samples of ours.
fn ours(data: &Path) -> Vec<BlockMeta> {
    let folders = fs::read_dir(data).expect("dir").flatten().map(|entry| entry.path().join("meta.json"));
    let metas = folders.filter_map(|path| BlockMeta::from_json(&fs::read(path).ok()?).ok());
    metas.filter(|meta| meta.max_time <= ms(START_MS + 12 * BLOCK_MS)).collect()
}

#[test]
fn we_read_what_prometheus_compacted_and_deleted_from() {
    if !has("we_read_what_prometheus_compacted_and_deleted_from", "prometheus") {
        return;
    }
    let (dir, theirs) = (scratch(), scratch());
    let (db, _registry) = open(small(dir.path()));
    fill(&db);
    let data = theirs.path().join("data");
    for block in db.blocks() {
        let id = block.ulid.to_string();
        copy_dir(&dir.path().join(&id), &data.join(&id));
    }
    let port = free_port();
    let jobs = format!("[{{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]");
    let flags = [
        "--storage.tsdb.min-block-duration=2s",
        "--storage.tsdb.max-block-duration=18s",
        "--storage.tsdb.retention.time=100y",
        "--web.enable-admin-api",
    ];
    let configuration = format!("global: {{scrape_interval: 1s}}\nscrape_configs: {jobs}\n");
    let prometheus = Prometheus::run_with(theirs.path(), &data, port, &configuration, &flags);
    // As soon as its head is wide enough for a block it looks after all of them.
    prometheus.wait("to compact our blocks", || ours(&data).len() <= 3);
    let deleted = "match[]=%7Bi=%223%22%7D&match[]=up&start=0".replace("[]", "%5B%5D");
    let answer = prometheus.post(&format!("/api/v1/admin/tsdb/delete_series?{deleted}"));
    assert!(answer.contains("204"), "{answer}");
    drop(prometheus);
    let blocks = ours(&data);
    assert!(blocks.iter().any(|block| block.compaction.level > 1), "{blocks:?}");
    db.delete_series(&[Matcher::equal("i", "3")], TimeRange::ALL).expect("deleted");
    let want = dump(&db);
    let (db, _registry) = open(Options { max_future_ms: 0, ..small(&data) });
    let mine = |line: &String| line.contains("text=\"ä \\\"b\\\"\"");
    let (got, more): (BTreeSet<String>, BTreeSet<String>) = dump(&db).into_iter().partition(mine);
    assert!(got == want, "{}", differing(&got, &want));
    assert!(more.len() > 100, "its own samples are there: {}", more.len());
    let ups = more.iter().filter(|line| line.contains("__name__=\"up\"")).count();
    assert!(ups <= 1, "deleted from its head and its blocks, but for what came while it was killed: {ups}");
    // And we go on where it stopped.
    let all = dump(&db);
    while db.compact().expect("compacted").is_some() {}
    db.clean_tombstones().expect("cleaned");
    let got = dump(&db);
    assert!(got == all, "{}", differing(&got, &all));
}

//! Upload to a real folder and read back: what comes from the bucket is what the database held.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bucket::{Location, Uploader};
use model::TimeRange;
use storage::{Queryable, SelectRequest};

use crate::fixture::{Fixture, ask, nothing, requests};

mod fixture;

fn on_a_folder() -> Fixture {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let location = Location::Filesystem { directory: dir.path().join("bucket"), prefix: String::new() };
    let store = bucket::open(&location).expect("opens");
    Fixture::new(dir, store)
}

fn uploader_of(fixture: &Fixture) -> Uploader {
    fixture.uploader("data")
}

fn bucket_of(fixture: &Fixture) -> PathBuf {
    fixture.dir.path().join("bucket")
}

#[tokio::test]
async fn what_was_uploaded_is_read_back() {
    let fixture = on_a_folder();
    let blocks = fixture.db.blocks();
    assert_eq!(uploader_of(&fixture).sync(&blocks).await.ok(), Some(blocks.len()));
    fixture.assert_reads_as_the_database().await;
}

#[tokio::test]
async fn only_what_local_storage_no_longer_has_comes_from_the_bucket() {
    let fixture = on_a_folder();
    uploader_of(&fixture).sync(&fixture.db.blocks()).await.expect("uploaded");
    let view = fixture.view(fixture.db.clone());
    view.sync().await.expect("a look into the bucket");
    assert!(ask(&view, requests(), TimeRange::ALL).await.is_empty(), "the database has all of it");
}

#[tokio::test]
async fn a_second_upload_finds_everything_there() {
    let fixture = on_a_folder();
    let blocks = fixture.db.blocks();
    uploader_of(&fixture).sync(&blocks).await.expect("uploaded");
    let uploader = uploader_of(&fixture);
    assert_eq!(uploader.sync(&blocks).await.ok(), Some(0), "the list on disk is read");
    assert!(uploader.is_uploaded(blocks[0].ulid));
    fs::remove_file(fixture.dir.path().join("data/thanos.shipper.json")).expect("was written");
    let before = tree(&bucket_of(&fixture));
    uploader_of(&fixture).sync(&blocks).await.expect("as the peer does it");
    assert_eq!(tree(&bucket_of(&fixture)), before, "nothing is written twice");
}

#[tokio::test]
async fn an_interrupted_upload_is_no_block_and_is_finished_later() {
    let fixture = on_a_folder();
    let blocks = fixture.db.blocks();
    uploader_of(&fixture).sync(&blocks).await.expect("uploaded");
    let before = tree(&bucket_of(&fixture));
    let first = bucket_of(&fixture).join(blocks[0].ulid.to_string());
    fs::remove_file(first.join("meta.json")).expect("is there");
    fs::remove_file(first.join("index")).expect("is there");
    let view = fixture.view(nothing());
    view.sync().await.expect("a look into the bucket");
    assert_eq!(view.blocks().len(), blocks.len() - 1);
    fs::remove_file(fixture.dir.path().join("data/thanos.shipper.json")).expect("was written");
    uploader_of(&fixture).sync(&blocks).await.expect("goes on");
    assert_eq!(tree(&bucket_of(&fixture)), before);
}

#[tokio::test]
async fn another_block_under_the_same_name_is_a_conflict() {
    let fixture = on_a_folder();
    let blocks = fixture.db.blocks();
    let index = bucket_of(&fixture).join(blocks[0].ulid.to_string()).join("index");
    fs::create_dir_all(index.parent().expect("has one")).expect("made");
    fs::write(&index, "somebody else's").expect("written");
    let uploader = uploader_of(&fixture);
    let error = uploader.sync(&blocks).await.expect_err("must not be overwritten").to_string();
    assert!(error.contains("two different blocks share a name"), "{error}");
    assert_eq!(fs::read(&index).expect("still there"), b"somebody else's");
    assert!(uploader.status().last_error.is_some());
    let view = fixture.view(nothing());
    view.sync().await.expect("a look into the bucket");
    assert_eq!(view.blocks().len(), blocks.len() - 1, "the others went up");
}

#[tokio::test]
async fn a_damaged_block_is_left_out_or_named() {
    let fixture = on_a_folder();
    let blocks = fixture.db.blocks();
    uploader_of(&fixture).sync(&blocks).await.expect("uploaded");
    fs::write(bucket_of(&fixture).join(blocks[0].ulid.to_string()).join("meta.json"), "{").expect("written");
    let chunks = bucket_of(&fixture).join(blocks[1].ulid.to_string()).join("chunks/000001");
    let mut bytes = fs::read(&chunks).expect("is there");
    bytes[20] ^= 0xff;
    fs::write(&chunks, bytes).expect("written");
    let view = fixture.view(nothing());
    view.sync().await.expect("a look into the bucket");
    assert_eq!(view.blocks().len(), blocks.len() - 1);
    let request = SelectRequest::new(vec![requests()], TimeRange::ALL);
    let error = view.select(&request).await.err().expect("the chunk's checksum is wrong").to_string();
    assert!(error.contains(&blocks[1].ulid.to_string()), "{error}");
}

/// The files below a folder with their content.
fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            out.extend(tree(&path));
        } else {
            out.insert(path.display().to_string(), fs::read(&path).expect("a file"));
        }
    }
    out
}

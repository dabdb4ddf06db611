//! Upload to a real folder and read back: what comes from the bucket is what the database held.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bucket::{Location, Uploader};
use model::TimeRange;
use storage::{Queryable, SelectRequest};

use crate::fixture::{Fixture, LEDGER, WINDOWS, ask, nothing, requests};

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
    let uploader = uploader_of(&fixture);
    assert_eq!(uploader.status().last_upload, None);
    fixture.sync(&uploader).await.expect("uploaded");
    assert!(uploader.status().last_upload.is_some());
    fixture.assert_reads_as_the_database().await;
}

#[tokio::test]
async fn only_what_local_storage_no_longer_has_comes_from_the_bucket() {
    let fixture = on_a_folder();
    fixture.sync(&uploader_of(&fixture)).await.expect("uploaded");
    let view = fixture.view(fixture.db.clone());
    view.sync().await.expect("a look into the bucket");
    assert!(ask(&view, requests(), TimeRange::ALL).await.is_empty(), "the database has all of it");
}

#[tokio::test]
async fn a_second_upload_finds_everything_there() {
    let fixture = on_a_folder();
    fixture.sync(&uploader_of(&fixture)).await.expect("uploaded");
    let uploader = uploader_of(&fixture);
    assert_eq!(fixture.sync(&uploader).await.ok(), Some(0), "what is noted on disk is read");
    let blocks = fixture.db.blocks();
    assert!(uploader.is_uploaded(blocks[0].ulid, &blocks));
    fs::remove_file(fixture.dir.path().join(LEDGER)).expect("was written");
    let before = tree(&bucket_of(&fixture));
    fixture.sync(&uploader_of(&fixture)).await.expect("finds everything there");
    fixture.sync(&fixture.uploader("data-of-the-peer")).await.expect("finds everything there");
    assert_eq!(tree(&bucket_of(&fixture)), before, "nothing is written twice");
}

#[tokio::test]
async fn an_interrupted_upload_is_no_block_and_is_finished_later() {
    let fixture = on_a_folder();
    fixture.sync(&uploader_of(&fixture)).await.expect("uploaded");
    let before = tree(&bucket_of(&fixture));
    let first = bucket_of(&fixture).join(&fixture.names().await[0]);
    fs::remove_file(first.join("meta.json")).expect("is there");
    fs::remove_file(first.join("index")).expect("is there");
    assert_eq!(fixture.names().await.len(), WINDOWS - 1);
    fs::remove_file(fixture.dir.path().join(LEDGER)).expect("was written");
    fixture.sync(&uploader_of(&fixture)).await.expect("goes on");
    assert_eq!(tree(&bucket_of(&fixture)), before);
}

#[tokio::test]
async fn another_block_under_the_same_name_is_a_conflict() {
    let fixture = on_a_folder();
    fixture.sync(&uploader_of(&fixture)).await.expect("uploaded");
    let first = bucket_of(&fixture).join(&fixture.names().await[0]);
    fs::remove_file(first.join("meta.json")).expect("is there");
    fs::write(first.join("index"), "somebody else's").expect("written");
    fs::remove_file(fixture.dir.path().join(LEDGER)).expect("was written");
    let uploader = uploader_of(&fixture);
    let error = fixture.sync(&uploader).await.expect_err("must not be overwritten").to_string();
    assert!(error.contains("two different blocks share a name"), "{error}");
    assert_eq!(fs::read(first.join("index")).expect("still there"), b"somebody else's");
    assert!(uploader.status().last_error.is_some());
    let blocks = fixture.db.blocks();
    assert!(!uploader.is_uploaded(blocks[0].ulid, &blocks));
    assert!(uploader.is_uploaded(blocks[2].ulid, &blocks), "the others are dealt with");
}

#[tokio::test]
async fn a_damaged_block_is_left_out_or_named() {
    let fixture = on_a_folder();
    fixture.sync(&uploader_of(&fixture)).await.expect("uploaded");
    let names = fixture.names().await;
    fs::write(bucket_of(&fixture).join(&names[0]).join("meta.json"), "{").expect("written");
    let chunks = bucket_of(&fixture).join(&names[1]).join("chunks/000001");
    let mut bytes = fs::read(&chunks).expect("is there");
    bytes[20] ^= 0xff;
    fs::write(&chunks, bytes).expect("written");
    let view = fixture.view(nothing());
    view.sync().await.expect("a look into the bucket");
    assert_eq!(view.blocks().len(), WINDOWS - 1);
    let request = SelectRequest::new(vec![requests()], TimeRange::ALL);
    let error = view.select(&request).await.err().expect("the chunk's checksum is wrong").to_string();
    assert!(error.contains(&names[1]), "{error}");
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

//! The same against a server that speaks S3, reached through the configuration as a user writes it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bucket::BucketError;
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::time::timeout;

use crate::fixture::{Fixture, LEDGER, WINDOWS, ask, nothing, requests};

mod fixture;

const PROGRAM: &str = "moto_server";
const BUCKET: &str = "metrics";
const PREFIX: &str = "eu/west";
const SECRET: &str = "not-to-be-shown-anywhere";
/// The server imports a good deal of Python before it listens.
const START_BOUND: Duration = Duration::from_secs(60);
/// An upload that can't work has to say so within this time, with the store's own retries.
const FAILURE_BOUND: Duration = Duration::from_secs(20);

/// A running S3 server with an empty, versioned bucket.
struct Server {
    process: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts the server. Without it on the PATH says that `test` is skipped, in the form that `scripts/test` collects.
    #[expect(clippy::print_stdout, reason = "scripts/test reads what was skipped from here")]
    async fn start(test: &str, environment: &[(&str, &str)]) -> Option<Server> {
        let Some(program) = find_program() else {
            println!("SKIPPED {test}: {PROGRAM} is not installed");
            return None;
        };
        let port = free_port();
        let process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let mut server = Server { process, address: format!("127.0.0.1:{port}") };
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        let listens = async {
            while TcpStream::connect(&server.address).is_err() {
                let ended = server.process.try_wait().expect("a child of ours");
                assert!(ended.is_none(), "{PROGRAM} ended instead of listening: {ended:?}");
                tick.tick().await;
            }
        };
        timeout(START_BOUND, listens).await.expect("the server listens in time");
        Some(server)
    }

    /// Creates the bucket; each object keeps all versions that are ever written.
    fn create_bucket(&self) {
        self.request("PUT", &format!("/{BUCKET}"), "");
        let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        self.request("PUT", &format!("/{BUCKET}?versioning"), versioning);
    }

    /// How many times any object was written.
    fn count_versions(&self) -> usize {
        self.request("GET", &format!("/{BUCKET}?versions"), "").matches("<Version>").count()
    }

    /// One request without a signature, and the answer's text. Any status but 200 fails.
    fn request(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("connects");
        stream.set_read_timeout(Some(START_BOUND)).expect("not zero");
        let (host, len) = (&self.address, body.len());
        let head = format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {len}\r\n\r\n");
        stream.write_all(format!("{head}{body}").as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert_eq!(answer.split(' ').nth(1), Some("200"), "{method} {path}: {answer}");
        answer
    }

    fn open(&self) -> Arc<dyn ObjectStore> {
        open(&self.address)
    }
}

fn find_program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(PROGRAM)).find(|file| file.is_file())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("is bound").port()
}

/// Opens the bucket at an address as a configuration file asks for it.
fn open(address: &str) -> Arc<dyn ObjectStore> {
    let text = format!(
        "type: S3\nprefix: {PREFIX}\nconfig:\n  bucket: {BUCKET}\n  endpoint: '{address}'\n  insecure: true\n  \
         access_key: dummy\n  secret_key: {SECRET}\n"
    );
    let raw: bucket::RawBucket = config::load(&text, "bucket.yml").expect("well-formed");
    let mut report = config::Report::new("bucket.yml");
    let location = raw.validate(&mut report).map(|config| config.location);
    report.finish(()).expect("valid");
    let location = location.expect("valid");
    assert_eq!(location.to_string(), format!("s3://{address}/{BUCKET}/{PREFIX}"));
    bucket::open(&location).expect("opens")
}

fn fixture_on(store: Arc<dyn ObjectStore>) -> Fixture {
    Fixture::new(tempfile::tempdir().expect("a temporary directory"), store)
}

/// The names of all objects of a store.
async fn objects(store: &dyn ObjectStore) -> Vec<String> {
    let listed: Vec<_> = store.list(None).try_collect().await.expect("a list");
    listed.into_iter().map(|object| object.location.to_string()).collect()
}

/// The objects of the blocks in the bucket, one block for each window.
async fn wanted_objects(fixture: &Fixture) -> BTreeSet<String> {
    let files = ["meta.json", "index", "chunks/000001"];
    let names = fixture.names().await;
    assert_eq!(names.len(), WINDOWS);
    names.iter().flat_map(|block| files.map(|file| format!("{block}/{file}"))).collect()
}

/// A failed operation tells the cause, and never the secret.
fn assert_tells(error: &BucketError, cause: &str) {
    let (chain, debug) = (error.chain(), format!("{error:?}"));
    assert!(chain.contains(cause), "{chain}");
    assert!(!chain.contains(SECRET) && !debug.contains(SECRET), "{debug}");
}

/// Uploads, looks and reads, all of which must fail for `cause` in time.
async fn assert_all_fail(fixture: &Fixture, cause: &str) {
    let blocks = fixture.db.blocks();
    let uploader = fixture.uploader("data");
    let uploaded = timeout(FAILURE_BOUND, fixture.sync(&uploader)).await.expect("an answer in time");
    assert_tells(&uploaded.expect_err("can't work"), cause);
    assert!(!uploader.is_uploaded(blocks[0].ulid, &blocks), "the local copy is the only one");
    let told = uploader.status().last_error.expect("is told");
    assert!(told.contains(cause) && !told.contains(SECRET), "{told}");
    let view = fixture.view(nothing());
    let looked = timeout(FAILURE_BOUND, view.sync()).await.expect("an answer in time");
    assert_tells(&looked.expect_err("can't work"), cause);
    assert!(view.last_error().is_some_and(|told| told.contains(cause)));
    assert!(ask(&view, requests(), model::TimeRange::ALL).await.is_empty());
}

#[tokio::test]
async fn what_was_uploaded_is_read_back_and_not_written_twice() {
    let Some(server) = Server::start("s3", &[]).await else { return };
    server.create_bucket();
    let fixture = fixture_on(server.open());
    fixture.sync(&fixture.uploader("data")).await.map_err(|e| e.chain()).expect("uploaded");
    let wanted = wanted_objects(&fixture).await;
    assert_eq!(objects(&*fixture.store).await.into_iter().collect::<BTreeSet<_>>(), wanted);
    assert_eq!(server.count_versions(), wanted.len());
    fixture.assert_reads_as_the_database().await;

    assert_eq!(fixture.sync(&fixture.uploader("data")).await.ok(), Some(0), "what is noted on disk is read");
    fs::remove_file(fixture.dir.path().join(LEDGER)).expect("was written");
    fixture.sync(&fixture.uploader("data")).await.expect("the bucket is asked");
    assert_eq!(server.count_versions(), wanted.len(), "what is there is not written again");

    // Without its meta.json a block was interrupted: that object alone is missing, the others are refused by the server. The index is put
    // once more, which says that somebody is at it.
    let meta = object_store::path::Path::from(format!("{}/meta.json", fixture.names().await[0]));
    fixture.store.delete(&meta).await.expect("deleted");
    fs::remove_file(fixture.dir.path().join(LEDGER)).expect("was written");
    fixture.sync(&fixture.uploader("data")).await.expect("goes on");
    assert_eq!(server.count_versions(), wanted.len() + 2, "only index and meta.json are written");
    fixture.assert_reads_as_the_database().await;
}

#[tokio::test]
async fn two_uploaders_at_once_both_succeed() {
    let Some(server) = Server::start("s3", &[]).await else { return };
    server.create_bucket();
    let fixture = fixture_on(server.open());
    let (ours, theirs) = (fixture.uploader("data"), fixture.uploader("data-of-the-peer"));
    let (first, second) = tokio::join!(fixture.sync(&ours), fixture.sync(&theirs));
    first.expect("succeeds");
    second.expect("succeeds");
    // Versions are not counted here: between this server's look for an object and its write, another may come.
    let mut found = objects(&*fixture.store).await;
    found.sort();
    assert_eq!(found, wanted_objects(&fixture).await.into_iter().collect::<Vec<_>>());
    fixture.assert_reads_as_the_database().await;
}

#[tokio::test]
async fn wrong_credentials_are_told() {
    // The server checks signatures from the third request on; the first two create the bucket.
    let Some(server) = Server::start("s3", &[("INITIAL_NO_AUTH_ACTION_COUNT", "2")]).await else { return };
    server.create_bucket();
    assert_all_fail(&fixture_on(server.open()), "403").await;
}

#[tokio::test]
async fn an_unreachable_server_is_told() {
    let address = format!("127.0.0.1:{}", free_port());
    assert_all_fail(&fixture_on(open(&address)), "refused").await;
}

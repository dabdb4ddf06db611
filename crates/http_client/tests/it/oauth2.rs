//! Tokens.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::future::join_all;
use http::{Method, Response};
use http_body_util::Full;
use http_client::HttpClient;
use parking_lot::Mutex;
use test_servers::{Seen, Server, text};

use crate::fixture::{self, client, failure, replace};

/// A place that gives out the tokens `t1`, `t2` and so on, and a server that shows which one came.
struct World {
    folder: tempfile::TempDir,
    tokens: Server,
    target: Server,
    /// What the target answers with 401.
    refused: Arc<Mutex<String>>,
}

fn json(status: u16, body: String) -> Response<Full<Bytes>> {
    let answer = Response::builder().status(status).header("content-type", "application/json");
    answer.body(Full::from(body)).expect("an answer")
}

/// A token that lasts for an hour.
fn numbered(n: usize) -> Response<Full<Bytes>> {
    json(200, format!(r#"{{"access_token": "t{n}", "token_type": "bearer", "expires_in": 3600}}"#))
}

impl World {
    async fn new(answer: impl Fn(usize, &Seen) -> Response<Full<Bytes>> + Send + Sync + 'static) -> World {
        let count = AtomicUsize::new(0);
        let tokens = Server::start(None, move |seen| answer(count.fetch_add(1, Ordering::Relaxed) + 1, seen)).await;
        let refused = Arc::new(Mutex::new("none".to_owned()));
        let own = Arc::clone(&refused);
        let target = Server::start(None, move |seen| match seen.header("authorization") {
            header if header == *own.lock() => json(401, String::new()),
            header => text(header.to_owned()),
        });
        let world = World { folder: tempfile::tempdir().expect("a folder"), tokens, target: target.await, refused };
        replace(world.folder(), "secret", "hunter2\n");
        world
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn client(&self, words: &str) -> HttpClient {
        let url = self.tokens.address;
        let words = format!(
            "oauth2:\n  client_id: c\n  client_secret_file: secret\n  token_url: http://{url}/token?x=y\n{words}"
        );
        client(self.folder(), &words)
    }

    fn url(&self) -> String {
        format!("http://{}/", self.target.address)
    }

    async fn text(&self, client: &HttpClient) -> String {
        fixture::text(client, &self.url()).await
    }

    fn forms(&self) -> Vec<String> {
        self.tokens.requests().iter().map(|seen| String::from_utf8_lossy(&seen.body).into_owned()).collect()
    }
}

#[tokio::test]
async fn one_token_for_all_until_the_secret_changes() {
    let world = World::new(|n, _| numbered(n)).await;
    let client = world.client("  scopes: [a, b]\n  endpoint_params: {audience: 'x y'}");
    let url = world.url();
    let answers = join_all((0..20).map(|_| fixture::text(&client, &url))).await;
    assert!(answers.iter().all(|answer| answer == "Bearer t1"), "{answers:?}");
    let seen = world.tokens.requests();
    assert_eq!(seen.len(), 1, "fetched once");
    assert_eq!((seen[0].method.clone(), seen[0].uri.to_string()), (Method::POST, "/token?x=y".to_owned()));
    assert_eq!(seen[0].header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(seen[0].header("authorization"), "Basic YzpodW50ZXIy", "c:hunter2");
    assert_eq!(world.forms(), ["grant_type=client_credentials&scope=a+b&audience=x+y"]);

    replace(world.folder(), "secret", "better");
    assert_eq!(world.text(&client).await, "Bearer t2");
    assert_eq!(world.tokens.last().header("authorization"), "Basic YzpiZXR0ZXI=");
    std::fs::remove_file(world.folder().join("secret")).expect("a file");
    assert!(failure(&client, &url).await.contains("cannot read"), "nobody knows whether the secret is the same");
}

#[tokio::test]
async fn a_token_is_replaced_before_its_end_and_when_it_is_refused() {
    let world = World::new(|n, _| numbered(n)).await;
    let client = world.client("");
    assert_eq!(world.text(&client).await, "Bearer t1");
    "Bearer t1".clone_into(&mut world.refused.lock());
    assert_eq!(world.text(&client).await, "Bearer t2", "asked again with another token");
    "Bearer t3".clone_into(&mut world.refused.lock());
    assert_eq!(world.text(&client).await, "Bearer t2");
    "Bearer t2".clone_into(&mut world.refused.lock());
    assert_eq!(world.text(&client).await, "Bearer t3");

    // Of no use any more ten seconds before its end. Some servers write the number as text.
    let short = World::new(|n, _| json(200, format!(r#"{{"access_token": "t{n}", "expires_in": "10"}}"#))).await;
    let client = short.client("");
    assert_eq!((short.text(&client).await, short.text(&client).await), ("Bearer t1".into(), "Bearer t2".into()));
    let forever = World::new(|n, _| json(200, format!(r#"{{"access_token": "t{n}", "token_type": "MAC"}}"#))).await;
    let client = forever.client("");
    assert_eq!((forever.text(&client).await, forever.text(&client).await), ("MAC t1".into(), "MAC t1".into()));
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let world = World::new(|_, _| numbered(1)).await;
    "Bearer t1".clone_into(&mut world.refused.lock());
    let client = world.client("");
    let status = fixture::get(&client, &world.url()).await.expect("an answer").status();
    assert_eq!((status.as_u16(), world.tokens.requests().len(), world.target.requests().len()), (401, 2, 2));
}

#[tokio::test]
async fn finds_out_where_the_secret_belongs() {
    let world = World::new(|n, seen| match seen.header("authorization") {
        "" => json(200, format!(r#"{{"access_token": "t{n}", "expires_in": 10}}"#)),
        _ => json(401, r#"{"error": "invalid_client"}"#.to_owned()),
    })
    .await;
    let client = world.client("  endpoint_params: {grant_type: password, username: a, password: b}");
    assert_eq!(world.text(&client).await, "Bearer t2");
    assert_eq!(world.text(&client).await, "Bearer t3", "and remembers it");
    let form = "grant_type=password&password=b&username=a";
    assert_eq!(world.forms()[1..], vec![format!("{form}&client_id=c&client_secret=hunter2"); 2]);
}

#[tokio::test]
async fn a_failing_place_is_told() {
    let check = async |status: u16, body: &'static str, want: &str| {
        let world = World::new(move |_, _| json(status, body.to_owned())).await;
        let client = world.client("");
        let error = failure(&client, &world.url()).await;
        let place = format!("cannot get an OAuth2 token from http://{}/token: ", world.tokens.address);
        assert_eq!(error, format!("{place}{want}"));
        assert!(world.target.requests().is_empty(), "not asked without a token");
    };
    check(500, "oops hunter2", "500 Internal Server Error").await;
    let refusal = r#"{"error": "invalid_client", "error_description": "who?"}"#;
    check(401, refusal, "401 Unauthorized: invalid_client: who?").await;
    check(200, r#"{"token": "x"}"#, "the answer has no access_token").await;
    check(200, "<html>", "the answer is not JSON").await;
    check(200, r#"{"access_token": "a\nb"}"#, "the token has characters that a header must not have").await;
    // The secret goes nowhere else.
    check(307, "", "307 Temporary Redirect").await;
}

#[tokio::test]
async fn failing_once_is_not_failing_for_ever() {
    let world = World::new(|n, _| if n < 3 { json(503, String::new()) } else { numbered(n) }).await;
    let client = world.client("");
    assert!(failure(&client, &world.url()).await.contains("503"));
    assert_eq!(world.text(&client).await, "Bearer t3");
}

#[tokio::test]
async fn a_form_is_an_answer_as_well() {
    let world = World::new(|_, _| text("access_token=t%3D1&token_type=Bearer&expires_in=60")).await;
    assert_eq!(world.text(&world.client("")).await, "Bearer t=1");
}

#[tokio::test]
async fn a_token_does_not_follow_to_others() {
    let world = World::new(|n, _| numbered(n)).await;
    let elsewhere = world.url();
    let server = Server::start(None, move |_| {
        Response::builder().status(302).header("location", &elsewhere).body(Full::default()).expect("an answer")
    })
    .await;
    let answer = fixture::text(&world.client(""), &format!("http://{}/", server.address)).await;
    assert_eq!((server.last().header("authorization"), answer.as_str()), ("Bearer t1", ""));
}

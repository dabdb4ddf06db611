//! Redirects, times and credentials in URLs.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;
use http_client::{Error, HttpClient};
use test_servers::{Server, text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use crate::fixture::{self, client, config, failure};

fn to(status: u16, location: &str) -> Response<Full<Bytes>> {
    Response::builder().status(status).header("location", location).body(Full::default()).expect("an answer")
}

fn url(server: &Server, path: &str) -> Url {
    format!("http://{}{path}", server.address).parse().expect("a URL")
}

#[tokio::test]
async fn credentials_stay_with_their_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = Server::start(None, |_| text("there")).await;
    let elsewhere = format!("http://{}/b", other.address);
    let server = Server::start(None, move |seen| match seen.uri.path() {
        "/own" => to(302, "/b"),
        "/b" => text("here"),
        _ => to(307, &elsewhere),
    })
    .await;
    let words = "{basic_auth: {username: u, password: p}, http_headers: {X-Org: {secrets: [s]}}}";
    let with_credentials = client(folder.path(), words);
    assert_eq!(fixture::text(&with_credentials, url(&server, "/own").as_str()).await, "here");
    assert_eq!((server.last().header("authorization"), server.last().header("x-org")), ("Basic dTpw", "s"));
    assert_eq!(fixture::text(&with_credentials, url(&server, "/away").as_str()).await, "there");
    assert_eq!((other.last().header("authorization"), other.last().header("x-org")), ("", ""));

    let mut with_user = url(&server, "/away");
    with_user.set_username("a b").expect("a user");
    with_user.set_password(Some("c")).expect("a password");
    let plain = client(folder.path(), "");
    assert_eq!(fixture::text(&plain, with_user.as_str()).await, "there");
    assert_eq!(server.last().header("authorization"), "Basic YSBiOmM=");
    assert_eq!(other.last().header("authorization"), "");
}

#[tokio::test]
async fn bodies_follow_as_in_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(None, |seen| match seen.uri.path() {
        "/b" => text("here"),
        "/loop" => to(302, "/loop"),
        "/mail" => to(302, "mailto:a"),
        "/none" => Response::builder().status(302).body(Full::default()).expect("an answer"),
        path => to(path[1..].parse().expect("a status"), "/b"),
    })
    .await;
    let following = client(folder.path(), "");
    let post = async |client: &HttpClient, path: &str| {
        let request = client.post(url(&server, path)).header("content-type", "text/x").body("body");
        request.send().await.expect("an answer").status().as_u16()
    };
    for (path, method, body) in [("/302", Method::GET, ""), ("/303", Method::GET, ""), ("/307", Method::POST, "body")] {
        assert_eq!(post(&following, path).await, 200);
        let seen = server.last();
        assert_eq!((&seen.method, &*seen.body), (&method, body.as_bytes()), "{path}");
        assert_eq!(seen.header("content-type"), if body.is_empty() { "" } else { "text/x" }, "{path}");
    }
    assert_eq!(post(&following, "/none").await, 302);
    assert_eq!(post(&client(folder.path(), "follow_redirects: false"), "/307").await, 307);
    assert_eq!(failure(&following, url(&server, "/loop").as_str()).await, "stopped after 10 redirects");
    assert_eq!(failure(&following, url(&server, "/mail").as_str()).await, "cannot follow the redirect to \"mailto:a\"");
}

#[tokio::test]
async fn an_answer_has_to_be_there_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move {
        let mut open = Vec::new();
        for beginning in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"] {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            assert!(stream.read(&mut [0; 4096]).await.expect("a request") > 0);
            stream.write_all(beginning.as_bytes()).await.expect("sent");
            open.push(stream);
        }
        std::future::pending::<()>().await;
    });
    let client = HttpClient::new(&config(folder.path(), ""), Duration::from_millis(200)).expect("a client");
    let error = fixture::get(&client, &format!("http://{address}")).await.expect_err("too late");
    assert!(matches!(error, Error::Timeout(_)) && error.to_string() == "no answer within 200ms", "{error}");
    let answer = fixture::get(&client, &format!("http://{address}")).await.expect("a head");
    let error = config::chain(&answer.text().await.expect_err("half a body"));
    assert!(error.ends_with("the answer didn't end within 200ms"), "{error}");
    serving.abort();
    assert!(fixture::get(&client, "http://127.0.0.1:1").await.is_err_and(|error| error.is_connect()));
}

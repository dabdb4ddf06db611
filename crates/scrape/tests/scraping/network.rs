//! Targets that misbehave, and what a request looks like.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::server::{Answer, Server};
use crate::world::{World, job, series};

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

const GZIP: &str = "200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip";

#[tokio::test]
async fn asks_as_prometheus_does() {
    let words = "params: {module: [x]}\nbasic_auth: {username: u, password: p}\nhttp_headers: {X-Scope: {values: [a]}}";
    let (world, server) = World::with(Answer::text("a 1\n"), words).await;
    world.wait_up(1.0).await;
    let request = server.last_request();
    let want = [
        "GET /metrics?module=x HTTP/1.1\r\n".to_owned(),
        "authorization: Basic dTpw\r\n".to_owned(),
        "x-scope: a\r\n".to_owned(),
        format!("user-agent: Watershed/{}\r\n", env!("CARGO_PKG_VERSION")),
        "accept-encoding: zstd,gzip;q=0.9\r\n".to_owned(),
        "x-prometheus-scrape-timeout-seconds: 0.15\r\n".to_owned(),
        "accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
         application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
         text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\n"
            .to_owned(),
        format!("host: {}\r\n", server.address),
    ];
    for line in want {
        assert!(request.contains(&line), "{line:?} not in {request}");
    }
}

#[tokio::test]
async fn reads_gzip() {
    let (world, _server) = World::with(Answer::with(GZIP, &gzipped(b"a 7\n")), "").await;
    world.wait_up(1.0).await;
    assert_eq!(world.store.last(&world.series("a", "")), Some(7.0));
}

#[tokio::test]
async fn bad_answers_fail_with_their_reason() {
    let check = async |answer: Answer, words: &str, want: &str| {
        let (world, _server) = World::with(answer, words).await;
        let status = world.wait_up(0.0).await;
        assert!(status.last_error.contains(want), "want {want:?}, got {:?}", status.last_error);
        assert!(world.store.series().iter().all(|s| s.starts_with("up") || s.starts_with("scrape_")));
    };
    let zeros = vec![b'\n'; 2 << 20];
    check(Answer::with(GZIP, &gzipped(&zeros)), "body_size_limit: 1MB", "body_size_limit").await;
    let whole = gzipped(b"a 7\nb 8\n");
    check(Answer::with(GZIP, &whole[..whole.len() - 6]), "", "cannot decompress the body").await;
    check(Answer::with(GZIP, b"a 7\n"), "", "cannot decompress the body").await;
    let br = "200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: br";
    check(Answer::with(br, b"x"), "", "Content-Encoding \"br\"").await;
    let half = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\na 1\n".to_vec();
    check(Answer::Raw(half), "", "the body broke off").await;
    check(Answer::with("500 Oops", b"a 1\n"), "", "server returned HTTP status 500 Internal Server Error").await;
    check(Answer::with("200 OK", b"a 1\n"), "", "sending blank Content-Type").await;
    check(Answer::with("200 OK\r\nContent-Type: text/html", b"a 1\n"), "", "unsupported Content-Type \"text/html\"")
        .await;
    check(Answer::Raw(b"nonsense\r\n\r\n".to_vec()), "", "GET http://").await;
    check(Answer::with("200 OK\r\nContent-Type: text/plain", b"a\xff 1\n"), "", "line 1").await;
    check(Answer::Silence, "", "the scrape took longer than its timeout of 150ms").await;
    let slow_body = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n".to_vec();
    check(Answer::Stall(slow_body), "", "the scrape took longer than its timeout of 150ms").await;
}

#[tokio::test]
async fn a_missing_content_type_is_taken_with_a_fallback() {
    let (world, _server) =
        World::with(Answer::with("200 OK", b"a 1\n"), "fallback_scrape_protocol: PrometheusText0.0.4").await;
    world.wait_up(1.0).await;
}

#[tokio::test]
async fn a_hanging_target_delays_no_other() {
    let (world, good, hanging) =
        (World::new(), Server::start(Answer::text("a 1\n")).await, Server::start(Answer::Silence).await);
    let both = job(&good.address, "").replace("']}]", &format!("', '{}']}}]", hanging.address));
    world.apply(&[both]).await;
    let (up, down) = (series("up", "", &good.address), series("up", "", &hanging.address));
    world.store.wait(|s| (s.samples(&up).len() >= 4 && s.last(&down) == Some(0.0)).then_some(())).await;
    assert!(world.store.samples(&up).iter().all(|(_, value)| *value == 1.0));
}

#[tokio::test]
async fn a_target_that_is_gone_is_down() {
    let (world, server) = World::with(Answer::text("a 1\n"), "").await;
    world.wait_up(1.0).await;
    let a = world.series("a", "");
    server.stop().await;
    let status = world.wait_up(0.0).await;
    assert!(status.last_error.contains("onnection refused"), "{}", status.last_error);
    assert!(world.store.is_stale(&a));
}

#[tokio::test]
async fn follows_redirects_without_credentials_to_others() {
    let other = Server::start(Answer::text("a 5\n")).await;
    let to_other = format!("302 Found\r\nLocation: http://{}/elsewhere?x=1", other.address);
    let (world, server) = World::with(Answer::with(&to_other, b""), "bearer_token: hunter2").await;
    world.wait_up(1.0).await;
    assert!(server.last_request().contains("authorization: Bearer hunter2"));
    assert!(other.last_request().starts_with("GET /elsewhere?x=1 HTTP/1.1"));
    assert!(!other.last_request().contains("hunter2"));

    let (world, _server) = World::with(Answer::with(&to_other, b""), "follow_redirects: false").await;
    assert_eq!(world.wait_up(0.0).await.last_error, "server returned HTTP status 302 Found");

    let (world, _server) = World::with(Answer::with("302 Found\r\nLocation: /metrics", b""), "").await;
    assert_eq!(world.wait_up(0.0).await.last_error, "stopped after 10 redirects");
}

//! How targets are reached: TLS, HTTP/2, proxies, tokens, compression.

use std::sync::Arc;

use http::{Response, Version};
use http_body_util::Full;
use parking_lot::Mutex;
use test_servers::{Authority, Proxy, Seen, Server, text};

use crate::world::{World, configs};

/// A world that scrapes one address every 200 ms.
async fn scraping(address: &str, words: &str) -> World {
    let world = World::new();
    world.apply(&[crate::world::job(address, words)]).await;
    world
}

fn written(folder: &tempfile::TempDir, name: &str, content: &str) -> String {
    let draft = folder.path().join("draft");
    std::fs::write(&draft, content).expect("a draft");
    let path = folder.path().join(name);
    std::fs::rename(draft, &path).expect("a file");
    path.display().to_string()
}

/// Waits for the `n`th request from now on.
async fn nth(world: &World, server: &Server, n: usize) -> Seen {
    let wanted = server.requests().len() + n;
    world.store.wait(|_| (server.requests().len() >= wanted).then_some(())).await;
    server.last()
}

#[tokio::test]
async fn speaks_http2_over_tls_and_keeps_the_connection() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let ca = written(&folder, "ca.pem", authority.pem());
    let long: String = (0..20_000).map(|n| format!("a{{n=\"{n}\"}} 1\n")).collect();
    let server = Server::start(Some(authority.server("a.example", false)), move |_| text(long.clone())).await;
    let words = format!("scheme: https\ntls_config: {{ca_file: {ca}, server_name: a.example}}");
    let world = scraping(&server.address.to_string(), &words).await;
    world.wait_up(1.0).await;
    let seen = nth(&world, &server, 2).await;
    assert_eq!((seen.version, seen.connection), (Version::HTTP_2, 1));
    assert_eq!(seen.uri.to_string(), format!("https://{}/metrics", server.address));
    assert_eq!(seen.server_name.as_deref(), Some("a.example"));
    assert_eq!(world.store.last(&world.series("a", ", n=\"19999\"")), Some(1.0));
    world.manager.shutdown().await;

    let world = scraping(&server.address.to_string(), &format!("{words}\nenable_http2: false")).await;
    world.wait_up(1.0).await;
    let seen = nth(&world, &server, 1).await;
    assert_eq!((seen.version, seen.uri.path()), (Version::HTTP_11, "/metrics"));
}

#[tokio::test]
async fn takes_up_certificates_that_are_replaced() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let ca = written(&folder, "ca.pem", authority.pem());
    let server = Server::start(Some(authority.server("127.0.0.1", true)), |_| text("a 1\n")).await;
    let (first, second) = (authority.issue("first"), authority.issue("second"));
    let put = |identity: &test_servers::Identity| {
        (written(&folder, "cert.pem", &identity.certificate), written(&folder, "key.pem", &identity.key))
    };
    let (cert, key) = put(&first);
    for more in ["", "\nenable_http2: false"] {
        put(&first);
        let words = format!("scheme: https\ntls_config: {{ca_file: {ca}, cert_file: {cert}, key_file: {key}}}{more}");
        let world = scraping(&server.address.to_string(), &words).await;
        world.wait_up(1.0).await;
        assert!(first.is(&nth(&world, &server, 1).await.certificate.expect("a certificate")));
        put(&second);
        let is_second = |seen: Seen| seen.certificate.is_some_and(|shown| second.is(&shown));
        world.store.wait(|_| is_second(server.last()).then_some(())).await;
        std::fs::write(folder.path().join("key.pem"), "nonsense").expect("a file");
        let status = world.wait_up(0.0).await;
        assert!(status.last_error.contains("key.pem is not usable"), "{}", status.last_error);
        put(&first);
        world.wait_up(1.0).await;
        world.manager.shutdown().await;
    }
}

#[tokio::test]
async fn goes_through_proxies() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let ca = written(&folder, "ca.pem", authority.pem());
    let secured = Server::start(Some(authority.server("a.example", false)), |_| text("a 1\n")).await;
    let plain = Server::start(None, |_| text("a 1\n")).await;
    let hosts = [("a.example:443", secured.address), ("a.example:80", plain.address)];
    let http = Proxy::http(None, &hosts).await;
    let proxy = format!("basic_auth: {{username: a, password: b}}\nproxy_url: http://u:p@{}", http.address);
    let world = scraping("a.example", &proxy).await;
    world.wait_up(1.0).await;
    world.scrapes(2).await;
    let (seen, heads) = (plain.last(), http.heads());
    assert!(heads.iter().all(|head| head.starts_with("GET http://a.example/metrics HTTP/1.1\r\n")), "{heads:?}");
    assert!(heads[0].contains("proxy-authorization: Basic dTpw\r\n"));
    assert_eq!((seen.header("authorization"), seen.header("host"), seen.connection), ("Basic YTpi", "a.example", 1));
    world.manager.shutdown().await;

    let before = http.heads().len();
    let tls = format!("scheme: https\ntls_config: {{ca_file: {ca}}}");
    let world = scraping("a.example", &format!("{proxy}\n{tls}")).await;
    world.wait_up(1.0).await;
    world.scrapes(2).await;
    assert_eq!((secured.last().version, secured.last().connection), (Version::HTTP_2, 1));
    assert_eq!(secured.last().header("authorization"), "Basic YTpi");
    let want = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n";
    assert_eq!(http.heads()[before..], [want], "one tunnel, which sees nothing of the target's credentials");
    world.manager.shutdown().await;

    let socks = Proxy::socks(&hosts).await;
    let world = scraping("a.example", &format!("proxy_url: socks5://{}", socks.address)).await;
    world.wait_up(1.0).await;
    assert_eq!((plain.last().uri.to_string(), &*socks.heads()[0]), ("/metrics".to_owned(), "a.example:80"));

    let refusing = Proxy::refusing(b"HTTP/1.1 403 Forbidden\r\n\r\n").await;
    let words = format!("proxy_url: http://u:hunter2@{}\n{tls}", refusing.address);
    let error = scraping("a.example", &words).await.wait_up(0.0).await.last_error;
    assert!(error.ends_with("the proxy answered CONNECT with 403 Forbidden") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn brings_a_token() {
    let tokens = Server::start(None, |seen| {
        let secret_is_good = seen.header("authorization") == "Basic YzpnMA==";
        let answer = if secret_is_good { r#"{"access_token": "t", "expires_in": 3600}"# } else { r#"{"error": "no"}"# };
        let status = if secret_is_good { 200 } else { 401 };
        let answer =
            Response::builder().status(status).header("content-type", "application/json").body(Full::from(answer));
        answer.expect("an answer")
    })
    .await;
    let accepted = Arc::new(Mutex::new("Bearer t".to_owned()));
    let own = Arc::clone(&accepted);
    let server = Server::start(None, move |seen| match seen.header("authorization") == *own.lock() {
        true => text("a 1\n"),
        false => Response::builder().status(401).body(Full::default()).expect("an answer"),
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let secret = written(&folder, "secret", "g0");
    let words =
        format!("oauth2: {{client_id: c, client_secret_file: {secret}, token_url: 'http://{}/token'}}", tokens.address);
    // Two targets of a job share the token.
    let world = World::new();
    let two = crate::world::job(&server.address.to_string(), &words)
        .replace("']}]", &format!("', 'localhost:{}']}}]", server.address.port()));
    world.manager.apply(configs(&[two]), &model::Labels::empty()).await.expect("applied");
    let up = |address: &str| crate::world::series("up", "", address);
    let names = [up(&server.address.to_string()), up(&format!("localhost:{}", server.address.port()))];
    world.store.wait(|s| names.iter().all(|up| s.samples(up).len() >= 3).then_some(())).await;
    for name in &names {
        assert!(world.store.samples(name).iter().all(|(_, up)| *up == 1.0), "{name}");
    }
    assert_eq!(tokens.requests().len(), 1);
    // A target that doesn't take the token any more gets another one at once, and says so when that doesn't help.
    "nobody".clone_into(&mut accepted.lock());
    world.store.wait(|s| (s.last(&names[0]) == Some(0.0)).then_some(())).await;
    assert!(tokens.requests().len() > 1);
    written(&folder, "secret", "bad");
    let said = |text: &str| world.manager.targets().active.iter().any(|target| target.last_error.contains(text));
    world.store.wait(|_| said("server returned HTTP status 401").then_some(())).await;
    world
        .store
        .wait(|_| {
            said(&format!("cannot get an OAuth2 token from http://{}/token: 401 Unauthorized: no", tokens.address))
                .then_some(())
        })
        .await;
    assert!(!said("g0"));
}

#[tokio::test]
async fn takes_zstd_where_it_is_offered() {
    let server = Server::start(None, |seen| {
        assert_eq!(seen.header("accept-encoding"), "zstd,gzip;q=0.9");
        let packed = zstd::encode_all(&b"a 7\n"[..], 3).expect("compressed");
        let answer = Response::builder().header("content-type", "text/plain").header("content-encoding", "zstd");
        answer.body(Full::from(packed)).expect("an answer")
    })
    .await;
    let world = scraping(&server.address.to_string(), "").await;
    world.wait_up(1.0).await;
    assert_eq!(world.store.last(&world.series("a", "")), Some(7.0));

    let server = Server::start(None, |_| text("a 7\n")).await;
    let world = scraping(&server.address.to_string(), "enable_compression: false").await;
    world.wait_up(1.0).await;
    assert_eq!(server.last().header("accept-encoding"), "identity");
}

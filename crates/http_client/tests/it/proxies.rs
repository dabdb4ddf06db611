//! Ways through proxies.

use std::net::SocketAddr;

use test_servers::{Authority, Proxy, Server, text};

use crate::fixture::{self, client, failure, replace};

const NOWHERE: &str = "127.0.0.1:1";

fn basic(pair: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair))
}

#[tokio::test]
async fn plain_requests_are_passed_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(None, |_| text("a")).await;
    let proxy = Proxy::http(None, &[("a.example:80", server.address)]).await;
    let words = format!(
        "proxy_url: http://u:p%20w@{}\nproxy_connect_header: {{X-Tunnel: [t]}}\nbearer_token: own",
        proxy.address
    );
    let client = client(folder.path(), &words);
    for path in ["x?y=1", "z"] {
        assert_eq!(fixture::text(&client, &format!("http://a.example/{path}")).await, "a");
    }
    let heads = proxy.heads();
    assert!(heads[0].starts_with("GET http://a.example/x?y=1 HTTP/1.1\r\n"), "{}", heads[0]);
    assert!(heads.iter().all(|head| head.contains(&format!("proxy-authorization: {}\r\n", basic("u:p w")))));
    assert!(!heads[0].contains("x-tunnel"), "only tunnels have it");
    let seen = server.requests();
    assert_eq!((seen.len(), seen[1].connection), (2, 1), "the connection is kept");
    assert_eq!((seen[0].header("host"), seen[0].header("authorization")), ("a.example", "Bearer own"));
}

#[tokio::test]
async fn secured_requests_go_through_a_tunnel() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    replace(folder.path(), "ca.pem", authority.pem());
    let server = Server::start(Some(authority.server("a.example", false)), |_| text("a")).await;
    let hosts: [(&str, SocketAddr); 1] = [("a.example:443", server.address)];
    let common = "tls_config: {ca_file: ca.pem}\nbearer_token: own\nproxy_connect_header: {X-Tunnel: [t]}";
    let check = async |proxy: &Proxy, scheme: &str| {
        let words = format!("{common}\nproxy_url: {scheme}://u:p@{}", proxy.address);
        let client = client(folder.path(), &words);
        assert_eq!(fixture::text(&client, "https://a.example/x").await, "a");
        let (seen, heads) = (server.last(), proxy.heads());
        assert_eq!(seen.server_name.as_deref(), Some("a.example"));
        assert_eq!((seen.header("authorization"), seen.header("proxy-authorization")), ("Bearer own", ""));
        let want = format!(
            "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: {}\r\nx-tunnel: t\r\n\r\n",
            basic("u:p")
        );
        assert_eq!(heads, [want], "and nothing of the target's credentials");
    };
    check(&Proxy::http(None, &hosts).await, "http").await;
    check(&Proxy::http(Some(authority.server("127.0.0.1", false)), &hosts).await, "https").await;
}

#[tokio::test]
async fn socks_looks_names_up_itself() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    replace(folder.path(), "ca.pem", authority.pem());
    let secured = Server::start(Some(authority.server("a.example", false)), |_| text("a")).await;
    let plain = Server::start(None, |_| text("b")).await;
    let proxy = Proxy::socks(&[("a.example:443", secured.address), ("b.example:80", plain.address)]).await;
    let words = |user: &str| format!("tls_config: {{ca_file: ca.pem}}\nproxy_url: socks5://{user}{}", proxy.address);
    let with_user = client(folder.path(), &words("u:p@"));
    assert_eq!(fixture::text(&with_user, "https://a.example/").await, "a");
    let without = client(folder.path(), &words(""));
    assert_eq!(fixture::text(&without, "http://b.example/").await, "b");
    assert_eq!(proxy.heads(), ["u:p@a.example:443", "b.example:80"]);
    assert_eq!(plain.last().uri, "/", "no absolute form");
    let error = failure(&without, &format!("http://{NOWHERE}/")).await;
    assert!(error.starts_with(&format!("no way through the proxy {}: ", proxy.address)), "{error}");
}

#[tokio::test]
async fn what_no_proxy_names_is_reached_directly() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(None, |_| text("a")).await;
    let direct = client(folder.path(), &format!("{{proxy_url: 'http://{NOWHERE}', no_proxy: 10.0.0.0/8}}"));
    assert_eq!(fixture::text(&direct, &format!("http://{}/", server.address)).await, "a", "this machine always is");
    let proxied = client(folder.path(), &format!("proxy_url: http://{NOWHERE}"));
    let error = failure(&proxied, &format!("http://{}/", server.address)).await;
    assert!(error.starts_with(&format!("the proxy {NOWHERE} can't be reached: tcp connect error")), "{error}");
}

#[tokio::test]
async fn what_a_proxy_refuses_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = async |answer: &[u8], want: &str| {
        let proxy = Proxy::refusing(answer).await;
        let client = client(folder.path(), &format!("proxy_url: http://u:hunter2@{}", proxy.address));
        let error = failure(&client, "https://a.example/").await;
        assert_eq!(error, format!("no way through the proxy {}: {want}", proxy.address));
    };
    let needs = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n";
    check(needs, "the proxy answered CONNECT with 407 Proxy Authentication Required").await;
    check(b"HTTP/1.1 ", "the proxy hung up on CONNECT").await;
    check(b"SSH-2.0-x\r\n\r\n", "the proxy's answer to CONNECT is not HTTP/1.1").await;
    let endless = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &[b'x'; 40_000]].concat();
    check(&endless, "the head of the proxy's answer to CONNECT has more than 16384 bytes").await;
}

//! TLS: names, files that are replaced, HTTP/2.

use http::Version;
use test_servers::{Authority, Server, text};

use crate::fixture::{self, client, failure, replace, try_client};

#[tokio::test]
async fn asks_for_the_name_that_is_configured() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let server = Server::start(Some(authority.server("a.example", false)), |_| text("a")).await;
    replace(folder.path(), "ca.pem", authority.pem());
    let url = format!("https://{}/", server.address);
    let named = client(folder.path(), "tls_config: {ca_file: ca.pem, server_name: a.example}");
    assert_eq!(fixture::text(&named, &url).await, "a");
    assert_eq!(server.last().server_name.as_deref(), Some("a.example"));
    assert_eq!(server.last().header("host"), "", "HTTP/2 has :authority");
    assert_eq!(server.last().uri.to_string(), url);

    let other = client(folder.path(), "tls_config: {ca_file: ca.pem, server_name: b.example}");
    let error = failure(&other, &url).await;
    assert!(error.starts_with("the TLS handshake failed: invalid peer certificate: "), "{error}");
    let by_address = client(folder.path(), "tls_config: {ca_file: ca.pem}");
    assert!(failure(&by_address, &url).await.contains("invalid peer certificate"));
    let trusting = client(folder.path(), "tls_config: {insecure_skip_verify: true}");
    assert_eq!(fixture::text(&trusting, &url).await, "a");
}

#[tokio::test]
async fn speaks_http2_where_both_want_it() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    replace(folder.path(), "ca.pem", authority.pem());
    let secured = Server::start(Some(authority.server("127.0.0.1", false)), |_| text("a")).await;
    let plain = Server::start(None, |_| text("a")).await;
    let check = async |words: &str, server: &Server, scheme: &str, want: Version| {
        let client = client(folder.path(), &format!("{words}\ntls_config: {{ca_file: ca.pem}}"));
        for _ in 0..2 {
            assert_eq!(fixture::text(&client, &format!("{scheme}://{}/", server.address)).await, "a");
        }
        let seen = server.requests();
        let [.., first, second] = &seen[..] else { panic!("two requests") };
        assert_eq!((second.version, second.connection), (want, first.connection), "{words}");
    };
    check("", &secured, "https", Version::HTTP_2).await;
    check("enable_http2: false", &secured, "https", Version::HTTP_11).await;
    check("", &plain, "http", Version::HTTP_11).await;
}

#[tokio::test]
async fn certificates_may_be_replaced() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let server = Server::start(Some(authority.server("127.0.0.1", true)), |_| text("a")).await;
    let (first, second) = (authority.issue("first"), authority.issue("second"));
    replace(folder.path(), "ca.pem", authority.pem());
    let put = |certificate: &str, key: &str| {
        replace(folder.path(), "cert.pem", certificate);
        replace(folder.path(), "key.pem", key);
    };
    put(&first.certificate, &first.key);
    let words = "tls_config: {ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem}";
    let client = client(folder.path(), words);
    let url = format!("https://{}/", server.address);
    for _ in 0..2 {
        fixture::text(&client, &url).await;
    }
    let seen = server.last();
    assert!(first.is(&seen.certificate.expect("a certificate")) && seen.connection == 1, "the connection is kept");

    put(&second.certificate, &second.key);
    fixture::text(&client, &url).await;
    assert!(second.is(&server.last().certificate.expect("a certificate")), "a new connection, without a new client");

    // In the midst of a replacement: the key doesn't belong to the certificate.
    replace(folder.path(), "cert.pem", &first.certificate);
    let error = failure(&client, &url).await;
    assert!(error.starts_with("the client certificate is not usable: "), "{error}");
    std::fs::remove_file(folder.path().join("key.pem")).expect("a file");
    assert!(failure(&client, &url).await.contains("cannot read"));
    put(&first.certificate, &first.key);
    fixture::text(&client, &url).await;
    assert!(first.is(&server.last().certificate.expect("a certificate")));
}

#[tokio::test]
async fn authorities_may_be_replaced() {
    let (folder, old, new) = (tempfile::tempdir().expect("a folder"), Authority::new(), Authority::new());
    replace(folder.path(), "ca.pem", old.pem());
    let server = Server::start(Some(old.server("127.0.0.1", false)), |_| text("a")).await;
    let client = client(folder.path(), "tls_config: {ca_file: ca.pem}");
    let url = format!("https://{}/", server.address);
    assert_eq!(fixture::text(&client, &url).await, "a");
    replace(folder.path(), "ca.pem", new.pem());
    let error = failure(&client, &url).await;
    assert!(error.contains("invalid peer certificate"), "the old connection isn't used any more: {error}");
    server.secure(new.server("127.0.0.1", false));
    assert_eq!(fixture::text(&client, &url).await, "a");
}

#[test]
fn mistakes_show_when_a_client_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |words: &str, want: &str| {
        let error = try_client(folder.path(), words).expect_err(words).to_string();
        assert!(error.contains(want), "{words}: {error}");
    };
    check("tls_config: {ca_file: none.pem}", "none.pem");
    check("tls_config: {ca: nonsense}", "ca is not usable: no certificate in PEM form found");
    let identity = Authority::new().issue("a");
    replace(folder.path(), "cert.pem", &identity.certificate);
    replace(folder.path(), "bad.pem", "nonsense");
    check("tls_config: {cert_file: cert.pem, key_file: bad.pem}", "bad.pem is not usable: ");
    let oauth2 = "oauth2: {client_id: c, token_url: 'https://t', tls_config: {ca_file: none.pem}}";
    check(oauth2, "none.pem");
    assert!(try_client(folder.path(), "tls_config: {min_version: TLS13, max_version: TLS13}").is_ok());
}

use super::*;
use crate::tls::TlsVersion;
use crate::yaml::load;

fn validated(text: &str) -> Result<HttpClientConfig, crate::error::Errors> {
    let raw: RawHttpClientConfig = load(text, "/etc/w/a.yml")?;
    let mut report = Report::new("/etc/w/a.yml");
    let config = HttpClientConfig::validate(raw, &mut report);
    report.finish(config)
}

#[test]
fn nothing_configured_is_the_default() {
    assert_eq!(validated(""), Ok(HttpClientConfig::default()));
}

#[test]
fn makes_headers() {
    let header = |text: &str| {
        let headers = validated(text).unwrap().headers().unwrap();
        headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect::<Vec<_>>().join("\n")
    };
    let check = |text: &str, want: &str| assert_eq!(header(text), want, "{text}");
    check("basic_auth: {username: u, password: p}", "authorization: Basic dTpw");
    check("basic_auth: {username: u}", "authorization: Basic dTo=");
    check("authorization: {credentials: t}", "authorization: Bearer t");
    check("authorization: {type: Token, credentials: t}", "authorization: Token t");
    check("bearer_token: t", "authorization: Bearer t");
    check("http_headers: {X-Org: {values: [a], secrets: [b]}}", "x-org: a\nx-org: b");
}

#[test]
fn reads_files_at_each_use_and_from_the_files_directory() {
    let dir = tempfile::tempdir().unwrap();
    let raw: RawHttpClientConfig = load("authorization: {credentials_file: token}", "a.yml").unwrap();
    let config = HttpClientConfig::validate(raw, &mut Report::new(dir.path().join("a.yml")));
    let missing = config.headers().unwrap_err();
    assert!(missing.to_string().contains("token"), "{missing}");
    for token in ["first", "second\n"] {
        std::fs::write(dir.path().join("token"), token).unwrap();
        assert_eq!(config.headers().unwrap()[AUTHORIZATION], format!("Bearer {}", token.trim()));
    }
}

#[test]
fn an_older_lowest_version_of_tls_means_those_that_are_spoken() {
    let text = "tls_config: {min_version: TLS10, max_version: TLS12}";
    let raw = load::<RawHttpClientConfig>(text, "a.yml").unwrap();
    let mut report = Report::new("a.yml");
    let config = HttpClientConfig::validate(raw, &mut report);
    assert_eq!((config.tls.min_version, config.tls.max_version), (None, Some(TlsVersion::Tls12)));
    let note = "a.yml:1:27: TLS10 is taken as TLS12, because TLS 1.2 and 1.3 are spoken: a server that knows nothing newer than \
                1.1 can't be reached";
    assert_eq!(report.notes().iter().map(ToString::to_string).collect::<Vec<_>>(), [note]);
}

#[test]
fn refuses_with_the_place() {
    let check = |text: &str, want: &str| assert_eq!(validated(text).unwrap_err().to_string(), want, "{text}");
    check(
        "authorization: {type: Basic, credentials: x}",
        "/etc/w/a.yml:1:23: authorization type cannot be set to \"basic\", use basic_auth instead",
    );
    check("authorization: {}", "/etc/w/a.yml:1:16: authorization needs credentials or credentials_file");
    check("tls_config: {cert_file: c}", "/etc/w/a.yml:1:13: a client certificate needs its key: give key or key_file");
    check(
        "tls_config: {max_version: TLS10}\nproxy_url: ':'",
        "/etc/w/a.yml:1:27: TLS10 is not spoken, because TLS 1.0 and 1.1 can be broken: write TLS12, or put a proxy that speaks \
         TLS10 before a server that knows nothing newer\n\
         /etc/w/a.yml:2:12: proxy_url is not a URL: empty host",
    );
    check("no_proxy: a", "/etc/w/a.yml:1:11: if no_proxy is configured, proxy_url must also be configured");
    check(
        "proxy_from_environment: true\nproxy_url: http://p\nno_proxy: a",
        "/etc/w/a.yml:1:25: if proxy_from_environment is configured, proxy_url must not be configured\n\
         /etc/w/a.yml:1:25: if proxy_from_environment is configured, no_proxy must not be configured",
    );
    check(
        "proxy_connect_header: {X: [a]}",
        "/etc/w/a.yml:1:23: if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured",
    );
    check(
        "proxy_url: ftp://p",
        "/etc/w/a.yml:1:12: proxy_url has the scheme \"ftp\": want http, https, socks5 or socks5h",
    );
    check(
        "tls_config: {ca_ref: x}",
        "/etc/w/a.yml:1:22: ca_ref is not supported, because there is no secret manager: write ca or ca_file",
    );
    check(
        "tls_config: {serverName: x}",
        "/etc/w/a.yml:1:14: unknown key \"serverName\", did you mean \"server_name\"?",
    );
    check("http_headers: {Host: {values: [a]}}", "/etc/w/a.yml:1:15: setting the header \"host\" is not allowed");
}

#[test]
fn one_way_of_credentials() {
    let check = |text: &str, place: &str, want: &str| {
        assert_eq!(validated(text).unwrap_err().to_string(), format!("/etc/w/a.yml:{place}: {want}"), "{text}");
    };
    let oauth2 = "oauth2: {client_id: c, token_url: 'http://t'}\n";
    let basic = "basic_auth: {username: u}\n";
    let credentials = "authorization: {credentials: c}\n";
    let three = "at most one of basic_auth, oauth2 & authorization must be configured";
    let four = "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured";
    check(&format!("{basic}bearer_token: t"), "2:15", four);
    check(&format!("{oauth2}bearer_token_file: t"), "2:20", four);
    check(
        &format!("{credentials}bearer_token: t"),
        "2:15",
        "authorization is not compatible with bearer_token & bearer_token_file",
    );
    check(
        "bearer_token: t\nbearer_token_file: f",
        "2:20",
        "at most one of bearer_token & bearer_token_file must be configured",
    );
    check(&format!("{basic}{oauth2}"), "2:9", three);
    check(&format!("{oauth2}{credentials}"), "2:16", three);
}

#[test]
fn oauth2_asks_for_tokens_with_a_secret() {
    let text = "oauth2:\n  client_id: c\n  client_secret_file: s\n  scopes: [a, b]\n  token_url: https://t/x\n  \
                endpoint_params: {password: hunter2}\n  proxy_url: http://p\n  tls_config: {server_name: a.example}";
    let oauth2 = validated(text).unwrap().oauth2.unwrap();
    assert_eq!(oauth2.client_secret, SecretSource::File("/etc/w/s".into()));
    assert!(oauth2.proxy.of(&oauth2.token_url).is_some() && oauth2.tls.server_name.is_some());
    assert!(!format!("{oauth2:?}").contains("hunter2"));
    let check = |words: &str, want: &str| {
        let text = format!("oauth2:\n  {words}");
        assert!(
            validated(&text).unwrap_err().to_string().starts_with(&format!("/etc/w/a.yml:{want}")),
            "{:?}",
            validated(&text)
        );
    };
    check("token_url: http://t", "2:3: oauth2 client_id must be configured");
    check("client_id: c", "2:3: oauth2 token_url must be configured");
    check("{client_id: c, token_url: 't'}", "2:29: oauth2 token_url is not a URL");
    check("{client_id: c, token_url: 'ftp://t'}", "2:29: oauth2 token_url must begin with https:// or http://");
    let good = "token_url: http://t\n  client_id: c\n  ";
    check(&format!("{good}client_secret: a\n  client_secret_file: b"), "5:23: at most one of oauth2 client_secret and");
    check(
        &format!("{good}client_secret_ref: a"),
        "4:22: client_secret_ref is not supported, because there is no secret manager",
    );
    check(
        &format!("{good}scopes: [a]\n  endpoint_params: {{scope: b}}"),
        "5:20: scope stands in endpoint_params and in scopes",
    );
    check(&format!("{good}grant_type: password"), "4:15: unknown grant_type \"password\": want client_credentials");
    let jwt = "grant_type: urn:ietf:params:oauth:grant-type:jwt-bearer\n  client_certificate_key_file: k";
    check(&format!("{good}{jwt}"), "4:15: tokens for signed assertions");
    check(&format!("{good}claims: {{a: 1}}"), "4:11: claims belongs to signed assertions");
}

#[test]
fn goes_through_the_proxy_that_is_named() {
    let lookup = |name: &str| match name {
        "HTTP_PROXY" => Some("plain:1".to_owned()),
        "https_proxy" => Some("http://secure:2".to_owned()),
        "no_proxy" => Some("direct".to_owned()),
        _ => None,
    };
    let check = |text: &str, url: &str, want: Option<&str>| {
        let raw: RawHttpClientConfig = load(text, "a.yml").unwrap();
        let mut report = Report::new("a.yml").with_proxies(crate::ProxyEnvironment::read(lookup));
        let config = HttpClientConfig::validate(raw, &mut report);
        let config = report.finish(config).unwrap();
        let url = url::Url::parse(url).unwrap();
        assert_eq!(config.proxy.of(&url).map(crate::Proxy::host), want, "{text} {url}");
    };
    check("", "http://a", None);
    check("proxy_url: http://p", "http://localhost", Some("p"));
    check("{proxy_url: http://p, no_proxy: a}", "http://localhost", None);
    check("{proxy_url: http://p, no_proxy: a}", "https://b", Some("p"));
    check("proxy_from_environment: true", "http://a", Some("plain"));
    check("proxy_from_environment: true", "https://a", Some("secure"));
    check("proxy_from_environment: true", "https://direct", None);
    check("proxy_from_environment: false", "http://a", None);
}

#[test]
fn secrets_do_not_show() {
    let config = validated("basic_auth: {username: u, password: hunter2}\nhttp_headers: {X: {secrets: [hunter2]}}");
    assert!(!format!("{config:?}").contains("hunter2"));
}

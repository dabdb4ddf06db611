//! `gce_sd_configs` against a server that speaks `instances.list` of Compute Engine, a token server and a metadata server.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use discovery::Surroundings;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::cloud_server::{Asked, CloudServer, Followed, Knob, SILENCE, beginning, wait_until};
use crate::{validate, wait_for};

const LIST: &str = "/compute/v1/projects/my-project/zones/europe-west1-b/instances";
const SECTION: &str = "gce_sd_configs: [{project: my-project, zone: europe-west1-b, filter: 'labels.a = \"b\"', port: 9100, refresh_interval: 50ms}]";
const SCOPE: &str = "https://www.googleapis.com/auth/compute.readonly";

/// An instance in the form of Compute Engine's API.
fn instance(number: u8) -> Value {
    let base = "https://www.googleapis.com/compute/v1/projects/my-project";
    json!({
        "kind": "compute#instance",
        "id": format!("871527494420987{number}"),
        "creationTimestamp": "2026-01-01T00:00:00.000-07:00",
        "name": format!("vm-{number}"),
        "tags": {"items": ["http", "db"], "fingerprint": "x="},
        "machineType": format!("{base}/zones/europe-west1-b/machineTypes/e2-medium"),
        "status": "RUNNING",
        "zone": format!("{base}/zones/europe-west1-b"),
        "canIpForward": false,
        "networkInterfaces": [
            {
                "network": format!("{base}/global/networks/default"),
                "subnetwork": format!("{base}/regions/europe-west1/subnetworks/default"),
                "networkIP": format!("10.132.0.{number}"),
                "name": "nic0",
                "accessConfigs": [{"kind": "compute#accessConfig", "type": "ONE_TO_ONE_NAT", "natIP": "34.1.2.3"}],
            },
            {"networkIP": "10.0.9.9", "name": "nic1"},
        ],
        "metadata": {"kind": "compute#metadata", "items": [{"key": "ssh-keys", "value": "k"}, {"key": "empty"}]},
        "labels": {"env-name": "prod"},
    })
}

fn target(number: u8) -> String {
    let base = "https://www.googleapis.com/compute/v1/projects/my-project";
    format!(
        r#"10.132.0.{number}:9100 {{__meta_gce_instance_id="871527494420987{number}", __meta_gce_instance_name="vm-{number}", __meta_gce_instance_status="RUNNING", __meta_gce_interface_ipv4_nic0="10.132.0.{number}", __meta_gce_interface_ipv4_nic1="10.0.9.9", __meta_gce_label_env_name="prod", __meta_gce_machine_type="{base}/zones/europe-west1-b/machineTypes/e2-medium", __meta_gce_metadata_ssh_keys="k", __meta_gce_network="{base}/global/networks/default", __meta_gce_private_ip="10.132.0.{number}", __meta_gce_project="my-project", __meta_gce_public_ip="34.1.2.3", __meta_gce_subnetwork="{base}/regions/europe-west1/subnetworks/default", __meta_gce_tags=",http,db,", __meta_gce_zone="{base}/zones/europe-west1-b"}}"#
    )
}

fn refusal(code: u16, message: &str) -> String {
    json!({"error": {"code": code, "message": message, "status": "PERMISSION_DENIED"}}).to_string()
}

/// A page of the list for one who has this token.
fn list(asked: &Asked, token: &str) -> (u16, String) {
    if asked.header("authorization") != format!("Bearer {token}") {
        return (401, refusal(401, "Invalid Credentials"));
    }
    assert_eq!(asked.word("filter"), "labels.a = \"b\"");
    let no_address = json!({"id": "1", "name": "starting", "networkInterfaces": []});
    let page = match asked.word("pageToken") {
        "" => json!({"kind": "compute#instanceList", "items": [instance(1), no_address], "nextPageToken": "p/2="}),
        "p/2=" => json!({"items": [instance(2)], "nextPageToken": "p3"}),
        "p3" => json!({"kind": "compute#instanceList"}), // a page without items has none of this word
        other => panic!("no such page: {other}"),
    };
    (200, page.to_string())
}

/// A file with credentials, whose path is in the variables.
struct Credentials {
    _dir: TempDir,
    path: String,
}

impl Credentials {
    fn new(content: &Value) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("credentials.json");
        std::fs::write(&path, content.to_string()).expect("a file");
        Credentials { path: path.display().to_string(), _dir: dir }
    }

    fn variables(&self) -> [(&'static str, &str); 1] {
        [("GOOGLE_APPLICATION_CREDENTIALS", &self.path)]
    }
}

fn at(url: &str) -> impl FnOnce(Surroundings) -> Surroundings {
    let url = Url::parse(url).expect("a URL");
    move |own| own.with_compute_engine(url)
}

fn pem(key: &KeyPair) -> String {
    let der: Pkcs8V1Der<'_> = key.as_der().expect("a key");
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64_STANDARD.encode(der.as_ref()))
}

/// The claims of a signed text, checked with the public key.
fn claims(jwt: &str, key: &[u8]) -> Value {
    let (text, signature) = jwt.rsplit_once('.').expect("three parts");
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64 for URLs");
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
    public.verify(text.as_bytes(), &decode(signature)).expect("the signature of the key");
    let (header, payload) = text.split_once('.').expect("three parts");
    let header: Value = serde_json::from_slice(&decode(header)).expect("JSON");
    assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"}));
    serde_json::from_slice(&decode(payload)).expect("JSON")
}

#[tokio::test]
async fn a_service_account_signs_for_its_token() {
    let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let public = key.public_key().as_ref().to_vec();
    let (token, fault) = (Knob::new("t1"), Knob::new((200, String::new())));
    let (told, failing) = (token.clone(), fault.clone());
    let server = CloudServer::start(move |asked| match (asked.path.as_str(), failing.get()) {
        ("/token", _) => {
            assert_eq!(asked.word("grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
            assert_eq!(asked.header("authorization"), "");
            let claims = claims(asked.word("assertion"), &public);
            assert_eq!((&claims["iss"], &claims["scope"]), (&json!("sa@my-project.iam"), &json!(SCOPE)));
            assert_eq!(claims["aud"].as_str().map(|url| url.ends_with("/token")), Some(true));
            let issued = claims["iat"].as_i64().expect("a time");
            assert!(issued >= beginning().as_ms() / 1000, "{claims}");
            assert_eq!(claims["exp"].as_i64(), Some(issued + 3600));
            let given = json!({"access_token": told.get(), "expires_in": 3600, "token_type": "Bearer"});
            (200, given.to_string())
        }
        (LIST, (200, body)) if body.is_empty() => list(asked, told.get()),
        (LIST, fault) => fault,
        other => panic!("not a part of the API: {other:?}"),
    })
    .await;
    let credentials = Credentials::new(&json!({
        "type": "service_account",
        "project_id": "my-project",
        "client_email": "sa@my-project.iam",
        "private_key_id": "key-1",
        "private_key": pem(&key),
        "token_uri": format!("{}/token", server.url),
    }));
    let followed = Followed::start("gce", SECTION, &credentials.variables(), at(&server.url)).await;
    let all = [1, 2].map(target);
    let all = all.each_ref().map(String::as_str);
    wait_for(&followed.discovery, &all).await;
    let tokens = || server.count(|asked| asked.path == "/token");
    assert_eq!((tokens(), followed.failures()), (1, 0));

    // One that ends soon is replaced before it does, one that was taken back at the next round.
    let uses = |token: &str| server.count(|asked| asked.header("authorization") == format!("Bearer {token}"));
    followed.clock.advance(3_541_000);
    wait_until("a second token", || tokens() == 2).await;
    token.set("t2");
    wait_until("the third token is used", || uses("t2") > 3).await;
    assert_eq!(tokens(), 3);
    assert!(followed.failures() >= 1);

    for bad in [
        (403, refusal(403, "Required 'compute.instances.list' permission")),
        (500, "oops".to_owned()),
        (200, "{".to_owned()),
        (200, json!({"items": [{"id": 7}]}).to_string()),
        (SILENCE, "x".to_owned()),
    ] {
        fault.set(bad);
        followed.fails_and_keeps(&all).await;
    }
    fault.set((200, json!({"items": []}).to_string()));
    wait_for(&followed.discovery, &[]).await;
}

#[tokio::test]
async fn a_user_who_has_logged_in_refreshes_the_token() {
    let server = CloudServer::start(|asked| match asked.path.as_str() {
        "/token" => {
            let words = ["grant_type", "client_id", "client_secret", "refresh_token"].map(|name| asked.word(name));
            assert_eq!(words, ["refresh_token", "c", "s", "r"]);
            (200, json!({"access_token": "t", "expires_in": 3599}).to_string())
        }
        _ => list(asked, "t"),
    })
    .await;
    let home = tempfile::tempdir().expect("a folder");
    let dir = home.path().join(".config/gcloud");
    std::fs::create_dir_all(&dir).expect("a folder");
    let url = format!("{}/token", server.url);
    let written = json!({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r", "token_uri": url});
    std::fs::write(dir.join("application_default_credentials.json"), written.to_string()).expect("a file");
    let variables = [("HOME", home.path().to_str().expect("text"))];
    let followed = Followed::start("gce", SECTION, &variables, at(&server.url)).await;
    wait_for(&followed.discovery, &[&target(1), &target(2)]).await;
}

#[tokio::test]
async fn a_machine_at_google_asks_its_metadata_server() {
    let server = CloudServer::start(|asked| match asked.path.as_str() {
        "/computeMetadata/v1/instance/service-accounts/default/token" => {
            assert_eq!((asked.header("metadata-flavor"), asked.word("scopes")), ("Google", SCOPE));
            (200, json!({"access_token": "m", "expires_in": 300, "token_type": "Bearer"}).to_string())
        }
        _ => list(asked, "m"),
    })
    .await;
    let variables = [("GCE_METADATA_HOST", server.url.strip_prefix("http://").expect("a URL"))];
    let followed = Followed::start("gce", SECTION, &variables, at(&server.url)).await;
    wait_for(&followed.discovery, &[&target(1), &target(2)]).await;
}

#[tokio::test]
async fn credentials_that_are_no_good_are_not_sent_anywhere() {
    let server = CloudServer::start(|_| (200, "{}".to_owned())).await;
    let key = json!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let uri = format!("{}/token", server.url);
    for written in [
        json!({"type": "external_account", "token_uri": uri}),
        json!({"type": "service_account", "private_key": key, "token_uri": uri}),
        json!({"type": "authorized_user", "refresh_token": "r", "token_uri": "http://example.org/token"}),
        json!("text"),
    ] {
        let credentials = Credentials::new(&written);
        let followed = Followed::start("gce", SECTION, &credentials.variables(), at(&server.url)).await;
        followed.fails_and_keeps(&[]).await;
    }
    let variables = [("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/x.json")];
    let followed = Followed::start("gce", SECTION, &variables, at(&server.url)).await;
    followed.fails_and_keeps(&[]).await;
    assert_eq!(server.count(|_| true), 0);
}

#[test]
fn refuses_with_the_place() {
    let check = |text: &str, want: &str| assert_eq!(validate(text).expect_err(text), want, "{text}");
    check("gce_sd_configs: [{zone: z}]", "a.yml:1:18: GCE SD configuration requires a project");
    check("gce_sd_configs: [{project: p}]", "a.yml:1:18: GCE SD configuration requires a zone");
    check("gce_sd_configs: [{project: p, zone: z, port: 70000}]", "a.yml:1:46: 70000 is not a port");
}

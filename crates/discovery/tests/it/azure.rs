//! `azure_sd_configs` against a server that speaks the resource manager's API, a token server and the metadata servers of machines.

use discovery::Surroundings;
use serde_json::{Value, json};
use url::Url;

use crate::cloud_server::{Asked, CloudServer, Followed, Knob, SILENCE, wait_until};
use crate::{validate, wait_for};

const OAUTH: &str = "tenant_id: ten, client_id: app, client_secret: hunter2";
const AUDIENCE: &str = "https://management.azure.com";
const GROUP: &str = "/subscriptions/sub/resourceGroups/Group";

fn section(words: &str) -> String {
    format!("azure_sd_configs: [{{subscription_id: sub, port: 9100, refresh_interval: 50ms, {words}}}]")
}

/// Where a server's URL stands in for Azure's hosts.
fn at(url: &str) -> impl FnOnce(Surroundings) -> Surroundings {
    let url = Url::parse(url).expect("a URL");
    move |own| own.with_resource_manager(url)
}

/// A machine in the form of the resource manager's API.
fn machine(name: &str, interfaces: &[&str]) -> Value {
    let interfaces: Vec<Value> = interfaces
        .iter()
        .map(|name| json!({"id": format!("{GROUP}/providers/Microsoft.Network/networkInterfaces/{name}")}))
        .collect();
    json!({
        "id": format!("{GROUP}/providers/Microsoft.Compute/virtualMachines/{name}"),
        "name": name,
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "tags": {"app.kind": "db", "nothing": null},
        "properties": {
            "provisioningState": "Succeeded",
            "hardwareProfile": {"vmSize": "Standard_B2s"},
            "storageProfile": {"osDisk": {"osType": "Linux"}, "imageReference": null},
            "osProfile": {"computerName": format!("{name}-host")},
            "networkProfile": {"networkInterfaces": interfaces},
        },
    })
}

fn scale_set_machine() -> Value {
    let id = format!("{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/web/virtualMachines/7");
    let interface = format!("{id}/networkInterfaces/nic");
    json!({
        "id": id,
        "name": "web_7",
        "instanceId": "7",
        "type": "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
        "location": "westeurope",
        "tags": null,
        "properties": {
            "osProfile": null,
            "networkProfile": {"networkInterfaces": [{"id": interface, "properties": {"primary": true}}]},
        },
    })
}

fn interface(primary: bool, private: &str, public: Option<&str>) -> (u16, String) {
    let public = public.map(|address| json!({"id": "/x", "properties": {"ipAddress": address}}));
    let address = json!({"name": "ip", "properties": {"privateIPAddress": private, "publicIPAddress": public}});
    (200, json!({"id": "/x", "properties": {"primary": primary, "ipConfigurations": [address]}}).to_string())
}

fn refusal(code: &str) -> String {
    json!({"error": {"code": code, "message": "no\nmore"}}).to_string()
}

/// The answer of the resource manager to one who has this token; pages are at `url`.
fn answer(asked: &Asked, token: &str, url: &str) -> (u16, String) {
    if asked.header("authorization") != format!("Bearer {token}") {
        return (401, refusal("ExpiredAuthenticationToken"));
    }
    const COMPUTE: &str = "/subscriptions/sub/providers/Microsoft.Compute";
    const SET: &str = "/subscriptions/sub/resourceGroups/Group/providers/Microsoft.Compute/virtualMachineScaleSets/web";
    let path = asked.path.as_str();
    if let Some(name) = path.strip_prefix(&format!("{GROUP}/providers/Microsoft.Network/networkInterfaces/")) {
        assert_eq!(
            (asked.word("api-version"), asked.word("$expand")),
            ("2023-05-01", "IPConfigurations/PublicIPAddress")
        );
        return match name {
            "a-second" => interface(false, "10.9.9.9", None),
            "a-first" => interface(true, "10.0.0.1", Some("20.1.2.3")),
            "b" => interface(true, "fd00::2", None),
            "off" => (200, json!({"properties": {"ipConfigurations": []}}).to_string()),
            _ => (404, refusal("ResourceNotFound")),
        };
    }
    if path == format!("{SET}/virtualMachines/7/networkInterfaces/nic") {
        assert_eq!(
            (asked.word("api-version"), asked.word("$expand")),
            ("2018-10-01", "IPConfigurations/PublicIPAddress")
        );
        return interface(true, "10.0.0.7", None);
    }
    assert_eq!(asked.word("api-version"), "2024-03-01", "{path}");
    let page = match (path.strip_prefix(COMPUTE).unwrap_or(path), asked.word("$skiptoken")) {
        ("/virtualMachines", "") => json!({
            "value": [machine("a", &["a-second", "a-first"]), machine("gone", &["no"]), machine("off", &["off"])],
            "nextLink": format!("{url}{COMPUTE}/virtualMachines?api-version=2024-03-01&$skiptoken=2%2F"),
        }),
        ("/virtualMachines", "2/") => json!({"value": [machine("b", &["b"]), machine("none", &[])], "nextLink": null}),
        ("/virtualMachineScaleSets", "") => json!({"value": [{"id": SET, "name": "web"}]}),
        (path, "") if path == format!("{SET}/virtualMachines") => json!({"value": [scale_set_machine()]}),
        other => panic!("not a part of the API: {other:?}"),
    };
    (200, page.to_string())
}

fn targets_of(tenant: &str) -> [String; 3] {
    let tenant = if tenant.is_empty() { String::new() } else { format!(r#", __meta_azure_tenant_id="{tenant}""#) };
    let target = |address: &str, name: &str, private: &str, public: &str| {
        format!(
            r#"{address}:9100 {{__meta_azure_machine_computer_name="{name}-host", __meta_azure_machine_id="{GROUP}/providers/Microsoft.Compute/virtualMachines/{name}", __meta_azure_machine_location="westeurope", __meta_azure_machine_name="{name}", __meta_azure_machine_os_type="Linux", __meta_azure_machine_private_ip="{private}"{public}, __meta_azure_machine_resource_group="Group", __meta_azure_machine_size="Standard_B2s", __meta_azure_machine_tag_app_kind="db", __meta_azure_subscription_id="sub"{tenant}}}"#
        )
    };
    [
        target("10.0.0.1", "a", "10.0.0.1", r#", __meta_azure_machine_public_ip="20.1.2.3""#),
        target("[fd00::2]", "b", "fd00::2", ""),
        format!(
            r#"10.0.0.7:9100 {{__meta_azure_machine_id="{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/web/virtualMachines/7", __meta_azure_machine_location="westeurope", __meta_azure_machine_name="web_7", __meta_azure_machine_private_ip="10.0.0.7", __meta_azure_machine_resource_group="Group", __meta_azure_machine_scale_set="web", __meta_azure_subscription_id="sub"{tenant}}}"#
        ),
    ]
}

fn given(token: &str) -> (u16, String) {
    (200, json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token}).to_string())
}

/// The URL that the request was sent to, for pages.
fn own_url(asked: &Asked) -> String {
    format!("http://{}", asked.header("host"))
}

#[tokio::test]
async fn machines_and_those_of_scale_sets_are_found() {
    let (token, fault) = (Knob::new("t1"), Knob::new((200, String::new())));
    let (told, failing) = (token.clone(), fault.clone());
    let server = CloudServer::start(move |asked| match (asked.path.as_str(), failing.get()) {
        ("/ten/oauth2/v2.0/token", _) => {
            let words = ["grant_type", "client_id", "client_secret", "scope"].map(|name| asked.word(name));
            assert_eq!(words, ["client_credentials", "app", "hunter2", "https://management.azure.com/.default"]);
            given(told.get())
        }
        (_, (200, body)) if body.is_empty() => answer(asked, told.get(), &own_url(asked)),
        (_, fault) => fault,
    })
    .await;
    let variables = [("AZURE_AUTHORITY_HOST", server.url.as_str())];
    let followed = Followed::start("azure", &section(OAUTH), &variables, at(&server.url)).await;
    let all = targets_of("ten");
    let all = all.each_ref().map(String::as_str);
    wait_for(&followed.discovery, &all).await;
    let tokens = || server.count(|asked| asked.path.ends_with("/token"));
    assert_eq!((tokens(), followed.failures()), (1, 0));

    // Interfaces are remembered; of those that aren't there, or whose machine isn't, nothing is.
    wait_until("more rounds", || followed.counter("prometheus_sd_azure_cache_hit_total") >= 12).await;
    let asked_for = |name: &str| server.count(|asked| asked.path.ends_with(&format!("networkInterfaces/{name}")));
    assert_eq!(["a-first", "a-second", "b", "nic"].map(asked_for), [1; 4]);
    assert!(asked_for("off") > 2 && asked_for("no") > 2);
    followed.clock.advance(660);
    wait_until("after thirteen intervals they are asked for again", || asked_for("a-first") == 2).await;

    // A token that was taken back is replaced.
    token.set("t2");
    let uses = || server.count(|asked| asked.header("authorization") == "Bearer t2");
    wait_until("the second token is used", || uses() > 3).await;
    assert_eq!(tokens(), 2);
    let before = followed.counter("prometheus_sd_azure_failures_total");
    assert!(before >= 1 && before == followed.failures());

    for bad in [
        (403, refusal("AuthorizationFailed")),
        (429, refusal("TooManyRequests")),
        (200, "<html>".to_owned()),
        (200, json!({"value": [], "nextLink": "https://example.org/steal"}).to_string()),
        (200, json!({"value": [{"id": "/subscriptions/x"}]}).to_string()),
        (SILENCE, "x".to_owned()),
    ] {
        fault.set(bad);
        followed.fails_and_keeps(&all).await;
    }
    fault.set((200, json!({"value": []}).to_string()));
    wait_for(&followed.discovery, &[]).await;
}

#[tokio::test]
async fn a_resource_group_limits_what_is_listed() {
    let server = CloudServer::start(|asked| match asked.path.as_str() {
        path if path.ends_with("/token") => given("t"),
        "/subscriptions/sub/resourceGroups/my%20group/providers/Microsoft.Compute/virtualMachines" => {
            (200, json!({"value": [machine("b", &["b"])]}).to_string())
        }
        "/subscriptions/sub/resourceGroups/my%20group/providers/Microsoft.Compute/virtualMachineScaleSets" => {
            (200, json!({"value": []}).to_string())
        }
        _ => answer(asked, "t", ""),
    })
    .await;
    let variables = [("AZURE_AUTHORITY_HOST", server.url.as_str())];
    let words = format!("{OAUTH}, resource_group: my group");
    let followed = Followed::start("azure", &section(&words), &variables, at(&server.url)).await;
    let [_, b, _] = targets_of("ten");
    wait_for(&followed.discovery, &[&b]).await;
}

/// A way to a token: what is configured, what the environment says, and a check of the request for it.
async fn check_way(words: &str, tenant: &str, variables: &[(&str, &str)], is_right: fn(&Asked) -> bool) {
    let server = CloudServer::start(move |asked| match asked.path.as_str() {
        path if path.ends_with("/token") && is_right(asked) => given("t"),
        path if path.ends_with("/token") => (400, json!({"error": "invalid_request"}).to_string()),
        _ => answer(asked, "t", &own_url(asked)),
    })
    .await;
    let own = [("AZURE_AUTHORITY_HOST", "{url}")];
    let variables = own.iter().chain(variables).map(|(name, value)| (*name, value.replace("{url}", &server.url)));
    let variables: Vec<(&str, String)> = variables.collect();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let followed = Followed::start("azure", &section(words), &variables, at(&server.url)).await;
    let all = targets_of(tenant);
    wait_for(&followed.discovery, &all.each_ref().map(String::as_str)).await;
    assert_eq!(followed.failures(), 0, "{words}");
}

#[tokio::test]
async fn a_machine_has_an_identity() {
    let near = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", "{url}")];
    check_way("authentication_method: ManagedIdentity", "", &near, |asked| {
        asked.path == "/metadata/identity/oauth2/token"
            && asked.header("metadata") == "true"
            && (asked.word("api-version"), asked.word("resource"), asked.word("client_id"))
                == ("2018-02-01", AUDIENCE, "")
    })
    .await;
    check_way("authentication_method: ManagedIdentity, client_id: app", "", &near, |asked| {
        asked.word("client_id") == "app"
    })
    .await;
    let app_service = [("IDENTITY_ENDPOINT", "{url}/msi/token"), ("IDENTITY_HEADER", "geheim")];
    check_way("authentication_method: ManagedIdentity", "", &app_service, |asked| {
        asked.path == "/msi/token"
            && asked.header("x-identity-header") == "geheim"
            && (asked.word("api-version"), asked.word("resource")) == ("2019-08-01", AUDIENCE)
    })
    .await;
}

#[tokio::test]
async fn a_workload_has_a_token_in_a_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("token");
    std::fs::write(&file, "jwt\n").expect("a file");
    let path = file.display().to_string();
    let variables =
        [("AZURE_FEDERATED_TOKEN_FILE", path.as_str()), ("AZURE_CLIENT_ID", "app"), ("AZURE_TENANT_ID", "ten")];
    let is_right = |asked: &Asked| {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let words = ["client_id", "client_assertion_type", "client_assertion"].map(|name| asked.word(name));
        asked.path == "/ten/oauth2/v2.0/token" && words == ["app", kind, "jwt"]
    };
    check_way("authentication_method: WorkloadIdentity", "", &variables, is_right).await;
    check_way("authentication_method: SDK", "", &variables, is_right).await;
    check_way("authentication_method: SDK, tenant_id: other", "other", &variables, |asked| {
        asked.path == "/other/oauth2/v2.0/token"
    })
    .await;
}

#[tokio::test]
async fn the_sdk_takes_what_the_environment_has() {
    let secret = [("AZURE_TENANT_ID", "ten"), ("AZURE_CLIENT_ID", "app"), ("AZURE_CLIENT_SECRET", "s")];
    check_way("authentication_method: SDK", "", &secret, |asked| {
        asked.path == "/ten/oauth2/v2.0/token" && (asked.word("client_id"), asked.word("client_secret")) == ("app", "s")
    })
    .await;
    let near = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", "{url}"), ("AZURE_CLIENT_ID", "own")];
    check_way("authentication_method: SDK", "", &near, |asked| {
        asked.path == "/metadata/identity/oauth2/token" && asked.word("client_id") == "own"
    })
    .await;
}

#[tokio::test]
async fn where_there_is_no_way_to_a_token_nothing_is_asked() {
    let server = CloudServer::start(|_| (200, "{}".to_owned())).await;
    let arc = [("IDENTITY_ENDPOINT", server.url.as_str())];
    let certificate = [
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "/x"),
        ("IDENTITY_ENDPOINT", "x"),
    ];
    let open = [("AZURE_AUTHORITY_HOST", "http://example.org")];
    let cases: [(&str, &[(&str, &str)]); 4] = [
        ("authentication_method: WorkloadIdentity", &[]),
        ("authentication_method: ManagedIdentity", &arc),
        ("authentication_method: SDK", &certificate),
        (OAUTH, &open),
    ];
    for (words, variables) in cases {
        let followed = Followed::start("azure", &section(words), variables, at(&server.url)).await;
        followed.fails_and_keeps(&[]).await;
    }
    assert_eq!(server.count(|_| true), 0);
}

#[test]
fn refuses_with_the_place() {
    let check = |words: &str, want: &str| {
        let text = format!("azure_sd_configs: [{{{words}}}]");
        assert_eq!(validate(&text).expect_err(&text), want, "{text}");
    };
    check(OAUTH, "a.yml:1:20: azure SD configuration requires a subscription_id");
    for word in ["tenant_id", "client_id", "client_secret"] {
        let others = OAUTH.replace(word, "resource_group");
        check(
            &format!("subscription_id: s, {others}"),
            &format!("a.yml:1:20: azure SD configuration requires a {word}"),
        );
    }
    check(
        "subscription_id: s, authentication_method: Key",
        "a.yml:1:64: unknown authentication_type \"Key\". Supported types are \"OAuth\", \"ManagedIdentity\", \"SDK\" or \
         \"WorkloadIdentity\"",
    );
    check(
        &format!("subscription_id: s, environment: Moon, {OAUTH}"),
        "a.yml:1:54: there is no cloud configuration matching the name \"Moon\"",
    );
    let valid = validate(&section(&format!("environment: azurechinacloud, {OAUTH}"))).expect("valid");
    let shown = format!("{valid:?}");
    assert!(shown.contains("China") && !shown.contains("hunter2"), "{shown}");
}

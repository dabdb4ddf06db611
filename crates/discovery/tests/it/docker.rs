//! Containers of a Docker daemon, over a server that answers like the real one.

use std::time::Duration;

use discovery::{Discovery, Environment};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use crate::web::Web;
use crate::{eventually, install_crypto, metric, sources, targets, validate, wait_for};

const NETWORK: &str = "7ea29fc1412292a2d7bba362f9253545fecdfa8ce9a6e37dd10ba8bee7129812";

pub(crate) fn networks() -> Value {
    let network = |id: &str, name: &str, scope: &str, labels: Value| {
        json!({
            "Name": name, "Id": id, "Created": "2022-10-19T06:21:00.416543526Z", "Scope": scope, "Driver": "overlay", "EnableIPv6": false,
            "IPAM": {"Driver": "default", "Options": null, "Config": [{"Subnet": "172.19.0.0/16", "Gateway": "172.19.0.1"}]},
            "Internal": false, "Attachable": true, "Ingress": name == "ingress", "ConfigFrom": {"Network": ""}, "ConfigOnly": false,
            "Containers": {}, "Options": {}, "Labels": labels,
        })
    };
    json!([
        network(NETWORK, "shop", "local", json!({"com.docker.compose.network": "shop"})),
        network("host1", "host", "local", json!(null)),
        network("ingress1", "ingress", "swarm", json!({})),
    ])
}

fn endpoint(network: &str, ipv4: &str, ipv6: &str) -> Value {
    json!({
        "IPAMConfig": null, "Links": null, "Aliases": null, "NetworkID": network, "EndpointID": "88eaed7b37b38c2a3f0c4b", "Gateway": "172.17.0.1",
        "IPAddress": ipv4, "IPPrefixLen": 16, "IPv6Gateway": "", "GlobalIPv6Address": ipv6, "GlobalIPv6PrefixLen": 0,
        "MacAddress": "02:42:ac:11:00:02", "DriverOpts": null,
    })
}

/// A container as the daemon lists it.
fn container(id: &str, mode: &str, networks: &Value, ports: &Value) -> Value {
    json!({
        "Id": id, "Names": [format!("/{id}"), "/alias"], "Image": "shop:1", "ImageID": "sha256:ecc5", "Command": "run", "Created": 1_367_854_155,
        "State": "running", "Status": "Up 4 days", "Ports": ports, "Labels": {"com.example.team": "a"}, "SizeRw": 12288, "SizeRootFs": 0,
        "HostConfig": {"NetworkMode": mode, "Annotations": {}}, "NetworkSettings": {"Networks": networks}, "Mounts": [],
    })
}

/// The labels of a [`container`] in a network, with some between them.
fn labels(id: &str, mode: &str, network: &str, ports: &str) -> String {
    format!(
        r#"{{__meta_docker_container_id="{id}", __meta_docker_container_image="shop:1", __meta_docker_container_image_id="sha256:ecc5", __meta_docker_container_label_com_example_team="a", __meta_docker_container_name="/{id}", __meta_docker_container_network_mode="{mode}"{network}{ports}}}"#
    )
}

/// The labels of an address in the network of the test.
fn shop(ip: &str) -> String {
    let ip = if ip.is_empty() { String::new() } else { format!(r#", __meta_docker_network_ip="{ip}""#) };
    format!(
        r#", __meta_docker_network_id="{NETWORK}", __meta_docker_network_ingress="false", __meta_docker_network_internal="false"{ip}, __meta_docker_network_label_com_docker_compose_network="shop", __meta_docker_network_name="shop", __meta_docker_network_scope="local""#
    )
}

fn answer(server: &Web, version: &str, containers: &Value) {
    server.set("/_ping", 200, "OK");
    server.set(&format!("/{version}/containers/json"), 200, containers);
    server.set(&format!("/{version}/networks"), 200, &networks());
}

async fn daemon(containers: &Value) -> Web {
    install_crypto();
    let server = Web::start().await;
    server.set_header("api-version", "1.44");
    answer(&server, "v1.44", containers);
    server
}

async fn check(words: &str, want: &[&str]) {
    let mut registry = Registry::default();
    let sources = sources(&format!("docker_sd_configs: [{{{words}}}]"));
    wait_for(&Discovery::start("j", sources, Environment::new(&mut registry)).await, want).await;
}

#[tokio::test]
async fn a_port_in_a_network_is_a_target_with_all_that_is_known_of_it() {
    let ports = json!([
        {"PrivatePort": 2222, "PublicPort": 3333, "Type": "tcp", "IP": "0.0.0.0"},
        {"PrivatePort": 53, "Type": "udp"},
        {"PrivatePort": 9100, "Type": "tcp"},
    ]);
    let networks = json!({"a-none": null, "shop": endpoint(NETWORK, "172.17.0.2", ""), "x": endpoint("unknown", "", "2001:db8::2")});
    let mut nameless = container("c0", "shop", &networks, &ports);
    nameless["Names"] = json!([]);
    let daemon = daemon(&json!([nameless, container("c1", "shop", &networks, &ports)])).await;
    let filters =
        "filters: [{name: label, values: [a=b, c]}, {name: status, values: [running]}, {name: label, values: [d]}]";
    let host = format!("host: '{}', basic_auth: {{username: u, password: p}}", daemon.url);
    let public = r#", __meta_docker_port_private="2222", __meta_docker_port_public="3333", __meta_docker_port_public_ip="0.0.0.0""#;
    let private = r#", __meta_docker_port_private="9100""#;
    let one = format!("172.17.0.2:2222 {}", labels("c1", "shop", &shop("172.17.0.2"), public));
    let two = format!("172.17.0.2:9100 {}", labels("c1", "shop", &shop("172.17.0.2"), private));
    check(&format!("{host}, {filters}"), &[&one, &two]).await;
    let asked = daemon.take_asked();
    let asked: Vec<String> = asked
        .iter()
        .map(|uri| url::form_urlencoded::parse(uri.as_bytes()).map(|(a, b)| a.into_owned() + &b).collect())
        .collect();
    assert_eq!(
        asked,
        [
            "/_ping",
            r#"/v1.44/containers/json?filters{"label":{"a=b":true,"c":true,"d":true},"status":{"running":true}}"#,
            "/v1.44/networks"
        ]
    );
    assert_eq!(daemon.seen("authorization"), "Basic dTpw");

    // The other networks count where they are asked for.
    let elsewhere = r#", __meta_docker_network_ip="2001:db8::2""#;
    let three = format!("[2001:db8::2]:2222 {}", labels("c1", "shop", elsewhere, public));
    let four = format!("[2001:db8::2]:9100 {}", labels("c1", "shop", elsewhere, private));
    check(&format!("{host}, match_first_network: false"), &[&one, &two, &three, &four]).await;
    assert_eq!(daemon.take_asked()[1], "/v1.44/containers/json");
}

#[tokio::test]
async fn containers_without_ports_or_networks_of_their_own_have_targets() {
    let own = json!({"shop": endpoint(NETWORK, "172.17.0.2", "")});
    let (none, udp) = (json!([]), json!([{"PrivatePort": 53, "Type": "udp"}]));
    let mut last = container("c7", "none", &json!(null), &none);
    last["NetworkSettings"] = json!(null);
    let containers = json!([
        container("c1", "shop", &own, &udp),
        container("c2", "host", &json!({"host": endpoint("host1", "", "")}), &none),
        // Two that share the networks of the first, one by way of the other.
        container("c3", "container:c4", &json!({}), &json!([{"PrivatePort": 80, "Type": "tcp"}])),
        container("c4", "container:c1", &json!({}), &none),
        // Two that share each other's, and one that shares those of nobody.
        container("c5", "container:c6", &json!({}), &none),
        container("c6", "container:c5", &json!({}), &none),
        container("c8", "container:gone", &json!({}), &none),
        last,
    ]);
    let daemon = daemon(&containers).await;
    let host = r#", __meta_docker_network_id="host1", __meta_docker_network_ingress="false", __meta_docker_network_internal="false", __meta_docker_network_name="host", __meta_docker_network_scope="local""#;
    let shop = shop("172.17.0.2");
    let want = |port: &str, named: &str| {
        [
            format!("172.17.0.2:{port} {}", labels("c1", "shop", &shop, "")),
            format!("{named} {}", labels("c2", "host", host, "")),
            format!("172.17.0.2:80 {}", labels("c3", "container:c4", &shop, r#", __meta_docker_port_private="80""#)),
            format!("172.17.0.2:{port} {}", labels("c4", "container:c1", &shop, "")),
        ]
    };
    for (more, port, named) in [("", "80", "localhost"), (", port: 9323, host_networking_host: 'h:1'", "9323", "h:1")] {
        let want = want(port, named);
        check(&format!("host: '{}'{more}", daemon.url), &want.each_ref().map(String::as_str)).await;
    }
}

#[tokio::test]
async fn daemons_are_asked_over_sockets_and_in_their_version() {
    install_crypto();
    let directory = tempfile::tempdir().expect("a folder");
    let socket = directory.path().join("docker.sock");
    let container = container("c1", "shop", &json!({"shop": endpoint(NETWORK, "172.17.0.2", "")}), &json!([]));
    let want = format!("172.17.0.2:80 {}", labels("c1", "shop", &shop("172.17.0.2"), ""));
    let over_socket = Web::start_at(&socket);
    over_socket.set_header("api-version", "1.41");
    answer(&over_socket, "v1.41", &json!([container]));
    check(&format!("host: 'unix://{}'", socket.display()), &[&want]).await;
    assert_eq!(over_socket.take_asked(), ["/_ping", "/v1.41/containers/json", "/v1.41/networks"]);

    let newer = Web::start().await;
    newer.set_header("api-version", "1.100");
    answer(&newer, "v1.52", &json!([container]));
    check(&format!("host: '{}'", newer.url.replace("http://", "tcp://")), &[&want]).await;
}

#[tokio::test]
async fn what_fails_keeps_its_targets() {
    let container = container("c1", "shop", &json!({"shop": endpoint(NETWORK, "172.17.0.2", "")}), &json!([]));
    let daemon = daemon(&json!([container])).await;
    let mut registry = Registry::default();
    let words = format!("docker_sd_configs: [{{host: '{}', refresh_interval: 150ms}}]", daemon.url);
    let discovery = Discovery::start("j", sources(&words), Environment::new(&mut registry)).await;
    let want = format!("172.17.0.2:80 {}", labels("c1", "shop", &shop("172.17.0.2"), ""));
    wait_for(&discovery, &[&want]).await;
    daemon.set_header("api-version", "new");
    let failures = || metric(&registry, r#"prometheus_sd_refresh_failures_total{config="j",mechanism="docker"}"#);
    eventually("a failure", || crate::text(&registry).contains(r#"mechanism="docker""#)).await;
    let failed = async |what: &str| {
        let before = failures();
        eventually(what, || failures() > before + 1).await;
        assert_eq!(targets(&discovery), [want.as_str()], "the last targets stay: {what}");
    };
    failed("a version that is none").await;
    daemon.set_header("api-version", "1.44");
    for (path, status, body) in [
        ("/_ping", 500, "no"),
        ("/v1.44/containers/json", 400, r#"{"message":"client version 1.44 is too new"}"#),
        ("/v1.44/containers/json", 200, "<html>"),
        ("/v1.44/networks", 200, r#"{"message":"no"}"#),
    ] {
        daemon.set(path, status, body);
        failed(path).await;
        answer(&daemon, "v1.44", &json!([]));
        daemon.set("/v1.44/containers/json", 200, &json!([container]));
    }
    daemon.set_delay(Duration::from_secs(1));
    failed("an answer that comes too late").await;
    daemon.set_delay(Duration::ZERO);
    answer(&daemon, "v1.44", &json!([]));
    wait_for(&discovery, &[]).await;
}

#[test]
fn refuses_with_the_place() {
    let check = |words: &str, want: &str| {
        assert_eq!(validate(&format!("docker_sd_configs:\n- {words}")).expect_err(words), want, "{words}");
    };
    check("port: 80", "a.yml:2:3: host missing");
    check("host: docker", "a.yml:2:9: the server must begin with tcp://, http://, https:// or unix://");
    check("host: 'npipe:////./pipe/x'", "a.yml:2:9: the server must begin with tcp://, http://, https:// or unix://");
    check("{host: 'tcp://d', port: 70000}", "a.yml:2:27: 70000 is not a port");
    check(
        "{host: 'tcp://d', filters: [{name: a, value: b}]}",
        "a.yml:2:41: unknown key \"value\", did you mean \"values\"?",
    );
}

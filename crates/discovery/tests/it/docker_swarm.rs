//! Services, tasks and nodes of a Docker swarm, over a server that answers like the real one.

use discovery::{Discovery, Environment};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use crate::docker::networks;
use crate::web::Web;
use crate::{eventually, install_crypto, metric, sources, targets, validate, wait_for};

fn node() -> Value {
    json!({
        "ID": "n1", "Version": {"Index": 373531}, "CreatedAt": "2016-08-18T10:44:24.496525531Z", "UpdatedAt": "2017-08-09T07:09:37.632105588Z",
        "Spec": {"Availability": "active", "Name": "node-name", "Role": "manager", "Labels": {"disk.kind": "ssd"}},
        "Description": {
            "Hostname": "bf3067039e47", "Platform": {"Architecture": "x86_64", "OS": "linux"},
            "Resources": {"NanoCPUs": 4_000_000_000_u64, "MemoryBytes": 8_272_408_576_u64},
            "Engine": {"EngineVersion": "17.06.0", "Labels": {"foo": "bar"}, "Plugins": []}, "TLSInfo": {},
        },
        "Status": {"State": "ready", "Message": "", "Addr": "172.17.0.2"},
        "ManagerStatus": {"Leader": true, "Reachability": "reachable", "Addr": "10.0.0.46:2377"},
    })
}

fn port(protocol: &str, name: &str, number: u16) -> Value {
    json!({"Name": name, "Protocol": protocol, "TargetPort": 6379, "PublishedPort": number, "PublishMode": "ingress"})
}

fn service(id: &str, mode: &Value, ports: &Value) -> Value {
    json!({
        "ID": id, "Version": {"Index": 19}, "CreatedAt": "2016-06-07T21:05:51.880065305Z", "UpdatedAt": "2016-06-07T21:07:29.962229872Z",
        "Spec": {
            "Name": format!("shop_{id}"), "Labels": {"com.docker.stack.namespace": "shop"},
            "TaskTemplate": {"ContainerSpec": {"Image": "redis:7", "Hostname": "h1"}, "Resources": {"Limits": {}}, "ForceUpdate": 0},
            "Mode": mode, "EndpointSpec": {"Mode": "vip"},
        },
        "Endpoint": {"Spec": {"Mode": "vip"}, "Ports": ports, "VirtualIPs": [{"NetworkID": "ingress1", "Addr": "10.255.0.2/16"}, {"NetworkID": "x"}]},
        "UpdateStatus": {"State": "completed", "StartedAt": "0001-01-01T00:00:00Z", "Message": "update completed"},
    })
}

fn task() -> Value {
    json!({
        "ID": "t1", "Version": {"Index": 71}, "CreatedAt": "2016-06-07T21:07:31.171892745Z", "UpdatedAt": "2016-06-07T21:07:31.376370513Z",
        "Spec": {"ContainerSpec": {"Image": "redis:7", "Labels": {"team.name": "a"}}, "Placement": {}},
        "ServiceID": "s1", "Slot": 3, "NodeID": "n1", "DesiredState": "running",
        "Status": {
            "Timestamp": "2016-06-07T21:07:31.290032978Z", "State": "running", "Message": "started",
            "ContainerStatus": {"ContainerID": "e5d62702a1b4", "PID": 677, "ExitCode": 0},
            "PortStatus": {"Ports": [
                {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 32768, "PublishMode": "host"},
                {"Protocol": "udp", "TargetPort": 53, "PublishedPort": 32769, "PublishMode": "host"},
            ]},
        },
        "NetworksAttachments": [{"Network": {"ID": "ingress1", "Spec": {"Name": "ingress"}}, "Addresses": ["10.255.0.10/16", "2001:db8::7/64"]}],
    })
}

const INGRESS: &str = r#"__meta_dockerswarm_network_id="ingress1", __meta_dockerswarm_network_ingress="true", __meta_dockerswarm_network_internal="false", __meta_dockerswarm_network_name="ingress", __meta_dockerswarm_network_scope="swarm""#;
const NODE: &str = r#"__meta_dockerswarm_node_address="172.17.0.2", __meta_dockerswarm_node_availability="active", __meta_dockerswarm_node_hostname="bf3067039e47", __meta_dockerswarm_node_id="n1", __meta_dockerswarm_node_label_disk_kind="ssd", __meta_dockerswarm_node_platform_architecture="x86_64", __meta_dockerswarm_node_platform_os="linux", __meta_dockerswarm_node_role="manager", __meta_dockerswarm_node_status="ready""#;

async fn swarm() -> Web {
    install_crypto();
    let server = Web::start().await;
    server.set_header("api-version", "1.44");
    server.set("/_ping", 200, "OK");
    let ports = json!([port("tcp", "redis", 30001), port("udp", "dns", 30002)]);
    let mut plain = service("s2", &json!({"Global": {}}), &json!(null));
    plain["Spec"]["TaskTemplate"] = json!({"PluginSpec": {}, "Runtime": "plugin"});
    plain["Spec"]["Labels"] = json!(null);
    plain["UpdateStatus"] = json!(null);
    let replicated = service("s1", &json!({"Replicated": {"Replicas": 1}}), &ports);
    server.set("/v1.44/services", 200, &json!([replicated, plain]));
    server.set("/v1.44/nodes", 200, &json!([node()]));
    server.set("/v1.44/networks", 200, &networks());
    server.set("/v1.44/tasks", 200, &json!([task()]));
    server
}

async fn check(server: &Web, words: &str, want: &[&str], asked: &[&str]) {
    let mut registry = Registry::default();
    let sources = sources(&format!("dockerswarm_sd_configs: [{{host: '{}', {words}}}]", server.url));
    wait_for(&Discovery::start("j", sources, Environment::new(&mut registry)).await, want).await;
    assert_eq!(server.take_asked(), asked);
}

#[tokio::test]
async fn nodes_are_targets() {
    let server = swarm().await;
    let manager = r#"__meta_dockerswarm_node_manager_address="10.0.0.46:2377", __meta_dockerswarm_node_manager_leader="true", __meta_dockerswarm_node_manager_reachability="reachable", __meta_dockerswarm_node_platform_arch"#;
    let labels = NODE
        .replace(
            "__meta_dockerswarm_node_hostname",
            r#"__meta_dockerswarm_node_engine_version="17.06.0", __meta_dockerswarm_node_hostname"#,
        )
        .replace("__meta_dockerswarm_node_platform_arch", manager);
    let query = "?filters=%7B%22role%22%3A%7B%22manager%22%3Atrue%7D%7D";
    check(
        &server,
        "role: nodes, port: 9323, filters: [{name: role, values: [manager]}]",
        &[&format!("172.17.0.2:9323 {{{labels}}}")],
        &["/_ping", &format!("/v1.44/nodes{query}")],
    )
    .await;
    let mut worker = node();
    worker["ManagerStatus"] = json!(null);
    server.set("/v1.44/nodes", 200, &json!([worker]));
    let labels = labels.replace(manager, "__meta_dockerswarm_node_platform_arch");
    check(&server, "role: nodes", &[&format!("172.17.0.2:80 {{{labels}}}")], &["/_ping", "/v1.44/nodes"]).await;
}

#[tokio::test]
async fn services_are_targets() {
    let server = swarm().await;
    let one = format!(
        r#"10.255.0.2:30001 {{{INGRESS}, __meta_dockerswarm_service_endpoint_port_name="redis", __meta_dockerswarm_service_endpoint_port_publish_mode="ingress", __meta_dockerswarm_service_id="s1", __meta_dockerswarm_service_label_com_docker_stack_namespace="shop", __meta_dockerswarm_service_mode="replicated", __meta_dockerswarm_service_name="shop_s1", __meta_dockerswarm_service_task_container_hostname="h1", __meta_dockerswarm_service_task_container_image="redis:7", __meta_dockerswarm_service_updating_status="completed"}}"#
    );
    let two = format!(
        r#"10.255.0.2:81 {{{INGRESS}, __meta_dockerswarm_service_id="s2", __meta_dockerswarm_service_mode="global", __meta_dockerswarm_service_name="shop_s2"}}"#
    );
    check(&server, "role: services, port: 81", &[&one, &two], &["/_ping", "/v1.44/services", "/v1.44/networks"]).await;
}

#[tokio::test]
async fn tasks_are_targets() {
    let server = swarm().await;
    let task = |host: &str, network: &str, mode: &str| {
        format!(
            r#"{host} {{__meta_dockerswarm_container_label_team_name="a"{network}, {NODE}, __meta_dockerswarm_service_id="s1", __meta_dockerswarm_service_label_com_docker_stack_namespace="shop", __meta_dockerswarm_service_mode="replicated", __meta_dockerswarm_service_name="shop_s1", __meta_dockerswarm_task_container_id="e5d62702a1b4", __meta_dockerswarm_task_desired_state="running", __meta_dockerswarm_task_id="t1"{mode}, __meta_dockerswarm_task_slot="3", __meta_dockerswarm_task_state="running"}}"#
        )
    };
    let of_port = |mode: &str| format!(r#", __meta_dockerswarm_task_port_publish_mode="{mode}""#);
    let ingress = format!(", {INGRESS}");
    let asked = [
        "/_ping",
        "/v1.44/tasks?filters=%7B%22node%22%3A%7B%22n1%22%3Atrue%7D%7D",
        "/v1.44/services",
        "/v1.44/nodes",
        "/v1.44/networks",
    ];
    let on_node = task("172.17.0.2:32768", "", &of_port("host"));
    check(
        &server,
        "role: tasks, filters: [{name: node, values: [n1]}]",
        &[
            &on_node,
            &task("10.255.0.10:30001", &ingress, &of_port("ingress")),
            &task("[2001:db8::7]:30001", &ingress, &of_port("ingress")),
        ],
        &asked,
    )
    .await;
    server.set("/v1.44/services", 200, &json!([service("s1", &json!({"Replicated": {}}), &json!([]))]));
    check(
        &server,
        "role: tasks, filters: [{name: node, values: [n1]}]",
        &[&on_node, &task("10.255.0.10:80", &ingress, ""), &task("[2001:db8::7]:80", &ingress, "")],
        &asked,
    )
    .await;
}

#[tokio::test]
async fn what_fails_keeps_its_targets() {
    let server = swarm().await;
    let mut registry = Registry::default();
    let words = format!("dockerswarm_sd_configs: [{{host: '{}', role: tasks, refresh_interval: 20ms}}]", server.url);
    let discovery = Discovery::start("j", sources(&words), Environment::new(&mut registry)).await;
    eventually("targets", || targets(&discovery).len() == 3).await;
    let series = r#"prometheus_sd_refresh_failures_total{config="j",mechanism="dockerswarm"}"#;
    let mut attached = task();
    attached["NetworksAttachments"][0]["Addresses"] = json!(["10.255.0.300/16"]);
    server.set("/v1.44/tasks", 200, &json!([attached]));
    eventually("a failure", || crate::text(&registry).contains(series)).await;
    for path in ["/v1.44/services", "/v1.44/nodes", "/v1.44/networks"] {
        server.set(path, 503, r#"{"message":"This node is not a swarm manager."}"#);
        let before = metric(&registry, series);
        eventually(path, || metric(&registry, series) > before + 1).await;
    }
    assert_eq!(targets(&discovery).len(), 3, "the last targets stay");
}

#[test]
fn refuses_with_the_place() {
    let check = |words: &str, want: &str| {
        assert_eq!(validate(&format!("dockerswarm_sd_configs:\n- {words}")).expect_err(words), want, "{words}");
    };
    check("role: nodes", "a.yml:2:3: host missing");
    check("host: 'tcp://d'", "a.yml:2:3: role missing (one of: tasks, services, nodes)");
    check("{host: 'tcp://d', role: pods}", "a.yml:2:27: invalid role pods, expected tasks, services, or nodes");
}

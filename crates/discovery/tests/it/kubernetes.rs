//! Objects of a Kubernetes cluster, over a server that lists and watches like the real one.

use std::time::Duration;

use discovery::{Discovery, Environment};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use crate::api_server::ApiServer;
use crate::{eventually, install_crypto, metric, sources, targets, validate, wait_for};

const ROLES: [&str; 6] = ["node", "pod", "service", "endpoints", "endpointslice", "ingress"];

fn pod(name: &str, ip: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "a", "uid": name},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]},
        "status": {"podIP": ip, "phase": "Running"},
    })
}

fn line(name: &str, ip: &str) -> String {
    format!(
        r#"{ip} {{__meta_kubernetes_namespace="a", __meta_kubernetes_pod_container_image="i", __meta_kubernetes_pod_container_init="false", __meta_kubernetes_pod_container_name="c", __meta_kubernetes_pod_ip="{ip}", __meta_kubernetes_pod_name="{name}", __meta_kubernetes_pod_node_name="n1", __meta_kubernetes_pod_phase="Running", __meta_kubernetes_pod_ready="unknown", __meta_kubernetes_pod_uid="{name}"}}"#
    )
}

async fn wait_for_pods(discovery: &Discovery, want: &[(&str, &str)]) {
    let lines: Vec<String> = want.iter().map(|(name, ip)| line(name, ip)).collect();
    wait_for(discovery, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn pods_come_and_go_whatever_happens_to_the_connection() {
    install_crypto();
    let server = ApiServer::start().await;
    server.page_objects(2);
    for name in ["p1", "p2", "p3", "p4", "p5"] {
        server.put("pods", pod(name, "10.0.0.1"));
    }
    let mut registry = Registry::default();
    let words = format!(
        "kubernetes_sd_configs: [{{role: pod, api_server: '{}', selectors: [{{role: pod, label: 'app in (a,b)'}}]}}]",
        server.url
    );
    let discovery = Discovery::start("j", sources(&words), Environment::new(&mut registry)).await;
    let (one, two) = ("10.0.0.1", "10.0.0.2");
    wait_for_pods(&discovery, &[("p1", one), ("p2", one), ("p3", one), ("p4", one), ("p5", one)]).await;
    let selector = "labelSelector=app+in+%28a%2Cb%29";
    assert_eq!(
        server.asked("limit"),
        [
            format!("/api/v1/pods?{selector}&limit=500"),
            format!("/api/v1/pods?{selector}&limit=500&continue=15.a%2Fp2"),
            format!("/api/v1/pods?{selector}&limit=500&continue=15.a%2Fp4"),
        ]
    );
    server.delete("pods", "a/p4");
    server.put("pods", pod("p5", two));
    server.put("pods", pod("p6", two));
    wait_for_pods(&discovery, &[("p1", one), ("p2", one), ("p3", one), ("p5", two), ("p6", two)]).await;
    let events = |event: &str| {
        metric(&registry, &format!(r#"prometheus_sd_kubernetes_events_total{{event="{event}",role="pod"}}"#))
    };
    assert_eq!((events("add"), events("update"), events("delete")), (6, 1, 1));

    // A connection that drops goes on from the version of the last bookmark.
    let [begun] = server.asked("watch=true").try_into().expect("one watch");
    assert!(begun.contains("&allowWatchBookmarks=true&resourceVersion=15&timeoutSeconds="), "{begun}");
    server.bookmark();
    server.put("pods", pod("p7", two));
    let all = [("p1", one), ("p2", one), ("p3", one), ("p5", two), ("p6", two), ("p7", two)];
    wait_for_pods(&discovery, &all).await;
    server.cut();
    eventually("another watch", || server.asked("watch=true").len() == 2).await;
    assert!(server.asked("watch=true")[1].contains("resourceVersion=20&"), "{:?}", server.asked("watch"));
    assert_eq!(server.asked("limit").len(), 3, "nothing is listed again");
    assert_eq!(metric(&registry, "prometheus_sd_kubernetes_failures_total"), 1);

    // Where the server has forgotten that version, all is listed again.
    server.delete("pods", "a/p1");
    server.cut();
    server.compact();
    wait_for_pods(&discovery, &all[1..]).await;
    assert!(server.asked("limit").len() > 3);
}

#[tokio::test]
async fn who_is_refused_keeps_what_was_found() {
    install_crypto();
    let server = ApiServer::start().await;
    server.put("pods", pod("p1", "10.0.0.1"));
    server.expect_token("first");
    let dir = tempfile::tempdir().expect("a folder");
    let (token, kubeconfig) = (dir.path().join("token"), dir.path().join("config"));
    std::fs::write(&token, "first").expect("a file");
    let cluster = format!("clusters: [{{name: c, cluster: {{server: '{}'}}}}]", server.url);
    let rest = "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {tokenFile: token}}]";
    std::fs::write(&kubeconfig, format!("{cluster}\n{rest}")).expect("a file");
    let mut registry = Registry::default();
    let words = format!("kubernetes_sd_configs: [{{role: pod, kubeconfig_file: '{}'}}]", kubeconfig.display());
    let discovery = Discovery::start("j", sources(&words), Environment::new(&mut registry)).await;
    wait_for_pods(&discovery, &[("p1", "10.0.0.1")]).await;

    let failures = || metric(&registry, "prometheus_sd_kubernetes_failures_total");
    eventually("a watch", || !server.asked("watch=true").is_empty()).await;
    server.expect_token("second");
    server.put("pods", pod("p2", "10.0.0.2"));
    wait_for_pods(&discovery, &[("p1", "10.0.0.1"), ("p2", "10.0.0.2")]).await; // the watch was there already
    server.cut();
    eventually("a watch that is refused", || failures() >= 2).await;
    assert_eq!(targets(&discovery).len(), 2, "the last targets stay");
    server.delete("pods", "a/p1");
    std::fs::write(&token, "second").expect("a file");
    wait_for_pods(&discovery, &[("p2", "10.0.0.2")]).await;

    for code in [403, 500] {
        let before = failures();
        server.refuse("/pods", Some(code));
        server.compact();
        eventually("a list that is refused", || failures() > before).await;
        assert_eq!(targets(&discovery).len(), 1, "the last targets stay");
    }
    server.refuse("/pods", None);
    server.put("pods", pod("p3", "10.0.0.3"));
    wait_for_pods(&discovery, &[("p2", "10.0.0.2"), ("p3", "10.0.0.3")]).await;
}

#[tokio::test]
async fn a_namespace_that_is_refused_does_not_hold_the_others_up() {
    install_crypto();
    let server = ApiServer::start().await;
    server.put("pods", pod("p1", "10.0.0.1"));
    server.refuse("/b/pods", Some(403));
    let mut elsewhere = pod("p2", "10.0.0.2");
    elsewhere["metadata"]["namespace"] = json!("c");
    server.put("pods", elsewhere);
    let mut registry = Registry::default();
    let words = |names: &str| {
        format!(
            "kubernetes_sd_configs: [{{role: pod, api_server: '{}', namespaces: {{names: [{names}]}}}}]",
            server.url
        )
    };
    let environment = Environment::new(&mut registry);
    let mut discovery = Discovery::start("j", sources(&words("a, b")), environment).await;
    wait_for_pods(&discovery, &[("p1", "10.0.0.1")]).await;
    assert_eq!(server.asked("/namespaces/b/pods").len(), 1);
    discovery.change(sources(&words("c, a"))).await;
    assert_eq!(targets(&discovery).len(), 2, "what is asked anew is waited for");
    assert_eq!(server.asked("/a/pods?limit").len(), 1, "what was watched already goes on");
}

#[tokio::test]
async fn who_asks_the_same_shares_a_watch() {
    install_crypto();
    let server = ApiServer::start().await;
    server.put("pods", pod("p1", "10.0.0.1"));
    let mut registry = Registry::default();
    let environment = Environment::new(&mut registry);
    let words = |role: &str| format!("kubernetes_sd_configs: [{{role: {role}, api_server: '{}'}}]", server.url);
    let one = Discovery::start("one", sources(&words("pod")), environment.clone()).await;
    let mut two = Discovery::start("two", sources("{}"), environment.clone()).await;
    two.change(sources(&words("pod"))).await;
    let mut three = Discovery::start("three", sources("{}"), environment.clone()).await;
    three.change(sources(&words("endpoints"))).await;
    wait_for_pods(&one, &[("p1", "10.0.0.1")]).await;
    wait_for_pods(&two, &[("p1", "10.0.0.1")]).await;
    assert_eq!(server.asked("/pods?limit").len(), 1, "three sources, one list");
    assert!(std::sync::Arc::ptr_eq(&one.groups()[1], &two.groups()[1]), "and one copy of the groups");

    drop(one);
    server.put("pods", pod("p2", "10.0.0.2"));
    wait_for_pods(&two, &[("p1", "10.0.0.1"), ("p2", "10.0.0.2")]).await;
    drop((two, three));
    let mut again = Discovery::start("again", sources("{}"), environment).await;
    again.change(sources(&words("pod"))).await;
    assert_eq!(targets(&again).len(), 2);
    assert_eq!(server.asked("/pods?limit").len(), 2, "what nobody follows is not watched");
}

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// An object out of a few names, with one of a few contents.
fn any_object(dice: &mut Dice) -> (&'static str, Value) {
    let (name, namespace) = (format!("x{}", dice.roll(4)), format!("s{}", dice.roll(2)));
    let meta = json!({"name": name, "namespace": namespace, "labels": {"l": dice.roll(3).to_string()}});
    let cluster = json!({"name": name, "annotations": {"l": dice.roll(3).to_string()}});
    let pod = json!({"kind": "Pod", "namespace": namespace, "name": format!("x{}", dice.roll(4))});
    let address = |dice: &mut Dice| json!({"ip": format!("10.0.0.{}", dice.roll(3)), "targetRef": pod, "nodeName": format!("x{}", dice.roll(4))});
    match dice.roll(7) {
        0 => (
            "nodes",
            json!({"metadata": cluster, "status": {"addresses": [{"type": "InternalIP", "address": "10.9.9.9"}]}}),
        ),
        1 => ("namespaces", json!({"metadata": {"name": namespace, "labels": {"l": dice.roll(3).to_string()}}})),
        2 => (
            "pods",
            json!({"metadata": meta, "spec": {"nodeName": format!("x{}", dice.roll(4)), "containers": [
                {"name": "c", "ports": [{"containerPort": 80 + dice.roll(2), "protocol": "TCP"}]}]},
                "status": {"podIP": (if dice.roll(2) == 0 { "" } else { "10.0.0.1" }), "phase": "Running"}}),
        ),
        3 => (
            "services",
            json!({"metadata": meta, "spec": {"type": "ClusterIP", "ports": [{"port": 1 + dice.roll(2)}]}}),
        ),
        4 => (
            "endpoints",
            json!({"metadata": meta, "subsets": [{"addresses": [address(dice)], "notReadyAddresses": [address(dice)], "ports": [{"port": 80}]}]}),
        ),
        5 => {
            let mut meta = meta;
            meta["labels"]["kubernetes.io/service-name"] = json!(format!("x{}", dice.roll(4)));
            (
                "endpointslices",
                json!({"metadata": meta, "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [
                    {"addresses": ["10.0.0.1"], "conditions": {"ready": dice.roll(2) == 0}, "targetRef": pod}]}),
            )
        }
        _ => ("ingresses", json!({"metadata": meta, "spec": {"rules": [{"host": format!("h{}", dice.roll(3))}]}})),
    }
}

/// What happens to a cluster and to the connections to it.
async fn live(server: &ApiServer, discovery: &Discovery, dice: &mut Dice) {
    for _ in 0..60 {
        let (resource, object) = any_object(dice);
        match dice.roll(16) {
            0..9 => server.put(resource, object),
            9..12 => {
                let (name, namespace) = (format!("x{}", dice.roll(4)), format!("s{}", dice.roll(2)));
                let key = if resource == "nodes" { name } else { format!("{namespace}/{name}") };
                server.delete(if resource == "namespaces" { "pods" } else { resource }, &key);
            }
            12 => server.bookmark(),
            13 => server.cut(),
            14 => server.compact(),
            _ => drop(tokio::time::timeout(Duration::from_millis(100), discovery.changed()).await),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_one_by_one_lead_where_a_fresh_list_does() {
    install_crypto();
    let first_seed = std::env::var("WATERSHED_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = first_seed.map_or(0..12, |seed: u64| seed..seed + 1);
    let lives = seeds.map(async |seed| {
        let (server, mut dice) = (ApiServer::start().await, Dice(seed));
        server.page_objects(3);
        let role = |role: &str| {
            let attach = if role == "node" { "" } else { ", attach_metadata: {node: true, namespace: true}" };
            format!("{{role: {role}, api_server: '{}'{attach}}}", server.url)
        };
        let words = format!("kubernetes_sd_configs: [{}]", ROLES.map(role).join(", "));
        let discovery = Discovery::start("j", sources(&words), Environment::new(&mut Registry::default())).await;
        live(&server, &discovery, &mut dice).await;
        let mut registry = Registry::default();
        let fresh = Discovery::start("f", sources(&words), Environment::new(&mut registry)).await;
        let listed = || {
            let adds = |role| format!(r#"prometheus_sd_kubernetes_events_total{{event="add",role="{role}"}}"#);
            ROLES.map(|role| metric(&registry, &adds(role))).iter().sum::<u64>()
        };
        let waiting = async {
            // A fresh list is one of all objects.
            while listed() != server.target_objects() || targets(&discovery) != targets(&fresh) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(100), waiting).await.is_err() {
            panic!(
                "WATERSHED_SEED={seed}: a fresh list has {:#?}, there are {:#?}",
                targets(&fresh),
                targets(&discovery)
            );
        }
        targets(&fresh).len()
    });
    let targets: usize = futures::future::join_all(lives).await.into_iter().sum();
    assert!(first_seed.is_some() || targets > 12 * 10, "{targets} targets were compared");
}

#[test]
fn refuses_with_the_place() {
    let check = |words: &str, want: &str| {
        let text = format!("kubernetes_sd_configs: [{{{words}}}]");
        assert_eq!(validate(&text).expect_err(words), format!("a.yml:1:{want}"), "{words}");
    };
    check("", "25: role missing (one of: pod, service, endpoints, endpointslice, node, ingress)");
    check("rol: pod", "26: unknown key \"rol\", did you mean \"role\"?");
    check(
        "role: pods",
        "32: unknown Kubernetes SD role \"pods\", expected one of: pod, service, endpoints, endpointslice, node, ingress",
    );
    check("role: pod, api_server: 'x'", "49: api_server is not a URL: relative URL without a base");
    check(
        "role: pod, api_server: 'http://x', kubeconfig_file: f",
        "78: cannot use 'kubeconfig_file' and 'api_server' simultaneously",
    );
    check(
        "role: pod, bearer_token: t",
        "25: to use custom HTTP client configuration please provide the 'api_server' URL explicitly",
    );
    check(
        "role: pod, kubeconfig_file: /nowhere/f, bearer_token: t",
        "54: cannot use a custom HTTP client configuration together with 'kubeconfig_file'",
    );
    check(
        "role: pod, api_server: 'http://x', namespaces: {own_namespace: true}",
        "89: cannot use 'api_server' and 'namespaces.own_namespace' simultaneously",
    );
    check("role: node, selectors: [{role: pod}]", "50: node role supports only node selectors");
    check(
        "role: endpoints, selectors: [{role: node}]",
        "55: endpoints role supports only pod, service, endpoints selectors",
    );
    check("role: pod, selectors: [{role: pod}, {role: pod}]", "62: duplicated selector role: pod");
    check(
        "role: pod, selectors: [{role: pod, label: 'a in b'}]",
        "68: invalid label selector \"a in b\": values in brackets are missing",
    );
    check("role: pod, selectors: [{label: a}]", "49: the selector has no role");
    assert!(
        validate(
            "kubernetes_sd_configs: [{role: pod, selectors: [{role: node, field: metadata.name=a}, {role: pod}]}]"
        )
        .is_ok()
    );
    assert!(
        validate(
            "kubernetes_sd_configs: [{role: pod, namespaces: {own_namespace: true}, attach_metadata: {job: true}}]"
        )
        .is_ok()
    );
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("config");
    std::fs::write(
        &file,
        "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'http://h'}}]\n\
         users: [{name: u, user: {exec: {command: aws}}}]",
    )
    .expect("a file");
    let words = format!("kubernetes_sd_configs: [{{role: pod, kubeconfig_file: '{}'}}]", file.display());
    assert!(validate(&words).is_err_and(|error| error.contains("exec of a user is not supported")));
}

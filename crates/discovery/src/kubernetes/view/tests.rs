//! What becomes of objects of real shape, role by role, and that changes one by one lead where a fresh list does.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::kubernetes::dirt::Dirt;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::object::record::page;
use crate::kubernetes::store::Store;
use crate::kubernetes::view::View;

/// Stores that have listed these objects; those of `joined` without any are there and empty.
fn stores(joined: &[Kind], objects: &[(Kind, Value)]) -> BTreeMap<Kind, Arc<Store>> {
    let kinds = joined.iter().copied().chain(objects.iter().map(|(kind, _)| *kind));
    let stores: BTreeMap<Kind, Arc<Store>> = kinds.map(|kind| (kind, Arc::new(Store::new(kind)))).collect();
    for (kind, store) in &stores {
        let items: Vec<&Value> = objects.iter().filter(|(other, _)| other == kind).map(|(_, object)| object).collect();
        let list = json!({"kind": "List", "metadata": {"resourceVersion": "7"}, "items": items}).to_string();
        store.replace(page(*kind, list.as_bytes()).expect("a list").objects);
    }
    stores
}

fn view(role: Kind, stores: BTreeMap<Kind, Arc<Store>>) -> View {
    View::new(role, stores, true, Arc::new(Dirt::new(Arc::new(Notify::new()))))
}

/// The targets of each source, with what `__meta_kubernetes_` is written as a star.
fn found(role: Kind, stores: BTreeMap<Kind, Arc<Store>>) -> Vec<String> {
    let mut lines = Vec::new();
    for (source, groups) in view(role, stores).refresh() {
        lines.push(source.to_string());
        lines.extend(groups.iter().map(|group| format!("  {} {}", group.targets[0], group.labels)));
    }
    lines.into_iter().map(|line| line.replace("__meta_kubernetes_", "*")).collect()
}

fn check(role: Kind, joined: &[Kind], objects: &[(Kind, Value)], want: &[&str]) {
    assert_eq!(found(role, stores(joined, objects)), want);
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "web-5d7f-x2x", "namespace": "shop", "uid": "6a1b", "resourceVersion": "100",
            "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app.kubernetes.io/name": "web"},
            "annotations": {"prometheus.io/scrape": "true"},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Other", "name": "no", "uid": "2"},
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d7f", "uid": "1", "controller": true},
            ],
            "managedFields": [{"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {}}}],
        },
        "spec": {
            "nodeName": "n1", "restartPolicy": "Always",
            "initContainers": [{"name": "init", "image": "init:1", "resources": {}}],
            "containers": [
                {"name": "web", "image": "web:2", "ports": [
                    {"name": "http", "containerPort": 8080, "protocol": "TCP"},
                    {"containerPort": 9090, "protocol": "UDP"},
                ]},
                {"name": "side", "image": "side:3"},
            ],
        },
        "status": {
            "phase": "Running", "podIP": "10.1.0.5", "podIPs": [{"ip": "10.1.0.5"}], "hostIP": "192.168.0.1",
            "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "web", "containerID": "containerd://w", "ready": true, "restartCount": 0}],
            "initContainerStatuses": [{"name": "init", "containerID": "containerd://i"}],
        },
    })
}

/// The object with other values at some paths; a path ends in `-` where the value there is taken away.
fn with(mut object: Value, changes: &[(&str, Value)]) -> Value {
    for (path, value) in changes {
        let (parent, name) = path.rsplit_once('/').expect("a path");
        let parent = object.pointer_mut(parent).expect("a parent").as_object_mut().expect("an object");
        match name.strip_suffix('-') {
            Some(name) => drop(parent.remove(name)),
            None => drop(parent.insert(name.to_owned(), value.clone())),
        }
    }
    object
}

const POD: &str =
    r#"*pod_annotation_prometheus_io_scrape="true", *pod_annotationpresent_prometheus_io_scrape="true", "#;
const POD_REST: &str = r#"*pod_controller_kind="ReplicaSet", *pod_controller_name="web-5d7f", *pod_host_ip="192.168.0.1", *pod_ip="10.1.0.5", *pod_label_app_kubernetes_io_name="web", *pod_labelpresent_app_kubernetes_io_name="true", *pod_name="web-5d7f-x2x", *pod_node_name="n1", *pod_phase="Running", *pod_ready="true", *pod_uid="6a1b""#;

#[test]
fn pods_are_their_containers_ports() {
    let line =
        |address: &str, container: &str| format!(r#"  {address} {{*namespace="shop", {POD}{container}, {POD_REST}}}"#);
    let lines = [
        line(
            "10.1.0.5:8080",
            r#"*pod_container_id="containerd://w", *pod_container_image="web:2", *pod_container_init="false", *pod_container_name="web", *pod_container_port_name="http", *pod_container_port_number="8080", *pod_container_port_protocol="TCP""#,
        ),
        line(
            "10.1.0.5:9090",
            r#"*pod_container_id="containerd://w", *pod_container_image="web:2", *pod_container_init="false", *pod_container_name="web", *pod_container_port_number="9090", *pod_container_port_protocol="UDP""#,
        ),
        line("10.1.0.5", r#"*pod_container_image="side:3", *pod_container_init="false", *pod_container_name="side""#),
        line(
            "10.1.0.5",
            r#"*pod_container_id="containerd://i", *pod_container_image="init:1", *pod_container_init="true", *pod_container_name="init""#,
        ),
    ];
    let want: Vec<&str> = std::iter::once("pod/shop/web-5d7f-x2x").chain(lines.iter().map(String::as_str)).collect();
    check(Kind::Pod, &[], &[(Kind::Pod, pod())], &want);

    let starting = with(pod(), &[("/status/podIP-", Value::Null)]);
    check(Kind::Pod, &[], &[(Kind::Pod, starting)], &["pod/shop/web-5d7f-x2x"]);
    let bare = json!({
        "metadata": {"name": "p", "namespace": "n"}, "status": {"podIP": "fd00::7"},
        "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 1}]}, {"name": "d", "ports": null}], "initContainers": null},
    });
    check(
        Kind::Pod,
        &[],
        &[(Kind::Pod, bare)],
        &[
            "pod/n/p",
            r#"  [fd00::7]:1 {*namespace="n", *pod_container_init="false", *pod_container_name="c", *pod_container_port_number="1", *pod_ip="fd00::7", *pod_name="p", *pod_ready="unknown"}"#,
            r#"  fd00::7 {*namespace="n", *pod_container_init="false", *pod_container_name="d", *pod_ip="fd00::7", *pod_name="p", *pod_ready="unknown"}"#,
        ],
    );
}

fn small_pod() -> Value {
    let spec = json!({"nodeName": "n1", "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 1}]}]});
    with(pod(), &[("/spec", spec), ("/metadata/annotations-", Value::Null), ("/metadata/labels-", Value::Null)])
}

const SMALL: &str = r#"*pod_container_id="x", *pod_container_image="i", *pod_container_init="false", *pod_container_name="c", *pod_container_port_number="1""#;

#[test]
fn pods_get_the_labels_of_what_they_belong_to() {
    let node = json!({"metadata": {"name": "n1", "labels": {"zone": "a"}}, "spec": {"providerID": "p"}});
    let namespace = json!({"metadata": {"name": "shop", "labels": {"team": "t"}, "annotations": {"a/b": "c"}}});
    let replica_set = json!({"metadata": {"name": "web-5d7f", "namespace": "shop", "ownerReferences": [
        {"kind": "Deployment", "name": "web", "controller": true}]}});
    let statuses = json!([{"name": "c", "containerID": "x"}]);
    let pod = with(small_pod(), &[("/status/containerStatuses", statuses)]);
    let all =
        [(Kind::Pod, pod.clone()), (Kind::Node, node), (Kind::Namespace, namespace), (Kind::ReplicaSet, replica_set)];
    let pod_rest = r#"*pod_host_ip="192.168.0.1", *pod_ip="10.1.0.5", *pod_name="web-5d7f-x2x", *pod_node_name="n1", *pod_phase="Running", *pod_ready="true", *pod_uid="6a1b""#;
    let want = format!(
        r#"  10.1.0.5:1 {{*namespace="shop", *namespace_annotation_a_b="c", *namespace_annotationpresent_a_b="true", *namespace_label_team="t", *namespace_labelpresent_team="true", *node_label_zone="a", *node_labelpresent_zone="true", *node_name="n1", {SMALL}, *pod_controller_kind="ReplicaSet", *pod_controller_name="web-5d7f", *pod_deployment_name="web", {pod_rest}}}"#
    );
    check(Kind::Pod, &[], &all, &["pod/shop/web-5d7f-x2x", &want]);
    // Nodes that a selector leaves out take their pods along.
    check(Kind::Pod, &[Kind::Node], &all[..1], &["pod/shop/web-5d7f-x2x"]);

    let owner = json!([{"kind": "Job", "name": "backup-1", "controller": true}]);
    let pod = with(pod, &[("/metadata/ownerReferences", owner)]);
    let job = json!({"metadata": {"name": "backup-1", "namespace": "shop", "ownerReferences": [
        {"kind": "CronJob", "name": "backup", "controller": true}]}});
    let want = format!(
        r#"  10.1.0.5:1 {{*namespace="shop", {SMALL}, *pod_controller_kind="Job", *pod_controller_name="backup-1", *pod_cronjob_name="backup", *pod_host_ip="192.168.0.1", *pod_ip="10.1.0.5", *pod_job_name="backup-1", *pod_name="web-5d7f-x2x", *pod_node_name="n1", *pod_phase="Running", *pod_ready="true", *pod_uid="6a1b"}}"#
    );
    check(Kind::Pod, &[], &[(Kind::Pod, pod), (Kind::Job, job)], &["pod/shop/web-5d7f-x2x", &want]);
}

#[test]
fn nodes_are_their_kubelets() {
    let node = |addresses: Value| {
        json!({
            "metadata": {"name": "n1", "uid": "u", "labels": {"kubernetes.io/os": "linux"}, "annotations": {"a": "b"}},
            "spec": {"providerID": "aws:///x", "podCIDR": "10.1.0.0/24"},
            "status": {
                "addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
                "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
            },
        })
    };
    let rest = r#"*node_annotation_a="b", *node_annotationpresent_a="true", *node_condition_memorypressure="false", *node_condition_ready="true", *node_label_kubernetes_io_os="linux", *node_labelpresent_kubernetes_io_os="true", *node_name="n1", *node_provider_id="aws:///x", instance="n1""#;
    let check_addresses = |addresses: Value, address: &str, labels: &str| {
        let line = format!("  {address} {{{labels}, {rest}}}");
        check(Kind::Node, &[], &[(Kind::Node, node(addresses))], &["node/n1", &line]);
    };
    check_addresses(
        json!([
            {"type": "Hostname", "address": "h"}, {"type": "ExternalIP", "address": "8.8.8.8"},
            {"type": "InternalIP", "address": "192.168.0.1"}, {"type": "InternalIP", "address": "fd00::1"},
        ]),
        "192.168.0.1:10250",
        r#"*node_address_ExternalIP="8.8.8.8", *node_address_Hostname="h", *node_address_InternalIP="192.168.0.1""#,
    );
    let order = ["Hostname", "LegacyHostIP", "ExternalDNS", "ExternalIP", "InternalDNS", "InternalIP"];
    for best in 1..order.len() {
        let of_kind = |kind: &&str| json!({"type": kind, "address": kind.to_lowercase()});
        let addresses: Vec<Value> = order[..=best].iter().map(of_kind).collect();
        let lines = found(Kind::Node, stores(&[], &[(Kind::Node, node(json!(addresses)))]));
        assert!(lines[1].starts_with(&format!("  {}:10250 ", order[best].to_lowercase())), "{lines:?}");
    }
    check_addresses(
        json!([{"type": "InternalIP", "address": "fd00::1"}]),
        "[fd00::1]:10250",
        r#"*node_address_InternalIP="fd00::1""#,
    );
    check(Kind::Node, &[], &[(Kind::Node, node(json!(null)))], &["node/n1"]);
}

fn service(spec: &Value) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}}, "spec": spec.clone(),
        "status": {"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}, {"hostname": "h"}, {"ip": "1.1.1.2"}]}},
    })
}

#[test]
fn services_are_their_ports() {
    let head = r#"*namespace="shop", "#;
    let check_spec = |spec: Value, lines: &[(&str, &str)]| {
        let lines: Vec<String> =
            lines.iter().map(|(address, labels)| format!("  {address} {{{head}{labels}}}")).collect();
        let want: Vec<&str> = std::iter::once("svc/shop/web").chain(lines.iter().map(String::as_str)).collect();
        check(Kind::Service, &[], &[(Kind::Service, service(&spec))], &want);
    };
    check_spec(
        json!({"type": "ClusterIP", "clusterIP": "10.0.0.1", "ports": [
            {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}, {"port": 53, "protocol": "UDP"}]}),
        &[
            (
                "web.shop.svc:80",
                r#"*service_cluster_ip="10.0.0.1", *service_label_app="web", *service_labelpresent_app="true", *service_name="web", *service_port_name="http", *service_port_number="80", *service_port_protocol="TCP", *service_type="ClusterIP""#,
            ),
            (
                "web.shop.svc:53",
                r#"*service_cluster_ip="10.0.0.1", *service_label_app="web", *service_labelpresent_app="true", *service_name="web", *service_port_number="53", *service_port_protocol="UDP", *service_type="ClusterIP""#,
            ),
        ],
    );
    let ports = json!([{"port": 1, "protocol": "TCP"}]);
    check_spec(
        json!({"type": "ExternalName", "externalName": "db.example.org", "ports": ports}),
        &[(
            "web.shop.svc:1",
            r#"*service_external_name="db.example.org", *service_label_app="web", *service_labelpresent_app="true", *service_name="web", *service_port_number="1", *service_port_protocol="TCP", *service_type="ExternalName""#,
        )],
    );
    check_spec(
        json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1", "loadBalancerIP": "9.9.9.9", "ports": ports}),
        &[(
            "web.shop.svc:1",
            r#"*service_cluster_ip="10.0.0.1", *service_label_app="web", *service_labelpresent_app="true", *service_loadbalancer_ip="1.1.1.1,1.1.1.2", *service_name="web", *service_port_number="1", *service_port_protocol="TCP", *service_type="LoadBalancer""#,
        )],
    );
    check_spec(json!({"type": "ClusterIP", "clusterIP": "None"}), &[]);
    let pending = with(
        service(&json!({"type": "LoadBalancer", "loadBalancerIP": "9.9.9.9", "ports": ports})),
        &[("/status/loadBalancer", json!({}))],
    );
    let lines = found(Kind::Service, stores(&[], &[(Kind::Service, pending)]));
    assert!(lines[1].contains(r#"*service_loadbalancer_ip="9.9.9.9""#), "{lines:?}");
}

#[test]
fn ingresses_are_their_hosts_and_paths() {
    let ingress = json!({
        "metadata": {"name": "i", "namespace": "shop", "annotations": {"a": "b"}},
        "spec": {
            "ingressClassName": "nginx", "tls": [{"hosts": ["*.example.com"], "secretName": "s"}, {"secretName": "t"}],
            "rules": [
                {"host": "a.example.com", "http": {"paths": [{"path": "/x", "pathType": "Prefix"}, {"pathType": "Prefix"}]}},
                {"host": "example.com"}, {"host": "none.example.com", "http": {"paths": null}},
            ],
        },
    });
    let line = |address: &str, path: &str, scheme: &str| {
        format!(
            r#"  {address} {{*ingress_annotation_a="b", *ingress_annotationpresent_a="true", *ingress_class_name="nginx", *ingress_host="{address}", *ingress_name="i", *ingress_path="{path}", *ingress_scheme="{scheme}", *namespace="shop"}}"#
        )
    };
    let (one, two) = (line("a.example.com", "/x", "https"), line("a.example.com", "/", "https"));
    let three = line("example.com", "/", "http");
    check(Kind::Ingress, &[], &[(Kind::Ingress, ingress)], &["ingress/shop/i", &one, &two, &three]);
}

/// The objects around a service: two addresses of it are the pod's and a node's.
fn around(kind: Kind, addresses: Value) -> Vec<(Kind, Value)> {
    let ports = json!([
        {"name": "http", "containerPort": 80, "protocol": "TCP"},
        {"name": "admin", "containerPort": 81, "protocol": "TCP"},
    ]);
    let pod = with(small_pod(), &[("/spec/containers/0/ports", ports)]);
    vec![
        (Kind::Pod, pod),
        (Kind::Service, service(&json!({"type": "ClusterIP", "ports": [{"port": 80}]}))),
        (Kind::Node, json!({"metadata": {"name": "n1", "labels": {"zone": "a"}}})),
        (kind, addresses),
    ]
}

const OWN: &str = r#"*namespace="shop", "#;
const NODE: &str = r#"*node_label_zone="a", *node_labelpresent_zone="true", *node_name="n1""#;
const SERVICE: &str = r#"*service_label_app="web", *service_labelpresent_app="true", *service_name="web""#;
const BACKED: &str = r#"*pod_controller_kind="ReplicaSet", *pod_controller_name="web-5d7f", *pod_host_ip="192.168.0.1", *pod_ip="10.1.0.5", *pod_name="web-5d7f-x2x", *pod_node_name="n1", *pod_phase="Running", *pod_ready="true", *pod_uid="6a1b""#;

fn container(port: &str, name: &str, protocol: &str) -> String {
    format!(
        r#"*pod_container_image="i", *pod_container_init="false", *pod_container_name="c", *pod_container_port_name="{name}", *pod_container_port_number="{port}", *pod_container_port_protocol="{protocol}""#
    )
}

#[test]
fn endpoints_are_addresses_with_what_is_behind_them() {
    let endpoints = json!({
        "metadata": {"name": "web", "namespace": "shop", "labels": {"l": "m"}},
        "subsets": [{
            "addresses": [
                {"ip": "10.1.0.5", "nodeName": "n1", "hostname": "h",
                 "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-5d7f-x2x", "uid": "6a1b"}},
            ],
            "notReadyAddresses": [{"ip": "fd00::9", "targetRef": {"kind": "Node", "name": "n1"}}],
            "ports": [{"name": "http", "port": 80, "protocol": "SCTP"}],
        }],
    });
    let labels = r#"*endpoints_label_l="m", *endpoints_labelpresent_l="true", *endpoints_name="web""#;
    let backed = format!(
        r#"  10.1.0.5:80 {{*endpoint_address_target_kind="Pod", *endpoint_address_target_name="web-5d7f-x2x", *endpoint_hostname="h", *endpoint_node_name="n1", *endpoint_port_name="http", *endpoint_port_protocol="SCTP", *endpoint_ready="true", {labels}, {OWN}{NODE}, {}, {BACKED}, {SERVICE}}}"#,
        container("80", "http", "SCTP")
    );
    let other = format!(
        r#"  [fd00::9]:80 {{*endpoint_address_target_kind="Node", *endpoint_address_target_name="n1", *endpoint_port_name="http", *endpoint_port_protocol="SCTP", *endpoint_ready="false", {labels}, {OWN}{NODE}, {SERVICE}}}"#
    );
    let unserved =
        format!(r#"  10.1.0.5:81 {{{labels}, {OWN}{}, {BACKED}, {SERVICE}}}"#, container("81", "admin", "TCP"));
    let objects = around(Kind::Endpoints, endpoints);
    check(Kind::Endpoints, &[], &objects, &["endpoints/shop/web", &backed, &other, &unserved]);

    // Without the pod, the service and the node there are the addresses alone.
    let alone = [
        r#"  10.1.0.5:80 {*endpoint_address_target_kind="Pod", *endpoint_address_target_name="web-5d7f-x2x", *endpoint_hostname="h", *endpoint_node_name="n1", *endpoint_port_name="http", *endpoint_port_protocol="SCTP", *endpoint_ready="true", *endpoints_label_l="m", *endpoints_labelpresent_l="true", *endpoints_name="web", *namespace="shop"}"#,
        r#"  [fd00::9]:80 {*endpoint_address_target_kind="Node", *endpoint_address_target_name="n1", *endpoint_port_name="http", *endpoint_port_protocol="SCTP", *endpoint_ready="false", *endpoints_label_l="m", *endpoints_labelpresent_l="true", *endpoints_name="web", *namespace="shop"}"#,
    ];
    let joined = [Kind::Pod, Kind::Service];
    check(Kind::Endpoints, &joined, &objects[3..], &["endpoints/shop/web", alone[0], alone[1]]);
    let none = json!({"metadata": {"name": "web", "namespace": "shop"}, "subsets": null});
    check(Kind::Endpoints, &joined, &[(Kind::Endpoints, none)], &["endpoints/shop/web"]);
}

#[test]
fn slices_are_addresses_with_what_is_behind_them() {
    let slice = json!({
        "metadata": {"name": "web-abc", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.1.0.5"], "conditions": {"ready": true, "serving": true, "terminating": false}, "nodeName": "n1",
             "zone": "z", "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-5d7f-x2x"}},
            {"addresses": ["10.9.0.1", "10.9.0.2"], "conditions": {}, "hostname": "h",
             "deprecatedTopology": {"kubernetes.io/hostname": "n1"}},
        ],
        "ports": [{"name": "http", "port": 80, "protocol": "SCTP", "appProtocol": "https"}],
    });
    let labels = r#"*endpointslice_label_kubernetes_io_service_name="web", *endpointslice_labelpresent_kubernetes_io_service_name="true", *endpointslice_name="web-abc""#;
    let port = r#"*endpointslice_port="80", *endpointslice_port_app_protocol="https", *endpointslice_port_name="http", *endpointslice_port_protocol="SCTP""#;
    let backed = format!(
        r#"  10.1.0.5:80 {{*endpointslice_address_target_kind="Pod", *endpointslice_address_target_name="web-5d7f-x2x", *endpointslice_address_type="IPv4", *endpointslice_endpoint_conditions_ready="true", *endpointslice_endpoint_conditions_serving="true", *endpointslice_endpoint_conditions_terminating="false", *endpointslice_endpoint_node_name="n1", *endpointslice_endpoint_zone="z", {labels}, {port}, {OWN}{NODE}, {}, {BACKED}, {SERVICE}}}"#,
        container("80", "http", "TCP")
    );
    let other = |address: &str| {
        format!(
            r#"  {address}:80 {{*endpointslice_address_type="IPv4", *endpointslice_endpoint_hostname="h", *endpointslice_endpoint_topology_kubernetes_io_hostname="n1", *endpointslice_endpoint_topology_present_kubernetes_io_hostname="true", {labels}, {port}, {OWN}{SERVICE}}}"#
        )
    };
    let unserved = format!(
        r#"  10.1.0.5:81 {{*endpointslice_address_type="IPv4", {labels}, {OWN}{}, {BACKED}, {SERVICE}}}"#,
        container("81", "admin", "TCP")
    );
    let objects = around(Kind::EndpointSlice, slice.clone());
    let (one, two) = (other("10.9.0.1"), other("10.9.0.2"));
    check(Kind::EndpointSlice, &[], &objects, &["endpointslice/shop/web-abc", &backed, &one, &two, &unserved]);

    let joined = [Kind::Pod, Kind::Service];
    let empty = with(slice.clone(), &[("/endpoints", Value::Null), ("/ports", Value::Null)]);
    check(Kind::EndpointSlice, &joined, &[(Kind::EndpointSlice, empty)], &["endpointslice/shop/web-abc"]);
    // A port may be open.
    let open =
        with(slice.clone(), &[("/ports", json!([{"name": "any"}])), ("/endpoints", json!([{"addresses": ["a"]}]))]);
    let want = format!(
        r#"  a {{*endpointslice_address_type="IPv4", {labels}, *endpointslice_port_name="any", *namespace="shop"}}"#
    );
    check(Kind::EndpointSlice, &joined, &[(Kind::EndpointSlice, open)], &["endpointslice/shop/web-abc", &want]);
    // The second family of a service with two repeats what the first one has.
    let both = json!({"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6", "IPv4"]});
    let objects = [(Kind::EndpointSlice, slice), (Kind::Service, service(&both))];
    check(Kind::EndpointSlice, &[Kind::Pod], &objects, &["endpointslice/shop/web-abc"]);
}

#[test]
fn nothing_is_shown_before_all_is_listed_and_only_what_changed_is_made_anew() {
    let mut with_pods = stores(&[Kind::Service], &[]);
    for kind in [Kind::Pod, Kind::Endpoints] {
        with_pods.insert(kind, Arc::new(Store::new(kind)));
    }
    let mut view = view(Kind::Endpoints, with_pods.clone());
    let put = |kind: Kind, items: Value| {
        let list = json!({"items": items}).to_string();
        with_pods[&kind].replace(page(kind, list.as_bytes()).expect("a list").objects);
    };
    let endpoints = |name: &str, pod: &str| {
        json!({"metadata": {"name": name, "namespace": "shop"}, "subsets": [{"ports": [{"port": 1}], "addresses": [
            {"ip": "10.0.0.1", "targetRef": {"kind": "Pod", "namespace": "shop", "name": pod}}]}]})
    };
    let sources =
        |view: &mut View| view.refresh().into_iter().map(|(source, _)| source.to_string()).collect::<Vec<_>>();
    put(Kind::Endpoints, json!([endpoints("a", "web-5d7f-x2x"), endpoints("b", "other")]));
    assert_eq!(sources(&mut view), [""; 0], "pods aren't listed");
    put(Kind::Pod, json!([]));
    assert_eq!(sources(&mut view), ["endpoints/shop/a", "endpoints/shop/b"]);
    put(Kind::Pod, json!([pod()]));
    assert_eq!(sources(&mut view), ["endpoints/shop/a"]);
    // What makes no labels changes nothing.
    put(
        Kind::Pod,
        json!([with(pod(), &[("/metadata/resourceVersion", json!("101")), ("/status/startTime", json!("x"))])]),
    );
    assert_eq!(sources(&mut view), [""; 0]);
    put(Kind::Pod, json!([with(pod(), &[("/status/phase", json!("Failed"))])]));
    assert_eq!(sources(&mut view), ["endpoints/shop/a"]);
    put(Kind::Endpoints, json!([endpoints("b", "web-5d7f-x2x")]));
    assert_eq!(sources(&mut view), ["endpoints/shop/a", "endpoints/shop/b"]);
    put(Kind::Pod, json!([]));
    assert_eq!(sources(&mut view), ["endpoints/shop/b"], "who is gone depends on nothing");
}

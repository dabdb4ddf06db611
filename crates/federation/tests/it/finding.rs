//! Shards that are found: in files, in the DNS, in Kubernetes, beside those that are listed.

use std::path::Path;
use std::sync::Arc;

use discovery::Environment;
use federation::{Puller, ReplicaState, ShardStatus, SystemNetwork};
use hickory_resolver::proto::rr::RecordType;
use model::{Clock, SystemClock};
use prometheus_client::registry::Registry;

use crate::api_server::ApiServer;
use crate::memory::Memory;
use crate::name_server::{NameServer, srv};
use crate::nodes::{config, eventually, puller, serve};

/// Names of shards with the ports of their replicas.
fn replicas(status: &[ShardStatus]) -> Vec<String> {
    let port = |url: &str| url.rsplit(':').next().unwrap_or_default().to_owned();
    let shard = |shard: &ShardStatus| {
        let ports: Vec<String> = shard.replicas.iter().map(|replica| port(&replica.url)).collect();
        format!("{} {}", shard.name, ports.join(" "))
    };
    status.iter().map(shard).collect()
}

async fn wait_for(puller: &Puller, want: &[String]) {
    let what = format!("{want:?}");
    eventually(&what, async || (replicas(&puller.status()) == want).then_some(())).await;
}

async fn wait_up(puller: &Puller) {
    let is_up = |shard: &ShardStatus| shard.replicas.iter().all(|replica| replica.state == ReplicaState::Up);
    eventually("pulls", async || puller.status().iter().all(is_up).then_some(())).await;
}

fn write(file: &Path, text: &str) {
    let draft = file.with_extension("draft");
    std::fs::write(&draft, text).expect("a file");
    std::fs::rename(draft, file).expect("a file");
}

/// A shard that has one sample of the series `name`; the answer is its port.
async fn shard(name: &str) -> String {
    let memory = Memory::default();
    memory.put(&[("__name__", "a"), ("from", name)], SystemClock.now(), 1.0);
    let (url, _) = serve(&memory, &[]).await;
    url.rsplit(':').next().expect("a port").to_owned()
}

#[tokio::test]
async fn replicas_come_and_go_with_a_file() {
    let global = Memory::default();
    let puller = puller(&global, &mut Registry::default());
    let (one, two, listed) = (shard("one").await, shard("two").await, shard("listed").await);
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("shards.yml");
    let group = |shard: &str, ports: &[&String]| {
        let targets: Vec<String> = ports.iter().map(|port| format!("'127.0.0.1:{port}'")).collect();
        format!("- {{targets: [{}], labels: {{__shard__: {shard}}}}}\n", targets.join(", "))
    };
    write(&file, &group("eu", &[&one]));
    let text = format!(
        "selectors: [a]\nshards: [{{name: us, replicas: ['http://127.0.0.1:{listed}']}}]\n\
         file_sd_configs: [{{files: ['{}/*.yml'], refresh_interval: 1s}}]",
        dir.path().display()
    );
    puller.apply(config(&text), 50, 5000).await;
    assert_eq!(replicas(&puller.status()), [format!("us {listed}"), format!("eu {one}")], "files are read at once");
    wait_up(&puller).await;
    eventually("samples", async || (global.of(r#"a{from="one"}"#).len() == 1).then_some(())).await;

    // One more replica, one that is listed already, and one that names no shard.
    let nameless = format!("- {{targets: ['127.0.0.1:{two}']}}\n");
    write(&file, &format!("{}{}{nameless}", group("eu", &[&one, &two]), group("us", &[&listed])));
    let mut both = [one.clone(), two.clone()];
    both.sort();
    wait_for(&puller, &[format!("us {listed}"), format!("eu {}", both.join(" "))]).await;
    wait_up(&puller).await;
    assert_eq!(global.of(r#"a{from="one"}"#).len(), 1, "nothing ended where nothing changed");

    // A file that can't be read changes nothing; the shards go on through a reload.
    write(&file, "- target: x");
    puller.apply(config(&text), 60, 5000).await;
    wait_for(&puller, &[format!("us {listed}"), format!("eu {}", both.join(" "))]).await;
    let state = puller.status()[1].replicas[0].state;
    assert_eq!(state, ReplicaState::Up, "a reload goes on with what is known");

    write(&file, &group("eu", &[&two]));
    wait_for(&puller, &[format!("us {listed}"), format!("eu {two}")]).await;
    eventually("the end of the series", async || (global.of(r#"a{from="one"}"#).len() == 2).then_some(())).await;
    assert_eq!(global.of(r#"a{from="one"}"#)[1].1, None);
    assert_eq!(global.of(r#"a{from="two"}"#).len(), 1);
    assert_eq!(global.of(r#"a{from="listed"}"#).len(), 1);
    puller.shutdown().await;
}

#[tokio::test]
async fn replicas_are_found_in_the_dns() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (global, server) = (Memory::default(), NameServer::start().await);
    let (one, two) = (shard("one").await, shard("two").await);
    let port = |text: &str| text.parse().expect("a port");
    let name = "_shards._tcp.example.org.";
    server.set(name, RecordType::SRV, vec![srv("eu-a.example.org.", port(&one))]);
    let mut registry = Registry::default();
    let environment = Environment::with_dns(server.dns(), &mut registry);
    let (storage, network) = (Arc::new(global.clone()), Arc::new(SystemNetwork));
    let puller = Puller::new(Arc::new(SystemClock), storage, network, environment, &mut registry);
    let text = format!(
        "selectors: [a]\ndns_sd_configs: [{{names: ['{name}'], refresh_interval: 50ms}}]\nrelabel_configs:\n\
         - {{source_labels: [__meta_dns_srv_record_target], regex: '(.*)-[ab][.].*', target_label: __shard__}}\n\
         - {{source_labels: [__address__], regex: '.*:(.*)', replacement: '127.0.0.1:$1', target_label: __address__}}\n"
    );
    puller.apply(config(&text), 50, 5000).await;
    wait_for(&puller, &[format!("eu {one}")]).await;
    wait_up(&puller).await;
    server.set(name, RecordType::SRV, vec![srv("eu-a.example.org.", port(&one)), srv("us-a.example.org.", port(&two))]);
    wait_for(&puller, &[format!("eu {one}"), format!("us {two}")]).await;
    eventually("samples", async || (global.of(r#"a{from="two"}"#).len() == 1).then_some(())).await;
    server.set(name, RecordType::SRV, vec![srv("us-a.example.org.", port(&two))]);
    wait_for(&puller, &[format!("us {two}")]).await;
    server.fail(name, RecordType::SRV);
    let mut metrics = String::new();
    let failed = r#"prometheus_sd_refresh_failures_total{config="federation",mechanism="dns"} 2"#;
    eventually("failed lookups", async || {
        metrics.clear();
        prometheus_client::encoding::text::encode(&mut metrics, &registry).expect("text");
        metrics.contains(failed).then_some(())
    })
    .await;
    assert_eq!(replicas(&puller.status()), [format!("us {two}")], "who isn't found for a moment is not gone");
    puller.shutdown().await;
}

#[tokio::test]
async fn replicas_are_found_in_kubernetes() {
    let (global, server) = (Memory::default(), ApiServer::start().await);
    let (one, two) = (shard("one").await, shard("two").await);
    let pod = |name: &str, shard: &str, port: &str| {
        let port: u16 = port.parse().expect("a port");
        serde_json::json!({
            "metadata": {"name": name, "namespace": "monitoring", "labels": {"watershed/shard": shard}},
            "spec": {"containers": [{"name": "shard", "ports": [{"name": "web", "containerPort": port, "protocol": "TCP"}]}]},
            "status": {"podIP": "127.0.0.1", "phase": "Running"},
        })
    };
    server.put("pods", pod("shard-eu-0", "eu", &one));
    let puller = puller(&global, &mut Registry::default());
    let text = format!(
        "selectors: [a]\nkubernetes_sd_configs: [{{role: pod, api_server: '{}', namespaces: {{names: [monitoring]}}}}]\nrelabel_configs:\n\
         - {{source_labels: [__meta_kubernetes_pod_container_port_name], regex: web, action: keep}}\n\
         - {{source_labels: [__meta_kubernetes_pod_label_watershed_shard], target_label: __shard__}}\n",
        server.url
    );
    puller.apply(config(&text), 50, 5000).await;
    wait_for(&puller, &[format!("eu {one}")]).await;
    wait_up(&puller).await;
    eventually("samples", async || (global.of(r#"a{from="one"}"#).len() == 1).then_some(())).await;
    server.put("pods", pod("shard-us-0", "us", &two));
    wait_for(&puller, &[format!("eu {one}"), format!("us {two}")]).await;
    eventually("samples", async || (global.of(r#"a{from="two"}"#).len() == 1).then_some(())).await;

    // Who isn't found for a moment is not gone.
    server.refuse("/pods", Some(500));
    server.compact();
    eventually("a list that fails", async || (server.asked("limit").len() > 1).then_some(())).await;
    assert_eq!(replicas(&puller.status()), [format!("eu {one}"), format!("us {two}")]);
    server.delete("pods", "monitoring/shard-eu-0");
    server.refuse("/pods", None);
    wait_for(&puller, &[format!("us {two}")]).await;
    puller.shutdown().await;
}

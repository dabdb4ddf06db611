//! A source: the views of its namespaces, shown on a board.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::chain;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::kubernetes::client::Query;
use crate::kubernetes::config::{KubernetesSdConfig, Role};
use crate::kubernetes::dirt::Dirt;
use crate::kubernetes::hub::Hub;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::reflection::Reflection;
use crate::kubernetes::view::View;
use crate::patience::after_failures;

/// Who reads the groups goes through all of them at each change, so changes are shown the less often the more groups there are.
const REST_OF_A_GROUP: Duration = Duration::from_micros(500);
const REST_MIN: Duration = Duration::from_millis(50);
const REST_MAX: Duration = Duration::from_secs(5);

/// Shows the groups of a source until it is stopped.
pub(crate) async fn follow(hub: Arc<Hub>, config: KubernetesSdConfig, board: Arc<Board>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = run(&hub, &config, &board) => {}
    }
}

async fn run(hub: &Hub, config: &KubernetesSdConfig, board: &Board) {
    let namespaces = namespaces(hub, config).await;
    let bell = Arc::new(Notify::new());
    let mut followed: Vec<(View, Vec<Arc<Reflection>>)> =
        namespaces.iter().map(|namespace| view(hub, config, namespace.as_deref(), &bell)).collect();
    let mut ready_before = 0;
    loop {
        bell.notified().await;
        let ready = followed.iter().filter(|(view, _)| view.is_ready()).count();
        let parts: Vec<_> = followed.iter_mut().flat_map(|(view, _)| view.refresh()).collect();
        board.update(parts, ready == followed.len());
        if ready == ready_before {
            let rest = REST_OF_A_GROUP.saturating_mul(u32::try_from(board.len()).unwrap_or(u32::MAX));
            tokio::time::sleep(rest.clamp(REST_MIN, REST_MAX)).await;
        }
        ready_before = ready;
    }
}

/// The namespaces that are looked at, `None` for all of them.
async fn namespaces(hub: &Hub, config: &KubernetesSdConfig) -> Vec<Option<String>> {
    if config.role == Role::Node {
        return vec![None]; // nodes are in no namespace
    }
    let mut names: Vec<Option<String>> = config.namespaces.iter().cloned().map(Some).collect();
    if config.has_own_namespace {
        names.push(Some(own_namespace(hub).await));
    }
    if names.is_empty() {
        names.push(None);
    }
    names.sort();
    names.dedup();
    names
}

async fn own_namespace(hub: &Hub) -> String {
    let mut failures = 0;
    loop {
        match hub.in_cluster.namespace() {
            Ok(own) => return own,
            Err(error) => {
                failures += 1;
                hub.count_failure();
                tracing::error!(error = %chain(&error), "the pod's own namespace is not known");
                tokio::time::sleep(after_failures(failures, &"namespace")).await;
            }
        }
    }
}

fn view(
    hub: &Hub,
    config: &KubernetesSdConfig,
    namespace: Option<&str>,
    bell: &Arc<Notify>,
) -> (View, Vec<Arc<Reflection>>) {
    let role = config.role.kind();
    let mut kinds = vec![role];
    if matches!(role, Kind::Endpoints | Kind::EndpointSlice) {
        kinds.extend([Kind::Service, Kind::Pod]);
    }
    kinds.extend(config.attached());
    let reflections: BTreeMap<Kind, Arc<Reflection>> = kinds
        .into_iter()
        .map(|kind| {
            let selector = config.selectors.iter().find(|selector| selector.role.kind() == kind);
            let query = Query {
                kind,
                namespace: namespace.filter(|_| kind.is_namespaced()).map(str::to_owned),
                label: selector.map(|selector| selector.label.clone()).unwrap_or_default(),
                field: selector.map(|selector| selector.field.clone()).unwrap_or_default(),
            };
            (kind, hub.reflection(&config.server, query))
        })
        .collect();
    let stores = reflections.iter().map(|(kind, reflection)| (*kind, reflection.store.clone())).collect();
    let view = View::new(role, stores, config.attach.job, Arc::new(Dirt::new(bell.clone())));
    (view, reflections.into_values().collect())
}

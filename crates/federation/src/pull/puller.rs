//! All replicas of all shards.

use std::sync::{Arc, Weak};

use discovery::{Changes, Discovery, Environment};
use model::Clock;
use parking_lot::{Mutex, RwLock};
use prometheus_client::registry::Registry;
use storage::Appendable;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::pull::config::Config;
use crate::pull::finding::Refused;
use crate::pull::metrics::Metrics;
use crate::pull::network::Network;
use crate::pull::replica::{Replica, Series, Shared};
use crate::pull::spec::ReplicaSpec;
use crate::pull::status::{ReplicaStatus, ShardStatus};

/// Whose sources they are, in the metrics of discovery.
const OWNER: &str = "federation";

/// The pulling half of federation: a task for each replica.
pub struct Puller {
    shared: Shared,
    environment: Arc<Environment>,
    state: tokio::sync::Mutex<State>,
    me: Weak<Puller>,
    /// What the tasks tell.
    view: RwLock<View>,
}

/// What is to be pulled, and what is.
#[derive(Default)]
struct State {
    plan: Plan,
    discovery: Option<Followed>,
    /// What the log says of targets that can't be pulled.
    refused: Vec<Refused>,
    tasks: Vec<Task>,
}

/// Whom the sources tell of, and who takes up their changes.
struct Followed {
    discovery: Discovery,
    _stop: DropGuard,
}

/// A configuration that is applied.
#[derive(Default)]
struct Plan {
    config: Config,
    interval_ms: i64,
    timeout_ms: i64,
}

/// What is told, in the order of the configuration.
#[derive(Default)]
struct View {
    shards: Vec<ShardView>,
    peer: Option<Arc<Mutex<ReplicaStatus>>>,
}

struct Task {
    spec: Arc<ReplicaSpec>,
    status: Arc<Mutex<ReplicaStatus>>,
    stop: CancellationToken,
    end: JoinHandle<Replica>,
}

struct ShardView {
    name: String,
    replicas: Vec<Arc<Mutex<ReplicaStatus>>>,
}

impl Puller {
    /// A puller without shards, which asks over `network`; [`apply`](Self::apply) brings them.
    pub fn new(
        clock: Arc<dyn Clock>,
        appendable: Arc<dyn Appendable>,
        network: Arc<dyn Network>,
        environment: Arc<Environment>,
        registry: &mut Registry,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Puller {
            shared: Shared { clock, appendable, network, metrics: Metrics::new(registry), pulls: Arc::default() },
            environment,
            state: tokio::sync::Mutex::default(),
            me: me.clone(),
            view: RwLock::default(),
        })
    }

    /// Pulls these shards from now on, each replica every `interval_ms`, a pull taking at most `timeout_ms`. A replica for
    /// which nothing changes is left alone, one that is pulled in another way goes on with its series, and the series of one
    /// that is gone end now. Shards that are found come and go in the same way, until the next call.
    pub async fn apply(&self, config: Config, interval_ms: i64, timeout_ms: i64) {
        let mut state = self.state.lock().await;
        let sources = config.finding.sources.clone();
        state.plan = Plan { config, interval_ms, timeout_ms };
        match &mut state.discovery {
            Some(followed) => followed.discovery.change(sources).await,
            None => {
                let discovery = Discovery::start(OWNER, sources, self.environment.clone()).await;
                let stop = CancellationToken::new();
                tokio::spawn(follow(self.me.clone(), discovery.changes(), stop.clone()));
                state.discovery = Some(Followed { discovery, _stop: stop.drop_guard() });
            }
        }
        self.settle(&mut state).await;
    }

    /// Pulls what is listed and what is found now.
    async fn settle(&self, state: &mut State) {
        let State { plan: Plan { config, interval_ms, timeout_ms }, discovery, refused, tasks } = state;
        let groups = discovery.as_ref().map(|followed| followed.discovery.groups()).unwrap_or_default();
        let (shards, now_refused) = config.finding.shards(&config.shards, &groups);
        for Refused { discovered, reason } in now_refused.iter().filter(|target| !refused.contains(target)) {
            tracing::error!(labels = %discovered, reason, "a target that was found is no replica");
        }
        *refused = now_refused;
        let mut before = std::mem::take(tasks);
        let mut take = |is: &dyn Fn(&ReplicaSpec) -> bool| {
            before.iter().position(|task| is(&task.spec)).map(|found| before.swap_remove(found))
        };
        let (mut view, mut changed) = (View::default(), Vec::new());
        let mut replica = |spec: ReplicaSpec| {
            if let Some(task) = take(&|known| *known == spec) {
                let status = task.status.clone();
                tasks.push(task);
                return status;
            }
            let replaced = take(&|known| known.is_same_replica(&spec));
            let unknown = || Arc::new(Mutex::new(ReplicaStatus::unknown(&spec)));
            let status = replaced.as_ref().map_or_else(unknown, |task| task.status.clone());
            changed.push((spec, status.clone(), replaced));
            status
        };
        for shard in &shards {
            let replicas = ReplicaSpec::of_shard(config, shard, *interval_ms, *timeout_ms);
            let replicas = replicas.into_iter().map(&mut replica).collect();
            view.shards.push(ShardView { name: shard.name.clone(), replicas });
        }
        let peer = config.peer.as_ref().map(|peer| ReplicaSpec::of_peer(config, peer, *interval_ms, *timeout_ms));
        view.peer = peer.map(replica);
        for task in before.iter().chain(changed.iter().filter_map(|(_, _, replaced)| replaced.as_ref())) {
            task.stop.cancel();
        }
        for task in before {
            self.retire(task).await;
        }
        for (spec, status, replaced) in changed {
            let series = match replaced {
                Some(task) => stopped(task).await.map(Replica::into_series),
                None => None,
            };
            let series = series.unwrap_or_else(|| Series::resume(self.shared.appendable.as_ref(), &spec));
            tasks.push(self.start(spec, status, series));
        }
        *self.view.write() = view;
    }

    /// Stops all pulls. Series don't end: the next run goes on with them.
    pub async fn shutdown(&self) {
        let mut state = self.state.lock().await;
        state.discovery = None;
        let tasks = std::mem::take(&mut state.tasks);
        drop(state);
        for task in &tasks {
            task.stop.cancel();
        }
        for task in tasks {
            stopped(task).await;
        }
    }

    /// Changes after each pull.
    pub fn pulls(&self) -> watch::Receiver<()> {
        self.shared.pulls.subscribe()
    }

    /// How every replica of every shard is doing, in the order of the configuration; shards that were found come behind, sorted by name.
    pub fn status(&self) -> Vec<ShardStatus> {
        let shard_status = |shard: &ShardView| ShardStatus {
            name: shard.name.clone(),
            replicas: shard.replicas.iter().map(|replica| replica.lock().clone()).collect(),
        };
        self.view.read().shards.iter().map(shard_status).collect()
    }

    /// How the pulls of the other global of the pair are doing; `None` where there is none.
    pub fn peer_status(&self) -> Option<ReplicaStatus> {
        self.view.read().peer.as_ref().map(|peer| peer.lock().clone())
    }

    fn start(&self, spec: ReplicaSpec, status: Arc<Mutex<ReplicaStatus>>, series: Series) -> Task {
        let (spec, stop) = (Arc::new(spec), CancellationToken::new());
        let replica = Replica::new(spec.clone(), self.shared.clone(), status.clone(), series);
        let end = tokio::spawn(replica.run(stop.clone()));
        Task { spec, status, stop, end }
    }

    /// Waits for the stopped task of a replica that is gone, and ends its series.
    async fn retire(&self, task: Task) {
        let shard = task.spec.shard.clone();
        let Some(mut replica) = stopped(task).await else { return };
        self.shared.metrics.forget(&replica.metric_labels());
        let now = self.shared.clock.now();
        match tokio::task::spawn_blocking(move || replica.end_series(now)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, %shard, "the series of a removed replica did not end"),
            Err(error) => tracing::error!(%error, %shard, "ending the series of a removed replica broke off"),
        }
    }
}

/// Waits for a task that was told to stop.
async fn stopped(task: Task) -> Option<Replica> {
    let ended = task.end.await;
    if let Err(error) = &ended {
        tracing::error!(%error, shard = %task.spec.shard, "a pulling task broke off");
    }
    ended.ok()
}

/// Takes up what is found until there is no puller any more.
async fn follow(puller: Weak<Puller>, changes: Changes, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = changes.next() => {}
        }
        let Some(puller) = puller.upgrade() else { return };
        let mut state = puller.state.lock().await;
        // Whoever stops the puller waits for the lock, too.
        if !stop.is_cancelled() {
            puller.settle(&mut state).await;
        }
    }
}

impl Drop for Puller {
    fn drop(&mut self) {
        for task in &self.state.get_mut().tasks {
            task.stop.cancel();
        }
    }
}

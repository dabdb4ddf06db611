//! Asking members again and again, and telling those who scrape when somebody else's work is theirs.
//!
//! One task asks all members at once, each with a bound, and goes on a second after it began. Cancellation: the task ends with its
//! configuration, and asks nobody any more; what it knew of members that stay is taken over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use discovery::{Discovery, Environment};
use futures::future::join_all;
use http_client::HttpClient;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use scrape::{Placement, Placements};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::assignment::Assignment;
use crate::config::ShardingConfig;
use crate::members::{MemberStatus, Members};
use crate::metrics::Metrics;
use crate::word::{State, Word};

/// How often members are asked.
const ASK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a member may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// An answer larger than this is none.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// After a start, who doesn't answer is waited for so long. Shards are often started together.
const WAIT_AT_START: Duration = Duration::from_secs(2);
/// How this shard's discovery is called in logs and metrics.
const OWNER: &str = "sharding";

/// The sharing of targets as it is now.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// This shard's name.
    pub name: String,
    /// How far it is.
    pub state: State,
    /// How many shards scrape each target.
    pub replication_factor: usize,
    /// For how long a member may be silent before others do its work.
    pub takeover_after: Duration,
    /// All members, sorted by name.
    pub members: Vec<MemberStatus>,
    /// When this was.
    pub now: Instant,
}

/// Shares the targets of a node with other nodes, where its configuration says so.
pub struct Sharding {
    environment: Arc<Environment>,
    metrics: Metrics,
    started: Instant,
    /// Whether this node has scraped each of its targets since it was started.
    has_joined: AtomicBool,
    state: Mutex<View>,
    placement: watch::Sender<Arc<dyn Placement>>,
    /// What is followed under the configuration in force; held while it is changed.
    running: tokio::sync::Mutex<Option<Running>>,
}

/// What is known, and what follows from it.
struct View {
    /// `None` where nothing is shared.
    members: Option<Members>,
    assignment: Arc<Assignment>,
}

struct Running {
    config: ShardingConfig,
    discovery: Arc<tokio::sync::Mutex<Discovery>>,
    _stop: DropGuard,
}

impl Sharding {
    /// Without sharing, until [`Sharding::set`] says otherwise. `config` is what the node starts with: where that shares, nothing is
    /// scraped before it is known who else is there.
    pub fn new(
        config: Option<&ShardingConfig>,
        environment: Arc<Environment>,
        registry: &mut Registry,
    ) -> Arc<Sharding> {
        let first = Arc::new(match config {
            Some(config) => Assignment::Waiting { unshared_jobs: config.unshared_jobs.clone() },
            None => Assignment::Alone,
        });
        Arc::new(Sharding {
            environment,
            metrics: Metrics::new(registry),
            started: Instant::now(),
            has_joined: AtomicBool::new(false),
            placement: watch::channel(first.clone() as Arc<dyn Placement>).0,
            state: Mutex::new(View { members: None, assignment: first }),
            running: tokio::sync::Mutex::default(),
        })
    }

    /// Who scrapes what, now and later.
    pub fn placements(&self) -> Placements {
        self.placement.subscribe()
    }

    /// Shares as this configuration says, or not at all.
    pub async fn set(self: &Arc<Self>, config: Option<ShardingConfig>) {
        let mut running = self.running.lock().await;
        if running.as_ref().map(|running| &running.config) == config.as_ref() {
            return;
        }
        let Some(config) = config else {
            *running = None;
            let mut state = self.state.lock();
            state.members = None;
            self.show(&mut state, Assignment::Alone);
            return;
        };
        let discovery = match running.take() {
            Some(Running { discovery, .. }) => {
                discovery.lock().await.change(config.sources.clone()).await;
                discovery
            }
            None => {
                let discovery = Discovery::start(OWNER, config.sources.clone(), Arc::clone(&self.environment)).await;
                Arc::new(tokio::sync::Mutex::new(discovery))
            }
        };
        let mut members = Members::new(config.clone());
        members.found(names_of(&*discovery.lock().await));
        self.replace(members);
        let stop = CancellationToken::new();
        tokio::spawn(Arc::clone(self).follow(config.clone(), Arc::clone(&discovery), stop.clone()));
        *running = Some(Running { config, discovery, _stop: stop.drop_guard() });
    }

    fn replace(&self, mut members: Members) {
        let mut state = self.state.lock();
        if let Some(before) = state.members.take() {
            members.remember(before);
        }
        if *state.assignment == Assignment::Alone {
            self.has_joined.store(true, Ordering::Relaxed); // it scrapes everything
        }
        state.members = Some(members);
    }

    /// Ends the asking; what is scraped stays as it is.
    pub async fn shutdown(&self) {
        *self.running.lock().await = None;
    }

    /// What this shard says of itself to a member; `None` where it shares with nobody. `has_scraped_all` is whether each target of its own has
    /// been scraped since the start: from the first time on that this is so, others leave it its share.
    pub fn word(&self, has_scraped_all: bool) -> Option<Word> {
        let state = self.state.lock();
        let members = state.members.as_ref()?;
        if has_scraped_all && !state.assignment.is_waiting() {
            self.has_joined.store(true, Ordering::Relaxed);
        }
        Some(members.word(self.own(), Instant::now()))
    }

    /// Members as they are now; `None` where this shard shares with nobody.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let (state, now) = (self.state.lock(), Instant::now());
        let members = state.members.as_ref()?;
        let config = members.config();
        Some(Snapshot {
            name: config.name.clone(),
            state: self.own(),
            replication_factor: config.replication_factor,
            takeover_after: config.takeover_after,
            members: members.statuses(self.own(), now),
            now,
        })
    }

    fn own(&self) -> State {
        if self.has_joined.load(Ordering::Relaxed) { State::Serving } else { State::Joining }
    }

    async fn follow(
        self: Arc<Self>,
        config: ShardingConfig,
        discovery: Arc<tokio::sync::Mutex<Discovery>>,
        stop: CancellationToken,
    ) {
        let client = HttpClient::new(&config.http, ANSWER_TIMEOUT).map_err(|error| config::chain(&error));
        let changes = discovery.lock().await.changes();
        let mut ticks = tokio::time::interval(ASK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = changes.next() => self.found(names_of(&*discovery.lock().await)),
                _ = ticks.tick() => {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        () = self.ask_all(&client) => {}
                    }
                }
            }
        }
    }

    fn found(&self, names: Vec<String>) {
        if let Some(members) = self.state.lock().members.as_mut()
            && members.found(names)
        {
            tracing::info!(count = members.urls().count() + 1, "sharding: the members have changed");
        }
    }

    async fn ask_all(&self, client: &Result<HttpClient, String>) {
        let members: Vec<(Arc<str>, Url)> = self.state.lock().members.iter().flat_map(Members::urls).collect();
        let asking = members.into_iter().map(async |(name, url)| {
            let answer = match client {
                Ok(client) => ask(client, url).await,
                Err(error) => Err(error.clone()),
            };
            if answer.is_err() {
                self.metrics.failures.inc();
            }
            if let Some(members) = self.state.lock().members.as_mut() {
                members.answered(&name, answer, Instant::now());
            }
        });
        join_all(asking).await;
        self.publish();
    }

    /// Tells those who scrape, if something is different for them.
    fn publish(&self) {
        let (own, now) = (self.own(), Instant::now());
        let mut state = self.state.lock();
        let Some(members) = &state.members else { return };
        if state.assignment.is_waiting() && !members.is_complete(now) && now - self.started < WAIT_AT_START {
            return;
        }
        let fresh = members.assignment(own, &state.assignment, now);
        self.metrics.members.set(i64::try_from(members.urls().count() + 1).unwrap_or(i64::MAX));
        self.metrics.serving.set(i64::try_from(members.word(own, now).serving.len()).unwrap_or(i64::MAX));
        self.show(&mut state, fresh);
    }

    fn show(&self, state: &mut View, fresh: Assignment) {
        if *state.assignment == fresh {
            return;
        }
        match &fresh {
            Assignment::Shared(_) => tracing::info!(takers = ?fresh.takers(), "sharding: targets are shared anew"),
            Assignment::Alone | Assignment::Waiting { .. } => {
                self.metrics.members.set(0);
                self.metrics.serving.set(0);
            }
        }
        self.metrics.changes.inc();
        state.assignment = Arc::new(fresh);
        self.placement.send_replace(state.assignment.clone());
    }
}

/// The envelope of the HTTP API.
#[derive(Deserialize)]
struct Answer {
    data: Word,
}

async fn ask(client: &HttpClient, url: Url) -> Result<Word, String> {
    let mut response = client.get(url).send().await.map_err(|error| config::chain(&error))?;
    if !response.status().is_success() {
        return Err(format!("it answered with status {}", response.status()));
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| config::chain(&error.without_url()))? {
        body.extend_from_slice(&piece);
        if body.len() > ANSWER_BYTES_MAX {
            return Err(format!("its answer has more than {ANSWER_BYTES_MAX} bytes"));
        }
    }
    let answer: Answer = serde_json::from_slice(&body).map_err(|error| format!("its answer can't be read: {error}"))?;
    Ok(answer.data)
}

/// The addresses of all that was found.
fn names_of(discovery: &Discovery) -> Vec<String> {
    let groups = discovery.groups();
    groups.iter().flat_map(|groups| groups.iter()).flat_map(|group| group.targets.iter().cloned()).collect()
}

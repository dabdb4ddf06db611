//! Following sources.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::board::{Bell, Board};
use crate::dns::{DnsSdConfig, DnsSource};
use crate::environment::Environment;
use crate::file::FileSdConfig;
use crate::file_watch::FileWatch;
use crate::group::TargetGroup;
use crate::http::{HttpSdConfig, HttpSource};
use crate::kubernetes::config::KubernetesSdConfig;
use crate::kubernetes::follow::follow as follow_kubernetes;
use crate::kubernetes::hub::Shared;
use crate::refresh::Asked;
use crate::sources::Sources;

/// How long a source that takes the place of another is waited for.
const FIRST_ANSWER: Duration = Duration::from_secs(5);

/// What the sources of somebody have found. Dropping it ends the looking.
#[derive(Debug)]
pub struct Discovery {
    /// Whose sources they are, in logs and metrics.
    owner: String,
    environment: Arc<Environment>,
    fixed: Arc<Vec<TargetGroup>>,
    running: Vec<Running>,
    changed: Arc<Notify>,
}

/// A source that is followed.
#[derive(Debug)]
struct Running {
    source: Source,
    board: Arc<Board>,
    _bell: Arc<Bell>,
    _follower: Follower,
}

/// Who follows a source, as long as this is there.
#[derive(Debug)]
enum Follower {
    Own { _stop: DropGuard },
    Shared { _source: Arc<Shared> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    File(FileSdConfig),
    Dns(DnsSdConfig),
    Http(Box<HttpSdConfig>),
    Kubernetes(Box<KubernetesSdConfig>),
}

impl Discovery {
    /// Follows `sources` from now on. Files have been read when this returns; what comes over the network follows.
    pub async fn start(owner: &str, sources: Sources, environment: Arc<Environment>) -> Self {
        let mut discovery = Discovery {
            owner: owner.to_owned(),
            environment,
            fixed: Arc::default(),
            running: Vec::new(),
            changed: Arc::default(),
        };
        discovery.follow(sources).await;
        discovery
    }

    /// Follows these sources instead. One that is unchanged goes on with what it has found; new ones are waited for, five seconds at most,
    /// so that what they find doesn't vanish for a moment because a word of their configuration has changed.
    pub async fn change(&mut self, sources: Sources) {
        self.follow(sources).await;
        let all = join_all(self.running.iter().map(|running| running.board.answered()));
        let _ = tokio::time::timeout(FIRST_ANSWER, all).await; // those that come later ring the bell
    }

    async fn follow(&mut self, sources: Sources) {
        let Sources { fixed, files, dns, http, kubernetes } = sources;
        self.fixed = Arc::new(fixed);
        let wanted = files.into_iter().map(Source::File);
        let wanted = wanted
            .chain(dns.into_iter().map(Source::Dns))
            .chain(http.into_iter().map(|http| Source::Http(Box::new(http))))
            .chain(kubernetes.into_iter().map(|config| Source::Kubernetes(Box::new(config))));
        let mut before = std::mem::take(&mut self.running);
        for source in wanted {
            let running = match before.iter().position(|running| running.source == source) {
                Some(at) => before.swap_remove(at),
                None => self.run(source).await,
            };
            self.running.push(running);
        }
    }

    async fn run(&self, source: Source) -> Running {
        let bell = Arc::new(Bell(self.changed.clone()));
        let (board, follower) = match &source {
            Source::Kubernetes(config) => {
                let shared = self.share(config);
                shared.board.tell(&bell);
                self.changed.notify_one(); // for what is known already
                (shared.board.clone(), Follower::Shared { _source: shared })
            }
            Source::File(_) | Source::Dns(_) | Source::Http(_) => {
                let (stop, board) = (CancellationToken::new(), Arc::<Board>::default());
                board.tell(&bell);
                self.run_alone(source.clone(), &board, &stop).await;
                (board, Follower::Own { _stop: stop.drop_guard() })
            }
        };
        Running { source, board, _bell: bell, _follower: follower }
    }

    /// A source that others of the node may have as well.
    fn share(&self, config: &KubernetesSdConfig) -> Arc<Shared> {
        let hub = &self.environment.kubernetes;
        hub.source(config, |board, stop| {
            tokio::spawn(follow_kubernetes(hub.clone(), config.clone(), board, stop));
        })
    }

    async fn run_alone(&self, source: Source, board: &Arc<Board>, stop: &CancellationToken) {
        let (owner, environment) = (self.owner.clone(), self.environment.clone());
        match source {
            Source::File(config) => {
                let mut watch = FileWatch::new(config, environment, board.clone());
                watch.refresh().await;
                tokio::spawn(watch.follow(stop.clone()));
            }
            Source::Dns(config) => {
                let interval = config.interval();
                let asked = Asked::Dns(DnsSource { config, environment, owner });
                tokio::spawn(asked.follow(interval, board.clone(), stop.clone()));
            }
            Source::Http(config) => {
                let interval = config.interval();
                let asked = Asked::Http(Box::new(HttpSource::new(*config, environment, owner)));
                tokio::spawn(asked.follow(interval, board.clone(), stop.clone()));
            }
            Source::Kubernetes(_) => {}
        }
    }

    /// The groups as they are now, those of the configuration first.
    pub fn groups(&self) -> Vec<Arc<Vec<TargetGroup>>> {
        let found = self.running.iter().flat_map(|running| running.board.groups());
        std::iter::once(self.fixed.clone()).chain(found).collect()
    }

    /// Waits for the groups to change; for ever where they can't.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Tells of changes to one who can't hold the discovery while waiting.
    pub fn changes(&self) -> Changes {
        Changes(self.changed.clone())
    }
}

/// Tells that the groups of a discovery have changed.
#[derive(Debug)]
pub struct Changes(Arc<Notify>);

impl Changes {
    /// Waits for the next change; one that came since the last wait is told at once.
    pub async fn next(&self) {
        self.0.notified().await;
    }
}

//! Following sources.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::azure::source::AzureSource;
use crate::board::{Bell, Board};
use crate::consul::follow::follow as follow_consul;
use crate::dns::DnsSource;
use crate::docker::source::DockerSource;
use crate::ec2::source::Ec2Source;
use crate::environment::Environment;
use crate::file_watch::FileWatch;
use crate::gce::source::GceSource;
use crate::group::TargetGroup;
use crate::http::HttpSource;
use crate::kubernetes::follow::follow as follow_kubernetes;
use crate::nomad::NomadSource;
use crate::refresh::follow_asked;
use crate::sharing::Shared;
use crate::sources::{Source, Sources};

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
        self.fixed = Arc::new(sources.fixed);
        let mut before = std::mem::take(&mut self.running);
        for source in sources.found {
            let running = match before.iter().position(|running| running.source == source) {
                Some(at) => before.swap_remove(at),
                None => self.run(source).await,
            };
            self.running.push(running);
        }
    }

    async fn run(&self, source: Source) -> Running {
        let bell = Arc::new(Bell(self.changed.clone()));
        let (board, follower) = match self.share(&source) {
            Some(shared) => {
                shared.board.tell(&bell);
                self.changed.notify_one(); // for what is known already
                (shared.board.clone(), Follower::Shared { _source: shared })
            }
            None => {
                let (stop, board) = (CancellationToken::new(), Arc::<Board>::default());
                board.tell(&bell);
                self.run_alone(source.clone(), &board, &stop).await;
                (board, Follower::Own { _stop: stop.drop_guard() })
            }
        };
        Running { source, board, _bell: bell, _follower: follower }
    }

    /// A source that others of the node may have as well, if it is of such a kind.
    fn share(&self, source: &Source) -> Option<Arc<Shared>> {
        let Environment { kubernetes: hub, consul, metrics, .. } = &*self.environment;
        match source {
            Source::Kubernetes(config) => Some(hub.sources.source(config, |board, stop| {
                tokio::spawn(follow_kubernetes(hub.clone(), (**config).clone(), board, stop));
            })),
            Source::Consul(config) => Some(consul.source(config, |board, stop| {
                tokio::spawn(follow_consul((**config).clone(), metrics.consul.clone(), board, stop));
            })),
            _ => None,
        }
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
                let source = DnsSource { config, environment, owner };
                tokio::spawn(follow_asked(source, board.clone(), stop.clone()));
            }
            Source::Http(config) => {
                let source = HttpSource::new(*config, environment, owner);
                tokio::spawn(follow_asked(source, board.clone(), stop.clone()));
            }
            Source::Nomad(config) => {
                let source = NomadSource { config: *config, environment, owner };
                tokio::spawn(follow_asked(source, board.clone(), stop.clone()));
            }
            Source::Docker(config) => {
                let source = DockerSource { config: *config, environment, owner };
                tokio::spawn(follow_asked(source, board.clone(), stop.clone()));
            }
            Source::DockerSwarm(config) => {
                let source = DockerSource { config: *config, environment, owner };
                tokio::spawn(follow_asked(source, board.clone(), stop.clone()));
            }
            Source::Ec2(config) => {
                let source = Ec2Source::new(*config, environment, owner);
                tokio::spawn(follow_asked(source, board.clone(), stop.clone()));
            }
            Source::Gce(config) => {
                let source = GceSource::new(*config, environment, owner);
                tokio::spawn(follow_asked(source, board.clone(), stop.clone()));
            }
            Source::Azure(config) => {
                let source = AzureSource::new(*config, environment, owner);
                tokio::spawn(follow_asked(source, board.clone(), stop.clone()));
            }
            Source::Kubernetes(_) | Source::Consul(_) => {}
        }
    }

    /// The groups as they are now, those of the configuration first.
    pub fn groups(&self) -> Vec<Arc<Vec<TargetGroup>>> {
        let found = self.running.iter().flat_map(|running| running.board.groups());
        std::iter::once(self.fixed.clone()).chain(found).collect()
    }

    /// Tells, now and later, whether the sources of now have answered.
    pub fn answers(&self) -> Answers {
        Answers(self.running.iter().map(|running| running.board.clone()).collect())
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

/// Tells whether sources have answered.
#[derive(Debug, Default)]
pub struct Answers(Vec<Arc<Board>>);

impl Answers {
    /// Whether each has told its targets once, or that it can't.
    pub fn are_complete(&self) -> bool {
        self.0.iter().all(|board| board.has_answered())
    }
}

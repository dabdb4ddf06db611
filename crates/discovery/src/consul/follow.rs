//! A source: the watches of its services, shown on a board.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::{AbortHandle, Id, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::board::{Board, Part};
use crate::consul::agent::{Agent, News, Subject};
use crate::consul::config::ConsulSdConfig;
use crate::consul::metrics::ConsulMetrics;
use crate::consul::watch::Watch;

/// Shows the targets of a source until it is stopped.
pub(crate) async fn follow(config: ConsulSdConfig, metrics: ConsulMetrics, board: Arc<Board>, stop: CancellationToken) {
    let mut following = Following::new(Agent::new(config, metrics), board);
    tokio::select! {
        () = stop.cancelled() => {}
        () = following.run() => {}
    }
}

struct Following {
    agent: Arc<Agent>,
    board: Arc<Board>,
    /// Questions that are being asked.
    questions: JoinSet<(Watch, Option<News>)>,
    services: BTreeMap<Arc<str>, Service>,
    /// Whether the catalog was answered, or failed; so is one that nobody asks about.
    has_catalog_spoken: bool,
    has_answered: bool,
}

/// A service that is followed.
struct Service {
    question: AbortHandle,
    /// Whether it was answered, or failed.
    has_spoken: bool,
}

impl Following {
    fn new(agent: Agent, board: Arc<Board>) -> Self {
        Following {
            has_catalog_spoken: !agent.config.has_catalog(),
            agent: Arc::new(agent),
            board,
            questions: JoinSet::new(),
            services: BTreeMap::new(),
            has_answered: false,
        }
    }

    async fn run(&mut self) {
        if self.has_catalog_spoken {
            let names: Vec<Arc<str>> = self.agent.config.services.iter().map(|name| name.as_str().into()).collect();
            names.into_iter().for_each(|name| self.add(name));
        } else {
            self.ask(Watch::new(Subject::Catalog));
        }
        while let Some(question) = self.questions.join_next_with_id().await {
            // One that was ended isn't answered.
            if let Ok((id, (watch, news))) = question {
                self.hear(id, watch, news);
            }
        }
    }

    fn ask(&mut self, watch: Watch) -> AbortHandle {
        let wait = self.agent.wait(self.services.len());
        self.questions.spawn(watch.ask(self.agent.clone(), wait))
    }

    fn add(&mut self, name: Arc<str>) {
        if !self.services.contains_key(&name) {
            let question = self.ask(Watch::new(Subject::Service(name.clone())));
            self.services.insert(name, Service { question, has_spoken: false });
        }
    }

    fn hear(&mut self, id: Id, watch: Watch, news: Option<News>) {
        let parts = match &watch.subject {
            Subject::Catalog => {
                self.has_catalog_spoken = true;
                let parts = match news {
                    Some(News::Services(services)) => self.pick(&services),
                    _ => Vec::new(),
                };
                self.ask(watch);
                parts
            }
            Subject::Service(name) => {
                let name = name.clone();
                // It may have ended when the service had gone already, and have come back.
                if self.services.get(&name).is_none_or(|service| service.question.id() != id) {
                    return;
                }
                let question = self.ask(watch);
                self.services.insert(name.clone(), Service { question, has_spoken: true });
                match news {
                    Some(News::Targets(targets)) => vec![(name, targets)],
                    _ => Vec::new(),
                }
            }
        };
        let has_spoken = || self.has_catalog_spoken && self.services.values().all(|service| service.has_spoken);
        self.has_answered = self.has_answered || has_spoken();
        self.board.update(parts, self.has_answered);
    }

    /// Follows what the catalog has now. The answer is what has to be shown of services that have gone: nothing.
    fn pick(&mut self, catalog: &BTreeMap<String, Vec<String>>) -> Vec<Part> {
        let config = &self.agent.config;
        let wanted = catalog.iter().filter(|(name, tags)| config.has_service(name, tags));
        let wanted: BTreeSet<Arc<str>> = wanted.map(|(name, _)| name.as_str().into()).collect();
        let gone: Vec<Arc<str>> = self.services.keys().filter(|name| !wanted.contains(*name)).cloned().collect();
        for name in &gone {
            if let Some(service) = self.services.remove(name) {
                service.question.abort();
            }
        }
        wanted.into_iter().for_each(|name| self.add(name));
        gone.into_iter().map(|name| (name, Vec::new())).collect()
    }
}

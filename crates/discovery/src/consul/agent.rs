//! The two questions to Consul's API: which services there are, and which instances a service has.

use crate::answer::Answer;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use config::HttpClientError;
use http_client::HttpClient;
use reqwest::header::{HeaderName, HeaderValue};
use tokio::sync::Semaphore;

use crate::answer::AnswerError;
use crate::consul::config::ConsulSdConfig;
use crate::consul::instance::Instance;
use crate::consul::metrics::ConsulMetrics;
use crate::group::TargetGroup;
use crate::server::AskError;

const INDEX: HeaderName = HeaderName::from_static("x-consul-index");
const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");

/// Consul holds a question back for so long, and up to a sixteenth longer.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// A shorter wait isn't asked for, however many services take turns.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// The answer has to be there so long after the wait.
const GRACE: Duration = Duration::from_secs(15);
/// So many questions about services are held back at once, and others so many are answered at once: an agent takes 200 connections of one
/// address by default.
const HELD_MAX: usize = 100;
const PROMPT_MAX: usize = 20;

/// What a question is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// All services.
    Catalog,
    /// The instances of a service.
    Service(Arc<str>),
}

/// What Consul told.
#[derive(Debug)]
pub(crate) enum News {
    /// The services, with the tags of their instances.
    Services(BTreeMap<String, Vec<String>>),
    /// The targets of a service.
    Targets(Vec<TargetGroup>),
}

/// Why Consul told nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuestionError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("the answer's X-Consul-Index is not a number: {0:?}")]
    Index(String),
    #[error("the token has characters that a header must not have")]
    Token,
}

impl From<HttpClientError> for QuestionError {
    fn from(error: HttpClientError) -> Self {
        QuestionError::Ask(error.into())
    }
}

impl From<AnswerError> for QuestionError {
    fn from(error: AnswerError) -> Self {
        QuestionError::Ask(error.into())
    }
}

/// Talks to an agent of Consul, for all watches of a source.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) config: ConsulSdConfig,
    pub(crate) metrics: ConsulMetrics,
    /// Made with the first question, once keys and certificates are there.
    client: OnceLock<HttpClient>,
    held: Semaphore,
    prompt: Semaphore,
}

impl Agent {
    pub(crate) fn new(config: ConsulSdConfig, metrics: ConsulMetrics) -> Self {
        let (held, prompt) = (Semaphore::new(HELD_MAX), Semaphore::new(PROMPT_MAX));
        Agent { config, metrics, client: OnceLock::new(), held, prompt }
    }

    /// How long a question shall be held back where so many services are followed. Where they have to take turns, each has its own
    /// within about a refresh interval.
    pub(crate) fn wait(&self, services: usize) -> Duration {
        if services <= HELD_MAX {
            return WAIT_MAX;
        }
        let share = HELD_MAX as f64 / services as f64;
        self.config.refresh_interval.mul_f64(share).clamp(WAIT_MIN, WAIT_MAX)
    }

    /// What there is beyond `index`, which is that of the answer before; 0 asks what there is now. The answer has the index to go on with, and no
    /// news where Consul has held the question back for nothing.
    pub(crate) async fn ask(
        &self,
        subject: &Subject,
        index: u64,
        wait: Duration,
    ) -> Result<(u64, Option<News>), QuestionError> {
        let turns = if index > 0 { &self.held } else { &self.prompt };
        let _turn = match subject {
            Subject::Catalog => None,
            Subject::Service(_) => turns.acquire().await.ok(), // it is never closed
        };
        let began = Instant::now();
        let client = self.client()?;
        let result = self.ask_with(client, subject, index, wait).await;
        self.metrics.observe(if *subject == Subject::Catalog { "services" } else { "service" }, began.elapsed());
        result
    }

    async fn ask_with(
        &self,
        client: &HttpClient,
        subject: &Subject,
        index: u64,
        wait: Duration,
    ) -> Result<(u64, Option<News>), QuestionError> {
        let request = client.get(self.url(subject, index, wait)).timeout(wait + wait / 16 + GRACE);
        let request = match &self.config.token {
            Some(token) => request.header(TOKEN, secret(token.expose())?),
            None => request,
        };
        let answer = Answer::of(request).await?;
        let told = match answer.header(&INDEX) {
            "" => 0, // something on the way keeps it back: the same is asked at each interval
            text => text.parse().map_err(|_| QuestionError::Index(text.to_owned()))?,
        };
        if told == index && index > 0 {
            return Ok((index, None));
        }
        let news = match subject {
            Subject::Catalog => News::Services(answer.json().await?),
            Subject::Service(name) => {
                let instances: Vec<Instance> = answer.json().await?;
                News::Targets(instances.iter().map(|instance| instance.target(name, &self.config)).collect())
            }
        };
        Ok((next_index(index, told), Some(news)))
    }

    fn url(&self, subject: &Subject, index: u64, wait: Duration) -> url::Url {
        let ConsulSdConfig { server, datacenter, namespace, partition, .. } = &self.config;
        let (mut url, filter, tags) = match subject {
            Subject::Catalog => (server.url_of(["v1", "catalog", "services"]), &self.config.filter, &[][..]),
            Subject::Service(name) => {
                let url = server.url_of(["v1", "health", "service", name]);
                (url, &self.config.health_filter, &*self.config.tags)
            }
        };
        let (index, wait) = match index {
            0 => (String::new(), String::new()),
            _ => (index.to_string(), format!("{}ms", wait.as_millis())),
        };
        let words = [
            ("dc", datacenter),
            ("ns", namespace),
            ("partition", partition),
            ("filter", filter),
            ("index", &index),
            ("wait", &wait),
        ];
        let mut query = url.query_pairs_mut();
        query.extend_pairs(words.iter().filter(|(_, value)| !value.is_empty()));
        query.extend_pairs(tags.iter().map(|tag| ("tag", tag)));
        query.extend_pairs(self.config.node_meta.iter().map(|(key, value)| ("node-meta", format!("{key}:{value}"))));
        if self.config.allow_stale {
            query.append_pair("stale", "");
        }
        drop(query);
        url
    }

    fn client(&self) -> Result<&HttpClient, HttpClientError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = self.config.server.client(WAIT_MAX)?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// The index to go on with. One that has gone backwards counts something else (the servers were restored, or others answer): what there is now
/// is asked for.
fn next_index(before: u64, told: u64) -> u64 {
    if told < before { 0 } else { told }
}

fn secret(text: &str) -> Result<HeaderValue, QuestionError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| QuestionError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use config::Report;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::consul::config::RawConsulSdConfig;

    fn agent(server: &str) -> Agent {
        let raw: RawConsulSdConfig = config::load(&format!("server: '{server}'"), "a.yml").expect("a section");
        let config = ConsulSdConfig::validate(raw, config::Position::default(), &mut Report::new("a.yml"));
        Agent::new(config.expect("a source"), ConsulMetrics::new(&mut Registry::default()))
    }

    #[test]
    fn services_that_take_turns_have_theirs_within_an_interval() {
        let agent = agent("a:1");
        let check = |services: usize, seconds: u64| assert_eq!(agent.wait(services).as_secs(), seconds, "{services}");
        check(0, 120);
        check(100, 120);
        check(300, 10);
        check(1_000_000, 1);
    }
}

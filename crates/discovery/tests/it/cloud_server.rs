//! A server on loopback that answers as a test says, and what is asked of sources with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use discovery::{Discovery, Environment, Surroundings};
use model::{ManualClock, Timestamp};
use prometheus_client::registry::Registry;

use crate::{sources, targets, text};

/// Instead of a status: the answer doesn't come.
pub(crate) const SILENCE: u16 = 0;

/// A request as the server got it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The words of the URL and of the form in the body.
    pub(crate) words: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
}

impl Asked {
    /// A word, empty where there is none.
    pub(crate) fn word(&self, name: &str) -> &str {
        self.words.get(name).map_or("", String::as_str)
    }

    /// A header, empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

pub(crate) struct CloudServer {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl CloudServer {
    /// Starts a server that answers with a status and a body.
    pub(crate) async fn start(answer: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (asked, answer) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(answer));
        let log = asked.clone();
        let handler = move |request: Request<Body>| {
            let (answer, log) = (answer.clone(), log.clone());
            async move {
                let asked = read(request).await;
                let (status, body) = answer(&asked);
                log.lock().expect("no panic").push(asked);
                respond(status, body).await
            }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        CloudServer { url, asked }
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// How many requests there were that are so.
    pub(crate) fn count(&self, is: impl Fn(&Asked) -> bool) -> usize {
        self.asked().iter().filter(|asked| is(asked)).count()
    }
}

async fn read(request: Request<Body>) -> Asked {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let query = head.uri.query().unwrap_or_default().as_bytes();
    let parse = |text| url::form_urlencoded::parse(text).into_owned();
    Asked {
        method: head.method,
        path: head.uri.path().to_owned(),
        words: parse(query).chain(parse(&body)).collect(),
        headers: head.headers,
    }
}

async fn respond(status: u16, body: String) -> Response {
    if status == SILENCE {
        std::future::pending::<()>().await;
    }
    (StatusCode::from_u16(status).expect("a status"), body).into_response()
}

/// A value that a test changes while a server answers with it.
#[derive(Debug)]
pub(crate) struct Knob<T>(Arc<Mutex<T>>);

impl<T> Clone for Knob<T> {
    fn clone(&self) -> Self {
        Knob(self.0.clone())
    }
}

impl<T: Clone> Knob<T> {
    pub(crate) fn new(value: T) -> Self {
        Knob(Arc::new(Mutex::new(value)))
    }

    pub(crate) fn get(&self) -> T {
        self.0.lock().expect("no panic").clone()
    }

    pub(crate) fn set(&self, value: T) {
        *self.0.lock().expect("no panic") = value;
    }
}

/// The time at which tests in clouds begin.
pub(crate) fn beginning() -> Timestamp {
    Timestamp::parse("2026-01-02T03:04:05Z").expect("a time")
}

/// A source that is followed, with its own clock and its own metrics.
pub(crate) struct Followed {
    pub(crate) discovery: Discovery,
    pub(crate) clock: Arc<ManualClock>,
    registry: Registry,
    mechanism: &'static str,
}

impl Followed {
    /// Follows what a section says. The surroundings have these variables, no others, and what `place` adds.
    pub(crate) async fn start(
        mechanism: &'static str,
        section: &str,
        variables: &[(&str, &str)],
        place: impl FnOnce(Surroundings) -> Surroundings,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(beginning()));
        let surroundings = place(Surroundings::new(variables.iter().copied(), clock.clone()));
        let mut registry = Registry::default();
        let environment = Environment::with_surroundings(surroundings, &mut registry);
        let discovery = Discovery::start("j", sources(section), environment).await;
        Followed { discovery, clock, registry, mechanism }
    }

    /// A counter, 0 where it has not counted yet.
    pub(crate) fn counter(&self, series: &str) -> u64 {
        let text = text(&self.registry);
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |count| count.parse().expect("a number"))
    }

    pub(crate) fn failures(&self) -> u64 {
        let Followed { mechanism, .. } = self;
        self.counter(&format!(r#"prometheus_sd_refresh_failures_total{{config="j",mechanism="{mechanism}"}}"#))
    }

    /// Waits until another round has failed as a whole, and sees to it that the targets are these.
    pub(crate) async fn fails_and_keeps(&self, want: &[&str]) {
        let before = self.failures();
        wait_until("a round fails", || self.failures() > before + 1).await;
        assert_eq!(targets(&self.discovery), want, "the last targets stay");
    }
}

/// Waits for a level, with a bound.
pub(crate) async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), waiting).await.is_ok(), "waited in vain: {what}");
}

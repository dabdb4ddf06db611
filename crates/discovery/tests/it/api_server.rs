//! A Kubernetes API server on loopback, as far as lists and watches go: pages, bookmarks, versions that are gone, connections that drop.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The resources by their path, with the kind of their objects.
const RESOURCES: [(&str, &str, &str); 7] = [
    ("nodes", "v1", "Node"),
    ("namespaces", "v1", "Namespace"),
    ("pods", "v1", "Pod"),
    ("services", "v1", "Service"),
    ("endpoints", "v1", "Endpoints"),
    ("endpointslices", "discovery.k8s.io/v1", "EndpointSlice"),
    ("ingresses", "networking.k8s.io/v1", "Ingress"),
];

pub(crate) struct ApiServer {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    version: u64,
    /// By resource and `namespace/name`.
    objects: BTreeMap<(String, String), Value>,
    /// Version, resource, type and object; a bookmark is of no resource.
    log: Vec<(u64, String, &'static str, Value)>,
    /// Versions before this one are gone.
    oldest: u64,
    /// How often connections were cut.
    cuts: u64,
    page_objects: Option<usize>,
    /// Statuses instead of answers, by a part of the path.
    refused: HashMap<String, u16>,
    token: Option<String>,
    asked: Vec<String>,
}

/// What a request asks for.
struct Ask {
    resource: String,
    namespace: Option<String>,
    words: HashMap<String, String>,
}

impl ApiServer {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = State { version: 10, ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: watch::Sender::new(()) });
        let served = shared.clone();
        let handler = move |uri: Uri, headers: HeaderMap| {
            let shared = served.clone();
            async move { answer(&shared, &uri, &headers) }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        ApiServer { url, shared }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let answer = change(&mut self.shared.lock());
        self.shared.changed.send_replace(());
        answer
    }

    /// Creates or changes an object.
    pub(crate) fn put(&self, resource: &str, mut object: Value) {
        self.change(|state| {
            state.version += 1;
            object["metadata"]["resourceVersion"] = json!(state.version.to_string());
            let before = state.objects.insert((resource.to_owned(), key(&object)), object.clone());
            let what = if before.is_some() { "MODIFIED" } else { "ADDED" };
            state.log.push((state.version, resource.to_owned(), what, object));
        });
    }

    /// Deletes an object if it is there.
    pub(crate) fn delete(&self, resource: &str, key: &str) {
        self.change(|state| {
            let Some(mut object) = state.objects.remove(&(resource.to_owned(), key.to_owned())) else { return };
            state.version += 1;
            object["metadata"]["resourceVersion"] = json!(state.version.to_string());
            state.log.push((state.version, resource.to_owned(), "DELETED", object));
        });
    }

    /// Tells all watches the version of now.
    pub(crate) fn bookmark(&self) {
        self.change(|state| {
            state.version += 1;
            let object = json!({"metadata": {"resourceVersion": state.version.to_string(), "creationTimestamp": null}});
            state.log.push((state.version, String::new(), "BOOKMARK", object));
        });
    }

    /// Forgets all versions but that of now.
    pub(crate) fn compact(&self) {
        self.change(|state| {
            state.version += 1;
            state.oldest = state.version;
            state.log.clear();
        });
    }

    /// Drops all connections that watch, in the middle of a line.
    pub(crate) fn cut(&self) {
        self.change(|state| state.cuts += 1);
    }

    /// Gives pages of at most so many objects.
    pub(crate) fn page_objects(&self, count: usize) {
        self.change(|state| state.page_objects = Some(count));
    }

    /// Answers with a status where the path has this part, or with objects again.
    pub(crate) fn refuse(&self, part: &str, status: Option<u16>) {
        self.change(|state| match status {
            Some(status) => drop(state.refused.insert(part.to_owned(), status)),
            None => drop(state.refused.remove(part)),
        });
    }

    /// Answers only who has this token.
    pub(crate) fn expect_token(&self, token: &str) {
        self.change(|state| state.token = Some(token.to_owned()));
    }

    /// How many objects there are that have targets.
    pub(crate) fn target_objects(&self) -> u64 {
        self.shared.lock().objects.keys().filter(|(resource, _)| resource != "namespaces").count() as u64
    }

    /// The requests so far that have this text in path or query.
    pub(crate) fn asked(&self, text: &str) -> Vec<String> {
        self.shared.lock().asked.iter().filter(|asked| asked.contains(text)).cloned().collect()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

fn key(object: &Value) -> String {
    let meta = &object["metadata"];
    let name = meta["name"].as_str().expect("a name");
    meta["namespace"].as_str().map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

fn status(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "message": message, "reason": "R"})
}

fn refusal(code: u16, message: &str) -> Response {
    (StatusCode::from_u16(code).expect("a status"), status(code, message).to_string()).into_response()
}

fn answer(shared: &Arc<Shared>, uri: &Uri, headers: &HeaderMap) -> Response {
    let mut state = shared.lock();
    state.asked.push(uri.to_string());
    let is_known = |token: &String| headers.get("authorization").is_some_and(|h| *h == format!("Bearer {token}"));
    if !state.token.as_ref().is_none_or(is_known) {
        return refusal(401, "Unauthorized");
    }
    let parts: Vec<&str> = uri.path().split('/').collect();
    let resource = parts.last().copied().unwrap_or_default().to_owned();
    let namespace = parts.iter().position(|part| *part == "namespaces").and_then(|at| parts.get(at + 1));
    let namespace = namespace.map(|name| (*name).to_owned());
    let words = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let ask = Ask { resource, namespace, words };
    if let Some((part, code)) = state.refused.iter().find(|(part, _)| uri.path().contains(*part)) {
        return refusal(*code, &format!("{part} is refused here"));
    }
    let Some((_, version, kind)) = RESOURCES.iter().find(|(resource, ..)| *resource == ask.resource) else {
        return refusal(404, "the server could not find the requested resource");
    };
    if ask.words.contains_key("watch") {
        let seen = ask.words.get("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(state.version);
        let cuts = state.cuts;
        drop(state);
        let ask = Arc::new(ask);
        let watching =
            Watching { shared: shared.clone(), ask, version, kind, seen, cuts, changed: shared.changed.subscribe() };
        let lines = futures::stream::unfold(Some(watching), |watching| async { watching?.next().await });
        return ([("content-type", "application/json")], Body::from_stream(lines)).into_response();
    }
    list(&state, &ask, version, kind)
}

fn is_asked(ask: &Ask, resource: &str, object: &Value) -> bool {
    resource == ask.resource
        && ask.namespace.as_ref().is_none_or(|namespace| object["metadata"]["namespace"] == json!(namespace))
}

fn list(state: &State, ask: &Ask, api_version: &str, kind: &str) -> Response {
    let limit = ask.words.get("limit").and_then(|limit| limit.parse().ok());
    let limit = limit.map(|limit: usize| state.page_objects.unwrap_or(limit)).unwrap_or(usize::MAX);
    let (version, after) = match ask.words.get("continue").and_then(|next| next.split_once('.')) {
        Some((version, after)) => (version.parse().expect("a version"), after.to_owned()),
        None => (state.version, String::new()),
    };
    if version < state.oldest {
        return refusal(410, "The provided continue parameter is too old");
    }
    let rest = state.objects.iter().filter(|((resource, key), object)| is_asked(ask, resource, object) && *key > after);
    let mut page: Vec<_> = rest.take(limit.saturating_add(1)).collect();
    let mut meta = json!({"resourceVersion": version.to_string()});
    if page.len() > limit {
        page.truncate(limit);
        meta["continue"] = json!(format!("{version}.{}", page[limit - 1].0.1));
    }
    let items: Vec<&Value> = page.into_iter().map(|(_, object)| object).collect();
    let list = json!({"kind": format!("{kind}List"), "apiVersion": api_version, "metadata": meta, "items": items});
    ([("content-type", "application/json")], list.to_string()).into_response()
}

/// A watch that is being answered.
struct Watching {
    shared: Arc<Shared>,
    ask: Arc<Ask>,
    version: &'static str,
    kind: &'static str,
    /// What was told already.
    seen: u64,
    cuts: u64,
    changed: watch::Receiver<()>,
}

impl Watching {
    /// The next lines; nothing behind an error.
    async fn next(mut self) -> Option<(Result<Bytes, io::Error>, Option<Self>)> {
        loop {
            self.changed.mark_unchanged();
            let (text, has_ended) = self.news();
            if has_ended {
                return Some((Ok(text.into()), None));
            }
            if self.is_cut() {
                // What was to be told is cut in the middle of a line.
                self.seen = u64::MAX;
                let half = Bytes::from(text[..text.len() / 2].to_owned());
                let cut = Err(io::Error::other("cut"));
                return if half.is_empty() { Some((cut, None)) } else { Some((Ok(half), Some(self))) };
            }
            if !text.is_empty() {
                return Some((Ok(text.into()), Some(self)));
            }
            self.changed.changed().await.ok()?;
        }
    }

    fn is_cut(&self) -> bool {
        self.shared.lock().cuts != self.cuts
    }

    /// What was not told yet, and whether that is all there will be.
    fn news(&mut self) -> (String, bool) {
        let state = self.shared.lock();
        if self.seen < state.oldest {
            let gone = json!({"type": "ERROR", "object": status(410, "too old resource version")});
            return (format!("{gone}\n"), true);
        }
        let mut text = String::new();
        for (version, resource, what, object) in &state.log {
            let is_mine = resource.is_empty() || is_asked(&self.ask, resource, object);
            if *version <= self.seen || !is_mine {
                continue;
            }
            let mut object = object.clone();
            object["kind"] = json!(self.kind);
            object["apiVersion"] = json!(self.version);
            text.push_str(&format!("{}\n", json!({"type": what, "object": object})));
            self.seen = *version;
        }
        (text, false)
    }
}

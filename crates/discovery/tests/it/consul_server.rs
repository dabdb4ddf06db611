//! An agent of Consul on loopback, as far as its catalog and health endpoints go: it holds questions back until there is something new.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) struct ConsulServer {
    /// `host:port`.
    pub(crate) address: String,
    shared: Arc<Shared>,
    running: Mutex<CancellationToken>,
}

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    index: u64,
    catalog_index: u64,
    /// The instances of each service, and the index of their last change.
    services: BTreeMap<String, (u64, Vec<Value>)>,
    /// Answers instead, by a part of the path.
    spoilt: HashMap<String, (u16, String)>,
    token: Option<String>,
    /// Told as index instead of it; the header is missing where this is empty.
    index_text: Option<&'static str>,
    /// Nothing is held back for longer.
    wait_max: Option<Duration>,
    asked: Vec<String>,
    held: usize,
    held_max: usize,
    seen: HeaderMap,
}

/// An instance as the health endpoint tells it; `id` and `host` make it differ from others.
pub(crate) fn instance(service: &str, id: &str, host: &str, tags: &[&str]) -> Value {
    json!({
        "Node": {
            "ID": "40e4a748-2192-161a-0510-9bf59fe950b5", "Node": format!("node-{id}"), "Address": host, "Datacenter": "dc1",
            "TaggedAddresses": {"lan": host, "lan_ipv4": host}, "Meta": {"rack_name": "7"}, "CreateIndex": 7, "ModifyIndex": 8,
        },
        "Service": {
            "ID": id, "Service": service, "Tags": tags, "Address": "", "Meta": null, "Port": 8080,
            "Weights": {"Passing": 1, "Warning": 1}, "EnableTagOverride": false, "Proxy": {"Mode": "", "MeshGateway": {}},
            "Connect": {}, "PeerName": "", "CreateIndex": 10, "ModifyIndex": 10,
        },
        "Checks": [{
            "Node": format!("node-{id}"), "CheckID": "serfHealth", "Name": "Serf Health Status", "Status": "passing", "Notes": "",
            "Output": "Agent alive and reachable", "ServiceID": "", "ServiceName": "", "ServiceTags": [], "Definition": {},
        }],
    })
}

impl ConsulServer {
    pub(crate) async fn start() -> Self {
        let state = State { index: 10, catalog_index: 10, ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: watch::Sender::new(()) });
        let mut server = ConsulServer { address: "127.0.0.1:0".to_owned(), shared, running: Mutex::default() };
        server.address = server.listen().await;
        server
    }

    async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind(&self.address).await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let stop = CancellationToken::new();
        *self.running.lock().expect("no panic") = stop.clone();
        let (served, stopped) = (self.shared.clone(), stop.clone());
        let handler = move |uri: Uri, headers: HeaderMap| {
            let (shared, stopped) = (served.clone(), stopped.clone());
            async move {
                tokio::select! {
                    response = answer(&shared, &uri, &headers) => response,
                    () = stopped.cancelled() => cut(),
                }
            }
        };
        let router = Router::new().fallback(handler);
        tokio::spawn(async move {
            let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
            serving.await.expect("serving");
        });
        address
    }

    /// Drops all connections and takes no others.
    pub(crate) fn die(&self) {
        self.running.lock().expect("no panic").cancel();
    }

    /// Comes back at the same address.
    pub(crate) async fn revive(&self) {
        self.listen().await;
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let answer = change(&mut self.shared.lock());
        self.shared.changed.send_replace(());
        answer
    }

    /// Makes these the instances of a service; none take it out of the catalog.
    pub(crate) fn put(&self, service: &str, instances: Vec<Value>) {
        self.change(|state| {
            state.index += 1;
            let tags = |state: &State| state.services.get(service).map(|(_, instances)| tags_of(instances));
            let before = tags(state);
            match instances.is_empty() {
                true => drop(state.services.remove(service)),
                false => drop(state.services.insert(service.to_owned(), (state.index, instances))),
            }
            if tags(state) != before {
                state.catalog_index = state.index;
            }
        });
    }

    /// Counts from a low index again, as servers do that were restored from a snapshot.
    pub(crate) fn reset_index(&self) {
        self.change(|state| {
            (state.index, state.catalog_index) = (2, 2);
            state.services.values_mut().for_each(|(index, _)| *index = 2);
        });
    }

    /// Answers paths that have this part so, or as usual again.
    pub(crate) fn spoil(&self, part: &str, answer: Option<(u16, &str)>) {
        self.change(|state| match answer {
            Some((status, body)) => drop(state.spoilt.insert(part.to_owned(), (status, body.to_owned()))),
            None => drop(state.spoilt.remove(part)),
        });
    }

    /// Answers only who has this token.
    pub(crate) fn expect_token(&self, token: &str) {
        self.change(|state| state.token = Some(token.to_owned()));
    }

    /// Tells this as index, or nothing where it is empty, as behind a proxy that swallows the header.
    pub(crate) fn tell_index(&self, text: &'static str) {
        self.change(|state| state.index_text = Some(text));
    }

    /// Holds nothing back for longer, whatever is asked.
    pub(crate) fn wait_at_most(&self, wait: Duration) {
        self.change(|state| state.wait_max = Some(wait));
    }

    /// The requests so far that have this text in path or query.
    pub(crate) fn asked(&self, text: &str) -> Vec<String> {
        self.shared.lock().asked.iter().filter(|asked| asked.contains(text)).cloned().collect()
    }

    /// How many questions are held back now, and the most there were at once.
    pub(crate) fn held(&self) -> (usize, usize) {
        let state = self.shared.lock();
        (state.held, state.held_max)
    }

    /// A header of the last request, empty where it had none.
    pub(crate) fn seen(&self, name: &str) -> String {
        let state = self.shared.lock();
        state.seen.get(name).map(|value| value.to_str().expect("a text").to_owned()).unwrap_or_default()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn tags_of(instances: &[Value]) -> BTreeSet<String> {
    instances.iter().flat_map(|instance| texts(&instance["Service"]["Tags"])).collect()
}

/// Counts a question that is held back, also where its connection drops.
struct Held<'a>(&'a Shared);

impl<'a> Held<'a> {
    fn new(shared: &'a Shared) -> Self {
        let mut state = shared.lock();
        state.held += 1;
        state.held_max = state.held_max.max(state.held);
        drop(state);
        Held(shared)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.lock().held -= 1;
    }
}

/// An answer whose connection drops.
fn cut() -> Response {
    let body = futures::stream::once(async { Err::<Bytes, io::Error>(io::Error::other("cut")) });
    Body::from_stream(body).into_response()
}

async fn answer(shared: &Shared, uri: &Uri, headers: &HeaderMap) -> Response {
    let words: Vec<(String, String)> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let word = |name: &str| words.iter().find(|(word, _)| word == name).map(|(_, value)| value.as_str());
    let mut changed = shared.changed.subscribe();
    let wait_max = {
        let mut state = shared.lock();
        state.asked.push(uri.to_string());
        state.seen = headers.clone();
        let token = headers.get("x-consul-token").and_then(|token| token.to_str().ok());
        if state.token.is_some() && state.token.as_deref() != token {
            return (StatusCode::FORBIDDEN, "Permission denied: anonymous token lacks permission").into_response();
        }
        state.wait_max
    };
    let asked: u64 = word("index").map_or(0, |index| index.parse().expect("an index"));
    let wait = word("wait").map_or(Duration::from_secs(300), |wait| {
        Duration::from_millis(wait.strip_suffix("ms").and_then(|ms| ms.parse().ok()).expect("milliseconds"))
    });
    let end = tokio::time::Instant::now() + wait_max.map_or(wait, |max| wait.min(max));
    let path = percent_decoded(uri.path());
    let mut held = None;
    let before = shared.lock().index;
    loop {
        changed.mark_unchanged();
        let (index, body) = match told(shared, &path, &words) {
            Ok(told) => told,
            Err(refusal) => return refusal.into_response(),
        };
        let is_reset = shared.lock().index < before;
        if asked == 0 || index > asked || is_reset || tokio::time::Instant::now() >= end {
            drop(held);
            let index = shared.lock().index_text.map_or_else(|| index.to_string(), str::to_owned);
            let mut response = ([("content-type", "application/json")], body).into_response();
            if !index.is_empty() {
                response.headers_mut().insert("X-Consul-Index", index.parse().expect("a header"));
            }
            return response;
        }
        held.get_or_insert_with(|| Held::new(shared));
        let _ = tokio::time::timeout_at(end, changed.changed()).await; // either way it is looked again
    }
}

type Refusal = (StatusCode, String);

/// The index of what is asked for, and the body.
fn told(shared: &Shared, path: &str, words: &[(String, String)]) -> Result<(u64, String), Refusal> {
    let state = shared.lock();
    if let Some((_, (status, body))) = state.spoilt.iter().find(|(part, _)| path.contains(*part)) {
        return Err((StatusCode::from_u16(*status).expect("a status"), body.clone()));
    }
    let all = |name: &'static str| words.iter().filter(move |(word, _)| word == name).map(|(_, value)| value.clone());
    if all("dc").any(|dc| dc != "dc1") {
        return Err((StatusCode::INTERNAL_SERVER_ERROR, "No path to datacenter".to_owned()));
    }
    let has_meta = |instance: &Value| {
        all("node-meta").all(|meta| {
            meta.split_once(':').is_some_and(|(key, value)| instance["Node"]["Meta"][key].as_str() == Some(value))
        })
    };
    if path.ends_with("/v1/catalog/services") {
        let services = state.services.iter().filter(|(_, (_, instances))| instances.iter().any(has_meta));
        let services: BTreeMap<_, _> = services.map(|(name, (_, instances))| (name, tags_of(instances))).collect();
        return Ok((state.catalog_index, json!(services).to_string()));
    }
    let Some((_, name)) = path.split_once("/v1/health/service/") else {
        return Err((StatusCode::NOT_FOUND, "404 page not found".to_owned()));
    };
    let Some((index, instances)) = state.services.get(name) else {
        return Ok((state.index, "[]".to_owned()));
    };
    let has_tags = |instance: &Value| all("tag").all(|tag| texts(&instance["Service"]["Tags"]).contains(&tag));
    let fitting: Vec<&Value> = instances.iter().filter(|instance| has_tags(instance) && has_meta(instance)).collect();
    Ok((*index, json!(fitting).to_string()))
}

fn percent_decoded(path: &str) -> String {
    let pair = format!("x={}", path.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

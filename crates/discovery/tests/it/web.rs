//! A server on loopback that gives each path the answer it is told to give, and remembers what it was asked.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

pub(crate) struct Web {
    /// `http://…`; of no use over a socket.
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: HashMap<String, (u16, String)>,
    headers: Vec<(&'static str, String)>,
    delay: Duration,
    asked: Vec<String>,
    seen: HeaderMap,
}

impl Web {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (state, router) = serving();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Web { url, state }
    }

    /// Over a socket in the file system.
    pub(crate) fn start_at(socket: &Path) -> Self {
        let listener = tokio::net::UnixListener::bind(socket).expect("a socket");
        let (state, router) = serving();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Web { url: String::new(), state }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().expect("no panic"))
    }

    /// Answers a path so; 404 where nothing was set.
    pub(crate) fn set(&self, path: &str, status: u16, body: &(impl ToString + ?Sized)) {
        self.change(|state| state.answers.insert(path.to_owned(), (status, body.to_string())));
    }

    /// Has this header in all answers, or not any more where it is empty.
    pub(crate) fn set_header(&self, name: &'static str, value: &str) {
        self.change(|state| {
            state.headers.retain(|(other, _)| *other != name);
            state.headers.extend((!value.is_empty()).then(|| (name, value.to_owned())));
        });
    }

    /// Answers after so long.
    pub(crate) fn set_delay(&self, delay: Duration) {
        self.change(|state| state.delay = delay);
    }

    /// What was asked so far, path and query, and forgets it.
    pub(crate) fn take_asked(&self) -> Vec<String> {
        self.change(|state| std::mem::take(&mut state.asked))
    }

    /// A header of the last request, empty where it had none.
    pub(crate) fn seen(&self, name: &str) -> String {
        self.change(|state| {
            state.seen.get(name).map(|value| value.to_str().expect("a text").to_owned()).unwrap_or_default()
        })
    }
}

fn serving() -> (Arc<Mutex<State>>, Router) {
    let state = Arc::<Mutex<State>>::default();
    let served = state.clone();
    let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap| answer(served.clone(), uri, headers));
    (state, router)
}

async fn answer(state: Arc<Mutex<State>>, uri: Uri, seen: HeaderMap) -> Response {
    let (status, headers, body, delay) = {
        let mut state = state.lock().expect("no panic");
        state.asked.push(uri.to_string());
        state.seen = seen;
        let missing = (404, r#"{"message":"page not found"}"#.to_owned());
        let (status, body) = state.answers.get(uri.path()).cloned().unwrap_or(missing);
        (status, state.headers.clone(), body, state.delay)
    };
    tokio::time::sleep(delay).await;
    let mut response = (StatusCode::from_u16(status).expect("a status"), body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}

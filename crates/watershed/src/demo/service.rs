//! The demo's target: a small service that really answers requests, with a client that really sends them.
//!
//! Its API listens on one port and can be taken down; its control listens on another and always answers:
//! `POST /fail` makes the API answer with errors, `/stop` closes its port, `/start` brings it back healthy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// What the service's own client asks for, in turn.
const HANDLERS: [&str; 3] = ["orders", "checkout", "search"];
/// One request in so many fails even when all is well.
const FAILS_EVERY: u64 = 211;
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
const REQUEST_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    handler: String,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandlerLabels {
    handler: String,
}

/// One demo service.
pub(crate) struct Service {
    address: SocketAddr,
    failing: AtomicBool,
    served: AtomicU64,
    requests: Family<RequestLabels, Counter>,
    duration: Family<HandlerLabels, Histogram>,
    registry: Registry,
    /// Closes the API's port; `None` while it is down.
    running: Mutex<Option<CancellationToken>>,
}

impl Service {
    /// A service that will listen on `address`, down until [`Service::listen`].
    pub(crate) fn new(address: SocketAddr) -> Arc<Self> {
        let requests = Family::<RequestLabels, Counter>::default();
        let duration = Family::<HandlerLabels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let mut registry = Registry::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register("http_request_duration_seconds", "Time to answer a request", duration.clone());
        Arc::new(Service {
            address,
            failing: AtomicBool::new(false),
            served: AtomicU64::new(0),
            requests,
            duration,
            registry,
            running: Mutex::new(None),
        })
    }

    /// Opens the API's port, if it isn't open.
    pub(crate) async fn listen(self: &Arc<Self>) -> std::io::Result<()> {
        if self.running.lock().is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address).await?;
        let stop = CancellationToken::new();
        *self.running.lock() = Some(stop.clone());
        let router =
            Router::new().route("/api/{handler}", get(answer)).route("/metrics", get(metrics)).with_state(self.clone());
        // A graceful end closes idle connections as well, so that nobody goes on talking to a service that is down.
        tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).into_future());
        Ok(())
    }

    fn close(&self) {
        if let Some(stop) = self.running.lock().take() {
            stop.cancel();
        }
    }

    /// Sends requests to the API until `stop`.
    pub(crate) async fn send_requests(self: Arc<Self>, stop: CancellationToken) {
        let client = reqwest::Client::new();
        let mut ticks = interval(REQUEST_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for handler in HANDLERS.into_iter().cycle() {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            // A refused connection is what a client of a dead service sees; there is nothing to do about it.
            let _ = client.get(format!("http://{}/api/{handler}", self.address)).send().await;
        }
    }
}

async fn answer(State(service): State<Arc<Service>>, Path(handler): Path<String>) -> StatusCode {
    let begin = Instant::now();
    let count = service.served.fetch_add(1, Ordering::Relaxed);
    // 1 to 13 ms of work, in a pattern that isn't a straight line.
    sleep(Duration::from_micros(1000 + count.wrapping_mul(2_654_435_761) % 12_000)).await;
    let failed = service.failing.load(Ordering::Relaxed) || count % FAILS_EVERY == FAILS_EVERY - 1;
    let status = match (HANDLERS.contains(&handler.as_str()), failed) {
        (false, _) => return StatusCode::NOT_FOUND, // no series for what anybody may ask
        (true, true) => StatusCode::INTERNAL_SERVER_ERROR,
        (true, false) => StatusCode::OK,
    };
    service.requests.get_or_create(&RequestLabels { handler: handler.clone(), code: status.as_u16() }).inc();
    service.duration.get_or_create(&HandlerLabels { handler }).observe(begin.elapsed().as_secs_f64());
    status
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    api::metrics_response(&service.registry)
}

/// The service's control.
pub(crate) fn control(service: Arc<Service>) -> Router {
    Router::new().route("/fail", post(fail)).route("/stop", post(stop)).route("/start", post(start)).with_state(service)
}

async fn fail(State(service): State<Arc<Service>>) -> &'static str {
    service.failing.store(true, Ordering::Relaxed);
    "the API answers with errors now\n"
}

async fn stop(State(service): State<Arc<Service>>) -> &'static str {
    service.close();
    "the service is down now\n"
}

async fn start(State(service): State<Arc<Service>>) -> Response {
    service.failing.store(false, Ordering::Relaxed);
    match service.listen().await {
        Ok(()) => "the service is up and well now\n".into_response(),
        Err(error) => {
            (StatusCode::CONFLICT, format!("cannot listen on {}: {error}\n", service.address)).into_response()
        }
    }
}

//! The router of a node, and serving it until it is told to stop.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get, post};
use tokio::net::TcpListener;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};

use crate::node::Node;
use crate::{health, metrics, ui, v1};

/// What our nodes say to each other is compressed already.
const COMPRESSED: &str = "application/vnd.watershed.";

/// Of 25 MB of exposition text this makes a sixth more bytes than the default, in half the time.
const GZIP_LEVEL: i32 = 3;

/// Everything a node serves: the API, health, metrics, UI, and what the tier adds (`/federate`, Alertmanager's API).
pub fn router(node: Arc<Node>, extra: Router) -> Router {
    let mut router = Router::new()
        .nest("/api/v1", v1::router(node.tier))
        .route("/-/healthy", get(health::healthy))
        .route("/-/ready", get(health::ready))
        .route("/-/reload", post(health::reload).put(health::reload))
        .route("/-/quit", post(health::quit).put(health::quit))
        .route("/metrics", get(metrics::metrics))
        .route("/assets/{*path}", get(ui::asset))
        .route("/graph", get(ui::graph))
        .route("/", any(ui::home));
    for page in ui::PAGES {
        router = router.route(page, get(ui::page));
    }
    let worth_it = DefaultPredicate::new().and(NotForContentType::const_new(COMPRESSED));
    let compressed = CompressionLayer::new().quality(CompressionLevel::Precise(GZIP_LEVEL)).compress_when(worth_it);
    router.with_state(node).merge(extra).layer(compressed)
}

/// Serves until `stop` resolves, then lets requests that are under way end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

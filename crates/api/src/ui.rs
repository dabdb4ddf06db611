//! The embedded web UI: `ui/dist`, built from `ui/`, is part of the binary.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::Embed;

use crate::node::{Node, Tier};

#[derive(Embed)]
#[folder = "../../ui/dist"]
struct Bundle;

/// The document names assets with a digest of their content, so a new build has new addresses.
const CACHED_FOR_LONG: &str = "public, max-age=31536000, immutable";

/// The pages that the browser's router knows; each is served the same document.
pub(crate) const PAGES: [&str; 7] = ["/query", "/alerts", "/targets", "/rules", "/hierarchy", "/sharding", "/status"];

/// The document, with the path prefix under which the browser sees us.
pub(crate) async fn page(State(node): State<Arc<Node>>) -> Response {
    let Some(file) = Bundle::get("index.html") else {
        return (StatusCode::NOT_FOUND, "this build has no UI\n").into_response();
    };
    let html = String::from_utf8_lossy(&file.data);
    let base = format!("<base href=\"{}\">", node.facts.path_prefix);
    let html = html.replacen("<base href=\"/\">", &base, 1);
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], html).into_response()
}

/// A script, a style sheet, a picture.
pub(crate) async fn asset(Path(path): Path<String>) -> Response {
    let Some(file) = Bundle::get(&format!("assets/{path}")).or_else(|| Bundle::get(&path)) else {
        return (StatusCode::NOT_FOUND, "no such file\n").into_response();
    };
    let content_type = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, CACHED_FOR_LONG)], file.data.into_owned())
        .into_response()
}

/// `/` leads to the query page, where there is one.
pub(crate) async fn home(State(node): State<Arc<Node>>) -> Redirect {
    let page = if node.tier == Tier::Agent { "targets" } else { "query" };
    Redirect::to(&format!("{}{page}", node.facts.path_prefix))
}

/// `/graph`, the address in every Prometheus alert, leads to the query page with the same panels.
pub(crate) async fn graph(State(node): State<Arc<Node>>, RawQuery(query): RawQuery) -> Redirect {
    Redirect::to(&format!("{}query?{}", node.facts.path_prefix, query.unwrap_or_default()))
}

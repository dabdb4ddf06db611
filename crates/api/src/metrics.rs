//! `/metrics` in text format 0.0.4, which every scraper reads.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::envelope::ApiError;
use crate::node::Node;

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Our own metrics.
pub(crate) async fn metrics(State(node): State<Arc<Node>>) -> Response {
    metrics_response(&node.registry.lock())
}

/// The metrics of a registry as the answer to a scrape.
pub fn metrics_response(registry: &Registry) -> Response {
    let mut open_metrics = String::new();
    match encode(&mut open_metrics, registry) {
        Ok(()) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], to_text_format(&open_metrics)).into_response(),
        Err(error) => ApiError::internal(format!("encoding metrics: {error}")).into_response(),
    }
}

/// Rewrites OpenMetrics, the only thing the metrics library writes, as text format 0.0.4: a counter's family is named like
/// its samples, types that 0.0.4 doesn't know get one it does, and `# UNIT` and `# EOF` go.
fn to_text_format(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len());
    let mut help: Option<&str> = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = Some(rest);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "unknown"));
            let (name, kind) = match kind {
                "counter" => (format!("{name}_total"), "counter"),
                "info" => (format!("{name}_info"), "gauge"),
                "unknown" => (name.to_owned(), "untyped"),
                known => (name.to_owned(), known),
            };
            if let Some((_, text)) = help.take().and_then(|h| h.split_once(' ')) {
                out.push_str(&format!("# HELP {name} {text}\n"));
            }
            out.push_str(&format!("# TYPE {name} {kind}\n"));
        } else if !line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_becomes_text_format() {
        let check = |open: &str, want: &str| assert_eq!(to_text_format(open), want);
        check(
            "# HELP hits How often.\n# TYPE hits counter\nhits_total{code=\"200\"} 3\n# EOF\n",
            "# HELP hits_total How often.\n# TYPE hits_total counter\nhits_total{code=\"200\"} 3\n",
        );
        check(
            "# HELP a_seconds Time.\n# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 0.5\n# EOF\n",
            "# HELP a_seconds Time.\n# TYPE a_seconds gauge\na_seconds 0.5\n",
        );
        check(
            "# HELP build Which.\n# TYPE build info\nbuild_info{v=\"1\"} 1\n# EOF\n",
            "# HELP build_info Which.\n# TYPE build_info gauge\nbuild_info{v=\"1\"} 1\n",
        );
    }
}

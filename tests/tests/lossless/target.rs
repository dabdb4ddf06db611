//! A target whose values follow from the time, so that any two scrapes at one moment see the same.

use anyhow::Result;
use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use model::{Clock, SystemClock};

/// Serves `/NUMBER/metrics`; the answer is host and port.
pub(crate) async fn serve() -> Result<String> {
    let page = |Path(number): Path<u64>| async move {
        let now = SystemClock.now().as_ms().max(0).unsigned_abs();
        let mut out = String::from("# TYPE made_counter_total counter\n# TYPE made_gauge gauge\n");
        for series in 0..10 {
            out += &format!(
                "made_counter_total{{series=\"{series}\"}} {}\n",
                (now - 1_700_000_000_000) / 10 * (series + number + 1)
            );
            out += &format!("made_gauge{{series=\"{series}\"}} {:.3}\n", (now as f64 / 1000.0 + series as f64).sin());
        }
        // Some come and go.
        if (now / 3000).is_multiple_of(2) {
            out += &format!("made_sometimes{{at=\"{}\"}} 1\n", now / 60_000);
        }
        out
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let router = Router::new().route("/{number}/metrics", get(page));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

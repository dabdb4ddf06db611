//! The alert that a shard raises without anybody having written it: nobody above pulls it any more.

use daemon::BuiltIn;

use crate::pulls::LAST_PULL;

const MINUTE_MS: i64 = 60_000;

/// The alerts of a shard.
pub(crate) fn built_in() -> Vec<BuiltIn> {
    vec![BuiltIn {
        name: "GlobalUnreachable",
        expr: format!("time() - {LAST_PULL} > $above"),
        above_ms: Some(5 * MINUTE_MS),
        for_ms: 0,
        severity: "critical",
        summary: "No global has pulled this shard for {{ $value | humanizeDuration }}",
        description: "The globals, or the link to them, are gone. Alerts of this cluster are still evaluated and told here; what is \
                      stored meanwhile is pulled later. A shard that is pulled by nobody any more, and shall not be, is told so with \
                      built_in_alerts: {GlobalUnreachable: {enabled: false}}.",
        inhibits: Vec::new(),
    }]
}

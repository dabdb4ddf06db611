//! What all groups of a manager work with.

use std::sync::Arc;

use arc_swap::ArcSwap;
use model::{Clock, Labels};
use promql::Engine;
use storage::{Appendable, Queryable};
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;
use crate::metrics::Metrics;
use crate::notify::Notifier;

/// The manner in which rules are evaluated; Prometheus has command-line flags for most of these. The
/// default is Prometheus's, but for `hold_missed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long to wait before a firing alert is sent again, in milliseconds.
    pub resend_delay_ms: i64,
    /// How long a restored alert waits at least before it fires, in milliseconds. Rules with a shorter `for` aren't
    /// restored: waiting for it once more takes less.
    pub for_grace_period_ms: i64,
    /// How old the stored state of an alert may be to be restored, in milliseconds.
    pub outage_tolerance_ms: i64,
    /// Whether the state of alerts is restored after the start.
    pub restore: bool,
    /// Whether an alert that vanishes because the scrapes of its targets failed is held until they succeed, for at most the
    /// engine's lookback. Its targets are known by its labels `instance` and `job`.
    pub hold_missed: bool,
    /// Whether groups are evaluated by the clock. Without, only by [`Manager::evaluate_at`](crate::manager::Manager::evaluate_at).
    pub timers: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            resend_delay_ms: 60_000,
            for_grace_period_ms: 10 * 60_000,
            outage_tolerance_ms: 60 * 60_000,
            restore: true,
            hold_missed: true,
            timers: true,
        }
    }
}

pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) queryable: Arc<dyn Queryable>,
    pub(crate) storage: Arc<dyn Appendable>,
    pub(crate) notifier: Arc<dyn Notifier>,
    pub(crate) gate: Option<Arc<dyn Gate>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) external_url: String,
    pub(crate) external_labels: ArcSwap<Labels>,
    pub(crate) settings: Settings,
    pub(crate) metrics: Metrics,
    /// Ends everything, evaluations under way included.
    pub(crate) interrupt: CancellationToken,
}

//! What the pipeline tells about itself, under Alertmanager's names.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::cluster_metrics::ClusterMetrics;

/// `integration="webhook"`.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct Integration {
    /// The kind of receiver.
    pub integration: &'static str,
}

/// `integration="webhook", reason="…"`.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct Failure {
    /// The kind of receiver.
    pub integration: &'static str,
    /// `serverError` where every attempt failed until time was up, `clientError` where the receiver refused.
    pub reason: &'static str,
}

/// `state="…"`.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct StateLabel {
    /// active, suppressed; active, pending, expired.
    pub state: &'static str,
}

/// `status="firing"` or `"resolved"`.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct StatusLabel {
    /// firing or resolved.
    pub status: &'static str,
}

/// The metrics of one alert pipeline.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// `alertmanager_alerts`
    pub alerts: Family<StateLabel, Gauge<i64, AtomicI64>>,
    /// `alertmanager_alerts_received_total`
    pub received: Family<StatusLabel, Counter>,
    /// `alertmanager_alerts_invalid_total`
    pub invalid: Counter,
    /// `alertmanager_silences`
    pub silences: Family<StateLabel, Gauge<i64, AtomicI64>>,
    /// `alertmanager_notifications_total`
    pub notifications: Family<Integration, Counter>,
    /// `alertmanager_notifications_failed_total`
    pub failed: Family<Failure, Counter>,
    /// `alertmanager_notification_requests_total`
    pub requests: Family<Integration, Counter>,
    /// `alertmanager_notification_requests_failed_total`
    pub requests_failed: Family<Integration, Counter>,
    /// `alertmanager_notification_latency_seconds`
    pub latency: Family<Integration, Histogram, fn() -> Histogram>,
    /// `alertmanager_dispatcher_aggregation_groups`
    pub groups: Gauge<i64, AtomicI64>,
    /// `alertmanager_config_last_reload_successful`
    pub config_ok: Gauge<i64, AtomicI64>,
    /// `watershed_alert_journal_bytes`
    pub journal_bytes: Gauge<u64, AtomicU64>,
    /// `watershed_alert_journal_errors_total`
    pub journal_errors: Counter,
    /// What concerns the pair.
    pub cluster: ClusterMetrics,
}

impl Metrics {
    /// Registers the metrics.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let buckets: fn() -> Histogram = || Histogram::new([0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0, 15.0, 20.0]);
        let metrics = Metrics {
            alerts: Family::default(),
            received: Family::default(),
            invalid: Counter::default(),
            silences: Family::default(),
            notifications: Family::default(),
            failed: Family::default(),
            requests: Family::default(),
            requests_failed: Family::default(),
            latency: Family::new_with_constructor(buckets),
            groups: Gauge::default(),
            config_ok: Gauge::default(),
            journal_bytes: Gauge::default(),
            journal_errors: Counter::default(),
            cluster: ClusterMetrics::new(registry),
        };
        let m = &metrics;
        registry.register("alertmanager_alerts", "Alerts by state", m.alerts.clone());
        registry.register("alertmanager_alerts_received", "Alerts received", m.received.clone());
        registry.register("alertmanager_alerts_invalid", "Alerts received that were invalid", m.invalid.clone());
        registry.register("alertmanager_silences", "Silences by state", m.silences.clone());
        registry.register("alertmanager_notifications", "Notifications attempted", m.notifications.clone());
        registry.register("alertmanager_notifications_failed", "Notifications that failed for good", m.failed.clone());
        registry.register("alertmanager_notification_requests", "Attempts to notify", m.requests.clone());
        registry.register(
            "alertmanager_notification_requests_failed",
            "Attempts to notify that failed",
            m.requests_failed.clone(),
        );
        let help = "Time of one attempt to notify";
        registry.register_with_unit("alertmanager_notification_latency", help, Unit::Seconds, m.latency.clone());
        registry.register("alertmanager_dispatcher_aggregation_groups", "Active groups", m.groups.clone());
        let help = "Whether the last attempt to load the configuration succeeded";
        registry.register("alertmanager_config_last_reload_successful", help, m.config_ok.clone());
        registry.register("watershed_alert_journal_bytes", "Size of the alert journal", m.journal_bytes.clone());
        let help = "Records that couldn't be written to the alert journal";
        registry.register("watershed_alert_journal_errors", help, m.journal_errors.clone());
        metrics.start_at_zero();
        metrics
    }

    /// Shows counters that dashboards ask for before their first event.
    fn start_at_zero(&self) {
        let integration = Integration { integration: "webhook" };
        drop(self.notifications.get_or_create(&integration));
        drop(self.requests.get_or_create(&integration));
        drop(self.requests_failed.get_or_create(&integration));
        for reason in ["serverError", "clientError"] {
            drop(self.failed.get_or_create(&Failure { integration: "webhook", reason }));
        }
        for status in ["firing", "resolved"] {
            drop(self.received.get_or_create(&StatusLabel { status }));
        }
    }
}

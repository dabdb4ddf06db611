//! `dns_sd_configs`: targets are the records of names.

use std::sync::Arc;
use std::time::Duration;

use config::{DurationMs, Report, Spanned, chain};
use futures::future::join_all;
use hickory_resolver::proto::rr::{RData, RecordType};
use model::Labels;
use serde::Deserialize;

use crate::environment::Environment;
use crate::group::{Round, TargetGroup};
use crate::refresh::Asked;

const DEFAULT_REFRESH_MS: i64 = 30_000;
const NAME_LABEL: &str = "__meta_dns_name";
const SRV_TARGET_LABEL: &str = "__meta_dns_srv_record_target";
const SRV_PORT_LABEL: &str = "__meta_dns_srv_record_port";
const MX_TARGET_LABEL: &str = "__meta_dns_mx_record_target";
const NS_TARGET_LABEL: &str = "__meta_dns_ns_record_target";

/// `dns_sd_configs` as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawDnsSdConfig {
    /// Names to look up.
    pub names: Vec<Spanned<String>>,
    /// `SRV` unless something else is said; in any case.
    #[serde(rename = "type")]
    pub kind: Option<Spanned<String>>,
    /// The port of all targets, which SRV records bring themselves.
    pub port: Option<Spanned<u64>>,
    /// How often the names are looked up, 30s by default.
    pub refresh_interval: Option<Spanned<DurationMs>>,
}

/// Which records are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecordKind {
    /// Hosts with their ports.
    #[default]
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Hosts that take mail.
    Mx,
    /// Hosts that serve names.
    Ns,
}

const KINDS: [(&str, RecordKind, RecordType); 5] = [
    ("SRV", RecordKind::Srv, RecordType::SRV),
    ("A", RecordKind::A, RecordType::A),
    ("AAAA", RecordKind::Aaaa, RecordType::AAAA),
    ("MX", RecordKind::Mx, RecordType::MX),
    ("NS", RecordKind::Ns, RecordType::NS),
];

impl RecordKind {
    fn parse(text: &str) -> Result<Self, String> {
        let found = KINDS.iter().find(|(word, ..)| word.eq_ignore_ascii_case(text)).map(|(_, kind, _)| *kind);
        found.ok_or_else(|| format!("invalid DNS-SD records type {text:?}, expected SRV, A, AAAA, MX or NS"))
    }

    fn record_type(self) -> RecordType {
        KINDS.iter().find(|(_, kind, _)| *kind == self).map_or(RecordType::SRV, |(.., record_type)| *record_type)
    }
}

/// `dns_sd_configs`, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSdConfig {
    /// Names to look up.
    pub names: Vec<String>,
    /// Which records of the names.
    pub kind: RecordKind,
    /// The port of all targets; not used for SRV records.
    pub port: u16,
    /// How often the names are looked up, in milliseconds.
    pub refresh_interval_ms: i64,
}

impl DnsSdConfig {
    pub(crate) fn validate(raw: RawDnsSdConfig, position: config::Position, report: &mut Report) -> DnsSdConfig {
        if raw.names.is_empty() {
            report.error(position, "DNS-SD config must contain at least one record name");
        }
        let kind = raw.kind.and_then(|kind| report.check(&kind, RecordKind::parse(&kind))).unwrap_or_default();
        let port = match &raw.port {
            Some(port) => {
                let number = u16::try_from(port.value).map_err(|_| format!("{} is not a port", port.value));
                report.check(port, number).unwrap_or_default()
            }
            None => 0,
        };
        if kind != RecordKind::Srv && raw.port.is_none_or(|port| port.value == 0) {
            report.error(position, "a port is required in DNS-SD configs for all record types except SRV");
        }
        let refresh = raw.refresh_interval.map_or(DEFAULT_REFRESH_MS, |interval| {
            if interval.0 <= 0 {
                report.error(&interval, "refresh_interval must be longer than 0");
            }
            interval.0
        });
        let names = raw.names.into_iter().map(|name| name.value).collect();
        DnsSdConfig { names, kind, port, refresh_interval_ms: refresh }
    }

    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.refresh_interval_ms.max(1).unsigned_abs())
    }
}

/// Looks the names up.
pub(crate) struct DnsSource {
    pub(crate) config: DnsSdConfig,
    pub(crate) environment: Arc<Environment>,
    pub(crate) owner: String,
}

impl Asked for DnsSource {
    fn interval(&self) -> Duration {
        self.config.interval()
    }

    async fn ask(&self) -> Round {
        let Environment { metrics, dns, .. } = &*self.environment;
        let lookups = dns.resolver();
        let lookups = lookups.as_ref();
        let round = join_all(self.config.names.iter().map(async |name| {
            metrics.dns_lookups.inc();
            let records = match lookups {
                Ok(lookups) => lookups.records(name, self.config.kind.record_type()).await.map_err(|e| chain(&e)),
                Err(error) => Err(chain(error)),
            };
            let groups = records
                .map(|records| records.iter().filter_map(|record| group_of(name, record, self.config.port)).collect())
                .inspect_err(|error| {
                    metrics.dns_lookup_failures.inc();
                    tracing::error!(config = %self.owner, name, error, "name not looked up, its last targets stay");
                });
            (name.clone(), groups.ok())
        }));
        let round = round.await;
        if round.iter().any(|(_, groups): &(_, Option<_>)| groups.is_none()) {
            metrics.count_failed_refresh(&self.owner, "dns");
        }
        round
    }
}

/// The target that a record stands for, with labels that say where it is from.
fn group_of(name: &str, record: &RData, port: u16) -> Option<TargetGroup> {
    let of_host = |host: String, port: u16| format!("{}:{port}", host.trim_end_matches('.'));
    let (target, labels) = match record {
        RData::SRV(srv) => {
            let host = srv.target.to_utf8();
            let labels = vec![(SRV_TARGET_LABEL, host.clone()), (SRV_PORT_LABEL, srv.port.to_string())];
            (of_host(host, srv.port), labels)
        }
        RData::MX(mx) => {
            let host = mx.exchange.to_utf8();
            (of_host(host.clone(), port), vec![(MX_TARGET_LABEL, host)])
        }
        RData::NS(ns) => {
            let host = ns.0.to_utf8();
            (of_host(host.clone(), port), vec![(NS_TARGET_LABEL, host)])
        }
        RData::A(address) => (format!("{address}:{port}"), Vec::new()),
        RData::AAAA(address) => (format!("[{address}]:{port}"), Vec::new()),
        _ => return None,
    };
    let labels = labels.iter().map(|(name, value)| (*name, value.as_str())).chain([(NAME_LABEL, name)]);
    Some(TargetGroup { targets: vec![target], labels: Labels::from_pairs(labels) })
}

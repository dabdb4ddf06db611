//! What an instance tells about its peers, under Alertmanager's names where it has them.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::pair::LinkView;

/// Whose turn it was to tell something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Ours: all peers that there are agreed.
    Granted,
    /// Ours: no peer answered, or there is none.
    Alone,
    /// A peer's, which is at it.
    Held,
    /// A peer's, which has told it.
    Told,
}

impl Turn {
    const ALL: [Turn; 4] = [Turn::Granted, Turn::Alone, Turn::Held, Turn::Told];

    fn name(self) -> &'static str {
        match self {
            Turn::Granted => "granted",
            Turn::Alone => "alone",
            Turn::Held => "held",
            Turn::Told => "told",
        }
    }
}

/// `answer="…"`.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AnswerLabel {
    answer: &'static str,
}

/// `peer="…"`: a name of an instance, or host and port of one.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PeerLabel {
    peer: String,
}

/// The metrics of one instance about its peers.
#[derive(Debug, Clone)]
pub(crate) struct ClusterMetrics {
    /// `watershed_alert_peer_records_refused_total`
    pub refused: Counter,
    /// `watershed_alert_taken_over_total`
    pub taken_over: Counter,
    members: Gauge<i64, AtomicI64>,
    failed: Gauge<i64, AtomicI64>,
    info: Family<PeerLabel, Gauge<i64, AtomicI64>>,
    up: Family<PeerLabel, Gauge<i64, AtomicI64>>,
    behind: Family<PeerLabel, Gauge<u64, AtomicU64>>,
    turns: Family<AnswerLabel, Counter>,
}

impl ClusterMetrics {
    /// Registers the metrics.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = ClusterMetrics {
            refused: Counter::default(),
            taken_over: Counter::default(),
            members: Gauge::default(),
            failed: Gauge::default(),
            info: Family::default(),
            up: Family::default(),
            behind: Family::default(),
            turns: Family::default(),
        };
        let m = &metrics;
        registry.register(
            "alertmanager_cluster_members",
            "Instances that are there, this one included",
            m.members.clone(),
        );
        registry.register("alertmanager_cluster_failed_peers", "Peers that give no answer", m.failed.clone());
        registry.register("alertmanager_cluster_peer_info", "The name of this instance", m.info.clone());
        registry.register("watershed_alert_peer_up", "Whether the peer answers", m.up.clone());
        let help = "Changes that the peer hasn't heard of yet";
        registry.register("watershed_alert_peer_behind", help, m.behind.clone());
        let help = "Attempts to notify by whose turn it was: ours (granted, alone), a peer's (held, told)";
        registry.register("watershed_alert_intents", help, m.turns.clone());
        let help = "Groups looked at again because a peer that was telling them gave no more sign of life";
        registry.register("watershed_alert_taken_over", help, m.taken_over.clone());
        let help = "Records of peers that were not taken because a bound is hit or they make no sense";
        registry.register("watershed_alert_peer_records_refused", help, m.refused.clone());
        Turn::ALL.into_iter().for_each(|turn| drop(m.turns.get_or_create(&AnswerLabel { answer: turn.name() })));
        metrics.members.set(1);
        metrics
    }

    /// Says how we are called.
    pub(crate) fn is(&self, name: &str) {
        self.info.get_or_create(&PeerLabel { peer: name.to_owned() }).set(1);
    }

    /// Counts an attempt.
    pub(crate) fn turn(&self, turn: Turn) {
        self.turns.get_or_create(&AnswerLabel { answer: turn.name() }).inc();
    }

    /// Shows which peers are there.
    pub(crate) fn peers(&self, peers: &[LinkView]) {
        let up = peers.iter().filter(|peer| peer.is_up).count();
        self.members.set(i64::try_from(up + 1).unwrap_or(i64::MAX));
        self.failed.set(i64::try_from(peers.len() - up).unwrap_or(i64::MAX));
        self.up.clear();
        for peer in peers {
            self.up.get_or_create(&PeerLabel { peer: peer.address.clone() }).set(i64::from(peer.is_up));
        }
    }

    /// Shows how much a peer hasn't heard of yet.
    pub(crate) fn behind(&self, address: &str, changes: usize) {
        let changes = u64::try_from(changes).unwrap_or(u64::MAX);
        self.behind.get_or_create(&PeerLabel { peer: address.to_owned() }).set(changes);
    }

    /// Shows nothing more of a peer that was taken out of the configuration.
    pub(crate) fn forget(&self, address: &str) {
        self.behind.remove(&PeerLabel { peer: address.to_owned() });
    }
}

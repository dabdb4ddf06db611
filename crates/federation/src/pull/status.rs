//! What is known of the shards, for pages.

use std::time::Duration;

use model::Timestamp;

use crate::pull::protocol::Protocol;
use crate::pull::spec::ReplicaSpec;

/// Whether a replica answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplicaState {
    /// It was not pulled yet.
    #[default]
    Unknown,
    /// The last pull succeeded.
    Up,
    /// The last pull failed.
    Down,
}

impl ReplicaState {
    /// The word on pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            ReplicaState::Unknown => "unknown",
            ReplicaState::Up => "up",
            ReplicaState::Down => "down",
        }
    }
}

/// One shard at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardStatus {
    /// Its name in the configuration.
    pub name: String,
    /// In the order of the configuration.
    pub replicas: Vec<ReplicaStatus>,
}

/// One replica as the last pull saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaStatus {
    /// Its base URL.
    pub url: String,
    /// Host and port.
    pub instance: String,
    /// The value of its replica label, empty while none was seen.
    pub replica: String,
    /// Whether it answers.
    pub state: ReplicaState,
    /// How it is pulled.
    pub protocol: Protocol,
    /// When the last pull began.
    pub last_pull: Option<Timestamp>,
    /// How long the last pull took, storing included.
    pub last_pull_duration: Duration,
    /// How many new samples the last pull stored.
    pub last_pull_samples: u64,
    /// The newest sample that any pull brought.
    pub newest_sample: Option<Timestamp>,
    /// Up to which time of its own clock everything is here that it had stored; later samples of earlier times are possible, they are late.
    pub complete_until: Option<Timestamp>,
    /// When, by our clock, everything was here that it had.
    pub current_at: Option<Timestamp>,
    /// Whether it had more than the last answer brought.
    pub draining: bool,
    /// The cursor that the next pull begins at, where it is pulled by cursor.
    pub cursor: String,
    /// How far its clock was ahead of ours at the last pull, where it says what it shows.
    pub clock_ahead_ms: Option<i64>,
    /// The last stretch of time of which samples are missing, because they had been deleted before they were pulled.
    pub gap: Option<(Timestamp, Timestamp)>,
    /// Why the last pull failed, where it did.
    pub last_error: Option<String>,
}

impl ReplicaStatus {
    /// A replica that was not pulled yet.
    pub(super) fn unknown(spec: &ReplicaSpec) -> Self {
        ReplicaStatus {
            url: spec.url.as_str().trim_end_matches('/').to_owned(),
            instance: spec.instance(),
            replica: String::new(),
            state: ReplicaState::Unknown,
            protocol: Protocol::Text,
            last_pull: None,
            last_pull_duration: Duration::ZERO,
            last_pull_samples: 0,
            newest_sample: None,
            complete_until: None,
            current_at: None,
            draining: false,
            cursor: String::new(),
            clock_ahead_ms: None,
            gap: None,
            last_error: None,
        }
    }
}

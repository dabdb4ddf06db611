//! The way to one peer, and what is known of it.

use std::time::Duration;

use bytes::Bytes;
use config::chain;
use parking_lot::Mutex;
use reqwest::header::CONTENT_TYPE;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::pair::definition::PeerConfig;
use crate::pair::intents::Member;

/// A peer that has given no sign of life for so long counts as away; one that refuses connections does at once.
const AWAY_AFTER: Duration = Duration::from_secs(3);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why a peer gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkError {
    /// Nobody listens there.
    #[error("{0}")]
    Closed(String),
    /// It took too long, or the connection broke.
    #[error("{0}")]
    Broken(String),
    /// It answered that it won't.
    #[error("it answered {status}: {reason}")]
    Refused {
        /// The status.
        status: u16,
        /// The beginning of what it said.
        reason: String,
    },
}

/// What is known of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkView {
    /// Its name and run, once it has told.
    pub member: Option<Member>,
    /// Host and port.
    pub address: String,
    /// Whether it answers.
    pub is_up: bool,
}

#[derive(Debug)]
struct Known {
    member: Option<Member>,
    last_sign: Instant,
    away: bool,
    acknowledged: u64,
    trouble: Option<String>,
}

/// The way to one peer.
#[derive(Debug)]
pub(crate) struct Link {
    /// How it is reached.
    pub config: PeerConfig,
    /// Says that there is something to tell it.
    pub news: Notify,
    /// Says that it was heard of after it was away.
    pub back: Notify,
    known: Mutex<Known>,
}

impl Link {
    /// A way that hasn't been gone yet.
    pub(crate) fn new(config: PeerConfig) -> Self {
        let known = Known { member: None, last_sign: Instant::now(), away: false, acknowledged: 0, trouble: None };
        Link { config, news: Notify::new(), back: Notify::new(), known: Mutex::new(known) }
    }

    /// What is known of the peer.
    pub(crate) fn view(&self) -> LinkView {
        let known = self.known.lock();
        LinkView { member: known.member.clone(), address: self.config.address(), is_up: known.is_up() }
    }

    /// Whether the peer is worth being asked: it is there, or nobody knows yet.
    pub(crate) fn may_answer(&self) -> bool {
        self.known.lock().may_answer()
    }

    /// The number of the last change that the peer has.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.known.lock().acknowledged
    }

    /// Sends a message and waits for the answer. A connection that breaks is tried once more: it may be one from before the
    /// peer's restart.
    pub(crate) async fn post(&self, path: &str, body: Vec<u8>, within: Duration) -> Result<Vec<u8>, LinkError> {
        let body = Bytes::from(body);
        let twice = async {
            match self.attempt(path, body.clone()).await {
                Err(LinkError::Broken(_)) => self.attempt(path, body).await,
                outcome => outcome,
            }
        };
        let late = || LinkError::Broken(format!("no answer within {} ms", within.as_millis()));
        let outcome = tokio::time::timeout(within, twice).await.unwrap_or_else(|_| Err(late()));
        if let Err(LinkError::Closed(_)) = &outcome {
            self.known.lock().away = true;
        }
        outcome
    }

    async fn attempt(&self, path: &str, body: Bytes) -> Result<Vec<u8>, LinkError> {
        let unanswered = |e: http_client::Error| match e.is_connect() {
            true => LinkError::Closed(chain(&e)),
            false => LinkError::Broken(chain(&e)),
        };
        let broken = |e: reqwest::Error| LinkError::Broken(chain(&e.without_url()));
        let url = self.config.url.join(path.trim_start_matches('/')).map_err(|e| LinkError::Broken(e.to_string()))?;
        let request = self.config.client.post(url).body(body).header(CONTENT_TYPE, "text/plain; charset=utf-8");
        let mut answer = request.send().await.map_err(unanswered)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(LinkError::Broken(format!("the answer is longer than {ANSWER_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        if answer.status().is_success() {
            return Ok(body);
        }
        let reason: String = String::from_utf8_lossy(&body).chars().take(200).collect();
        Err(LinkError::Refused { status: answer.status().as_u16(), reason })
    }

    /// Notes that the peer has answered. Another run of it has what its journal has, which may be less than was
    /// acknowledged: it is told everything again.
    pub(crate) fn answered(&self, member: &Member) {
        let mut known = self.known.lock();
        if known.member.as_ref() != Some(member) {
            known.acknowledged = 0;
            known.member = Some(member.clone());
        }
        known.last_sign = Instant::now();
        known.away = false;
        known.trouble = None;
    }

    /// Notes that this run of the peer has what changed between two numbers. True: it has all that was acknowledged before,
    /// too.
    pub(crate) fn acknowledge(&self, member: &Member, after: u64, upto: u64) -> bool {
        let mut known = self.known.lock();
        let follows = known.member.as_ref() == Some(member) && known.acknowledged == after;
        if follows {
            known.acknowledged = upto;
        }
        follows
    }

    /// Notes that a message didn't arrive; true the first time in a row of the same reason.
    pub(crate) fn failed(&self, error: &LinkError) -> bool {
        let mut known = self.known.lock();
        known.away |= matches!(error, LinkError::Refused { .. }) || known.last_sign.elapsed() > AWAY_AFTER;
        let reason = Some(error.to_string());
        let is_new = known.trouble != reason;
        known.trouble = reason;
        is_new
    }
}

impl Known {
    fn may_answer(&self) -> bool {
        !self.away
    }

    fn is_up(&self) -> bool {
        self.member.is_some() && !self.away
    }
}

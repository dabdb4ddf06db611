//! Who of a pair tells what: intents and leases, as a pure state machine.
//!
//! An instance that wants to tell something asks its peers first. A peer that agrees holds still about it: it has given a
//! lease, and takes over when the lease ends without the notification having been told. Of two that ask each other at the
//! same moment the one with the lesser name goes first. A lease is short and renewed by the signs of life of who holds it,
//! so it ends soon after its holder and never before.
//!
//! Silence is not a no: who gets no answer goes ahead, because an alert told twice is better than one not told.
//!
//! Moments are times since some fixed one, on a clock that doesn't jump.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dispatcher::GroupId;
use crate::notification_log::Entry;

/// How long a lease counts after the last sign of life of its holder.
pub(crate) const LEASE: Duration = Duration::from_secs(5);
/// How many leases are given at most; beyond them an asker is told to go ahead, and nobody holds still.
const LEASES_MAX: usize = 100_000;

/// One run of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Member {
    /// The name of the instance, which stays.
    pub name: String,
    /// The number of this run of it: what a former run wanted to tell died with it.
    pub run: u64,
}

/// What a peer says to an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// Go ahead.
    Granted,
    /// Somebody else is at it.
    Held {
        /// Who.
        by: Member,
        /// For how long, unless there are further signs of life, in milliseconds.
        for_ms: u64,
    },
    /// It has been told already; decide anew.
    Sent(Entry),
}

/// What came of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Tell it.
    Go,
    /// Somebody else is at it.
    Wait,
    /// It has been told; these are the entries that say so.
    Told(Vec<Entry>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    /// The peers are being asked.
    Asking,
    /// The peers are being asked, and one that goes first has asked meanwhile.
    Yielded,
    /// It is being told.
    Telling,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Lease {
    holder: Member,
    until: Duration,
}

/// The intents of this instance and the leases that others have.
#[derive(Debug)]
pub(crate) struct Intents {
    me: Member,
    own: HashMap<String, Own>,
    leases: HashMap<String, Lease>,
    waiting: HashMap<String, GroupId>,
}

impl Intents {
    /// Those of an instance that wants nothing yet.
    pub(crate) fn new(me: Member) -> Self {
        Intents { me, own: HashMap::new(), leases: HashMap::new(), waiting: HashMap::new() }
    }

    /// Who we are.
    pub(crate) fn me(&self) -> &Member {
        &self.me
    }

    /// Begins to ask the peers whether this may be told. False: somebody else is at it, nobody need be asked.
    pub(crate) fn begin(&mut self, key: &str, at: Duration) -> bool {
        let free = self.lease(key, at).is_none();
        if free {
            self.own.insert(key.to_owned(), Own::Asking);
        }
        free
    }

    /// What a peer is told that wants to tell something; `newer` is what has been told under this key and it doesn't know.
    pub(crate) fn asked(&mut self, by: &Member, key: &str, newer: Option<&Entry>, at: Duration) -> Answer {
        if let Some(entry) = newer {
            return Answer::Sent(entry.clone());
        }
        let ours = |me: &Member| Answer::Held { by: me.clone(), for_ms: millis(LEASE) };
        match self.own.get_mut(key) {
            Some(Own::Telling) => return ours(&self.me),
            Some(Own::Asking) if self.me.name < by.name => return ours(&self.me),
            Some(own) => *own = Own::Yielded,
            None => {}
        }
        if let Some(lease) = self.lease(key, at).filter(|lease| lease.holder.name != by.name) {
            return Answer::Held { by: lease.holder.clone(), for_ms: millis(lease.until.saturating_sub(at)) };
        }
        self.hold_still(key, by, at + LEASE);
        Answer::Granted
    }

    /// What comes of the answers of those peers that gave one.
    pub(crate) fn answered(&mut self, key: &str, answers: Vec<Answer>, at: Duration) -> Verdict {
        let Some(own) = self.own.remove(key) else { return Verdict::Wait };
        let (mut told, mut wait) = (Vec::new(), own == Own::Yielded);
        for answer in answers {
            match answer {
                Answer::Granted => {}
                Answer::Held { by, for_ms } => {
                    wait = true;
                    self.hold_still(key, &by, at + Duration::from_millis(for_ms).min(LEASE));
                }
                Answer::Sent(entry) => told.push(entry),
            }
        }
        if !told.is_empty() {
            return Verdict::Told(told);
        }
        if wait {
            return Verdict::Wait;
        }
        self.own.insert(key.to_owned(), Own::Telling);
        Verdict::Go
    }

    /// Ends an intent: it was told, or it is given up.
    pub(crate) fn end(&mut self, key: &str) {
        self.own.remove(key);
    }

    /// A peer gives a lease back: it couldn't tell. The group that waited, if one did.
    pub(crate) fn given_back(&mut self, by: &Member, key: &str) -> Option<GroupId> {
        self.leases.get(key).is_some_and(|lease| lease.holder == *by).then(|| self.leases.remove(key))?;
        self.waiting.remove(key)
    }

    /// Something has been told under this key: leases on it have served their purpose. The group that waited, if one did.
    pub(crate) fn told(&mut self, key: &str) -> Option<GroupId> {
        self.leases.remove(key);
        self.waiting.remove(key)
    }

    /// A sign of life of a peer, with the keys it is telling. What a former run of it held is free. The groups that waited
    /// for that.
    pub(crate) fn alive(&mut self, peer: &Member, holds: &HashSet<String>, at: Duration) -> Vec<GroupId> {
        let mut freed = Vec::new();
        self.leases.retain(|key, lease| {
            if lease.holder.name != peer.name {
                return true;
            }
            if lease.holder.run != peer.run {
                freed.push(key.clone());
                return false;
            }
            if holds.contains(key) {
                lease.until = at + LEASE;
            }
            true
        });
        freed.iter().filter_map(|key| self.waiting.remove(key)).collect()
    }

    /// Ends the leases that are over; the groups that waited for them.
    pub(crate) fn lapse(&mut self, at: Duration) -> Vec<GroupId> {
        self.leases.retain(|_, lease| lease.until > at);
        let leases = &self.leases;
        self.waiting.extract_if(|key, _| !leases.contains_key(key)).map(|(_, group)| group).collect()
    }

    /// Notes that a group waits until this is free, and for how long at most.
    pub(crate) fn wait(&mut self, key: &str, group: &GroupId, at: Duration) -> Duration {
        let Some(lease) = self.lease(key, at) else { return Duration::ZERO };
        let wait = lease.until.saturating_sub(at);
        self.waiting.insert(key.to_owned(), group.clone());
        wait
    }

    /// What is being told, or asked for, at present.
    pub(crate) fn holds(&self) -> HashSet<String> {
        self.own.iter().filter(|(_, own)| **own != Own::Yielded).map(|(key, _)| key.clone()).collect()
    }

    fn lease(&self, key: &str, at: Duration) -> Option<&Lease> {
        self.leases.get(key).filter(|lease| lease.until > at && lease.holder.name != self.me.name)
    }

    fn hold_still(&mut self, key: &str, holder: &Member, until: Duration) {
        if self.leases.contains_key(key) || self.leases.len() < LEASES_MAX {
            self.leases.insert(key.to_owned(), Lease { holder: holder.clone(), until });
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

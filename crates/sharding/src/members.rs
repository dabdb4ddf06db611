//! What a shard knows of the members, itself among them. Pure: the time is handed in.

use std::sync::Arc;

use tokio::time::Instant;
use url::Url;

use crate::assignment::{Assignment, Shared};
use crate::config::ShardingConfig;
use crate::ring::Ring;
use crate::word::{State, Word};

/// How a member stands, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has not been asked yet.
    Unknown,
    /// It is there, and has not scraped all its targets yet.
    Joining,
    /// It does its share.
    Serving,
    /// It has said nothing for too long: others do its work.
    Silent,
}

/// One member as it is seen from here.
#[derive(Debug, Clone)]
pub struct MemberStatus {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is asked; `None` for this shard itself.
    pub url: Option<Url>,
    /// How it stands.
    pub standing: Standing,
    /// When it answered last.
    pub heard: Option<Instant>,
    /// What was wrong when it was asked last; empty if nothing was.
    pub error: String,
    /// Who does a share as it sees it.
    pub serving: Vec<String>,
}

#[derive(Debug)]
struct Member {
    name: Arc<str>,
    url: Option<Url>,
    heard: Option<(Instant, Word)>,
    was_asked: bool,
    error: String,
}

/// All members, and what they said last.
#[derive(Debug)]
pub(crate) struct Members {
    config: ShardingConfig,
    list: Vec<Member>,
    own: usize,
    names: Arc<[Arc<str>]>,
    ring: Arc<Ring>,
    /// Whether members were found, where they are looked for.
    is_found: bool,
}

impl Members {
    /// The members of the list; those that are looked for come with [`Members::found`].
    pub(crate) fn new(config: ShardingConfig) -> Members {
        let (list, names) = (Vec::new(), Arc::from([]));
        let ring = Arc::new(Ring::new([]));
        let is_found = config.sources.found.is_empty();
        let mut members = Members { config, list, own: 0, names, ring, is_found };
        members.replace(members.config.peers.clone());
        members
    }

    pub(crate) fn config(&self) -> &ShardingConfig {
        &self.config
    }

    /// Takes over the words of another view about members that are in both.
    pub(crate) fn remember(&mut self, other: Members) {
        for known in other.list {
            if let Some(member) =
                self.list.iter_mut().find(|member| member.name == known.name && member.url == known.url)
            {
                *member = known;
            }
        }
    }

    /// The members that were looked for and found, by name; those of the list and this one belong to them always. Whether that changed
    /// anything.
    pub(crate) fn found(&mut self, names: Vec<String>) -> bool {
        self.is_found |= !names.is_empty();
        self.replace(self.config.peers.iter().cloned().chain(names).collect())
    }

    fn replace(&mut self, mut names: Vec<String>) -> bool {
        names.push(self.config.name.clone());
        names.sort();
        names.dedup();
        if names.iter().map(String::as_str).eq(self.names.iter().map(|name| &**name)) {
            return false;
        }
        let mut old = std::mem::take(&mut self.list);
        for name in names {
            let known = old.iter().position(|member| *member.name == *name).map(|at| old.swap_remove(at));
            let url = if name == self.config.name { None } else { self.config.url_of(&name).ok() };
            let fresh = || Member { name: name.into(), url, heard: None, was_asked: false, error: String::new() };
            self.list.push(known.unwrap_or_else(fresh));
        }
        self.names = self.list.iter().map(|member| Arc::clone(&member.name)).collect();
        self.own = self.list.iter().position(|member| *member.name == *self.config.name).unwrap_or(0);
        self.ring = Arc::new(Ring::new(self.names.iter().map(|name| &**name)));
        true
    }

    /// Whom to ask.
    pub(crate) fn urls(&self) -> impl Iterator<Item = (Arc<str>, Url)> + '_ {
        self.list.iter().filter_map(|member| Some((Arc::clone(&member.name), member.url.clone()?)))
    }

    /// Takes note of an answer, or of what was wrong with it.
    pub(crate) fn answered(&mut self, name: &str, answer: Result<Word, String>, now: Instant) {
        let factor = self.config.replication_factor;
        let Some(member) = self.list.iter_mut().find(|member| *member.name == *name) else { return };
        member.was_asked = true;
        match answer {
            Ok(word) if word.name != name => {
                member.error = format!(
                    "it calls itself {:?}: sharding.self there and the name of the member must be equal",
                    word.name
                );
            }
            Ok(word) => {
                member.error = match word.replication_factor {
                    other if other != factor => {
                        format!("its replication_factor is {other} and this shard's is {factor}")
                    }
                    _ => String::new(),
                };
                member.heard = Some((now, word));
            }
            Err(error) => member.error = error,
        }
    }

    fn standing(&self, at: usize, own: State, now: Instant) -> Standing {
        let of = |state| match state {
            State::Joining => Standing::Joining,
            State::Serving => Standing::Serving,
        };
        if at == self.own {
            return of(own);
        }
        match &self.list[at].heard {
            Some((heard, word)) if now.saturating_duration_since(*heard) <= self.config.takeover_after => {
                of(word.state)
            }
            None if !self.list[at].was_asked => Standing::Unknown,
            _ => Standing::Silent,
        }
    }

    /// Whether all members are there.
    pub(crate) fn is_complete(&self, now: Instant) -> bool {
        let is_there = |at| matches!(self.standing(at, State::Joining, now), Standing::Joining | Standing::Serving);
        self.is_found && (0..self.list.len()).all(is_there)
    }

    /// Who scrapes what. `own` is how far this shard is, `before` is who took targets until now.
    ///
    /// It always takes its own share. Of the others count those who serve, and of those who join the ones that took targets before: they
    /// were away too short for others to do their work. While a shard joins itself, all who join count, so that shards that are started
    /// together share from the beginning.
    pub(crate) fn assignment(&self, own: State, before: &Assignment, now: Instant) -> Assignment {
        let before = before.takers();
        let takes = self.list.iter().enumerate().map(|(at, member)| match self.standing(at, own, now) {
            _ if at == self.own => true,
            Standing::Serving => true,
            Standing::Joining => own == State::Joining || before.contains(&&*member.name),
            Standing::Unknown | Standing::Silent => false,
        });
        Assignment::Shared(Shared {
            ring: Arc::clone(&self.ring),
            names: Arc::clone(&self.names),
            takes: takes.collect(),
            own: self.own,
            replication_factor: self.config.replication_factor,
            unshared_jobs: self.config.unshared_jobs.clone(),
        })
    }

    /// What this shard says of itself.
    pub(crate) fn word(&self, own: State, now: Instant) -> Word {
        let serving = self.list.iter().enumerate().filter(|(at, _)| self.standing(*at, own, now) == Standing::Serving);
        Word {
            name: self.config.name.clone(),
            state: own,
            replication_factor: self.config.replication_factor,
            serving: serving.map(|(_, member)| member.name.to_string()).collect(),
        }
    }

    /// All members, sorted by name.
    pub(crate) fn statuses(&self, own: State, now: Instant) -> Vec<MemberStatus> {
        let word = self.word(own, now);
        let status = |(at, member): (usize, &Member)| MemberStatus {
            name: Arc::clone(&member.name),
            url: member.url.clone(),
            standing: self.standing(at, own, now),
            heard: member.heard.as_ref().map(|(heard, _)| *heard),
            error: member.error.clone(),
            serving: match &member.heard {
                _ if at == self.own => word.serving.clone(),
                Some((_, word)) => word.serving.clone(),
                None => Vec::new(),
            },
        };
        self.list.iter().enumerate().map(status).collect()
    }
}

#[cfg(test)]
mod tests;

//! The part of the state that a pair has in common: what peers say is taken in here, what they haven't heard yet comes from
//! here, and whose turn it is to tell is decided here.

use std::collections::HashSet;
use std::time::Duration;

use model::Timestamp;

use crate::dispatcher::{Flush, GroupId};
use crate::feed::Item;
use crate::journal::{JournalError, Record};
use crate::lines;
use crate::loading::Config;
use crate::notification_log::Entry;
use crate::pair::{Answer, Intent, Member, Verdict};
use crate::state::{Delivery, State};
use crate::word::Word;

/// How many records go into one message.
const BATCH_RECORDS_MAX: usize = 1000;
/// How many bytes of records go into one message; the record that exceeds it is still in.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// A group that a peer tells, or has told, is looked at again after this time at the earliest.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A source that has given no sign of life for so many rounds of upkeep is gone. Rounds are counted instead of time: one who was stopped himself
/// for a while has heard nobody, and nobody is gone for that.
const SILENT_ROUNDS_MAX: u32 = 4;

/// What comes next for a peer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Records as lines.
    pub lines: Vec<u8>,
    /// How many.
    pub records: usize,
    /// The number of the last change that is in it.
    pub upto: u64,
    /// How many changes come behind it.
    pub behind: usize,
}

/// How to go about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Ask the peers.
    Ask,
    /// A peer is at it.
    Wait,
    /// A peer has told it meanwhile: decide anew.
    Told,
}

/// How telling a group went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everybody who had to hear of it did.
    Delivered,
    /// Somebody didn't.
    Failed,
    /// A peer tells it, or has: the keys that are meant.
    Elsewhere(Vec<String>),
}

impl State {
    /// Who we are among our peers.
    pub(crate) fn me(&self) -> &Member {
        self.intents.me()
    }

    /// What a peer has to hear that has everything up to the change with this number.
    pub(crate) fn news_after(&self, number: u64) -> Batch {
        let mut batch = Batch { upto: number, ..Batch::default() };
        for (number, item) in self.feed.after(number) {
            if batch.records >= BATCH_RECORDS_MAX || batch.lines.len() >= BATCH_BYTES_MAX {
                batch.behind += 1;
                continue;
            }
            batch.upto = number;
            if let Some(record) = self.shared(item) {
                lines::write(&record, &mut batch.lines);
                batch.records += 1;
            }
        }
        batch
    }

    /// A thing as peers are told it: with our name on our own words.
    fn shared(&self, item: &Item) -> Option<Record> {
        match item {
            Item::Word(fingerprint, source) => {
                let mut word = self.alerts.word(fingerprint, source)?.clone();
                if word.is_own() {
                    word.source.clone_from(&self.me().name);
                }
                Some(Record::Alert(Word::new(word.source, word.alert)))
            }
            Item::Sent(key) => self.log.known(key).cloned().map(Record::Sent),
            Item::Silence(id) => self.silences.get(id).cloned().map(Record::Silence),
        }
    }

    pub(super) fn forget_feed(&mut self) {
        let (alerts, log, silences) = (&self.alerts, &self.log, &self.silences);
        self.feed.retain(|item| match item {
            Item::Word(fingerprint, source) => alerts.word(fingerprint, source).is_some(),
            Item::Sent(key) => log.known(key).is_some(),
            Item::Silence(id) => silences.get(id).is_some(),
        });
    }

    /// Takes in what a peer says. What is older than what is known is passed over. The answer has what couldn't be taken,
    /// because a bound is hit or it makes no sense.
    pub(crate) fn adopt(
        &mut self,
        records: Vec<Record>,
        config: &Config,
        now: Timestamp,
    ) -> Result<Vec<String>, JournalError> {
        let (mut news, mut refused, mut freed) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            match record {
                Record::Instance(_) => {}
                Record::Alert(word) => match self.adopt_word(word, config, now) {
                    Ok(record) => news.extend(record),
                    Err(reason) => refused.push(reason),
                },
                Record::Sent(entry) => {
                    if entry.expires_at > now && self.log.record(entry.clone()) {
                        freed.extend(self.intents.told(&entry.key));
                        self.feed.touch(Item::Sent(entry.key.clone()));
                        news.push(Record::Sent(entry));
                    }
                }
                Record::Silence(silence) => match self.silences.adopt(silence.clone()) {
                    Ok(true) => {
                        self.feed.touch(Item::Silence(silence.id.clone()));
                        news.push(Record::Silence(silence));
                    }
                    Ok(false) => {}
                    Err(e) => refused.push(e.to_string()),
                },
            }
        }
        self.hurry(&freed, now);
        self.journal.append(&news)?;
        Ok(refused)
    }

    /// Takes in what a peer has heard of an alert, or has heard that others have heard. What it says of our own words, we
    /// know better. The answer is what the journal has to know.
    fn adopt_word(&mut self, word: Word, config: &Config, now: Timestamp) -> Result<Option<Record>, String> {
        if word.source == self.me().name {
            return Ok(None);
        }
        if word.source.is_empty() || word.alert.labels.is_empty() {
            return Err("a word without source or labels".to_owned());
        }
        let Some(received) = self.alerts.adopt(word, now).map_err(|e| e.to_string())? else { return Ok(None) };
        self.dispatcher.insert(&config.routes, &received.alert, now);
        self.feed.touch(Item::Word(received.alert.fingerprint(), received.word.source.clone()));
        Ok(received.is_news.then_some(Record::Alert(received.word)))
    }

    /// What to do about a delivery right before an attempt. With [`Claim::Ask`] an intent has begun, which
    /// [`State::decide`], [`State::record`] or [`State::give_up`] ends.
    pub(crate) fn claim(&mut self, delivery: &Delivery, now: Timestamp, at: Duration) -> Claim {
        let key = &delivery.intent.key;
        if self.log.get(key, now).map(|entry| entry.at) > delivery.last {
            return Claim::Told;
        }
        if self.intents.begin(key, at) { Claim::Ask } else { Claim::Wait }
    }

    /// What comes of the answers that peers gave to an intent `after` the entry of then. True: tell it. An answer that it has been told counts if its
    /// entry does, or one would ask again for ever.
    pub(crate) fn decide(
        &mut self,
        key: &str,
        after: Option<Timestamp>,
        mut answers: Vec<Answer>,
        config: &Config,
        now: Timestamp,
        at: Duration,
    ) -> Result<bool, JournalError> {
        answers.retain(|answer| match answer {
            Answer::Sent(entry) => entry.key == key && entry.expires_at > now && Some(entry.at) > after,
            Answer::Granted | Answer::Held { .. } => true,
        });
        match self.intents.answered(key, answers, at) {
            Verdict::Go => Ok(true),
            Verdict::Wait => Ok(false),
            Verdict::Told(entries) => {
                self.adopt(entries.into_iter().map(Record::Sent).collect(), config, now).map(|_| false)
            }
        }
    }

    /// Counts the words of sources that are gone as over where our own word says so: both have looked at the same, and one who is gone can't say
    /// that it ended. What nobody but them has seen holds for as long as they said. To be called once in a while.
    pub(crate) fn let_go(&mut self, config: &Config, now: Timestamp) -> Result<(), JournalError> {
        let sources = self.alerts.sources();
        self.silent_rounds.retain(|name, _| sources.contains(name.as_str()));
        for name in sources {
            *self.silent_rounds.entry(name.to_owned()).or_default() += 1;
        }
        let silent_rounds = &self.silent_rounds;
        let is_gone = |name: &str| silent_rounds.get(name).is_some_and(|rounds| *rounds > SILENT_ROUNDS_MAX);
        let mut records = Vec::new();
        for (word, alert) in self.alerts.let_go(is_gone, now) {
            self.dispatcher.insert(&config.routes, &alert, now);
            records.push(Record::Alert(word));
        }
        self.journal.append(&records)
    }

    /// Ends an intent that came to nothing.
    pub(crate) fn give_up(&mut self, key: &str) {
        self.intents.end(key);
    }

    /// Answers a peer that wants to tell something.
    pub(crate) fn asked(&mut self, intent: &Intent, now: Timestamp, at: Duration) -> Answer {
        if intent.gives_back {
            let freed: Vec<GroupId> = self.intents.given_back(&intent.from.member, &intent.key).into_iter().collect();
            self.hurry(&freed, now);
            return Answer::Granted;
        }
        let newer: Option<Entry> =
            self.log.get(&intent.key, now).filter(|entry| Some(entry.at) > intent.after).cloned();
        self.intents.asked(&intent.from.member, &intent.key, newer.as_ref(), at)
    }

    /// A sign of life of a peer, with the keys it is telling.
    pub(crate) fn alive(&mut self, peer: &Member, holds: &HashSet<String>, now: Timestamp, at: Duration) {
        self.silent_rounds.remove(&peer.name);
        let freed = self.intents.alive(peer, holds, at);
        self.hurry(&freed, now);
    }

    /// Ends leases that are over; how many groups had waited for that.
    pub(crate) fn lapse(&mut self, now: Timestamp, at: Duration) -> usize {
        let freed = self.intents.lapse(at);
        self.hurry(&freed, now);
        freed.len()
    }

    /// The keys that we are telling.
    pub(crate) fn holds(&self) -> HashSet<String> {
        self.intents.holds()
    }

    /// Says how telling a group went.
    pub(crate) fn finish(&mut self, flush: &Flush, outcome: &Outcome, now: Timestamp, at: Duration) {
        self.dispatcher.finish(flush, *outcome == Outcome::Delivered);
        if let Outcome::Elsewhere(keys) = outcome {
            let waits = keys.iter().map(|key| self.intents.wait(key, &flush.group, at));
            let wait = waits.min().unwrap_or_default().max(LOOK_AGAIN);
            let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            self.dispatcher.put_off(&flush.group, now.saturating_add(wait_ms));
        }
    }

    fn hurry(&mut self, groups: &[GroupId], now: Timestamp) {
        groups.iter().for_each(|group| self.dispatcher.put_off(group, now));
    }
}

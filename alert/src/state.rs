//! Everything the pipeline knows, and every change to it. Changes are synchronous, take the time as an argument, and
//! are in the journal when they return.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use model::{Labels, Timestamp};

use crate::alert::Alert;
use crate::dispatcher::{Dispatcher, Flush, GroupView};
use crate::feed::{Feed, Item};
use crate::fingerprint::Fingerprint;
use crate::inhibit::Inhibitor;
use crate::journal::{Journal, JournalError, Record};
use crate::loading::Config;
use crate::notification_log::{Entry, NotificationLog};
use crate::pair::{Intents, Member};
use crate::silence::{SilenceError, SilenceRequest, Silences};
use crate::store::{Alerts, TooManyAlerts};

pub(crate) use sharing::{Claim, Outcome};

/// Why a message about alerts is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    /// A bound is hit.
    #[error(transparent)]
    TooMany(#[from] TooManyAlerts),
    /// It couldn't be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Why a silence is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetSilenceError {
    /// It is not a good one.
    #[error(transparent)]
    Silence(#[from] SilenceError),
    /// It couldn't be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// One message to one integration that has to go out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delivery {
    /// Which of the receiver's integrations.
    pub integration: usize,
    /// What goes into the message.
    pub alerts: Vec<(Fingerprint, Alert)>,
    /// What the log will say when the receiver has taken it: the intent, from before the first attempt on.
    pub intent: Entry,
    /// When the group was told before.
    pub last: Option<Timestamp>,
}

/// A group that is due, and the messages that come of it; there may be none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// The group.
    pub flush: Flush,
    /// The messages.
    pub deliveries: Vec<Delivery>,
}

/// An alert as a person sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AlertView {
    /// Its identity.
    pub fingerprint: Fingerprint,
    /// The alert.
    pub alert: Alert,
    /// The receivers that hear of it.
    pub receivers: Vec<String>,
    /// The silences that mute it.
    pub silenced_by: Vec<String>,
    /// The alerts that mute it.
    pub inhibited_by: Vec<Fingerprint>,
}

impl AlertView {
    /// Whether nobody hears of it at present.
    pub(crate) fn is_suppressed(&self) -> bool {
        !self.silenced_by.is_empty() || !self.inhibited_by.is_empty()
    }
}

/// The state of the pipeline.
#[derive(Debug)]
pub(crate) struct State {
    alerts: Alerts,
    dispatcher: Dispatcher,
    log: NotificationLog,
    silences: Silences,
    journal: Journal,
    feed: Feed,
    intents: Intents,
    /// For how many rounds of upkeep sources have given no sign of life.
    silent_rounds: HashMap<String, u32>,
}

/// The key in the log of what one integration of a receiver was told about a group.
fn log_key(flush: &Flush, receiver: &str, integration: usize) -> String {
    format!("{}:{}:{receiver}/webhook/{integration}", flush.group.route, flush.group.labels)
}

impl State {
    /// Takes up the state that is kept in a data directory. The answer says how many lines of the journal were unreadable.
    /// `run` is a number that no other start of any instance has; the first one gives the instance its name.
    pub(crate) fn open(
        data_dir: &Path,
        config: &Config,
        run: u64,
        now: Timestamp,
    ) -> Result<(Self, usize), JournalError> {
        let (journal, recovered) = Journal::open(data_dir)?;
        let (mut alerts, mut log, mut silences) = (Alerts::default(), NotificationLog::default(), Silences::default());
        let (mut name, mut feed, mut unreadable) = (format!("{run:016x}"), Feed::default(), recovered.unreadable);
        for record in recovered.records {
            if let Some(item) = item(&record) {
                feed.touch(item);
            }
            match record {
                Record::Instance(known) => name = known,
                Record::Alert(word) => {
                    unreadable += usize::from(alerts.restore(word, now, config.resolve_timeout_ms).is_err());
                }
                Record::Sent(entry) => drop(log.record(entry)),
                Record::Silence(silence) => unreadable += usize::from(silences.restore(silence).is_err()),
            }
        }
        let intents = Intents::new(Member { name, run });
        let dispatcher = Dispatcher::default();
        let silent_rounds = HashMap::new();
        let mut state = State { alerts, dispatcher, log, silences, journal, feed, intents, silent_rounds };
        state.reroute(config, now);
        state.maintain(now)?;
        Ok((state, unreadable))
    }

    /// Sorts all alerts into groups anew, after the routes have changed.
    pub(crate) fn reroute(&mut self, config: &Config, now: Timestamp) {
        self.dispatcher.rebuild(&config.routes, self.alerts.iter().map(|(_, alert)| alert), now);
    }

    /// Takes messages about alerts. Those before the one that hits the bound are taken.
    pub(crate) fn receive(
        &mut self,
        messages: Vec<Alert>,
        config: &Config,
        now: Timestamp,
    ) -> Result<(), ReceiveError> {
        let (mut news, mut outcome) = (Vec::new(), Ok(()));
        for message in messages {
            match self.alerts.receive(message, now) {
                Ok(received) => {
                    self.dispatcher.insert(&config.routes, &received.alert, now);
                    self.feed.touch(Item::Word(received.alert.fingerprint(), String::new()));
                    news.extend(received.is_news.then_some(Record::Alert(received.word)));
                }
                Err(e) => outcome = Err(e),
            }
        }
        self.journal.append(&news)?;
        Ok(outcome?)
    }

    /// Holds alerts on that fired before a restart and haven't been seen since.
    pub(crate) fn hold_on(&mut self, recalled: &[Alert], config: &Config, now: Timestamp) {
        for alert in recalled {
            if let Some(held) = self.alerts.hold_on(alert.fingerprint(), alert.ends_at, now) {
                self.dispatcher.insert(&config.routes, &held, now);
            }
        }
    }

    /// When the next group is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.dispatcher.next_due()
    }

    /// What is due at `now`. Every plan has to be answered with `finish`.
    pub(crate) fn plan(&mut self, config: &Config, now: Timestamp) -> Vec<Plan> {
        let flushes = self.dispatcher.take_due(&config.routes, now);
        if flushes.is_empty() {
            return Vec::new();
        }
        let inhibitor = Inhibitor::new(&config.inhibit_rules, &self.alerts.iter(), now);
        let plan = |flush| Plan { deliveries: self.deliveries(&flush, &inhibitor, config, now), flush };
        flushes.into_iter().map(plan).collect()
    }

    fn deliveries(&self, flush: &Flush, inhibitor: &Inhibitor<'_>, config: &Config, now: Timestamp) -> Vec<Delivery> {
        let route = config.routes.get(flush.route);
        let Some(receiver) = config.receiver(&route.receiver) else { return Vec::new() };
        let audible =
            |labels: &Labels| inhibitor.muted_by(labels).is_none() && self.silences.muting(labels, now).is_empty();
        let alerts: Vec<_> = flush.alerts.iter().filter(|(_, alert)| audible(&alert.labels)).cloned().collect();
        if alerts.is_empty() {
            return Vec::new();
        }
        let delivery = |(integration, send_resolved): (usize, bool)| {
            let key = log_key(flush, &receiver.name, integration);
            let last = self.log.get(&key, now);
            // An alert out of the journal isn't news: a peer may have told meanwhile that it is over.
            let stale = |fingerprint: &Fingerprint| {
                last.is_some_and(|last| last.resolved.contains(fingerprint) && !last.firing.contains(fingerprint))
                    && self.alerts.is_only_held(fingerprint, now)
            };
            let alerts: Vec<_> = alerts.iter().filter(|(fingerprint, _)| !stale(fingerprint)).cloned().collect();
            let last = last.map(|entry| entry.at);
            let told = alerts.iter().map(|(fingerprint, alert)| (fingerprint, alert));
            let intent = Entry::new(key, told, route.repeat_interval_ms, last, now);
            let tell = !alerts.is_empty() && self.log.needs_update(&intent, send_resolved, route.repeat_interval_ms);
            let heard = |alert: &Alert| send_resolved || !alert.is_resolved(now);
            let alerts = alerts.into_iter().filter(|(_, alert)| heard(alert)).collect();
            tell.then_some(Delivery { integration, alerts, intent, last })
        };
        receiver.webhooks.iter().map(|w| w.send_resolved).enumerate().filter_map(delivery).collect()
    }

    /// Writes down that a receiver has taken a notification, which ends the intent.
    pub(crate) fn record(&mut self, sent: Entry) -> Result<(), JournalError> {
        self.intents.end(&sent.key);
        if !self.log.record(sent.clone()) {
            return Ok(());
        }
        self.feed.touch(Item::Sent(sent.key.clone()));
        self.journal.append(&[Record::Sent(sent)])
    }

    /// Writes down, before it is told, that alerts of these plans have timed out: a restart would hold them otherwise.
    pub(crate) fn settle(&mut self, plans: &[Plan], now: Timestamp) -> Result<(), JournalError> {
        let told = plans.iter().flat_map(|plan| &plan.flush.alerts);
        let settled: Vec<Record> =
            told.flat_map(|(fingerprint, _)| self.alerts.settle(*fingerprint, now)).map(Record::Alert).collect();
        self.journal.append(&settled)
    }

    /// Creates or changes a silence; the answer is its id.
    pub(crate) fn set_silence(&mut self, request: SilenceRequest, now: Timestamp) -> Result<String, SetSilenceError> {
        let changed = self.silences.set(request, now)?;
        let id = changed.last().map(|silence| silence.id.clone()).unwrap_or_default();
        let records: Vec<Record> = changed.into_iter().map(Record::Silence).collect();
        records.iter().filter_map(item).for_each(|item| self.feed.touch(item));
        self.journal.append(&records)?;
        Ok(id)
    }

    /// Ends a silence.
    pub(crate) fn expire_silence(&mut self, id: &str, now: Timestamp) -> Result<(), SetSilenceError> {
        let silence = self.silences.expire(id, now)?;
        self.feed.touch(Item::Silence(id.to_owned()));
        Ok(self.journal.append(&[Record::Silence(silence)])?)
    }

    /// The silences.
    pub(crate) fn silences(&self) -> &Silences {
        &self.silences
    }

    /// Forgets what means nothing more, and rewrites the journal where that pays.
    pub(crate) fn maintain(&mut self, now: Timestamp) -> Result<(), JournalError> {
        self.log.forget_old(now);
        self.silences.forget_old(now);
        self.alerts.forget_old(&self.dispatcher.held(), now);
        self.forget_feed();
        if !self.journal.wants_rewrite() {
            return Ok(());
        }
        let instance = [Record::Instance(self.intents.me().name.clone())].into_iter();
        let alerts = self.alerts.words().map(|(_, word)| Record::Alert(word.clone()));
        let sent = self.log.iter().cloned().map(Record::Sent);
        let silences = self.silences.iter().cloned().map(Record::Silence);
        self.journal.rewrite(instance.chain(alerts).chain(sent).chain(silences))
    }

    /// Brings everything onto the disk.
    pub(crate) fn sync(&self) -> Result<(), JournalError> {
        self.journal.sync()
    }

    /// The alerts that aren't over at `now`.
    pub(crate) fn alert_views(&self, config: &Config, now: Timestamp) -> Vec<AlertView> {
        let inhibitor = Inhibitor::new(&config.inhibit_rules, &self.alerts.iter(), now);
        let firing = self.alerts.iter().filter(|(_, alert)| !alert.is_resolved(now));
        let view = |(fingerprint, alert): (&Fingerprint, &Alert)| AlertView {
            fingerprint: *fingerprint,
            alert: alert.clone(),
            receivers: receivers(config, &alert.labels),
            silenced_by: self.silences.muting(&alert.labels, now),
            inhibited_by: inhibitor.muted_by(&alert.labels).into_iter().collect(),
        };
        firing.map(view).collect()
    }

    /// The groups.
    pub(crate) fn group_views(&self) -> Vec<GroupView> {
        self.dispatcher.views()
    }

    /// How many groups there are.
    pub(crate) fn group_count(&self) -> usize {
        self.dispatcher.len()
    }

    /// The size of the journal in bytes.
    pub(crate) fn journal_bytes(&self) -> u64 {
        self.journal.bytes()
    }
}

/// Where a record stands in the feed.
fn item(record: &Record) -> Option<Item> {
    match record {
        Record::Instance(_) => None,
        Record::Alert(word) => Some(Item::Word(word.alert.fingerprint(), word.source.clone())),
        Record::Sent(entry) => Some(Item::Sent(entry.key.clone())),
        Record::Silence(silence) => Some(Item::Silence(silence.id.clone())),
    }
}

/// The receivers that hear of an alert with these labels, in the order of their routes.
fn receivers(config: &Config, labels: &Labels) -> Vec<String> {
    let mut seen = HashSet::new();
    let routes = config.routes.matching(labels).into_iter().map(|id| config.routes.get(id).receiver.clone());
    routes.filter(|name| seen.insert(name.clone())).collect()
}

mod sharing;
#[cfg(test)]
mod tests;

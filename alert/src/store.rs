//! All alerts that are known, firing or lately resolved.

use std::collections::{BTreeMap, HashSet};

use model::Timestamp;

use crate::alert::Alert;
use crate::fingerprint::Fingerprint;
use crate::word::{Word, joined};

/// How many alerts are held.
pub(crate) const ALERTS_MAX: usize = 100_000;
/// How many sources may speak of one alert: the instances of a pair, and those that were replaced lately.
const SOURCES_MAX: usize = 16;
/// How long a resolved alert is still shown: the interval of Alertmanager's clean-up, at most.
const RESOLVED_KEPT_MS: i64 = 15 * 60_000;

/// There are too many alerts to take a new one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooManyAlerts {
    /// Of different labels.
    #[error("too many alerts: at most {ALERTS_MAX} are held")]
    Alerts,
    /// Of the same labels, from different instances.
    #[error("too many instances speak of one alert: at most {SOURCES_MAX} are heard")]
    Sources,
}

/// An alert after a message about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    /// As it is held now.
    pub alert: Alert,
    /// What its source says now.
    pub word: Word,
    /// Whether that is news for the journal.
    pub is_news: bool,
}

/// One alert: what each source says, and what comes of it.
#[derive(Debug)]
struct Known {
    words: Vec<Word>,
    joined: Alert,
}

/// The alerts by fingerprint.
#[derive(Debug, Default)]
pub(crate) struct Alerts(BTreeMap<Fingerprint, Known>);

impl Alerts {
    /// Takes a message that came to this instance. It is joined with what it heard of the alert before.
    pub(crate) fn receive(&mut self, alert: Alert, now: Timestamp) -> Result<Received, TooManyAlerts> {
        let known = self.word(&alert.fingerprint(), "");
        let (alert, is_news) = match known {
            Some(word) => {
                let merged = word.counted(now).merged(alert, now).said_after(&word.alert);
                let is_news = word.alert.differs_materially(&merged, now);
                (merged, is_news)
            }
            None => (alert, true),
        };
        self.put(Word::new(String::new(), alert), is_news, now)
    }

    /// Takes what another instance says it has heard. `None`: that is known, or older than what is known.
    pub(crate) fn adopt(&mut self, word: Word, now: Timestamp) -> Result<Option<Received>, TooManyAlerts> {
        let word = Word::new(word.source, word.alert);
        let is_news = match self.word(&word.alert.fingerprint(), &word.source) {
            Some(known) if known.alert.updated_at > word.alert.updated_at || known.alert == word.alert => {
                return Ok(None);
            }
            Some(known) if known.settled && known.alert.updated_at == word.alert.updated_at => return Ok(None),
            Some(known) => known.alert.differs_materially(&word.alert, now),
            None => true,
        };
        self.put(word, is_news, now).map(Some)
    }

    fn put(&mut self, word: Word, is_news: bool, now: Timestamp) -> Result<Received, TooManyAlerts> {
        let fingerprint = word.alert.fingerprint();
        if !self.0.contains_key(&fingerprint) && self.0.len() >= ALERTS_MAX {
            return Err(TooManyAlerts::Alerts);
        }
        let new = || Known { words: Vec::new(), joined: word.alert.clone() };
        let known = self.0.entry(fingerprint).or_insert_with(new);
        match known.words.iter().position(|known| known.source == word.source) {
            Some(place) => known.words[place] = word.clone(),
            None if known.words.len() >= SOURCES_MAX => return Err(TooManyAlerts::Sources),
            None => known.words.push(word.clone()),
        }
        known.join(now);
        Ok(Received { alert: known.joined.clone(), word, is_news })
    }

    /// Takes in a word from the journal. One that nobody has said to be over is held for `hold_ms` from now: its source
    /// couldn't repeat itself while we were away.
    pub(crate) fn restore(&mut self, mut word: Word, now: Timestamp, hold_ms: i64) -> Result<(), TooManyAlerts> {
        word.hold = word.is_open().then(|| now.saturating_add(hold_ms));
        self.put(word, false, now).map(drop)
    }

    /// Goes on holding an alert out of the journal until then: who told of it is back, and hasn't seen it yet. The answer is the alert
    /// if it is held.
    pub(crate) fn hold_on(&mut self, fingerprint: Fingerprint, until: Timestamp, now: Timestamp) -> Option<Alert> {
        let known = self.0.get_mut(&fingerprint)?;
        let own = known.words.iter_mut().find(|word| word.is_own() && word.is_open() && word.hold.is_some())?;
        own.hold = own.hold.max(Some(until));
        known.join(now);
        Some(known.joined.clone())
    }

    /// Counts words of others as over where our own word says so: those of sources that are gone. The answer is what the
    /// journal has to know, and the alerts as they are held now.
    pub(crate) fn let_go(&mut self, gone: impl Fn(&str) -> bool, now: Timestamp) -> Vec<(Word, Alert)> {
        let mut let_go = Vec::new();
        for known in self.0.values_mut() {
            if !known.words.iter().any(|word| word.is_own() && word.alert.ended_by_word()) {
                continue;
            }
            let open = |word: &Word| !word.is_own() && word.is_open() && !word.counted(now).is_resolved(now);
            let mut words = Vec::new();
            for word in known.words.iter_mut().filter(|word| open(word) && gone(&word.source)) {
                (word.alert.ends_at, word.settled, word.hold) = (now, true, None);
                words.push(word.clone());
            }
            if !words.is_empty() {
                known.join(now);
                let_go.extend(words.into_iter().map(|word| (word, known.joined.clone())));
            }
        }
        let_go
    }

    /// The other instances whose words count.
    pub(crate) fn sources(&self) -> HashSet<&str> {
        let words = self.0.values().flat_map(|known| &known.words);
        words.filter(|word| !word.is_own() && word.is_open()).map(|word| word.source.as_str()).collect()
    }

    /// Writes down that an alert which wasn't sent again is over. The answer is what the journal has to know.
    pub(crate) fn settle(&mut self, fingerprint: Fingerprint, now: Timestamp) -> Vec<Word> {
        let Some(known) = self.0.get_mut(&fingerprint) else { return Vec::new() };
        let mut settled = Vec::new();
        for word in known.words.iter_mut().filter(|word| word.is_open()) {
            let counted = word.counted(now);
            if !counted.is_resolved(now) {
                continue;
            }
            if word.is_own() {
                word.alert = Alert { updated_at: counted.ends_at, ..counted };
            }
            word.settled = !word.is_own();
            word.hold = None;
            settled.push(word.clone());
        }
        known.join(now);
        settled
    }

    /// Forgets alerts that were resolved a while ago and that no group waits to tell, and words that are as old.
    pub(crate) fn forget_old(&mut self, held: &HashSet<Fingerprint>, now: Timestamp) {
        let long_ago = now.saturating_sub(RESOLVED_KEPT_MS);
        self.0.retain(|fingerprint, known| {
            if held.contains(fingerprint) {
                return true;
            }
            known.words.retain(|word| !word.counted(now).is_resolved(long_ago));
            known.join(now);
            !known.words.is_empty()
        });
    }

    /// What a source says of an alert.
    pub(crate) fn word(&self, fingerprint: &Fingerprint, source: &str) -> Option<&Word> {
        self.0.get(fingerprint)?.words.iter().find(|word| word.source == source)
    }

    /// All words, for the journal.
    pub(crate) fn words(&self) -> impl Iterator<Item = (&Fingerprint, &Word)> {
        self.0.iter().flat_map(|(fingerprint, known)| known.words.iter().map(move |word| (fingerprint, word)))
    }

    /// Whether an alert fires only because its words came out of the journal: nobody has said so since the start.
    pub(crate) fn is_only_held(&self, fingerprint: &Fingerprint, now: Timestamp) -> bool {
        let Some(known) = self.0.get(fingerprint) else { return false };
        let mut firing = known.words.iter().filter(|word| !word.counted(now).is_resolved(now));
        !known.joined.is_resolved(now) && firing.all(|word| word.hold.is_some())
    }

    /// All alerts in the order of their fingerprints.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Fingerprint, &Alert)> + Clone {
        self.0.iter().map(|(fingerprint, known)| (fingerprint, &known.joined))
    }
}

impl Known {
    fn join(&mut self, now: Timestamp) {
        if let Some(joined) = joined(&self.words, now) {
            self.joined = joined;
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;

    fn alert(ends: i64, updated: i64) -> Alert {
        Alert {
            labels: Labels::from_pairs([("alertname", "Down")]),
            annotations: Labels::empty(),
            starts_at: Timestamp::from_ms(0),
            ends_at: Timestamp::from_ms(ends),
            updated_at: Timestamp::from_ms(updated),
            generator_url: String::new(),
            timeout: false,
        }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn a_repetition_is_no_news_and_an_end_is() {
        let mut alerts = Alerts::default();
        assert!(alerts.receive(alert(100, 10), at(10)).unwrap().is_news);
        assert!(!alerts.receive(alert(120, 20), at(20)).unwrap().is_news);
        let received = alerts.receive(alert(30, 30), at(30)).unwrap();
        assert!(received.is_news && received.alert.is_resolved(at(30)));
    }

    #[test]
    fn a_restart_holds_what_fired_and_keeps_what_was_over() {
        let mut alerts = Alerts::default();
        let own = |alert| Word::new(String::new(), alert);
        alerts.restore(own(alert(100, 10)), at(5000), 300).unwrap();
        assert!(alerts.is_only_held(&alert(0, 0).fingerprint(), at(5000)));
        assert!(!alerts.iter().next().unwrap().1.is_resolved(at(5299)));
        assert!(alerts.iter().next().unwrap().1.is_resolved(at(5300)));
        alerts.restore(own(alert(100, 100)), at(5000), 300).unwrap();
        assert!(alerts.iter().next().unwrap().1.is_resolved(at(5000)));
    }

    #[test]
    fn only_what_is_held_is_held_on() {
        let mut alerts = Alerts::default();
        let fingerprint = alert(0, 0).fingerprint();
        assert_eq!(alerts.hold_on(fingerprint, at(9000), at(5000)), None, "unknown");
        alerts.restore(Word::new(String::new(), alert(100, 10)), at(5000), 300).unwrap();
        assert!(!alerts.hold_on(fingerprint, at(9000), at(5001)).unwrap().is_resolved(at(8999)));
        assert!(alerts.is_only_held(&fingerprint, at(8999)), "it is no news");
        alerts.receive(alert(5100, 5100), at(5100)).unwrap();
        assert_eq!(alerts.hold_on(fingerprint, at(9000), at(5200)), None, "it is over");
        let mut heard = Alerts::default();
        heard.receive(alert(100, 10), at(10)).unwrap();
        assert_eq!(heard.hold_on(fingerprint, at(9000), at(20)), None, "it needn't be held");
    }

    #[test]
    fn who_is_gone_does_not_hold_what_our_own_word_says_is_over() {
        let theirs = |updated| Word::new("b".to_owned(), alert(1000, updated));
        let mut alerts = Alerts::default();
        alerts.adopt(theirs(10), at(10)).unwrap();
        assert_eq!(alerts.sources(), ["b"].into());
        assert_eq!(alerts.let_go(|_| true, at(20)), [], "we haven't seen it");
        alerts.receive(alert(300, 20), at(20)).unwrap();
        assert_eq!(alerts.let_go(|_| true, at(25)), [], "we see it");
        alerts.receive(alert(30, 30), at(30)).unwrap();
        assert_eq!(alerts.let_go(|_| false, at(40)), [], "it isn't gone");
        let let_go = alerts.let_go(|name| name == "b", at(40));
        assert!(let_go[0].0.settled && let_go[0].1.is_resolved(at(40)), "{let_go:?}");
        assert_eq!(alerts.adopt(theirs(10), at(50)), Ok(None), "somebody else tells the same word");
        assert!(!alerts.adopt(theirs(60), at(60)).unwrap().unwrap().alert.is_resolved(at(60)), "it is back");
        let mut again = Alerts::default();
        again.restore(let_go[0].0.clone(), at(70), 300).unwrap();
        assert!(again.iter().next().unwrap().1.is_resolved(at(70)), "a restart doesn't hold it again");
    }

    #[test]
    fn what_timed_out_is_settled_once() {
        let mut alerts = Alerts::default();
        alerts.receive(alert(100, 10), at(10)).unwrap();
        let fingerprint = alert(0, 0).fingerprint();
        assert_eq!(alerts.settle(fingerprint, at(99)), []);
        assert!(alerts.settle(fingerprint, at(100))[0].alert.ended_by_word());
        assert_eq!(alerts.settle(fingerprint, at(100)), []);
    }

    #[test]
    fn forgets_resolved_alerts_that_nobody_waits_for() {
        let mut alerts = Alerts::default();
        alerts.receive(alert(100, 100), at(100)).unwrap();
        let late = at(100 + RESOLVED_KEPT_MS);
        alerts.forget_old(&[alert(0, 0).fingerprint()].into(), late);
        assert_eq!(alerts.iter().count(), 1);
        alerts.forget_old(&HashSet::new(), late);
        assert_eq!(alerts.iter().count(), 0);
    }

    #[test]
    fn an_older_word_of_a_source_does_not_replace_a_newer_one() {
        let mut alerts = Alerts::default();
        let word = |ends, updated| Word::new("b".to_owned(), alert(ends, updated));
        assert!(alerts.adopt(word(100, 10), at(10)).unwrap().unwrap().is_news);
        assert_eq!(alerts.adopt(word(100, 10), at(11)), Ok(None), "known");
        assert!(alerts.adopt(word(30, 30), at(30)).unwrap().unwrap().alert.is_resolved(at(30)));
        assert_eq!(alerts.adopt(word(120, 20), at(31)), Ok(None), "it was under way for long");
        assert!(!alerts.receive(alert(200, 32), at(32)).unwrap().alert.is_resolved(at(32)), "ours counts as well");
    }

    #[test]
    fn what_another_source_did_not_repeat_is_settled_and_not_held_again() {
        let mut alerts = Alerts::default();
        alerts.adopt(Word::new("b".to_owned(), alert(100, 10)), at(10)).unwrap();
        let settled = alerts.settle(alert(0, 0).fingerprint(), at(100)).pop().unwrap();
        assert_eq!(
            (settled.settled, settled.alert.updated_at),
            (true, at(10)),
            "a word of b that is under way still counts"
        );
        let mut again = Alerts::default();
        again.restore(settled, at(110), 300).unwrap();
        assert!(again.iter().next().unwrap().1.is_resolved(at(110)));
    }

    #[test]
    fn only_so_many_sources_are_heard() {
        let mut alerts = Alerts::default();
        let mut adopt = |n: usize| alerts.adopt(Word::new(format!("s{n}"), alert(100, 10)), at(10)).map(drop);
        (0..SOURCES_MAX).for_each(|n| adopt(n).unwrap());
        assert_eq!(adopt(SOURCES_MAX), Err(TooManyAlerts::Sources));
    }
}

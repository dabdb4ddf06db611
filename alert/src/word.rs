//! What one source says of an alert, and what all of them say together.
//!
//! A source is an instance of a pair that heard of an alert itself, from its rules or over its API. An alert fires while
//! any source says so, so the word of one replica neither ends what the other still sees nor dies with the replica.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::Alert;

/// What one source says of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Word {
    /// The name of the instance that heard of it; empty where that is this one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The alert as that instance would hold it alone.
    #[serde(flatten)]
    pub alert: Alert,
    /// The word of another was not repeated in time, and that has been told: a restart mustn't hold it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// It came out of the journal, and counts until then: its source couldn't repeat itself while we were away.
    #[serde(skip)]
    pub hold: Option<Timestamp>,
}

impl Word {
    /// A word that was just heard.
    pub(crate) fn new(source: String, alert: Alert) -> Self {
        Word { source, alert, settled: false, hold: None }
    }

    /// Whether this instance heard it itself.
    pub(crate) fn is_own(&self) -> bool {
        self.source.is_empty()
    }

    /// Whether nobody has said yet, or told, that it is over.
    pub(crate) fn is_open(&self) -> bool {
        !self.alert.ended_by_word() && !self.settled
    }

    /// The alert as this word counts at `now`, holding included. An end that was said counts at once, even if the clock of
    /// who said it is ahead of ours.
    pub(crate) fn counted(&self, now: Timestamp) -> Alert {
        let mut alert = self.alert.clone();
        if let Some(hold) = self.hold.filter(|hold| *hold > alert.ends_at) {
            alert.ends_at = hold;
            alert.timeout = true;
        }
        if alert.ended_by_word() {
            alert.ends_at = alert.ends_at.min(now);
        }
        alert
    }
}

/// The alert that several words make: it fires if one of them does, from the earliest start of those that overlap to the
/// last end. Texts are of the word that leads: of those that fire our own, otherwise the one that ends last. `None` where
/// there is no word.
pub(crate) fn joined(words: &[Word], now: Timestamp) -> Option<Alert> {
    let counted: Vec<(bool, Alert)> = words.iter().map(|word| (word.is_own(), word.counted(now))).collect();
    let leads = |(own, alert): &&(bool, Alert)| {
        let fires = !alert.is_resolved(now);
        (fires, fires && *own, alert.ends_at)
    };
    let mut joined = counted.iter().max_by_key(leads)?.1.clone();
    let (begin, end) = (joined.starts_at, joined.ends_at);
    for (_, alert) in &counted {
        if alert.ends_at >= begin && alert.starts_at <= end {
            joined.starts_at = joined.starts_at.min(alert.starts_at);
        }
        joined.ends_at = joined.ends_at.max(alert.ends_at);
        joined.updated_at = joined.updated_at.max(alert.updated_at);
    }
    Some(joined)
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;

    fn word(source: &str, starts: i64, ends: i64, updated: i64) -> Word {
        let alert = Alert {
            labels: Labels::from_pairs([("alertname", "Down")]),
            annotations: Labels::from_pairs([("summary", source)]),
            starts_at: Timestamp::from_ms(starts),
            ends_at: Timestamp::from_ms(ends),
            updated_at: Timestamp::from_ms(updated),
            generator_url: String::new(),
            timeout: false,
        };
        Word::new(source.to_owned(), alert)
    }

    #[test]
    fn an_alert_fires_while_one_source_says_so() {
        let check = |words: &[Word], now: i64, want: (i64, i64, &str)| {
            let joined = joined(words, Timestamp::from_ms(now)).unwrap();
            let got = (joined.starts_at.as_ms(), joined.ends_at.as_ms(), joined.annotations.value("summary"));
            assert_eq!(got, want, "{words:?} at {now}");
        };
        // both fire: our own text, the earliest start, the last end
        check(&[word("", 12, 100, 20), word("b", 10, 110, 21)], 30, (10, 110, ""));
        // ours is over, the other's isn't
        check(&[word("", 12, 25, 25), word("b", 10, 110, 21)], 30, (10, 110, "b"));
        // both are over
        check(&[word("", 12, 25, 25), word("b", 10, 28, 28)], 30, (10, 28, "b"));
        // the other's word wasn't repeated
        check(&[word("", 12, 25, 25), word("b", 10, 28, 20)], 30, (10, 28, "b"));
        // ours was of another incident, long before
        check(&[word("", 1, 5, 5), word("b", 10, 110, 21)], 30, (10, 110, "b"));
        // who says that it is over has a clock that is ahead of ours
        check(&[word("b", 10, 33, 33)], 30, (10, 30, "b"));
    }

    #[test]
    fn a_word_out_of_the_journal_is_held() {
        let mut held = word("", 10, 20, 15);
        held.hold = Some(Timestamp::from_ms(90));
        let joined = joined(&[held], Timestamp::from_ms(50)).unwrap();
        assert_eq!((joined.ends_at.as_ms(), joined.timeout), (90, true));
    }
}

//! What peers say to each other over HTTP; `docs/format/alert-peer.md` tells of it.
//!
//! Bodies are lines with checksums, as in the journal, because a message that was damaged on its way must be refused: a
//! word that ends an alert can't be taken back.

use std::collections::HashSet;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::Record;
use crate::lines;
use crate::pair::intents::{Answer, Member};

/// The version of the messages.
pub(crate) const VERSION: u32 = 1;
/// The path of [`StateHead`] messages behind a peer's base URL.
pub(crate) const STATE_PATH: &str = "/api/v2/watershed/peer/state";
/// The path of [`Intent`] messages behind a peer's base URL.
pub(crate) const INTENT_PATH: &str = "/api/v2/watershed/peer/intent";

/// What every message and every answer begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct From {
    /// [`VERSION`].
    pub version: u32,
    /// Who speaks.
    #[serde(flatten)]
    pub member: Member,
}

impl From {
    /// The beginning of what `member` says.
    pub(crate) fn new(member: Member) -> Self {
        From { version: VERSION, member }
    }
}

/// The first line of a message about the state. Records follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateHead {
    /// Who speaks.
    #[serde(flatten)]
    pub from: From,
    /// The keys that it is telling.
    pub holds: HashSet<String>,
    /// How many records follow.
    pub records: usize,
}

/// A message about what one wants to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// Who speaks.
    #[serde(flatten)]
    pub from: From,
    /// Route, group, receiver and integration: the key of the notification log.
    pub key: String,
    /// When it was told before, as far as the speaker knows.
    pub after: Option<Timestamp>,
    /// True: it wants to tell no longer, somebody else may try.
    #[serde(default)]
    pub gives_back: bool,
}

/// The answer to an [`Intent`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IntentAnswer {
    /// Who speaks.
    #[serde(flatten)]
    pub from: From,
    /// What it says.
    pub answer: Answer,
}

/// Why a message is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// A line is cut, damaged, or not what belongs there.
    #[error("line {0} is cut, damaged, or not what belongs there")]
    Line(usize),
    /// Lines are missing, or there are too many.
    #[error("{found} lines where {wanted} should be")]
    Lines {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// The peer speaks another language.
    #[error("version {0} is not spoken: want {VERSION}")]
    Version(u32),
}

/// Writes a message, or an answer, of one line.
pub(crate) fn write<T: Serialize>(message: &T) -> Vec<u8> {
    let mut body = Vec::new();
    lines::write(message, &mut body);
    body
}

/// Reads a message, or an answer, of one line.
pub(crate) fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, WireError> {
    let found = body.split_inclusive(|b| *b == b'\n').count();
    if found != 1 {
        return Err(WireError::Lines { found, wanted: 1 });
    }
    speaks_our_version(body)?;
    lines::read(body).ok_or(WireError::Line(1))
}

/// Writes a message about the state; `records` are lines already.
pub(crate) fn write_state(head: &StateHead, records: &[u8]) -> Vec<u8> {
    let mut body = write(head);
    body.extend_from_slice(records);
    body
}

/// Reads a message about the state.
pub(crate) fn read_state(body: &[u8]) -> Result<(StateHead, Vec<Record>), WireError> {
    let mut lines = body.split_inclusive(|b| *b == b'\n');
    let first = lines.next().ok_or(WireError::Line(1))?;
    speaks_our_version(first)?;
    let head: StateHead = lines::read(first).ok_or(WireError::Line(1))?;
    let records: Vec<Record> = lines
        .enumerate()
        .map(|(index, line)| lines::read(line).ok_or(WireError::Line(index + 2)))
        .collect::<Result<_, _>>()?;
    match records.len() == head.records {
        true => Ok((head, records)),
        false => Err(WireError::Lines { found: records.len() + 1, wanted: head.records.saturating_add(1) }),
    }
}

/// The version is looked at before the rest, which may look different in another one.
fn speaks_our_version(line: &[u8]) -> Result<(), WireError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    match lines::read::<Version>(line) {
        Some(Version { version: VERSION }) => Ok(()),
        Some(Version { version }) => Err(WireError::Version(version)),
        None => Err(WireError::Line(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of `docs/format/alert-peer.md` are what is written, byte for byte, and read back.
    #[test]
    fn the_documented_examples_are_right() {
        let doc = include_str!("../../../docs/format/alert-peer.md");
        let examples: Vec<&str> = doc.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        let [state, state_answer, intent, answers] = examples[..] else { panic!("{} examples", examples.len()) };
        let (head, records) = read_state(state.as_bytes()).unwrap();
        let mut lines = Vec::new();
        records.iter().for_each(|record| lines::write(record, &mut lines));
        assert_eq!(String::from_utf8(write_state(&head, &lines)).unwrap(), state);
        assert!(matches!(records[..], [Record::Alert(_), Record::Sent(_)]));
        let again = |body: Vec<u8>| String::from_utf8(body).unwrap();
        assert_eq!(again(write(&read::<From>(state_answer.as_bytes()).unwrap())), state_answer);
        assert_eq!(again(write(&read::<Intent>(intent.as_bytes()).unwrap())), intent);
        for answer in answers.split_inclusive('\n') {
            assert_eq!(again(write(&read::<IntentAnswer>(answer.as_bytes()).unwrap())), answer);
        }
    }

    #[test]
    fn a_message_is_taken_as_a_whole_or_not_at_all() {
        let doc = include_str!("../../../docs/format/alert-peer.md");
        let state = doc.split("```text\n").nth(1).unwrap().split("```").next().unwrap().as_bytes();
        for cut in 0..state.len() {
            assert!(read_state(&state[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..state.len() {
            let mut damaged = state.to_vec();
            damaged[at] ^= 1;
            assert!(read_state(&damaged).is_err(), "damaged at {at}");
        }
        let more = [state, state.split_inclusive(|b| *b == b'\n').next_back().unwrap()].concat();
        assert_eq!(read_state(&more).unwrap_err(), WireError::Lines { found: 4, wanted: 3 });
    }
}

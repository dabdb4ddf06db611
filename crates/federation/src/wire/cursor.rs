//! What a puller says to go on from where it was, to which a cursor is a word without a meaning; and the question as a whole, which nobody
//! may change on its way: a selector that lost a letter would be answered with nothing, and the cursor behind it would skip what was meant.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use storage::Place;
use xxhash_rust::xxh3::xxh3_64;

const VERSION: u8 = 1;
const BYTES: usize = 1 + 3 * 8 + 2 * 8;

/// How far somebody has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Everything up to here has been told, or will have been when reading by time is done.
    pub(crate) place: Place,
    /// What is to be read by time before commits are gone on with.
    pub(crate) history: Option<History>,
}

/// Samples that are read by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct History {
    /// Everything before this time has been told.
    pub(crate) from: i64,
    /// How many milliseconds are told at a time.
    pub(crate) step_ms: i64,
}

impl Cursor {
    /// As it stands in a question and in a trailer.
    pub(crate) fn encode(&self) -> String {
        let mut bytes = vec![VERSION];
        for number in [self.place.run, self.place.segment, self.place.offset] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        if let Some(history) = self.history {
            bytes.extend_from_slice(&history.from.to_be_bytes());
            bytes.extend_from_slice(&history.step_ms.to_be_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What somebody said; `None` where it is no cursor.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (version, numbers) = bytes.split_first()?;
        let (numbers, rest) = numbers.as_chunks::<8>();
        if *version != VERSION || !rest.is_empty() || bytes.len() > BYTES {
            return None;
        }
        let number = |at: usize| numbers.get(at).map(|bytes| u64::from_be_bytes(*bytes));
        let place = Place { run: number(0)?, segment: number(1)?, offset: number(2)? };
        let history = match (number(3), number(4)) {
            (Some(from), Some(step)) => {
                Some(History { from: from as i64, step_ms: i64::try_from(step).ok().filter(|step| *step > 0)? })
            }
            (None, None) => None,
            _ => return None,
        };
        Some(Cursor { place, history })
    }
}

/// Stands before the checksum of a question.
const CHECKSUM: &str = "&checksum=";

/// The query of a question with its checksum behind it.
pub(crate) fn with_checksum(query: &str) -> String {
    format!("{query}{CHECKSUM}{:016x}", xxh3_64(query.as_bytes()))
}

/// Whether a query is what it was when its checksum was put behind it. One without a checksum may have lost it: a bit makes a `#`, behind
/// which nothing counts.
pub(crate) fn is_unchanged(query: &str) -> bool {
    query.rsplit_once(CHECKSUM).is_some_and(|(rest, _)| with_checksum(rest) == query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_question_is_known() {
        let query = with_checksum("match[]=up&cursor=x3");
        assert!(is_unchanged(&query));
        for (at, bit) in (0..query.len()).flat_map(|at| (0..7).map(move |bit| (at, bit))) {
            let mut changed = query.clone().into_bytes();
            changed[at] ^= 1 << bit;
            let changed = String::from_utf8(changed).expect("ASCII");
            let arrives = changed.split('#').next().unwrap_or_default();
            assert!(!is_unchanged(arrives), "{changed}");
        }
    }

    #[test]
    fn cursors_come_back() {
        let place = Place { run: 1_700_000_000_000, segment: 3, offset: u64::MAX };
        for history in [None, Some(History { from: i64::MIN, step_ms: 1 })] {
            let cursor = Cursor { place, history };
            assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }
        for broken in ["", "AQ", "x", "AgAAAAAAAAAA", &URL_SAFE_NO_PAD.encode([1; 33])] {
            assert_eq!(Cursor::decode(broken), None, "{broken}");
        }
    }
}

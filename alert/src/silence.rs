//! Silences: somebody knows, and wants to hear no more for a while.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use model::{Labels, MatchOp, Matcher, Timestamp};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// How long an expired silence is still shown: Alertmanager's default retention.
const RETENTION_MS: i64 = 120 * 3_600_000;
/// How many silences are kept.
pub(crate) const SILENCES_MAX: usize = 10_000;

/// One matcher in the words of API v2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SilenceMatcher {
    /// The label.
    pub name: String,
    /// The value or the regular expression.
    pub value: String,
    /// Whether the value is a regular expression.
    pub is_regex: bool,
    /// Whether it must match (or must not).
    #[serde(default = "yes")]
    pub is_equal: bool,
}

fn yes() -> bool {
    true
}

impl SilenceMatcher {
    fn compile(&self) -> Result<Matcher, SilenceError> {
        let op = match (self.is_regex, self.is_equal) {
            (false, true) => MatchOp::Equal,
            (false, false) => MatchOp::NotEqual,
            (true, true) => MatchOp::Regex,
            (true, false) => MatchOp::NotRegex,
        };
        if self.name.is_empty() {
            return Err(SilenceError::Invalid("a matcher has no label name".to_owned()));
        }
        Matcher::new(op, &self.name, &self.value).map_err(|e| SilenceError::Invalid(e.to_string()))
    }
}

/// What a person writes down for a silence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SilenceRequest {
    /// The silence that is changed; a new one where there is none.
    pub id: Option<String>,
    /// What is silenced: alerts that all of these match.
    pub matchers: Vec<SilenceMatcher>,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// Who.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

/// A silence as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Silence {
    /// Its name, in the form of a UUID.
    pub id: String,
    /// What is silenced: alerts that all of these match.
    pub matchers: Vec<SilenceMatcher>,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// When it was written or changed.
    pub updated_at: Timestamp,
    /// Who.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

/// Where a silence stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SilenceState {
    /// It mutes.
    Active,
    /// It will.
    Pending,
    /// It did.
    Expired,
}

impl Silence {
    /// Where it stands at `now`.
    pub(crate) fn state(&self, now: Timestamp) -> SilenceState {
        if self.ends_at <= now {
            SilenceState::Expired
        } else if self.starts_at > now {
            SilenceState::Pending
        } else {
            SilenceState::Active
        }
    }

    /// Which of two versions is later. Of two made at the same moment the one that ends first is, and otherwise all
    /// instances choose the same.
    fn version(&self) -> (Timestamp, Reverse<Timestamp>, Timestamp, &str, &str) {
        (self.updated_at, Reverse(self.ends_at), self.starts_at, &self.created_by, &self.comment)
    }

    /// When a change of it counts as made: after the last one, even if that was made under a clock ahead of ours.
    fn changed_at(&self, now: Timestamp) -> Timestamp {
        now.max(self.updated_at.saturating_add(1))
    }
}

/// Why a silence is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SilenceError {
    /// It makes no sense.
    #[error("invalid silence: {0}")]
    Invalid(String),
    /// There is none with this id.
    #[error("silence {0} not found")]
    NotFound(String),
    /// It is over already.
    #[error("silence {0} already expired")]
    Expired(String),
    /// There are too many.
    #[error("too many silences: at most {SILENCES_MAX} are kept")]
    TooMany,
}

/// All silences, with their matchers compiled.
#[derive(Debug, Default)]
pub(crate) struct Silences(BTreeMap<String, (Silence, Vec<Matcher>)>);

impl Silences {
    /// Takes in a silence that was kept; it replaces the one with the same id.
    ///
    /// # Errors
    /// A regular expression that doesn't compile.
    pub(crate) fn restore(&mut self, silence: Silence) -> Result<(), SilenceError> {
        let matchers = silence.matchers.iter().map(SilenceMatcher::compile).collect::<Result<_, _>>()?;
        self.0.insert(silence.id.clone(), (silence, matchers));
        Ok(())
    }

    /// Takes in what another instance has of a silence, if that is later than what is known. Whether it was.
    ///
    /// # Errors
    /// There are too many, or a regular expression doesn't compile.
    pub(crate) fn adopt(&mut self, silence: Silence) -> Result<bool, SilenceError> {
        match self.get(&silence.id) {
            Some(known) if known.version() >= silence.version() => return Ok(false),
            None if self.0.len() >= SILENCES_MAX => return Err(SilenceError::TooMany),
            _ => {}
        }
        self.restore(silence).map(|()| true)
    }

    /// Creates or changes a silence. A change that would rewrite the past (other matchers, another start of a silence
    /// that mutes already) ends the old one and makes a new one. The answer is what has to be kept; the last is the silence
    /// that now counts.
    pub(crate) fn set(&mut self, request: SilenceRequest, now: Timestamp) -> Result<Vec<Silence>, SilenceError> {
        validate(&request, now)?;
        let old = match request.id.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => Some(self.get(id).ok_or_else(|| SilenceError::NotFound(id.to_owned()))?.clone()),
            None => None,
        };
        let mut changed = Vec::new();
        let id = match old {
            Some(old) if can_update(&old, &request, now) => old.id,
            old => {
                if let Some(old) = old.filter(|old| old.state(now) != SilenceState::Expired) {
                    changed.push(ended(old, now));
                } else if self.0.len() >= SILENCES_MAX {
                    return Err(SilenceError::TooMany);
                }
                self.new_id(&request, now)
            }
        };
        // A silence that begins in the past begins now, unless it is one that has begun.
        let known = self.get(&id);
        let starts_at = if known.is_some() { request.starts_at } else { request.starts_at.max(now) };
        let updated_at = known.map_or(now, |known| known.changed_at(now));
        let SilenceRequest { matchers, ends_at, created_by, comment, .. } = request;
        changed.push(Silence { id, matchers, starts_at, ends_at, updated_at, created_by, comment });
        for silence in &changed {
            self.restore(silence.clone())?;
        }
        Ok(changed)
    }

    /// Ends a silence now; the answer is what has to be kept.
    pub(crate) fn expire(&mut self, id: &str, now: Timestamp) -> Result<Silence, SilenceError> {
        let (silence, _) = self.0.get_mut(id).ok_or_else(|| SilenceError::NotFound(id.to_owned()))?;
        if silence.state(now) == SilenceState::Expired {
            return Err(SilenceError::Expired(id.to_owned()));
        }
        *silence = ended(silence.clone(), now);
        Ok(silence.clone())
    }

    /// Forgets silences that have been over for the retention.
    pub(crate) fn forget_old(&mut self, now: Timestamp) {
        self.0.retain(|_, (silence, _)| silence.ends_at.saturating_add(RETENTION_MS) > now);
    }

    /// The silence with this id.
    pub(crate) fn get(&self, id: &str) -> Option<&Silence> {
        self.0.get(id).map(|(silence, _)| silence)
    }

    /// All of them, in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Silence> {
        self.0.values().map(|(silence, _)| silence)
    }

    /// The ids of the silences that mute an alert with these labels at `now`.
    pub(crate) fn muting(&self, labels: &Labels, now: Timestamp) -> Vec<String> {
        let active = self.0.values().filter(|(silence, _)| silence.state(now) == SilenceState::Active);
        active
            .filter(|(_, matchers)| matchers.iter().all(|m| m.matches_labels(labels)))
            .map(|(silence, _)| silence.id.clone())
            .collect()
    }

    /// A name that no other silence has: a digest of what it says, when, and how many there are, in the form of a UUID.
    fn new_id(&self, request: &SilenceRequest, now: Timestamp) -> String {
        let mut attempt = self.0.len();
        loop {
            let hash = xxh3_128(format!("{request:?} {now} {attempt}").as_bytes());
            let hex = format!("{hash:032x}");
            let id = format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..]);
            if !self.0.contains_key(&id) {
                return id;
            }
            attempt += 1;
        }
    }
}

fn ended(mut silence: Silence, now: Timestamp) -> Silence {
    silence.updated_at = silence.changed_at(now);
    silence.starts_at = silence.starts_at.min(now);
    silence.ends_at = now;
    silence
}

fn can_update(old: &Silence, new: &SilenceRequest, now: Timestamp) -> bool {
    old.matchers == new.matchers
        && match old.state(now) {
            SilenceState::Active => old.starts_at == new.starts_at,
            SilenceState::Pending => new.starts_at >= now,
            SilenceState::Expired => false,
        }
}

fn validate(request: &SilenceRequest, now: Timestamp) -> Result<(), SilenceError> {
    let invalid = |reason: &str| Err(SilenceError::Invalid(reason.to_owned()));
    let matchers: Vec<Matcher> = request.matchers.iter().map(SilenceMatcher::compile).collect::<Result<_, _>>()?;
    if matchers.is_empty() {
        return invalid("at least one matcher is required");
    }
    if matchers.iter().all(Matcher::matches_empty) {
        return invalid("at least one matcher must not match the empty string");
    }
    if request.ends_at < request.starts_at {
        return invalid("the end must not be before the start");
    }
    if request.ends_at <= now {
        return invalid("the end must not be in the past");
    }
    if request.created_by.is_empty() || request.comment.is_empty() {
        return invalid("createdBy and comment must not be empty");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(value: &str, starts: i64, ends: i64) -> SilenceRequest {
        let matcher = SilenceMatcher { name: "job".into(), value: value.into(), is_regex: false, is_equal: true };
        SilenceRequest {
            id: None,
            matchers: vec![matcher],
            starts_at: Timestamp::from_ms(starts),
            ends_at: Timestamp::from_ms(ends),
            created_by: "ops".into(),
            comment: "upgrade".into(),
        }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn lives_from_pending_over_active_to_expired() {
        let mut silences = Silences::default();
        let id = silences.set(request("a", 100, 200), at(50)).unwrap().pop().unwrap().id;
        let labels = Labels::from_pairs([("job", "a")]);
        assert_eq!(silences.muting(&labels, at(99)), Vec::<String>::new());
        assert_eq!(silences.muting(&labels, at(100)), std::slice::from_ref(&id));
        assert_eq!(silences.muting(&Labels::from_pairs([("job", "b")]), at(100)), Vec::<String>::new());
        silences.expire(&id, at(150)).unwrap();
        assert_eq!(silences.muting(&labels, at(150)), Vec::<String>::new());
        assert_eq!(silences.expire(&id, at(151)), Err(SilenceError::Expired(id.clone())));
        silences.forget_old(at(150 + RETENTION_MS));
        assert_eq!(silences.get(&id), None);
    }

    #[test]
    fn a_change_of_the_end_keeps_the_id_and_other_matchers_make_a_new_one() {
        let mut silences = Silences::default();
        let first = silences.set(request("a", 0, 200), at(50)).unwrap().pop().unwrap();
        assert_eq!(first.starts_at, at(50), "begins now, not in the past");
        let longer = SilenceRequest { id: Some(first.id.clone()), ..request("a", 50, 900) };
        assert_eq!(silences.set(longer, at(60)).unwrap().pop().unwrap().id, first.id);
        let other = SilenceRequest { id: Some(first.id.clone()), ..request("b", 50, 900) };
        let changed = silences.set(other, at(70)).unwrap();
        assert_eq!((changed.len(), changed[0].ends_at), (2, at(70)));
        assert_ne!(changed[1].id, first.id);
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let check = |request: SilenceRequest, want: &str| {
            let error = Silences::default().set(request, at(50)).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        };
        check(request("", 0, 100), "must not match the empty string");
        check(request("a", 0, 50), "in the past");
        check(request("a", 100, 90), "before the start");
        check(SilenceRequest { matchers: Vec::new(), ..request("a", 0, 100) }, "at least one matcher");
        check(SilenceRequest { comment: String::new(), ..request("a", 0, 100) }, "comment");
        check(SilenceRequest { id: Some("no".into()), ..request("a", 0, 100) }, "silence no not found");
        let mut broken = request("(", 0, 100);
        broken.matchers[0].is_regex = true;
        check(broken, "error parsing regexp");
    }

    #[test]
    fn the_later_version_of_a_silence_counts_whatever_comes_first() {
        let mut ours = Silences::default();
        let set = ours.set(request("a", 0, 200), at(50)).unwrap().pop().unwrap();
        let mut theirs = Silences::default();
        assert_eq!(theirs.adopt(set.clone()), Ok(true));
        assert_eq!(theirs.adopt(set.clone()), Ok(false), "known");
        // Their clock is behind ours.
        let ended = theirs.expire(&set.id, at(50)).unwrap();
        assert_eq!(ended.updated_at, at(51));
        assert_eq!(ours.adopt(ended.clone()), Ok(true));
        assert_eq!(ours.get(&set.id), Some(&ended));
        assert_eq!(theirs.adopt(set), Ok(false), "older");
    }
}

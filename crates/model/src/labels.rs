//! Label sets: sorted name/value pairs in one shared buffer.

use std::cell::Cell;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;
use xxhash_rust::xxh64::xxh64;

use crate::quote::quote;

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";
/// The label of the scrape job.
pub const JOB: &str = "job";
/// The label of the scraped instance.
pub const INSTANCE: &str = "instance";
/// The label of a classic histogram's upper bound.
pub const BUCKET_LABEL: &str = "le";

/// A length below this is one byte; from it on it is the byte itself and five more with seven bits each.
const LONG: usize = 0x7f;
const LONG_BYTES: usize = 6;

/// An immutable label set, sorted by name, without empty values (an empty value is the same as no label).
///
/// All names and values lie in one reference-counted buffer, each behind its length, so a clone is a counter, equality is
/// a comparison of bytes and a set costs one allocation. Lengths are written in seven-bit bytes, which keeps the buffer
/// a valid `str`: reading needs neither `unsafe` nor a check of the encoding.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Labels {
    data: Arc<str>,
}

impl Labels {
    /// The empty label set.
    pub fn empty() -> Self {
        Self::default()
    }

    /// From pairs in any order; a name that comes twice keeps its last value, an empty value drops the label.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let pairs: Vec<(N, V)> = pairs.into_iter().collect();
        let mut borrowed: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect();
        borrowed.sort_by(|a, b| a.0.cmp(b.0)); // stable: the last of equal names stays last
        let last_of_name = |i: usize| borrowed.get(i + 1).is_none_or(|next| next.0 != borrowed[i].0);
        Self::from_sorted(borrowed.iter().enumerate().filter(|(i, _)| last_of_name(*i)).map(|(_, pair)| *pair))
    }

    /// From pairs that are sorted by name, without repeated names; empty values are left out.
    pub fn from_sorted<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        // Whoever makes one set makes many: a set costs its own allocation and no other.
        thread_local!(static BUFFER: Cell<String> = const { Cell::new(String::new()) });
        BUFFER.with(|buffer| {
            let mut data = buffer.take();
            data.clear();
            for (name, value) in pairs {
                if !value.is_empty() {
                    push(&mut data, name);
                    push(&mut data, value);
                }
            }
            let labels = Labels { data: data.as_str().into() };
            buffer.set(data);
            labels
        })
    }

    /// Whether both are one buffer, as a set and its clone are; sets that are not may be equal all the same.
    pub fn is_clone_of(&self, other: &Labels) -> bool {
        Arc::ptr_eq(&self.data, &other.data)
    }

    /// The pairs in order of their names.
    pub fn iter(&self) -> Pairs<'_> {
        Pairs { rest: &self.data }
    }

    /// The value of a label, if it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        for (n, v) in self.iter() {
            match n.cmp(name) {
                Ordering::Less => {}
                Ordering::Equal => return Some(v),
                Ordering::Greater => return None,
            }
        }
        None
    }

    /// The value of a label, empty if it isn't there.
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or("")
    }

    /// The metric's name, empty if it has none.
    pub fn metric_name(&self) -> &str {
        self.value(METRIC_NAME)
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// A hash that is the same on every machine and in every run.
    pub fn stable_hash(&self) -> u64 {
        xxh3_64(self.data.as_bytes())
    }

    /// The hash that Prometheus computes of a label set: xxHash64 of the pairs, each text with its length in front.
    pub fn prometheus_hash(&self) -> u64 {
        const LONG: usize = 255;
        let mut data: Vec<u8> = Vec::with_capacity(self.data.len());
        for text in self.iter().flat_map(|(name, value)| [name, value]) {
            match u8::try_from(text.len()).ok().filter(|len| usize::from(*len) < LONG) {
                Some(len) => data.push(len),
                None => {
                    data.push(u8::MAX);
                    data.extend_from_slice(&(text.len() as u32).to_le_bytes()[..3]);
                }
            }
            data.extend_from_slice(text.as_bytes());
        }
        xxh64(&data, 0)
    }

    /// The bytes that the buffer takes.
    pub fn byte_len(&self) -> usize {
        self.data.len()
    }

    /// Only the labels that `keep` accepts.
    pub fn filtered(&self, mut keep: impl FnMut(&str) -> bool) -> Labels {
        Labels::from_sorted(self.iter().filter(|(name, _)| keep(name)))
    }

    /// Without the metric's name.
    pub fn without_name(&self) -> Labels {
        self.filtered(|name| name != METRIC_NAME)
    }
}

/// Tells hashes of label sets that nobody needs to make: one buffer serves for all.
#[derive(Debug, Default)]
pub struct LabelsHasher {
    data: String,
}

impl LabelsHasher {
    /// What [`Labels::stable_hash`] would be of these pairs, which are as in [`Labels::from_sorted`], none with an empty value.
    pub fn hash<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> u64 {
        self.data.clear();
        for (name, value) in pairs {
            push(&mut self.data, name);
            push(&mut self.data, value);
        }
        xxh3_64(self.data.as_bytes())
    }
}

fn push(data: &mut String, text: &str) {
    let len = text.len();
    if len < LONG {
        data.push(char::from(len as u8));
    } else {
        data.push(char::from(LONG as u8));
        for shift in [28, 21, 14, 7, 0] {
            data.push(char::from((len >> shift) as u8 & 0x7f));
        }
    }
    data.push_str(text);
}

/// Walks the pairs of a label set.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    rest: &'a str,
}

impl<'a> Pairs<'a> {
    fn take(&mut self) -> &'a str {
        let bytes = self.rest.as_bytes();
        let (head, len) = if bytes[0] < LONG as u8 {
            (1, usize::from(bytes[0]))
        } else {
            (LONG_BYTES, bytes[1..LONG_BYTES].iter().fold(0, |len, byte| len << 7 | usize::from(*byte)))
        };
        let (text, rest) = self.rest[head..].split_at(len);
        self.rest = rest;
        text
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        Some((self.take(), self.take()))
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = Pairs<'a>;

    fn into_iter(self) -> Pairs<'a> {
        self.iter()
    }
}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.data.as_bytes());
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    /// By name, then value, pair by pair; a set that is the beginning of another comes first. Prometheus's order.
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.data, &other.data) { Ordering::Equal } else { self.iter().cmp(other.iter()) }
    }
}

impl fmt::Display for Labels {
    /// `{a="1", b="2"}` with the metric's name in front where there is one, as Prometheus prints a metric.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.metric_name();
        let legacy = is_valid_metric_name(name);
        if legacy {
            f.write_str(name)?;
        }
        let mut rest = self.iter().filter(|(n, _)| !(legacy && *n == METRIC_NAME)).peekable();
        if rest.peek().is_none() && legacy {
            return Ok(());
        }
        f.write_str("{")?;
        let mut separator = "";
        for (n, v) in rest {
            f.write_str(separator)?;
            separator = ", ";
            if n == METRIC_NAME {
                f.write_str(&quote(v))?;
            } else if is_valid_label_name(n) {
                write!(f, "{n}={}", quote(v))?;
            } else {
                write!(f, "{}={}", quote(n), quote(v))?;
            }
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Labels {
    /// A map from name to value.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> serde::Deserialize<'de> for Labels {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::collections::BTreeMap::<String, String>::deserialize(deserializer).map(Labels::from_pairs)
    }
}

/// Whether a metric name can be written without quotes: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub fn is_valid_metric_name(name: &str) -> bool {
    is_name(name.as_bytes(), IN_LABEL | COLON)
}

/// Whether a label name can be written without quotes: `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_valid_label_name(name: &str) -> bool {
    is_name(name.as_bytes(), IN_LABEL)
}

/// Letters, digits, the underscore.
const IN_LABEL: u8 = 1;
/// The colon, which only names of metrics may have.
const COLON: u8 = 2;
/// What a byte may be in a name. A table, because expositions ask for every label of every series.
const NAME_BYTES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            table[byte as usize] = IN_LABEL;
        }
        byte += 1;
    }
    table[b':' as usize] = COLON;
    table
};

fn is_name(name: &[u8], allowed: u8) -> bool {
    name.first().is_some_and(|first| !first.is_ascii_digit())
        && name.iter().all(|byte| NAME_BYTES[usize::from(*byte)] & allowed != 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sorts_and_drops_empty_values() {
        let labels = Labels::from_pairs([("b", "2"), ("a", "1"), ("c", ""), ("a", "3")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "3"), ("b", "2")]);
        assert_eq!((labels.get("b"), labels.get("c"), labels.len()), (Some("2"), None, 2));
    }

    #[test]
    fn prints_as_prometheus_does() {
        let check = |pairs: &[(&str, &str)], want: &str| {
            assert_eq!(Labels::from_pairs(pairs.iter().copied()).to_string(), want);
        };
        check(&[], "{}");
        check(&[("__name__", "up")], "up");
        check(&[("__name__", "up"), ("job", "a\"b")], r#"up{job="a\"b"}"#);
        check(&[("__name__", "my.metric"), ("job.x", "a")], r#"{"my.metric", "job.x"="a"}"#);
        check(&[("a", "1"), ("b", "2")], r#"{a="1", b="2"}"#);
    }

    proptest! {
        #[test]
        fn holds_what_was_put_in(map in proptest::collection::btree_map(".{0,200}", ".{1,300}", 0..8)) {
            let labels = Labels::from_pairs(map.iter());
            let back: Vec<_> = labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            prop_assert_eq!(back, map.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn orders_like_its_pairs(a in proptest::collection::btree_map("[a-c]{1,2}", "[a-c]{1,2}", 0..4),
                                 b in proptest::collection::btree_map("[a-c]{1,2}", "[a-c]{1,2}", 0..4)) {
            let (la, lb) = (Labels::from_pairs(a.iter()), Labels::from_pairs(b.iter()));
            prop_assert_eq!(la.cmp(&lb), a.iter().cmp(b.iter()));
            prop_assert_eq!(la == lb, a == b);
        }
    }
}

//! The order in which the state changes: what a peer hasn't heard yet is what comes behind the last change it has.
//!
//! Every thing stands in it once, at its last change, so the feed is as large as the state it describes. Its numbers begin
//! anew with every start; who follows it notices by the number of the start.

use std::collections::{BTreeMap, HashMap};

use crate::fingerprint::Fingerprint;

/// What can change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    /// What a source, empty for this instance, says of an alert.
    Word(Fingerprint, String),
    /// What was told last under a key of the notification log.
    Sent(String),
    /// A silence by its id.
    Silence(String),
}

/// Changes in their order.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    last: u64,
    by_number: BTreeMap<u64, Item>,
    numbers: HashMap<Item, u64>,
}

impl Feed {
    /// Notes that something has changed.
    pub(crate) fn touch(&mut self, item: Item) {
        self.last += 1;
        self.by_number.insert(self.last, item.clone());
        if let Some(before) = self.numbers.insert(item, self.last) {
            self.by_number.remove(&before);
        }
    }

    /// What has changed after the change with this number, with the numbers.
    pub(crate) fn after(&self, number: u64) -> impl Iterator<Item = (u64, &Item)> {
        self.by_number.range(number.saturating_add(1)..).map(|(number, item)| (*number, item))
    }

    /// Forgets what doesn't exist any more.
    pub(crate) fn retain(&mut self, exists: impl Fn(&Item) -> bool) {
        self.numbers.retain(|item, _| exists(item));
        let numbers = &self.numbers;
        self.by_number.retain(|_, item| numbers.contains_key(item));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_each_thing_once_at_its_last_change() {
        let sent = |key: &str| Item::Sent(key.to_owned());
        let mut feed = Feed::default();
        ["a", "b", "a", "c"].into_iter().for_each(|key| feed.touch(sent(key)));
        let after = |feed: &Feed, number| feed.after(number).map(|(n, item)| (n, item.clone())).collect::<Vec<_>>();
        assert_eq!(after(&feed, 0), [(2, sent("b")), (3, sent("a")), (4, sent("c"))]);
        assert_eq!(after(&feed, 3), [(4, sent("c"))]);
        feed.retain(|item| *item != sent("a"));
        assert_eq!(after(&feed, 0), [(2, sent("b")), (4, sent("c"))]);
        assert_eq!(after(&feed, 4), []);
    }
}

//! Notes: a few bytes under a name that were stored with some transaction.

use std::collections::BTreeMap;
use std::ops::Bound;

use parking_lot::RwLock;

/// The newest note of each name.
#[derive(Debug, Default)]
pub(super) struct Notes {
    by_name: RwLock<BTreeMap<String, Vec<u8>>>,
}

impl Notes {
    /// The note of a name.
    pub(super) fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.by_name.read().get(name).cloned()
    }

    /// The notes whose names begin so.
    pub(super) fn with_prefix(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let by_name = self.by_name.read();
        let from = by_name.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let found = from.take_while(|(name, _)| name.starts_with(prefix));
        found.map(|(name, content)| (name.clone(), content.clone())).collect()
    }

    /// Sets a note, or takes it away if it has no content.
    pub(super) fn set(&self, name: &str, content: &[u8]) {
        let mut by_name = self.by_name.write();
        if content.is_empty() {
            by_name.remove(name);
        } else {
            by_name.insert(name.to_owned(), content.to_vec());
        }
    }
}

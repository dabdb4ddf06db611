//! The objects of a kind as they are now.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::kubernetes::dirt::Dirt;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::object::record::Record;

/// The objects of a kind that a server has, as far as it has told.
#[derive(Debug)]
pub(crate) struct Store {
    kind: Kind,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: HashMap<Arc<str>, Arc<Record>>,
    /// Whether all of them have been listed once.
    is_listed: bool,
    /// Who wants to know of changes.
    followers: Vec<Weak<Dirt>>,
}

/// How many objects were new, different and gone.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) added: u64,
    pub(crate) updated: u64,
    pub(crate) deleted: u64,
}

impl Store {
    /// An empty one.
    pub(crate) fn new(kind: Kind) -> Self {
        Store { kind, state: Mutex::default() }
    }

    /// Whether all objects have been listed once.
    pub(crate) fn is_listed(&self) -> bool {
        self.state.lock().is_listed
    }

    /// The object with this key.
    pub(crate) fn get(&self, key: &str) -> Option<Arc<Record>> {
        self.state.lock().objects.get(key).cloned()
    }

    /// Tells `dirt` of all changes from now on, and of all objects that are there.
    pub(crate) fn tell(&self, dirt: &Arc<Dirt>) {
        let mut state = self.state.lock();
        state.followers.retain(|follower| follower.strong_count() > 0);
        state.followers.push(Arc::downgrade(dirt));
        dirt.add(state.objects.keys().map(|key| (self.kind, key.clone())));
    }

    /// The objects are these and no others.
    pub(crate) fn replace(&self, fresh: Vec<(String, Record)>) -> Changes {
        let mut state = self.state.lock();
        let mut before = std::mem::take(&mut state.objects);
        let (mut changes, mut names) = (Changes::default(), Vec::new());
        for (key, record) in fresh {
            let (key, record) = match before.remove_entry(key.as_str()) {
                Some((key, old)) if *old == record => {
                    state.objects.insert(key, old);
                    continue;
                }
                Some((key, _)) => {
                    changes.updated += 1;
                    (key, record)
                }
                None => {
                    changes.added += 1;
                    (key.into(), record)
                }
            };
            names.push((self.kind, key.clone()));
            state.objects.insert(key, Arc::new(record));
        }
        changes.deleted = before.len() as u64;
        names.extend(before.into_keys().map(|key| (self.kind, key)));
        state.is_listed = true;
        state.ring(&names);
        changes
    }

    /// The object is this now.
    pub(crate) fn put(&self, key: &str, record: Record) -> Changes {
        let mut state = self.state.lock();
        let known = state.objects.get_key_value(key).map(|(key, old)| (key.clone(), **old == record));
        let changes = match &known {
            Some(_) => Changes { updated: 1, ..Changes::default() },
            None => Changes { added: 1, ..Changes::default() },
        };
        if let Some((_, true)) = known {
            return changes; // nothing that makes labels
        }
        let key = known.map_or_else(|| key.into(), |(key, _)| key);
        state.objects.insert(Arc::clone(&key), Arc::new(record));
        state.ring(&[(self.kind, key)]);
        changes
    }

    /// The object is gone.
    pub(crate) fn remove(&self, key: &str) -> Changes {
        let mut state = self.state.lock();
        let Some((key, _)) = state.objects.remove_entry(key) else { return Changes::default() };
        state.ring(&[(self.kind, key)]);
        Changes { deleted: 1, ..Changes::default() }
    }
}

impl State {
    fn ring(&self, names: &[(Kind, Arc<str>)]) {
        for follower in self.followers.iter().filter_map(Weak::upgrade) {
            follower.add(names.iter().cloned());
        }
    }
}

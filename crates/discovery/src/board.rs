//! Where a source shows what it has found.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::group::TargetGroup;

/// Tells one who follows several sources that one of them has changed. Dropping it ends the telling.
#[derive(Debug)]
pub(crate) struct Bell(pub(crate) Arc<Notify>);

/// A part of what a source has found, as the targets of one object, by its name.
pub(crate) type Part = (Arc<str>, Vec<TargetGroup>);

/// What a source has found last, and bells for who waits for a change.
#[derive(Debug, Default)]
pub(crate) struct Board {
    state: Mutex<State>,
    /// Rung at the first answer.
    answered: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// By name; none is empty.
    parts: BTreeMap<Arc<str>, Arc<Vec<TargetGroup>>>,
    has_answered: bool,
    bells: Vec<Weak<Bell>>,
}

impl Board {
    /// Rings `bell` at changes from now on.
    pub(crate) fn tell(&self, bell: &Arc<Bell>) {
        let mut state = self.state.lock();
        state.bells.retain(|bell| bell.strong_count() > 0);
        state.bells.push(Arc::downgrade(bell));
    }

    /// What was found last.
    pub(crate) fn groups(&self) -> Vec<Arc<Vec<TargetGroup>>> {
        self.state.lock().parts.values().cloned().collect()
    }

    /// How many parts have something.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().parts.len()
    }

    /// Shows what is there now, all of it.
    pub(crate) fn show(&self, fresh: Vec<TargetGroup>) {
        self.update([("".into(), fresh)], true);
    }

    /// Shows what has become of some parts. The first answer is there with the first call that `is_answer`.
    pub(crate) fn update(&self, fresh: impl IntoIterator<Item = Part>, is_answer: bool) {
        let mut state = self.state.lock();
        let mut is_change = false;
        for (name, groups) in fresh {
            is_change |= match state.parts.get(&name) {
                None if groups.is_empty() => false,
                Some(old) if **old == groups => false,
                Some(_) if groups.is_empty() => state.parts.remove(&name).is_some(),
                _ => {
                    state.parts.insert(name, Arc::new(groups));
                    true
                }
            };
        }
        if is_change {
            state.bells.iter().filter_map(Weak::upgrade).for_each(|bell| bell.0.notify_one());
        }
        state.has_answered |= is_answer;
        drop(state);
        if is_answer {
            self.answered.notify_waiters();
        }
    }

    /// Whether the first answer is there.
    pub(crate) fn has_answered(&self) -> bool {
        self.state.lock().has_answered
    }

    /// Waits for the first answer.
    pub(crate) async fn answered(&self) {
        let answered = self.answered.notified();
        tokio::pin!(answered);
        answered.as_mut().enable();
        if !self.has_answered() {
            answered.await;
        }
    }
}

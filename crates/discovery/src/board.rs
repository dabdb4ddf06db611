//! Where a source shows what it has found.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::group::TargetGroup;

/// What a source has found last, and a bell for who waits for a change of any source.
#[derive(Debug)]
pub(crate) struct Board {
    /// `None` before the first answer.
    groups: Mutex<Option<Arc<Vec<TargetGroup>>>>,
    changed: Arc<Notify>,
    /// Rung at the first answer.
    answered: Notify,
}

impl Board {
    pub(crate) fn new(changed: Arc<Notify>) -> Self {
        Board { groups: Mutex::default(), changed, answered: Notify::new() }
    }

    /// What was found last.
    pub(crate) fn groups(&self) -> Arc<Vec<TargetGroup>> {
        self.groups.lock().clone().unwrap_or_default()
    }

    /// Shows what is there now.
    pub(crate) fn show(&self, fresh: Vec<TargetGroup>) {
        let mut groups = self.groups.lock();
        let is_new = groups.as_ref().is_none_or(|groups| **groups != fresh);
        if is_new {
            let had_any = groups.as_ref().is_some_and(|groups| !groups.is_empty());
            let is_change = had_any || !fresh.is_empty();
            *groups = Some(Arc::new(fresh));
            if is_change {
                self.changed.notify_one();
            }
        }
        drop(groups);
        self.answered.notify_waiters();
    }

    /// Waits for the first answer.
    pub(crate) async fn answered(&self) {
        let answered = self.answered.notified();
        tokio::pin!(answered);
        answered.as_mut().enable();
        if self.groups.lock().is_none() {
            answered.await;
        }
    }
}

//! Whether the history from before the start is in memory yet.
//!
//! At start the series of the log are read before anything else, so that samples can be taken under their numbers at once. Their
//! samples follow in a thread of their own. Until they are there, questions wait for them; what cuts or deletes waits too.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum State {
    #[default]
    Under,
    Done,
    /// The log could not be read to its end, and why.
    Failed(String),
}

/// Told by whoever reads the history, asked by everybody else.
#[derive(Debug)]
pub(crate) struct Loading {
    state: Mutex<State>,
    changed: Condvar,
    ended: watch::Sender<bool>,
}

impl Default for Loading {
    fn default() -> Self {
        Loading { state: Mutex::default(), changed: Condvar::new(), ended: watch::Sender::new(false) }
    }
}

impl Loading {
    /// Says that all of it is there, or why not.
    pub(crate) fn end(&self, failure: Option<String>) {
        *self.state.lock() = failure.map_or(State::Done, State::Failed);
        self.changed.notify_all();
        self.ended.send_replace(true);
    }

    /// Whether all of it is there.
    pub(crate) fn is_done(&self) -> bool {
        *self.state.lock() == State::Done
    }

    /// Whether reading has come to an end, this way or that.
    pub(crate) fn has_ended(&self) -> bool {
        *self.state.lock() != State::Under
    }

    /// Why a part of it is missing for good, if it is.
    pub(crate) fn failure(&self) -> Option<String> {
        match &*self.state.lock() {
            State::Failed(reason) => Some(reason.clone()),
            State::Under | State::Done => None,
        }
    }

    /// Waits, on this thread, until reading has come to an end.
    pub(crate) fn wait(&self) {
        let mut state = self.state.lock();
        while *state == State::Under {
            self.changed.wait(&mut state);
        }
    }

    /// Waits for at most `limit`. The answer is what a person should know who gets an answer now.
    pub(crate) async fn wait_for(&self, limit: Duration) -> Option<String> {
        if self.is_done() {
            return None;
        }
        let mut ended = self.ended.subscribe();
        let waited = tokio::time::timeout(limit, ended.wait_for(|ended| *ended)).await;
        match self.failure() {
            Some(reason) => Some(format!("samples from before the last start are missing: {reason}")),
            None if waited.is_ok() => None,
            None => {
                Some("samples from before the last start are still being read and are not in this answer".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn waits_as_long_as_it_is_told() {
        let loading = Arc::new(Loading::default());
        let said = loading.wait_for(Duration::from_millis(1)).await.expect("a warning");
        assert!(said.contains("still being read"), "{said}");
        let other = Arc::clone(&loading);
        let waiting = tokio::spawn(async move { other.wait_for(Duration::from_secs(10)).await });
        loading.end(None);
        assert_eq!(waiting.await.expect("no panic"), None);
        loading.wait();
        assert!(loading.is_done() && loading.has_ended());
    }

    #[tokio::test]
    async fn tells_why_something_is_missing() {
        let loading = Loading::default();
        loading.end(Some("no such disk".to_owned()));
        let said = loading.wait_for(Duration::from_secs(10)).await.expect("a warning");
        assert!(said.contains("no such disk"), "{said}");
        assert!(!loading.is_done());
    }
}

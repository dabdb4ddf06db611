//! What both sides of a pull remember so that it need not be said again: which series have been defined, and the last value of each.
//!
//! A session goes on only if the puller has the last answer of it. Whoever missed one, or has forgotten the session, begins a new one,
//! and everything is defined again: nothing but bytes depends on a session.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use model::Labels;
use parking_lot::Mutex;
use storage::SeriesRef;

use crate::wire::FIRST_VALUE;

/// So many pullers are remembered; the one that was silent for longest is forgotten first.
const SESSIONS_MAX: usize = 32;

/// One puller's session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: u64,
    /// The number of the answer that comes next.
    pub(super) answer: u64,
    /// What the puller was told of these.
    external: Labels,
    series: HashMap<SeriesRef, Known, FixedState>,
}

#[derive(Debug)]
pub(super) struct Known {
    pub(super) id: u32,
    /// The last float that was told.
    pub(super) last: f64,
}

impl Session {
    /// What is remembered of a series, if it is defined.
    pub(super) fn get(&mut self, series: SeriesRef) -> Option<&mut Known> {
        self.series.get_mut(&series)
    }

    /// Gives a series its number.
    pub(super) fn define(&mut self, series: SeriesRef) -> &mut Known {
        let id = self.series.len() as u32;
        self.series.entry(series).or_insert(Known { id, last: FIRST_VALUE })
    }
}

/// All sessions, the one that was silent for longest first.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    all: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sessions: Vec<Session>,
    last_id: u64,
}

impl Sessions {
    /// The session whose answer before the next one the puller has, or a new one. It belongs to the caller until it is given back.
    pub(super) fn take(&self, wanted: Option<(u64, u64)>, external: &Labels, now_ms: i64) -> Session {
        let mut state = self.all.lock();
        if let Some((id, next)) = wanted
            && let Some(at) = state.sessions.iter().position(|session| session.id == id)
        {
            let session = state.sessions.remove(at);
            if session.answer == next && session.external == *external {
                return session;
            }
        }
        // Unlike all that an earlier run of this node may have given.
        let id = state.last_id.saturating_add(1).max(now_ms.max(0).unsigned_abs());
        state.last_id = id;
        Session { id, answer: 0, external: external.clone(), series: HashMap::default() }
    }

    /// An answer of the session is on its way.
    pub(super) fn give_back(&self, mut session: Session) {
        session.answer += 1;
        let sessions = &mut self.all.lock().sessions;
        sessions.push(session);
        let too_many = sessions.len().saturating_sub(SESSIONS_MAX);
        sessions.drain(..too_many);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_goes_on_with_the_answer_after_the_last() {
        let sessions = Sessions::default();
        let mut first = sessions.take(None, &Labels::empty(), 1000);
        let id = first.id;
        assert_eq!((first.answer, first.define(SeriesRef(7)).id, first.define(SeriesRef(9)).id), (0, 0, 1));
        sessions.give_back(first);
        let mut again = sessions.take(Some((id, 1)), &Labels::empty(), 1000);
        assert!(again.answer == 1 && again.get(SeriesRef(9)).is_some_and(|known| known.id == 1));
        sessions.give_back(again);
        let other = sessions.take(Some((id, 1)), &Labels::empty(), 900);
        assert!(other.id > id && other.answer == 0 && other.series.is_empty(), "an answer was lost");
        assert_ne!(sessions.take(Some((id, 2)), &Labels::empty(), 900).id, id, "and the session with it");
    }

    #[test]
    fn the_silent_are_forgotten() {
        let sessions = Sessions::default();
        let ids: Vec<u64> = (0..SESSIONS_MAX + 1)
            .map(|_| {
                let session = sessions.take(None, &Labels::empty(), 0);
                let id = session.id;
                sessions.give_back(session);
                id
            })
            .collect();
        assert_ne!(sessions.take(Some((ids[0], 1)), &Labels::empty(), 0).id, ids[0]);
        assert_eq!(sessions.take(Some((ids[1], 1)), &Labels::empty(), 0).id, ids[1]);
    }
}

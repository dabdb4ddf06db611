//! Sources that several have: who asks the same follows the same.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::board::Board;

/// The sources of one kind that are followed now, by their configuration.
#[derive(Debug)]
pub(crate) struct Sharing<C>(Mutex<Vec<(C, Weak<Shared>)>>);

/// What a source has found, followed as long as somebody holds it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) board: Arc<Board>,
    _stop: DropGuard,
}

impl<C> Default for Sharing<C> {
    /// Nothing is followed so far.
    fn default() -> Self {
        Sharing(Mutex::default())
    }
}

impl<C: Clone + PartialEq> Sharing<C> {
    /// The source that is configured so; `follow` begins it where nobody has it yet, with where to show and when to stop.
    pub(crate) fn source(&self, config: &C, follow: impl FnOnce(Arc<Board>, CancellationToken)) -> Arc<Shared> {
        let mut sources = self.0.lock();
        sources.retain(|(_, source)| source.strong_count() > 0);
        let known = sources.iter().filter(|(other, _)| other == config).find_map(|(_, source)| source.upgrade());
        known.unwrap_or_else(|| {
            let (board, stop) = (Arc::<Board>::default(), CancellationToken::new());
            follow(board.clone(), stop.clone());
            let source = Arc::new(Shared { board, _stop: stop.drop_guard() });
            sources.push((config.clone(), Arc::downgrade(&source)));
            source
        })
    }
}

//! A store together with the watch that keeps it right.

use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::kubernetes::store::Store;
use crate::kubernetes::watch::Watch;

/// The objects of a query, followed as long as this is held.
#[derive(Debug)]
pub(crate) struct Reflection {
    pub(crate) store: Arc<Store>,
    _stop: DropGuard,
}

impl Reflection {
    /// Begins to follow.
    pub(crate) fn start(watch: Watch) -> Self {
        let (stop, store) = (CancellationToken::new(), watch.store.clone());
        tokio::spawn(watch.follow(stop.clone()));
        Reflection { store, _stop: stop.drop_guard() }
    }
}

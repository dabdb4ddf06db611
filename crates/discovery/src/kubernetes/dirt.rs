//! What has changed and was not looked at yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::kubernetes::kind::Kind;

/// A kind and the key of an object of it.
pub(crate) type Name = (Kind, Arc<str>);

/// The objects that have changed since they were last looked at. However often one changes, it is here once.
#[derive(Debug)]
pub(crate) struct Dirt {
    changed: Mutex<BTreeSet<Name>>,
    bell: Arc<Notify>,
}

impl Dirt {
    /// Nothing so far; `bell` is rung for what comes.
    pub(crate) fn new(bell: Arc<Notify>) -> Self {
        Dirt { changed: Mutex::default(), bell }
    }

    /// Notes objects, and that something was listed even where it is none.
    pub(crate) fn add(&self, names: impl IntoIterator<Item = Name>) {
        self.changed.lock().extend(names);
        self.bell.notify_one();
    }

    /// What has changed, which counts as looked at now.
    pub(crate) fn take(&self) -> BTreeSet<Name> {
        std::mem::take(&mut self.changed.lock())
    }
}

//! Whether what was read of a storage still holds.

use model::Timestamp;

use crate::feed::Place;

/// A state of a storage. The default is none that a storage was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Up to where its commits were told from each other.
    pub commits: Place,
    /// A number that changes with everything else.
    pub other: u64,
}

/// What became of a storage since a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision {
    /// No sample before this time came, went or changed since the mark; [`Timestamp::MIN`] where that isn't known, [`Timestamp::MAX`] where
    /// nothing changed.
    pub from: Timestamp,
    /// The state now. A selection that begins from here on has everything that was there then.
    pub mark: Mark,
}

/// A storage that tells what has changed.
pub trait Revised: Send + Sync {
    /// What has changed since a mark. It may be too much that is told, never too little: what is committed, cut or deleted in this moment is
    /// told now or the next time.
    fn revised_since(&self, mark: Mark) -> Revision;
}

//! Where things lie in a bucket: Thanos's layout.

use std::fmt::Display;

use object_store::path::Path;

/// The object that makes a block exist.
pub(crate) const META: &str = "meta.json";
/// The block's index.
pub(crate) const INDEX: &str = "index";

/// Says that the block is to be deleted.
pub(crate) const DELETION_MARK: &str = "deletion-mark.json";

/// An object of a block.
pub(crate) fn object(block: impl Display, name: &str) -> Path {
    Path::from(format!("{block}/{name}"))
}

/// A chunk segment, counted from 1.
pub(crate) fn segment(block: impl Display, number: usize) -> Path {
    Path::from(format!("{block}/chunks/{number:06}"))
}

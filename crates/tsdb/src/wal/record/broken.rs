//! How a record that can't be read is told.

use crate::binary::Corrupt;

const STRUCTURE: &str = "write-ahead log record";

pub(super) fn broken(at: usize, reason: &str) -> Corrupt {
    Corrupt::new(STRUCTURE, at, reason)
}

//! Whether everything in a data directory is sound: every checksum, every reference, every order, every count. What is wrong
//! is told with its place, what it means and what to do, and the walk goes on behind it.
//!
//! The files are read here by their formats (`docs/format/`) and not by the readers that answer queries: those look at what
//! they need and stop at the first error.

mod block;
mod chunks;
mod consequence;
mod content;
mod directory;
mod head_chunks;
mod index;
mod log;
mod postings;
mod report;

pub use block::verify_block;
pub use consequence::Severity;
pub use directory::verify_directory;
pub use report::{FINDINGS_PER_FILE_MAX, Finding, VerifyCounts, VerifyReport};

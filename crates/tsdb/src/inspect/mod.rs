//! Reading a data directory without being its owner: what is in it, walking its samples, what makes it large, and whether all
//! of it is sound.
//!
//! Nothing here takes the directory's lock and nothing writes: no repair, no new segment, no file. A directory that a process
//! works on is read as well as that goes: blocks never change, and of the head the answer is what the log held when it was
//! read, up to the last whole record. The head is read from the logs alone (`wal/` and `wbl/`): they have every sample that is
//! in no block yet, and `chunks_head/` only what they have too.

mod analyze;
mod directory;
mod error;
mod head;
mod progress;
mod spread;
mod verify;

pub use analyze::{Analysis, AnalyzeOptions, MetricCost, Sizes, analyze_block, analyze_head};
pub use directory::{BlockSummary, Inspection, Mark, Matchers, SetAside};
pub use error::InspectError;
pub use head::{HeadContent, HeadReport};
pub use progress::{Progress, Silent};
pub use spread::{Bar, ChunkSpread, Spread};
pub use verify::{
    FINDINGS_PER_FILE_MAX, Finding, Severity, VerifyCounts, VerifyReport, verify_block, verify_directory,
};

//! The head: the newest samples, in memory and in the log.
//!
//! Locks are taken in this order and never the other way round: `barrier`, late commits, the logs, `gate`, `index`, a page, those of
//! the head chunks.
//! - `barrier` is held shared by a commit from its check against the oldest valid time until its samples are in place; a cut
//!   takes it exclusively for a moment, after which no sample can appear in the range that is cut.
//! - `gate` is held shared by a commit while it puts its samples in place, and exclusively by a select while it copies what
//!   it needs. So a select sees all of a commit or nothing, across all series, and no sample carries a mark of who may see it.
//! - `index` guards which series there are; a page guards the samples of its series.
//! - Late commits go one after the other, from before they are logged until they are in place, see `late::commit`.
//!
//! What is written before what: a sample is in a log before it is in memory, in memory before it is in a file of head chunks, in
//! a block that readers see before the head drops it, and out of the head before the logs forget it. So files of head
//! chunks may be lost or damaged at any time, and replay, which reads them first, takes from the logs whatever they lack.
//!
//! The ring of exemplars is locked before `index`, the table of metadata after it. What is known of commits, `feed`, is locked behind
//! everything else, also while a log is written to: a commit says where it ends before the next one gets there.

mod ahead;
mod attached;
mod commit;
mod create;
mod cutting;
mod delete;
mod exemplars;
mod export;
mod feed;
mod full;
mod index;
mod labelling;
mod late;
mod loading;
mod mapping;
mod metadata;
mod native;
mod newest;
mod notes;
mod noting;
mod numbering;
mod order;
mod pages;
mod pairs;
mod postings;
mod replay;
mod rows;
mod select;
mod series;
mod slots;
mod snapshot;
mod state;
mod stats;
mod storing;
mod symbols;
mod tombstones;
mod transaction;

pub(crate) use export::CutError;
pub(crate) use feed::follower::HeadFollower;
pub(crate) use late::cut::{LateError, SealedLate};
pub(crate) use loading::Loading;
pub(crate) use replay::{Replay, ReplayReport};
pub(crate) use state::{Head, HeadOptions};
pub use stats::{CardinalityStats, HeadStats, NamedCount};
pub(crate) use transaction::Transaction;

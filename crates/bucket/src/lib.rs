//! Blocks in object storage: making them of what a node has, upload, and reading them back through the same `Queryable` as
//! everything else.
//!
//! The layout is Thanos's, whose verifier and compactor take it: `<ulid>/{meta.json,index,chunks/NNNNNN}`, with
//! `meta.json` uploaded last, because a block without it does not exist. A block holds all of one window of time and depends on nothing
//! but the samples, its name is derived from what it holds, and uploads are create-if-absent, so both globals of a pair may upload at
//! once and each window is there once (`docs/format/bucket.md`). The object stores themselves are a library's (`object_store`). What bears
//! a deletion mark is deleted after a delay; compaction, downsampling and retention in the bucket are not here yet.

mod block;
mod build;
mod cache;
mod catalog;
mod cleaner;
mod config;
mod deletion;
mod error;
mod layout;
mod ledger;
mod mark;
mod metrics;
mod occupied;
mod store;
mod upload;
mod uploader;
mod view;
mod window;

pub use block::BucketBlock;
pub use catalog::Catalog;
pub use cleaner::Cleaner;
pub use config::{Config, Location, RawBucket};
pub use error::BucketError;
pub use store::open;
pub use uploader::{Uploader, UploaderOptions, UploaderStatus, Windows};
pub use view::BucketView;

//! `watershed tsdb`: work on a data directory, also on one whose process is down, or up.

mod analyze;
mod create_blocks;
mod dump;
mod histogram_text;
mod list;
mod row;
mod run;
mod selector;
mod table;
mod verify;

pub(crate) use run::run;

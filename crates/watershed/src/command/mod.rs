//! The subcommands, one file each.

pub(crate) mod check;
mod config_file;
pub(crate) mod demo;
pub(crate) mod global;
mod node;
mod relabel;
pub(crate) mod shard;
pub(crate) mod test;
pub(crate) mod tsdb;

pub(crate) use node::registry;

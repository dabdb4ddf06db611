//! Finding targets: lists in the configuration and lists in files.

mod file;
mod group;
mod watch;

pub use file::{FileSdConfig, RawFileSdConfig};
pub(crate) use group::check_address;
pub use group::{RawTargetGroup, TargetGroup};
pub(crate) use watch::Discovery;

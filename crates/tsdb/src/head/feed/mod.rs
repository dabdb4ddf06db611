//! Following the commits of a head, see `storage::feed`.
//!
//! Each series has a bit for each of the few who follow it, set when somebody begins to follow, or when the series is made. A commit
//! keeps what it brought of such series, so that a reader pays for what it follows and not for what the head holds. Commits are
//! kept up to a bound of memory. Who comes later than that is told from when on to read by time.

pub(super) mod commits;
mod follow;
pub(super) mod follower;
pub(super) mod following;
mod noted;
pub(super) mod recent;
mod runs;
pub(super) mod times;

//! Named places at which a test lets the process die, or a write fail as it does on a full disk.
//!
//! Without the feature `failpoints` both functions are empty and inlined away. It is our own and not the `fail` crate
//! because half a write is one of the things that must happen, and because a test wants the list of all places, so that it can
//! tell that it has been at each of them.
//!
//! What happens is told by `$WATERSHED_FAILPOINTS` for all threads, or by `arm` for the calling one:
//! `wal.write.in=abort@37` dies in the middle of the 37th write to a log, `wal.write.before=full@3x5` lets the 3rd to the 7th
//! fail for want of room. Several are separated by commas.

#[cfg(feature = "failpoints")]
mod armed;
#[cfg(not(feature = "failpoints"))]
mod disarmed;
#[cfg(feature = "failpoints")]
mod points;

#[cfg(feature = "failpoints")]
pub use armed::{Armed, VARIABLE, arm};
#[cfg(feature = "failpoints")]
pub(crate) use armed::{pass, write};
#[cfg(not(feature = "failpoints"))]
pub(crate) use disarmed::{pass, write};
#[cfg(feature = "failpoints")]
pub use points::{STEPS, WRITES, points};

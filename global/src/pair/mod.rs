//! The pair: whether this global and its peer hold the same, and which of them should be asked.

mod gate;
mod progress;
mod standing;
mod watch;
mod windows;

pub(crate) use gate::PullGate;
pub(crate) use progress::behind;
pub(crate) use standing::{Standings, complete_until};
pub(crate) use watch::PeerWatch;

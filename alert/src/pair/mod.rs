//! The instances of a pair: what they say to each other, who goes first, and how they are reached.

mod definition;
mod intents;
mod link;
mod peers;
mod wire;

pub use definition::{PairConfig, PeerConfig};
pub(crate) use intents::{Answer, Intents, Member, Verdict};
pub(crate) use link::{Link, LinkError, LinkView};
pub(crate) use peers::{Peers, give_back};
pub(crate) use wire::{From, Intent, IntentAnswer, STATE_PATH, StateHead, read, read_state, write, write_state};

//! End-to-end tests: real processes on loopback, real peers, nothing in between.
//!
//! This library is what the tests are written with: starting and killing processes, asking nodes, receiving
//! notifications, waiting for a level with a bound. A peer that isn't installed skips the test by name, and
//! `scripts/test` lists what was skipped.

mod ask;
mod links;
mod node;
mod peer;
mod process;
mod receiver;
mod setting;
mod wait;

pub use ask::{Client, Points, points};
pub use links::{Link, Random, Weather, link_report};
pub use node::{Node, write};
pub use peer::{find, is_prometheus_3, node_exporter, prometheus, prometheus_on};
pub use process::{Process, free_port, free_ports, watershed};
pub use receiver::Receiver;
pub use setting::setting;
pub use wait::eventually;

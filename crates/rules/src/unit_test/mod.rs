//! Unit tests of rules, in promtool's format: series in short, the rule files themselves, and what is to come of both.
//!
//! A test has a storage of its own in memory. Its series are stored up to one moment after another, an evaluation interval
//! apart, and at each of them the groups are evaluated as a node evaluates them: the same state machines, engine,
//! templates and stale markers. Whether a test passes is promtool's decision: values are compared bit by bit, an alert by all its
//! labels and annotations. Alerts are checked behind the last evaluation at or before their time, expressions at the end.
//!
//! Two things differ: a query may hold as many samples as on a node, where promtool ends it at 10,000, and groups that
//! `group_eval_order` doesn't name are evaluated in the order of the files, where promtool's order is by chance.

mod difference;
mod file;
mod memory;
mod outcome;
mod run;

pub use file::UnitTests;
pub use outcome::{Failure, Finding, Outcome};

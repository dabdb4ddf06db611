//! Reading an OpenMetrics text of any length into blocks.

mod known;
mod run;
mod source;

pub(crate) use run::import;
pub(crate) use source::Source;

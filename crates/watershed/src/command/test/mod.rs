//! `watershed test`: runs what people write to be sure of their queries and rules.

mod junit;
mod promql;
mod rules;
mod run;
mod tally;

pub(crate) use run::run;

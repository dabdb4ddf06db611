//! Go templates as Prometheus uses them in alerts: the functions, the data, and Go's ways of printing.
//!
//! The engine (syntax, control flow, built-in functions) is the crate gotmpl. What is ours is the bridge to what people
//! write in rule files: Prometheus's functions, struct and `map[string]string` semantics (a missing label is empty,
//! an unknown field is an error), numbers printed as Go prints them. [`Template::expand`] takes any data, which is where
//! notification templates come in.
//!
//! Not done: escaping for HTML pages (console templates), and Go's methods on times, so `toTime` gives a text.

mod error;
mod expand;
mod functions;
mod numbers;
mod printing;
mod rewrite;
mod search;
mod text;
mod value;
mod vectors;

pub use error::TemplateError;
pub use expand::{Context, QueryFn, RuleData, Template};
pub use gotmpl::Value;
pub use text::table_link;

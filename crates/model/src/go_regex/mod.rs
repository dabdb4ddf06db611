//! Go's regular expressions (RE2 syntax with Perl's additions, as Prometheus compiles them: anchored at both ends, a dot
//! matches a newline) on Rust's engine.
//!
//! The two syntaxes look alike and differ in many places: `\d`, `\w`, `\s` and `\b` are ASCII in Go; `a{,2}`, `{foo}`,
//! `\Q..\E`, `\12` and `[[a]` are legal there, `x**` and `a{1001}` are not; `[a&&b]` is a set of three characters. So an
//! expression is parsed by Go's rules, with Go's messages, straight into the tree that Rust's engine compiles. Facts from
//! Go's `regexp/syntax`.

mod class;
mod error;
mod escape;
mod finite;
mod parser;
mod regex;
mod search;
mod shape;
mod template;

pub use error::RegexError;
pub use regex::GoRegex;
pub use search::GoSearch;

#[cfg(test)]
mod tests;

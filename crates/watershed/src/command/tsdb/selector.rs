//! Selectors on the command line.

use anyhow::{Context, Result};
use model::Matcher;

/// The matchers of a selector from the command line.
pub(super) fn matchers(selector: &str) -> Result<Vec<Matcher>> {
    promql::parse_selectors(selector).with_context(|| format!("--match {selector}"))
}

//! Loading a configuration to look at it, without running anything.

use std::fs;
use std::path::Path;

use config::Errors;
use daemon::{CommonConfig, Loaded};
use promql::ParseOptions;

/// A file with a `federation:` section is a global's, any other a shard's.
pub(super) fn load(file: &Path, language: ParseOptions, agent: bool) -> Result<(&'static str, CommonConfig), Errors> {
    let is_global = fs::read_to_string(file).is_ok_and(|text| text.lines().any(|line| line.starts_with("federation:")));
    let (tier, common, notes) = if is_global {
        let Loaded { common, notes, .. } = global::load(file, "global", language)?;
        ("a global", common, notes)
    } else {
        let Loaded { common, notes, .. } = shard::load(file, language, agent)?;
        (if agent { "an agent" } else { "a shard" }, common, notes)
    };
    notes.iter().for_each(|note| tracing::warn!("{note}"));
    Ok((tier, common))
}

//! A group of targets with the labels they share, wherever it was found.

use std::collections::BTreeMap;

use config::{Report, Spanned};
use model::Labels;
use serde::Deserialize;

/// A group as written in the configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawTargetGroup {
    /// Addresses, `host:port`.
    pub targets: Vec<Spanned<String>>,
    /// Labels of all of them.
    pub labels: BTreeMap<String, String>,
}

/// Targets and the labels they share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetGroup {
    /// Addresses, `host:port`.
    pub targets: Vec<String>,
    /// Labels of all of them.
    pub labels: Labels,
}

/// What a round of questions to a source brought: for each part of it the groups, or nothing where it failed.
pub(crate) type Round = Vec<(String, Option<Vec<TargetGroup>>)>;

impl TargetGroup {
    /// Checks a group of `static_configs`. An address with a slash is refused where nothing can relabel it.
    pub(crate) fn validate(raw: RawTargetGroup, is_relabelled: bool, report: &mut Report) -> TargetGroup {
        for target in &raw.targets {
            if !is_relabelled && let Err(e) = check_address(target) {
                report.error(target, e);
            }
        }
        TargetGroup {
            targets: raw.targets.into_iter().map(|target| target.value).collect(),
            labels: Labels::from_pairs(&raw.labels),
        }
    }
}

/// An address is a host with or without a port, not a URL.
///
/// # Errors
/// It has a slash; the text says so.
pub fn check_address(address: &str) -> Result<(), String> {
    if address.contains('/') {
        return Err(format!("{address:?} is not a valid hostname"));
    }
    Ok(())
}

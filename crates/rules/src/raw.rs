//! Rule files as they are written.

use std::collections::BTreeMap;

use config::{DurationMs, Spanned};
use serde::Deserialize;

/// Texts by name; a value that is left out is the empty text, as in Prometheus.
pub(crate) type Texts = BTreeMap<String, Spanned<Option<String>>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawFile {
    pub(crate) groups: Option<Vec<Spanned<RawGroup>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawGroup {
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) interval: Option<Spanned<DurationMs>>,
    pub(crate) query_offset: Option<Spanned<DurationMs>>,
    pub(crate) limit: Option<Spanned<i64>>,
    pub(crate) labels: Option<Texts>,
    pub(crate) rules: Option<Vec<Spanned<RawRule>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawRule {
    pub(crate) record: Option<Spanned<String>>,
    pub(crate) alert: Option<Spanned<String>>,
    pub(crate) expr: Option<Spanned<String>>,
    #[serde(rename = "for")]
    pub(crate) for_: Option<Spanned<DurationMs>>,
    pub(crate) keep_firing_for: Option<Spanned<DurationMs>>,
    pub(crate) labels: Option<Texts>,
    pub(crate) annotations: Option<Texts>,
}

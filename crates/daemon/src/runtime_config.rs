//! The section `runtime`: Prometheus's words for Go's runtime.

use config::{Report, Spanned};
use serde::Deserialize;

/// `runtime` as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawRuntime {
    gogc: Option<Spanned<i64>>,
}

impl RawRuntime {
    /// Notes what changes nothing here.
    pub fn check(&self, report: &mut Report) {
        if let Some(gogc) = &self.gogc {
            report.note(gogc, "runtime.gogc is taken and changes nothing: there is no garbage collector to tune");
        }
    }
}

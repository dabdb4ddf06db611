//! `/federate`, which every tier serves.

use std::sync::Arc;

use federation::Federate;

use crate::base::Base;

/// The serving half of federation over the node's own database.
pub fn federate(base: &Base) -> Arc<Federate> {
    Federate::new(base.db.clone(), base.clock.clone(), |text| promql::parse_selectors(text).map_err(|e| e.to_string()))
}

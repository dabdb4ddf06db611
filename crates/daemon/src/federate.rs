//! `/federate`, which every tier serves.

use std::sync::Arc;

use federation::Federate;
use model::Labels;

use crate::base::Base;

/// The serving half of federation over the node's own database.
pub fn federate(base: &Base, external: &Labels) -> Arc<Federate> {
    let parse = |text: &str| promql::parse_selectors(text).map_err(|error| error.to_string());
    Federate::of_database(base.db.clone(), base.clock.clone(), external.clone(), parse)
}

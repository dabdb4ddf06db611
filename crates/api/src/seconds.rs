//! Times as numbers in JSON.

use model::Timestamp;
use serde::{Serialize, Serializer};

/// A time in seconds; whole ones as an integer, as Prometheus writes them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seconds(pub(crate) Timestamp);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_ms() {
            ms if ms % 1000 == 0 => serializer.serialize_i64(ms / 1000),
            _ => serializer.serialize_f64(self.0.as_secs_f64()),
        }
    }
}

//! What the environment says about a test: its seed, its length.

use anyhow::Result;

/// A number from the environment, or the default.
pub fn setting(name: &str, default: impl FnOnce() -> u64) -> Result<u64> {
    Ok(match std::env::var(name) {
        Ok(text) => text.parse()?,
        Err(_) => default(),
    })
}

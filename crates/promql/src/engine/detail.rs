//! What a query is to tell of itself.

/// What a query tells of itself beside its answer. Finding it out takes time, so nobody gets it who doesn't ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Detail {
    /// How many samples its steps look at.
    pub step_samples: bool,
    /// What each of its parts costs.
    pub explanation: bool,
}

//! What a scrape brought.

/// What a scrape brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Samples in the exposition.
    pub(crate) scraped: u64,
    /// Those that relabelling left.
    pub(crate) kept: u64,
    /// Those of them that the exposition had not shown already: what `sample_limit` is about.
    pub(super) offered: u64,
    /// Series that weren't there before.
    pub(crate) added: u64,
    /// Samples that were skipped because a newer one is stored.
    pub(crate) out_of_order: u64,
    /// Samples that were skipped because their series has another value at that time.
    pub(crate) duplicate: u64,
    /// Samples that were skipped because they are too old or in the future.
    pub(crate) out_of_bounds: u64,
    /// Exemplars that were skipped because all that their series has are newer.
    pub(crate) exemplars_out_of_order: u64,
    /// Native histograms that have too many buckets, however coarse they are made.
    pub(super) too_fine: u64,
}

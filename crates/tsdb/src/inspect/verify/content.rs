//! What could be read of an index, for comparing it with everything else.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

/// A chunk as a series names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkRef {
    pub(super) segment: u32,
    pub(super) offset: u32,
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    /// Where the series stands in the index.
    pub(super) series_at: u64,
}

/// What could be read of an index.
#[derive(Debug, Default)]
pub(super) struct IndexContent {
    /// The numbers of the series, ascending.
    pub(super) series: Vec<u32>,
    /// The numbers of series that can't be read.
    pub(super) broken: HashSet<u32, FixedState>,
    /// In order of the series.
    pub(super) chunks: Vec<ChunkRef>,
    /// The series by the symbols of their labels.
    pub(super) by_label: HashMap<(u32, u32), Vec<u32>, FixedState>,
}

impl IndexContent {
    /// All series, those that can't be read included.
    pub(super) fn series_count(&self) -> u64 {
        (self.series.len() + self.broken.len()) as u64
    }

    pub(super) fn has_series(&self, number: u32) -> bool {
        self.series.binary_search(&number).is_ok() || self.broken.contains(&number)
    }
}

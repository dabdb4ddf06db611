//! Samples as the formats show them, and the batch in which those of remembered lines are appended.

use model::{Exemplar, LabelsScratch};
use storage::{AppendError, SeriesRef};

use super::error::{IngestError, Place};
use crate::series_cache::EntryId;

/// A series as it stands in an exposition.
pub(super) trait Shown: Copy {
    /// Pushes its labels, with its name, into `scratch`, which is cleared first.
    fn labels(&self, scratch: &mut LabelsScratch) -> Result<(), IngestError>;

    /// What begins with its metric's name: bytes of the line, or the name of the family that it is known to belong to.
    fn metric(&self) -> &[u8];

    fn place(&self) -> Place;
}

/// A sample that is a float.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample<S> {
    /// Under which its series is remembered.
    pub(super) key: u64,
    pub(super) value: f64,
    /// The time that the target gave it, in milliseconds, where that counts.
    pub(super) own_time: Option<i64>,
    /// Since when it counts, in milliseconds, where the target says so and that is wanted.
    pub(super) start: Option<i64>,
    pub(super) shown: S,
}

/// Samples of remembered lines that are appended together, at the time of the scrape.
pub(super) struct Batch<S> {
    pub(super) lines: Vec<(EntryId, S)>,
    /// Parallel to `lines`.
    pub(super) samples: Vec<(SeriesRef, f64)>,
    /// What was not taken, by its place.
    pub(super) refused: Vec<(usize, AppendError)>,
}

/// So many are appended together: enough to share the cost, few enough to stay in the processor's nearest cache.
const BATCH_SAMPLES: usize = 128;

impl<S: Shown> Batch<S> {
    pub(super) fn new() -> Self {
        let (lines, samples) = (Vec::with_capacity(BATCH_SAMPLES), Vec::with_capacity(BATCH_SAMPLES));
        Batch { lines, samples, refused: Vec::new() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.lines.len() == BATCH_SAMPLES
    }

    #[inline]
    pub(super) fn push(&mut self, id: EntryId, series: SeriesRef, sample: &Sample<S>) {
        self.lines.push((id, sample.shown));
        self.samples.push((series, sample.value));
    }
}

/// An exemplar that waits until the samples are appended.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(super) series: EntryId,
    pub(super) exemplar: Exemplar,
}

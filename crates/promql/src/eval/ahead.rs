//! Reads series ahead: while this thread computes with some, another one takes the next from the storage and decodes them.
//!
//! Reading and computing take about as long as each other, so a query over many series takes half the time on two cores. The order stays,
//! and so does the result to the last bit. What lies ahead is bounded; a few series are read without a second thread.

use std::iter::Fuse;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, Builder};

use model::{Labels, TimeRange};
use storage::{QueryError, Samples, SeriesIter};

use crate::eval::column::weight;
use crate::eval::context::Limits;
use crate::eval::failure::QueryFailure;

/// So many series are read by the thread that computes with them: a thread costs as much as reading these.
const ALONE: usize = 48;
/// A batch is full with so many series or so many samples, or with a part of those that the query may hold.
const BATCH_SERIES: usize = 64;
const BATCH_SAMPLES: u64 = 16 << 10;
const BATCH_PART: u64 = 16;
/// So many full batches may wait.
const BATCHES_AHEAD: usize = 2;

/// Takes series one by one, each decoded.
type Each<'a> = dyn FnMut(&Labels, &mut Samples) -> Result<(), QueryFailure> + 'a;

/// Gives all series to `each`, each with its samples within `range`.
pub(crate) fn read(
    series: SeriesIter,
    range: TimeRange,
    limits: &Limits,
    each: &mut Each<'_>,
) -> Result<(), QueryFailure> {
    let mut series = series.fuse();
    let is_alone = thread::available_parallelism().is_ok_and(|threads| threads == NonZero::<usize>::MIN);
    let mut batch = Batch::default();
    for _ in 0..if is_alone { usize::MAX } else { ALONE } {
        batch.clear();
        if !batch.read(&mut series, range) {
            return Ok(());
        }
        batch.walk(limits, each)?;
    }
    let (full, batches) = sync_channel(BATCHES_AHEAD);
    let (done, spare) = channel();
    let batch_samples = (limits.samples_max() / BATCH_PART).min(BATCH_SAMPLES) as usize;
    let read_ahead = move || read_all(series, range, batch_samples, &full, &spare);
    thread::scope(|scope| {
        let reader = Builder::new().name("query-reader".to_owned()).spawn_scoped(scope, read_ahead);
        reader.map_err(|e| QueryFailure::Execution(format!("cannot start a thread that reads series: {e}")))?;
        // Where this ends early, the reader finds that nobody waits for its next batch.
        walk_all(batches, &done, limits, each)
    })
}

fn read_all(
    mut series: Fuse<SeriesIter>,
    range: TimeRange,
    batch_samples: usize,
    full: &SyncSender<Batch>,
    spare: &Receiver<Batch>,
) {
    loop {
        let mut batch = spare.try_recv().unwrap_or_default();
        batch.clear();
        while batch.len < BATCH_SERIES && batch.weight < batch_samples && batch.read(&mut series, range) {}
        let is_last = batch.len == 0 && batch.failure.is_none();
        if is_last || full.send(batch).is_err() {
            return;
        }
    }
}

fn walk_all(
    batches: Receiver<Batch>,
    done: &Sender<Batch>,
    limits: &Limits,
    each: &mut Each<'_>,
) -> Result<(), QueryFailure> {
    for mut batch in batches {
        batch.walk(limits, each)?;
        // The reader may have ended.
        let _ = done.send(batch);
    }
    Ok(())
}

/// Series that were read, and perhaps why the next one could not be.
#[derive(Default)]
struct Batch {
    /// The first `len` count, the others lend their memory.
    series: Vec<(Labels, Samples)>,
    len: usize,
    /// For how many samples they count against the limit.
    weight: usize,
    failure: Option<QueryFailure>,
}

impl Batch {
    fn clear(&mut self) {
        (self.len, self.weight) = (0, 0);
    }

    /// Reads one more series; whether there was one.
    fn read(&mut self, series: &mut Fuse<SeriesIter>, range: TimeRange) -> bool {
        if self.failure.is_some() {
            return false;
        }
        if self.len == self.series.len() {
            self.series.push(Default::default());
        }
        let Some(read) = series.next() else { return false };
        let (labels, samples) = &mut self.series[self.len];
        let decoded = read.and_then(|series| {
            *labels = series.labels.clone();
            series.decode(range, samples).map_err(|error| QueryError::data(format!("series {labels}: {error}")))
        });
        match decoded {
            Ok(()) => {
                let natives = samples.histograms.iter().map(|sample| weight(&sample.histogram));
                self.weight += samples.times.len() + natives.sum::<usize>();
                self.len += 1;
            }
            Err(error) => self.failure = Some(QueryFailure::Storage(error)),
        }
        true
    }

    fn walk(&mut self, limits: &Limits, each: &mut Each<'_>) -> Result<(), QueryFailure> {
        limits.hold(self.weight)?;
        for (labels, samples) in &mut self.series[..self.len] {
            limits.check()?;
            limits.count_series(samples.len());
            each(labels, samples)?;
        }
        limits.release(self.weight);
        self.failure.take().map_or(Ok(()), Err)
    }
}

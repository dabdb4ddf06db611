//! Reads series ahead: while this thread computes with some, another one takes the next from the storage and decodes them.
//!
//! Who has less to do takes work over: when this thread has nothing left, the other one hands on what it has read and leaves the decoding
//! to it. The order stays, and so does the result to the last bit. What lies ahead is bounded; a few series are read without a second
//! thread.

use std::iter::Fuse;
use std::num::NonZero;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, Builder};

use model::{Labels, TimeRange};
use storage::{QueryError, Samples, Series, SeriesIter};

use crate::eval::column::weight;
use crate::eval::context::Limits;
use crate::eval::failure::QueryFailure;

/// So many series are read by the thread that computes with them: a thread costs as much as reading these.
const ALONE: usize = 48;
/// Series of so few samples each are read by it, too, however many there are.
const FEW_SAMPLES: usize = 4;
/// So many series make a batch.
const BATCH_SERIES: usize = 64;
/// So many samples of a batch are decoded ahead, or a part of those that the query may hold.
const BATCH_SAMPLES: u64 = 16 << 10;
const BATCH_PART: u64 = 16;
/// So many full batches may wait.
const BATCHES_AHEAD: usize = 2;

/// Whether the machine has one core for this process. To ask it takes longer than a small query.
static IS_ALONE: LazyLock<bool> =
    LazyLock::new(|| thread::available_parallelism().is_ok_and(|threads| threads == NonZero::<usize>::MIN));

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
    let mut taker = Taker { range, limits, each, samples: Samples::default() };
    loop {
        let (mut count, mut samples) = (0, 0);
        for series in series.by_ref().take(ALONE) {
            samples += taker.take(&series?)?;
            count += 1;
        }
        if count < ALONE {
            return Ok(());
        }
        if !*IS_ALONE && samples > ALONE * FEW_SAMPLES {
            break;
        }
    }
    let Some(first) = series.next() else { return Ok(()) };
    taker.take(&first?)?;
    let (full, batches) = sync_channel(BATCHES_AHEAD);
    let (done, spare) = channel();
    let starves = AtomicBool::new(false);
    let batch_samples = (limits.samples_max() / BATCH_PART).min(BATCH_SAMPLES) as usize;
    let reader = Reader { series, range, batch_samples, starves: &starves };
    thread::scope(|scope| {
        let started =
            Builder::new().name("query-reader".to_owned()).spawn_scoped(scope, move || reader.read_all(&full, &spare));
        started.map_err(|e| QueryFailure::Execution(format!("cannot start a thread that reads series: {e}")))?;
        let taken = taker.take_all(&batches, &done, &starves);
        // A reader that finds nobody there ends.
        drop(batches);
        taken
    })
}

/// Series that were read, the first of them decoded, and perhaps why the next one could not be read.
#[derive(Default)]
struct Batch {
    series: Vec<Series>,
    /// Those of the first `decoded` series; others lend their memory.
    samples: Vec<Samples>,
    decoded: usize,
    /// For how many samples these count against the limit.
    weight: usize,
    failure: Option<QueryError>,
}

/// The thread that reads ahead.
struct Reader<'a> {
    series: Fuse<SeriesIter>,
    range: TimeRange,
    batch_samples: usize,
    /// Whether the taker waits.
    starves: &'a AtomicBool,
}

impl Reader<'_> {
    fn read_all(mut self, full: &SyncSender<Batch>, spare: &Receiver<Batch>) {
        loop {
            let mut batch = spare.try_recv().unwrap_or_default();
            self.fill(&mut batch);
            let is_empty = batch.series.is_empty() && batch.failure.is_none();
            if is_empty || full.send(batch).is_err() {
                return;
            }
        }
    }

    fn fill(&mut self, batch: &mut Batch) {
        (batch.decoded, batch.weight) = (0, 0);
        for series in self.series.by_ref().take(BATCH_SERIES) {
            match series {
                Ok(series) => batch.series.push(series),
                Err(error) => {
                    batch.failure = Some(error);
                    break;
                }
            }
        }
        batch.samples.resize_with(batch.series.len().max(batch.samples.len()), Samples::default);
        for (series, samples) in batch.series.iter().zip(&mut batch.samples) {
            let is_enough = batch.weight >= self.batch_samples || self.starves.load(Ordering::Relaxed);
            // What can't be decoded is told by who takes it, in its turn.
            if is_enough || series.decode(self.range, samples).is_err() {
                return;
            }
            batch.decoded += 1;
            batch.weight += weight_of(samples);
        }
    }
}

/// The thread that computes.
struct Taker<'a, 'e> {
    range: TimeRange,
    limits: &'a Limits,
    each: &'a mut Each<'e>,
    samples: Samples,
}

impl Taker<'_, '_> {
    fn take_all(
        mut self,
        batches: &Receiver<Batch>,
        done: &Sender<Batch>,
        starves: &AtomicBool,
    ) -> Result<(), QueryFailure> {
        loop {
            let batch = batches.try_recv().or_else(|_| {
                starves.store(true, Ordering::Relaxed);
                let batch = batches.recv();
                starves.store(false, Ordering::Relaxed);
                batch
            });
            let Ok(mut batch) = batch else { return Ok(()) };
            self.take_batch(&mut batch)?;
            // The reader may have ended.
            let _ = done.send(batch);
        }
    }

    fn take_batch(&mut self, batch: &mut Batch) -> Result<(), QueryFailure> {
        self.limits.hold(batch.weight)?;
        let mut decoded = batch.samples[..batch.decoded].iter_mut();
        for series in batch.series.drain(..) {
            match decoded.next() {
                Some(samples) => self.give(&series.labels, samples)?,
                None => drop(self.take(&series)?),
            }
        }
        self.limits.release(batch.weight);
        batch.failure.take().map_or(Ok(()), |error| Err(QueryFailure::Storage(error)))
    }

    /// Decodes a series and gives it on, and says for how many samples it counts.
    fn take(&mut self, series: &Series) -> Result<usize, QueryFailure> {
        let mut samples = std::mem::take(&mut self.samples);
        series
            .decode(self.range, &mut samples)
            .map_err(|error| QueryFailure::Storage(QueryError::data(format!("series {}: {error}", series.labels))))?;
        let weight = weight_of(&samples);
        self.limits.hold(weight)?;
        self.give(&series.labels, &mut samples)?;
        self.limits.release(weight);
        self.samples = samples;
        Ok(weight)
    }

    fn give(&mut self, labels: &Labels, samples: &mut Samples) -> Result<(), QueryFailure> {
        self.limits.check()?;
        self.limits.count_series(samples.len());
        (self.each)(labels, samples)
    }
}

fn weight_of(samples: &Samples) -> usize {
    let natives = samples.histograms.iter().map(|sample| weight(&sample.histogram));
    samples.times.len() + natives.sum::<usize>()
}

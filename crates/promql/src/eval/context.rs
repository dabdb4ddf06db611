//! What an evaluation is handed down: the query's times, its limits, its notes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use model::{Labels, TimeRange, Timestamp};

use crate::eval::budget::Share;
use crate::eval::failure::QueryFailure;
use crate::eval::steps::Steps;
use crate::syntax::{At, Boundary, Selector, Span};

/// What is the same for the whole query.
#[derive(Debug)]
pub(crate) struct Context {
    /// The steps of the query itself; a subquery has others.
    pub(crate) query: Steps,
    /// Where the query ends, milliseconds; its last step may lie before that.
    pub(crate) end: i64,
    /// How old a sample may be to count at a step, milliseconds.
    pub(crate) lookback_ms: i64,
    /// The step of subqueries that give none, milliseconds.
    pub(crate) subquery_step_ms: i64,
    /// Whether names of metrics go at the end of the query.
    pub(crate) delays_names: bool,
    /// Whether functions look at start timestamps.
    pub(crate) uses_starts: bool,
    /// What the query may use.
    pub(crate) limits: Limits,
    /// What the query wants to say beside its answer.
    pub(crate) notes: Notes,
}

impl Context {
    /// The time that an `@` fixes.
    pub(crate) fn fixed(&self, at: Option<At>) -> Option<i64> {
        at.map(|at| match at {
            At::Time(time) => time.as_ms(),
            At::Start => self.query.first,
            At::End => self.end,
        })
    }

    /// The times of all samples of which one may be the newest at these times.
    pub(crate) fn instant_reach(&self, looks: Steps) -> TimeRange {
        let from = looks.first.saturating_sub(self.lookback_ms).saturating_add(1);
        TimeRange::new(Timestamp::from_ms(from), Timestamp::from_ms(looks.last()))
    }

    /// How far before and behind a range samples matter, milliseconds.
    pub(crate) fn neighbourhood(&self, boundary: Boundary) -> (i64, i64) {
        match boundary {
            Boundary::Range => (0, 0),
            Boundary::Anchored => (self.lookback_ms, 0),
            Boundary::Smoothed => (self.lookback_ms, self.lookback_ms),
        }
    }

    /// The times of all samples that matter to a selector that looks at these times and `length_ms` back. It is open on the left.
    pub(crate) fn reach(&self, selector: &Selector, looks: Steps, length_ms: i64) -> TimeRange {
        let (before, behind) = self.neighbourhood(selector.boundary);
        let from = looks.first.saturating_sub(length_ms).saturating_sub(before).saturating_add(1);
        TimeRange::new(Timestamp::from_ms(from), Timestamp::from_ms(looks.last().saturating_add(behind)))
    }
}

/// A time and a value.
const SAMPLE_BYTES: u64 = 16;
/// What a series takes besides its labels and samples: its place in a result and the memory manager's part.
const SERIES_BYTES: u64 = 128;

/// What the query may use, and what it has used.
#[derive(Debug)]
pub(crate) struct Limits {
    canceled: Arc<AtomicBool>,
    deadline: Instant,
    samples_max: u64,
    share: Share,
    held: Cell<u64>,
    peak: Cell<u64>,
    read: Cell<u64>,
    series: Cell<u64>,
    checks: Cell<u8>,
}

/// The clock is looked at once in so many checks: it costs as much as a small series.
const CHECKS_PER_LOOK: u8 = 16;

impl Limits {
    /// At most `samples_max` samples and this share of bytes at one time, until `deadline` or until the flag is set.
    pub(crate) fn new(samples_max: u64, share: Share, deadline: Instant, canceled: Arc<AtomicBool>) -> Self {
        let zero = || Cell::new(0);
        Limits {
            canceled,
            deadline,
            samples_max,
            share,
            held: zero(),
            peak: zero(),
            read: zero(),
            series: zero(),
            checks: Cell::new(0),
        }
    }

    /// Whether to go on; to be asked at least once per series.
    pub(crate) fn check(&self) -> Result<(), QueryFailure> {
        if self.canceled.load(Ordering::Relaxed) {
            return Err(QueryFailure::Canceled);
        }
        let checks = self.checks.get();
        self.checks.set((checks + 1) % CHECKS_PER_LOOK);
        if checks == 0 && Instant::now() >= self.deadline {
            return Err(QueryFailure::Timeout("expression evaluation"));
        }
        Ok(())
    }

    /// How many samples may be held.
    pub(crate) fn samples_max(&self) -> u64 {
        self.samples_max
    }

    /// Takes note that so many more samples are held.
    pub(crate) fn hold(&self, samples: usize) -> Result<(), QueryFailure> {
        let held = self.held.get().saturating_add(samples as u64);
        self.held.set(held);
        self.peak.set(self.peak.get().max(held));
        if held > self.samples_max {
            return Err(QueryFailure::TooManySamples);
        }
        self.share.grow(samples as u64 * SAMPLE_BYTES).map_err(QueryFailure::too_many_bytes)
    }

    /// Takes note that the labels of a series are kept, until the end of the query.
    pub(crate) fn hold_labels(&self, labels: &Labels) -> Result<(), QueryFailure> {
        self.hold_bytes(labels.byte_len() as u64 + SERIES_BYTES)
    }

    /// Takes note that so many bytes are kept until the end of the query.
    pub(crate) fn hold_bytes(&self, bytes: u64) -> Result<(), QueryFailure> {
        self.share.grow(bytes).map_err(QueryFailure::too_many_bytes)
    }

    /// Takes note that so many samples are held no longer.
    pub(crate) fn release(&self, samples: usize) {
        self.held.set(self.held.get().saturating_sub(samples as u64));
        self.share.shrink(samples as u64 * SAMPLE_BYTES);
    }

    /// Counts one series of so many decoded samples.
    pub(crate) fn count_series(&self, samples: usize) {
        self.series.set(self.series.get() + 1);
        self.read.set(self.read.get() + samples as u64);
    }

    /// Series read, samples decoded, most samples held.
    pub(crate) fn used(&self) -> (u64, u64, u64) {
        (self.series.get(), self.read.get(), self.peak.get())
    }
}

/// Warnings and infos, each once.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    warnings: RefCell<BTreeSet<String>>,
    infos: RefCell<BTreeSet<String>>,
}

impl Notes {
    /// Something may make the answer wrong.
    pub(crate) fn warn(&self, message: &str, span: Span) {
        self.warnings.borrow_mut().insert(format!("PromQL warning: {message} ({span})"));
    }

    /// Something may be a mistake in the query.
    pub(crate) fn info(&self, message: &str, span: Span) {
        self.infos.borrow_mut().insert(format!("PromQL info: {message} ({span})"));
    }

    /// What a storage has to say.
    pub(crate) fn pass_on(&self, warnings: Vec<String>) {
        self.warnings.borrow_mut().extend(warnings);
    }

    /// The warnings and the infos, sorted.
    pub(crate) fn take(&self) -> (Vec<String>, Vec<String>) {
        (self.warnings.take().into_iter().collect(), self.infos.take().into_iter().collect())
    }
}

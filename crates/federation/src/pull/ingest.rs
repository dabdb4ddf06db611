//! From an exposition to samples in a transaction.
//!
//! A series is recognised by its bytes in the line, so its labels are parsed once. A pull sees the newest sample of a
//! series, often one that the last pull saw already: such a sample is left out before the storage hears of it. A series
//! that an answer no longer has ends with a stale marker at the time of the pull. What a transaction changes here holds
//! only after [`Ingest::settle`]; [`Ingest::abandon`] takes it back.

use std::collections::HashMap;

use exposition::text::{Entry as Line, ParseError, Parser};
use foldhash::fast::RandomState;
use model::{Labels, LabelsScratch, Timestamp};
use storage::{AppendError, Appender};

use crate::pull::metrics::Skipped;
use crate::pull::series::PulledSeries;

/// The series of one replica, as its answers have them.
#[derive(Debug, Default)]
pub(super) struct Ingest {
    series: HashMap<Box<[u8]>, Known, RandomState>,
    /// Numbers the answers.
    round: u64,
    scratch: LabelsScratch,
}

#[derive(Debug)]
struct Known {
    of_series: PulledSeries,
    /// The newest time that was settled.
    settled: Option<i64>,
    /// The newest time of the transaction under way.
    pending: Option<i64>,
    /// The last answer that had the series.
    round: u64,
}

/// What an answer brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Brought {
    /// Samples in the answer.
    pub(super) samples: u64,
    /// Samples that were appended.
    pub(super) appended: u64,
    /// Series that the last answer didn't have.
    pub(super) series_added: u64,
    /// Samples that were not appended.
    pub(super) skipped: Skipped,
    /// The newest sample's time.
    pub(super) newest: Option<i64>,
}

impl Brought {
    /// Both together.
    pub(super) fn and(&self, other: &Brought) -> Brought {
        Brought {
            samples: self.samples + other.samples,
            appended: self.appended + other.appended,
            series_added: self.series_added + other.series_added,
            skipped: self.skipped.and(&other.skipped),
            newest: self.newest.max(other.newest),
        }
    }
}

impl Ingest {
    /// Appends an answer that was asked for at `pulled_at`, which is also the time of samples without one of their own.
    pub(super) fn append(
        &mut self,
        body: &[u8],
        pulled_at: Timestamp,
        appender: &mut dyn Appender,
    ) -> Result<Brought, ParseError> {
        self.round += 1;
        let mut brought = Brought::default();
        for line in Parser::new(body) {
            let line = match line? {
                Line::Sample(line) => line,
                Line::Remark(remark) => {
                    remark.parse()?;
                    continue;
                }
            };
            let time = line.timestamp.unwrap_or(pulled_at.as_ms());
            let known = match self.series.get_mut(line.series) {
                Some(known) => known,
                None => {
                    line.labels(&mut self.scratch)?;
                    brought.series_added += 1;
                    self.series.entry(line.series.into()).or_insert(Known::new(self.scratch.build()))
                }
            };
            known.round = self.round;
            brought.samples += 1;
            brought.newest = brought.newest.max(Some(time));
            match known.append(time, line.value, appender) {
                Ok(()) => brought.appended += 1,
                Err(reason) => count(&mut brought.skipped, &reason),
            }
        }
        for ended in self.series.values_mut().filter(|known| known.round != self.round) {
            ended.of_series.end(pulled_at, appender);
        }
        Ok(brought)
    }

    /// The transaction is stored: what the answer didn't have is forgotten.
    pub(super) fn settle(&mut self) {
        let round = self.round;
        self.series.retain(|_, known| {
            known.settled = known.pending.take().or(known.settled);
            known.round == round
        });
    }

    /// The transaction is not stored: everything is as it was before, except that references have to be asked for anew.
    pub(super) fn abandon(&mut self) {
        self.series.retain(|_, known| {
            if known.pending.take().is_some() {
                known.of_series.series = None;
            }
            known.settled.is_some()
        });
    }

    /// Ends all series: the replica is no longer pulled.
    pub(super) fn end_all(&mut self, at: Timestamp, appender: &mut dyn Appender) {
        for known in self.series.values_mut() {
            known.of_series.end(at, appender);
        }
    }

    /// The value of the first of these labels that a series has.
    pub(super) fn label_value(&self, names: &[String]) -> Option<&str> {
        self.series.values().find_map(|known| names.iter().find_map(|name| known.of_series.labels.get(name)))
    }
}

/// Why a sample was not appended.
#[derive(Debug)]
enum Skip {
    Repeated,
    Older,
    Refused(AppendError),
}

impl Known {
    fn new(labels: Labels) -> Self {
        Known { of_series: PulledSeries::new(labels), settled: None, pending: None, round: 0 }
    }

    fn append(&mut self, time: i64, value: f64, appender: &mut dyn Appender) -> Result<(), Skip> {
        match self.pending.or(self.settled) {
            Some(last) if time == last => return Err(Skip::Repeated),
            Some(last) if time < last => return Err(Skip::Older),
            _ => self.pending = Some(time), // even where it is refused: it would be refused again
        }
        self.of_series.append(Timestamp::from_ms(time), value, appender).map_err(Skip::Refused)
    }
}

fn count(skipped: &mut Skipped, reason: &Skip) {
    match reason {
        Skip::Repeated => skipped.repeated += 1,
        Skip::Older => skipped.out_of_order += 1,
        Skip::Refused(error) => skipped.count(error),
    }
}

#[cfg(test)]
mod tests;

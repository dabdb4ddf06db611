//! What the algorithm sees of a replica: when it has samples, how high they are, when it says that the series ended.

use std::ops::Range;

use model::{CounterReset, is_stale};

use crate::samples::Samples;

/// The farthest that two samples may lie apart and still be neighbours: beyond this there is a gap, whatever the interval.
pub(super) const FAR_MS: i64 = 450_000;

/// Samples of one replica that count, with none between them that doesn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Whose they are.
    pub(super) replica: usize,
    /// The time of the first.
    pub(super) from: i64,
    /// The time of the last.
    pub(super) to: i64,
}

/// One replica's samples of one series in columns. Live samples are those that are no stale markers.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// The times of the live samples, strictly ascending.
    pub(super) times: Vec<i64>,
    /// How high a counter stands at each of `times`: the value, or a histogram's count; NaN where samples can't be compared.
    pub(super) levels: Vec<f64>,
    /// The times of the stale markers, strictly ascending.
    pub(super) markers: Vec<i64>,
}

impl Track {
    /// Reads samples.
    pub(super) fn new(samples: &Samples) -> Self {
        let mut track = Track {
            times: Vec::with_capacity(samples.len()),
            levels: Vec::with_capacity(samples.len()),
            markers: vec![],
        };
        if samples.histograms.is_empty() {
            for (time, value) in samples.times.iter().zip(&samples.values) {
                track.push(*time, *value, is_stale(*value));
            }
            return track;
        }
        // Numbers and histograms side by side can't be compared with each other, so such a series is no counter. Of which of both kinds a
        // stale marker is says nothing.
        let numbers = samples.values.iter().any(|value| !is_stale(*value));
        let mixed = numbers && samples.histograms.iter().any(|sample| !sample.histogram.is_stale());
        let mut points: Vec<(i64, f64, bool)> = samples
            .times
            .iter()
            .zip(&samples.values)
            .map(|(time, value)| (*time, if mixed { f64::NAN } else { *value }, is_stale(*value)))
            .collect();
        points.extend(samples.histograms.iter().map(|sample| {
            let histogram = &sample.histogram;
            let counter = !mixed && histogram.counter_reset != CounterReset::Gauge;
            (sample.time, if counter { histogram.count } else { f64::NAN }, histogram.is_stale())
        }));
        points.sort_unstable_by_key(|(time, ..)| *time);
        for (time, level, stale) in points {
            track.push(time, level, stale);
        }
        track
    }

    /// Reads samples that were chosen from replicas before: all of them count, stale markers among them.
    pub(super) fn decided(samples: &Samples) -> Self {
        let Track { mut times, markers, .. } = Track::new(samples);
        times.extend(markers);
        times.sort_unstable();
        Track { levels: vec![f64::NAN; times.len()], times, markers: Vec::new() }
    }

    fn push(&mut self, time: i64, level: f64, stale: bool) {
        if stale {
            self.markers.push(time);
        } else {
            self.times.push(time);
            self.levels.push(level);
        }
    }

    /// The last live sample that is not after `time`.
    pub(super) fn at_or_before(&self, time: i64) -> Option<usize> {
        self.times.partition_point(|t| *t <= time).checked_sub(1)
    }

    /// The first live sample that is not before `time`.
    pub(super) fn at_or_after(&self, time: i64) -> Option<usize> {
        let at = self.times.partition_point(|t| *t < time);
        (at < self.times.len()).then_some(at)
    }

    /// The live samples of a run, which must be this replica's.
    pub(super) fn within(&self, run: Run) -> Range<usize> {
        self.times.partition_point(|t| *t < run.from)..self.times.partition_point(|t| *t <= run.to)
    }

    /// Some of the live samples as a run, `None` where they are none; `replica` is this one's place among all.
    pub(super) fn run(&self, replica: usize, samples: Range<usize>) -> Option<Run> {
        let (from, to) = (self.times[samples.clone()].first()?, self.times[samples].last()?);
        Some(Run { replica, from: *from, to: *to })
    }

    /// Whether there is a live sample after `after` and not after `until`.
    pub(super) fn is_live_within(&self, after: i64, until: i64) -> bool {
        self.at_or_before(until).is_some_and(|at| self.times[at] > after)
    }

    /// The time of the first sample after `time`, live or not.
    pub(super) fn next_after(&self, time: i64) -> Option<i64> {
        let next = |times: &[i64]| times.get(times.partition_point(|t| *t <= time)).copied();
        match (next(&self.times), next(&self.markers)) {
            (Some(live), Some(marker)) => Some(live.min(marker)),
            (live, marker) => live.or(marker),
        }
    }
}

/// All replicas but one.
pub(super) fn others(tracks: &[Track], but: usize) -> impl Iterator<Item = &Track> {
    tracks.iter().enumerate().filter(move |(at, _)| *at != but).map(|(_, track)| track)
}

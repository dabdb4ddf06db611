//! The samples of replicas made one.

use std::ops::Range;

use model::CounterReset;

use super::counter::Kind;
use super::plan::plan;
use super::track::{Run, Track};
use crate::samples::{HistogramSample, Samples};

/// Makes one series of several replicas' samples, the preferred replica first; see [the module](super) for what counts when.
/// What it says of a time depends on the samples within [`MARGIN_MS`](super::MARGIN_MS) of that time and on nothing else.
pub fn merge(replicas: &[Samples], kind: Kind) -> Samples {
    let tracks: Vec<Track> = replicas.iter().map(Track::new).collect();
    let mut merged = Samples::default();
    for run in plan(&tracks, kind) {
        let samples = &replicas[run.replica];
        let floats = within(&samples.times, run, |time| *time);
        if floats.start < samples.starts.len() {
            merged.starts.resize(merged.times.len(), 0);
            merged.starts.extend_from_slice(&samples.starts[floats.start..floats.end.min(samples.starts.len())]);
        }
        merged.times.extend_from_slice(&samples.times[floats.clone()]);
        merged.values.extend_from_slice(&samples.values[floats]);
        let histograms = within(&samples.histograms, run, |sample| sample.time);
        push_histograms(&mut merged.histograms, &samples.histograms[histograms]);
    }
    merged
}

fn within<T>(sorted: &[T], run: Run, time: impl Fn(&T) -> i64) -> Range<usize> {
    sorted.partition_point(|item| time(item) < run.from)..sorted.partition_point(|item| time(item) <= run.to)
}

fn push_histograms(out: &mut Vec<HistogramSample>, run: &[HistogramSample]) {
    let start = out.len();
    out.extend_from_slice(run);
    // What is known of a reset was about a sample that is not in front of it any more.
    if let Some(first) = out.get_mut(start)
        && first.histogram.counter_reset == CounterReset::NotReset
    {
        first.histogram.counter_reset = CounterReset::Unknown;
    }
}

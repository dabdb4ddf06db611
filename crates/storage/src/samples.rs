//! Decoded samples in columns.

use model::{FloatHistogram, Sample, Timestamp};

/// Samples as columns, times ascending. A series has floats or histograms, seldom both: the floats are two columns of the
/// same length, the histograms a list of their own, which is empty for most series. No time is in both.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// When the floats are: milliseconds since the epoch, strictly ascending.
    pub times: Vec<i64>,
    /// The floats, stale markers included.
    pub values: Vec<f64>,
    /// The start timestamps of the first floats, 0 for those that have none: since when each has been counted, in milliseconds since the
    /// epoch. Floats that it is too short for have none; for most series it is empty.
    pub starts: Vec<i64>,
    /// The histograms, stale markers included, strictly ascending by time.
    pub histograms: Vec<HistogramSample>,
}

/// One histogram at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramSample {
    /// When, in milliseconds since the epoch.
    pub time: i64,
    /// The start timestamp: since when it has been counted, in milliseconds since the epoch; 0 where that isn't known.
    pub start: i64,
    /// What. What is known of a counter reset is about the sample before it in the same list.
    pub histogram: FloatHistogram,
}

impl Samples {
    /// Floats at these times, as many of the one as of the other.
    pub fn of_floats(times: Vec<i64>, values: Vec<f64>) -> Self {
        Samples { times, values, ..Samples::default() }
    }

    /// Forgets the samples and keeps the memory.
    pub fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
        self.starts.clear();
        self.histograms.clear();
    }

    /// How many samples there are, floats and histograms.
    pub fn len(&self) -> usize {
        self.times.len() + self.histograms.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty() && self.histograms.is_empty()
    }

    /// Adds one float, which must be newer than the last.
    #[inline]
    pub fn push(&mut self, time: i64, value: f64) {
        self.times.push(time);
        self.values.push(value);
    }

    /// Adds one float with its start, 0 for none, which must be newer than the last.
    #[inline]
    pub fn push_started(&mut self, time: i64, start: i64, value: f64) {
        if start != 0 {
            self.starts.resize(self.times.len(), 0);
            self.starts.push(start);
        }
        self.push(time, value);
    }

    /// Adds one histogram, which must be newer than the last.
    pub fn push_histogram(&mut self, time: i64, histogram: FloatHistogram) {
        self.push_started_histogram(time, 0, histogram);
    }

    /// Adds one histogram with its start, 0 for none, which must be newer than the last.
    pub fn push_started_histogram(&mut self, time: i64, start: i64, histogram: FloatHistogram) {
        self.histograms.push(HistogramSample { time, start, histogram });
    }

    /// The start of a float, 0 where it has none.
    #[inline]
    pub fn start(&self, at: usize) -> i64 {
        self.starts.get(at).copied().unwrap_or(0)
    }

    /// Takes the floats from a place on.
    pub fn split_off_floats(&mut self, at: usize) -> Samples {
        let starts = self.starts.split_off(at.min(self.starts.len()));
        Samples { starts, ..Samples::of_floats(self.times.split_off(at), self.values.split_off(at)) }
    }

    /// The floats one by one.
    pub fn iter(&self) -> impl Iterator<Item = Sample> {
        self.times.iter().zip(&self.values).map(|(t, v)| Sample::new(Timestamp::from_ms(*t), *v))
    }
}

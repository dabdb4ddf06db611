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
    /// The histograms, stale markers included, strictly ascending by time.
    pub histograms: Vec<HistogramSample>,
}

/// One histogram at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramSample {
    /// When, in milliseconds since the epoch.
    pub time: i64,
    /// What. What is known of a counter reset is about the sample before it in the same list.
    pub histogram: FloatHistogram,
}

impl Samples {
    /// Floats at these times, as many of the one as of the other.
    pub fn of_floats(times: Vec<i64>, values: Vec<f64>) -> Self {
        Samples { times, values, histograms: Vec::new() }
    }

    /// Forgets the samples and keeps the memory.
    pub fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
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

    /// Adds one histogram, which must be newer than the last.
    pub fn push_histogram(&mut self, time: i64, histogram: FloatHistogram) {
        self.histograms.push(HistogramSample { time, histogram });
    }

    /// The floats one by one.
    pub fn iter(&self) -> impl Iterator<Item = Sample> {
        self.times.iter().zip(&self.values).map(|(t, v)| Sample::new(Timestamp::from_ms(*t), *v))
    }
}

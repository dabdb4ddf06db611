//! Decoded samples in columns.

use model::{Sample, Timestamp};

/// Samples as two columns of the same length, times ascending.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// Milliseconds since the epoch, strictly ascending.
    pub times: Vec<i64>,
    /// The values, stale markers included.
    pub values: Vec<f64>,
}

impl Samples {
    /// Forgets the samples and keeps the memory.
    pub fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Adds one sample, which must be newer than the last.
    pub fn push(&mut self, time: i64, value: f64) {
        self.times.push(time);
        self.values.push(value);
    }

    /// The samples one by one.
    pub fn iter(&self) -> impl Iterator<Item = Sample> {
        self.times.iter().zip(&self.values).map(|(t, v)| Sample::new(Timestamp::from_ms(*t), *v))
    }
}

//! Histograms under operators.

use super::accumulator::{Accumulator, Added, HistogramSum, IncompatibleHistograms};
use super::float::FloatHistogram;
use super::shape::CounterReset;

impl FloatHistogram {
    /// The sum of two histograms.
    ///
    /// # Errors
    /// Exponential buckets and listed bounds don't go together.
    pub fn plus(&self, other: &FloatHistogram) -> Result<(FloatHistogram, Added), IncompatibleHistograms> {
        let mut sum = Accumulator::<f64>::of(self);
        let added = sum.add(other)?;
        Ok((sum.finish(), added))
    }

    /// The difference of two histograms.
    ///
    /// # Errors
    /// Exponential buckets and listed bounds don't go together.
    pub fn minus(&self, other: &FloatHistogram) -> Result<(FloatHistogram, Added), IncompatibleHistograms> {
        let mut difference = Accumulator::<f64>::of(self);
        let added = difference.subtract(other)?;
        Ok((difference.finish(), added))
    }

    /// All counts and the sum multiplied. By a negative number it becomes a gauge.
    #[must_use]
    pub fn times(mut self, factor: f64) -> Self {
        self.each(|number| *number *= factor);
        if factor < 0.0 {
            self.counter_reset = CounterReset::Gauge;
        }
        self.compacted()
    }

    /// All counts and the sum divided. By a negative number it becomes a gauge, by zero it loses its buckets.
    #[must_use]
    pub fn divided_by(mut self, divisor: f64) -> Self {
        self.each(|number| *number /= divisor);
        if divisor == 0.0 {
            self.buckets.positive_spans.clear();
            self.buckets.negative_spans.clear();
            self.positive.clear();
            self.negative.clear();
        } else if divisor < 0.0 {
            self.counter_reset = CounterReset::Gauge;
        }
        self.compacted()
    }

    fn each(&mut self, change: impl Fn(&mut f64)) {
        let buckets = self.positive.iter_mut().chain(&mut self.negative);
        [&mut self.zero_count, &mut self.count, &mut self.sum].into_iter().chain(buckets).for_each(change);
    }
}

/// A mean of histograms: their sum divided by their number, or, once the sum would overflow, a mean that moves with every one.
#[derive(Debug, Clone)]
pub struct HistogramMean {
    /// The sum, or the mean where it moves.
    state: HistogramSum,
    count: f64,
    moves: bool,
}

impl HistogramMean {
    /// Begins with this histogram.
    pub fn of(histogram: &FloatHistogram) -> Self {
        HistogramMean { state: HistogramSum::of(histogram), count: 1.0, moves: false }
    }

    /// Adds a histogram.
    ///
    /// # Errors
    /// Exponential buckets and listed bounds don't go together.
    pub fn add(&mut self, other: &FloatHistogram) -> Result<Added, IncompatibleHistograms> {
        self.count += 1.0;
        if !self.moves {
            let numbers = [other.zero_count, other.count, other.sum];
            let numbers = numbers.iter().chain(&other.positive).chain(&other.negative);
            if (self.state.magnitude() + numbers.map(|number| number.abs()).sum::<f64>()).is_finite() {
                return self.state.add(other);
            }
            let mut next = self.state.clone();
            let added = next.add(other)?;
            if !next.is_infinite() {
                self.state = next;
                return Ok(added);
            }
            self.moves = true;
            self.state.divide(self.count - 1.0);
        }
        self.state.multiply((self.count - 1.0) / self.count);
        self.state.add(&other.clone().divided_by(self.count))
    }

    /// The mean.
    pub fn finish(mut self) -> FloatHistogram {
        if !self.moves {
            self.state.divide(self.count);
        }
        self.state.finish()
    }
}

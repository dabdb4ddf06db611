//! Means of floats.

use model::Kahan;

/// A running mean: the sum divided by the count, or, once the sum would overflow, a mean that moves with every value.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean {
    kahan: Kahan,
    count: f64,
    incremental: bool,
}

impl Mean {
    /// Adds one value.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.kahan = Kahan { sum: value, lost: 0.0 };
            return;
        }
        if !self.incremental {
            let mut next = self.kahan;
            next.add(value);
            if !next.sum.is_infinite() {
                self.kahan = next;
                return;
            }
            self.incremental = true;
            self.kahan.sum /= self.count - 1.0;
            self.kahan.lost /= self.count - 1.0;
        }
        let weight = (self.count - 1.0) / self.count;
        self.kahan = Kahan { sum: weight * self.kahan.sum, lost: weight * self.kahan.lost };
        self.kahan.add(value / self.count);
    }

    /// The mean.
    pub(crate) fn value(self) -> f64 {
        if self.incremental { self.kahan.total() } else { self.kahan.sum / self.count + self.kahan.lost / self.count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_survives_an_overflow_of_the_sum() {
        let mean = |values: &[f64]| {
            let mut mean = Mean::default();
            values.iter().for_each(|value| mean.add(*value));
            mean.value()
        };
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(mean(&[1.5e308, 1.5e308, 1.5e308]), 1.5e308);
    }
}

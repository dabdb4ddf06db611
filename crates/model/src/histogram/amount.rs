//! Numbers that add up: as they are, or with what rounding loses.

use crate::kahan::Kahan;

/// A number that others are added to.
pub trait Amount: Copy + Default + From<f64> {
    /// Adds a number.
    fn add(&mut self, value: f64);
    /// Adds another amount.
    fn absorb(&mut self, other: Self);
    /// Multiplies it.
    fn multiply(&mut self, factor: f64);
    /// Divides it.
    fn divide(&mut self, divisor: f64);
    /// What it has come to.
    fn total(self) -> f64;
}

impl Amount for f64 {
    #[inline]
    fn add(&mut self, value: f64) {
        *self += value;
    }

    #[inline]
    fn absorb(&mut self, other: Self) {
        *self += other;
    }

    fn multiply(&mut self, factor: f64) {
        *self *= factor;
    }

    fn divide(&mut self, divisor: f64) {
        *self /= divisor;
    }

    #[inline]
    fn total(self) -> f64 {
        self
    }
}

impl From<f64> for Kahan {
    fn from(sum: f64) -> Self {
        Kahan { sum, lost: 0.0 }
    }
}

impl Amount for Kahan {
    #[inline]
    fn add(&mut self, value: f64) {
        Kahan::add(self, value);
    }

    #[inline]
    fn absorb(&mut self, other: Self) {
        Kahan::add(self, other.sum);
        Kahan::add(self, other.lost);
    }

    fn multiply(&mut self, factor: f64) {
        (self.sum, self.lost) = (self.sum * factor, self.lost * factor);
    }

    fn divide(&mut self, divisor: f64) {
        (self.sum, self.lost) = (self.sum / divisor, self.lost / divisor);
    }

    #[inline]
    fn total(self) -> f64 {
        Kahan::total(self)
    }
}

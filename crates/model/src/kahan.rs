//! Sums that keep what rounding loses (Kahan's method with Neumaier's improvement).

/// A running sum and what its additions have lost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Kahan {
    /// The sum as it stands.
    pub sum: f64,
    /// What is to be added to it in the end.
    pub lost: f64,
}

impl Kahan {
    /// Adds one number.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let next = self.sum + value;
        if next.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - next) + value;
        } else {
            self.lost += (value - next) + self.sum;
        }
        self.sum = next;
    }

    /// The sum.
    #[inline]
    pub fn total(self) -> f64 {
        self.sum + self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_rounding_loses() {
        let sum = |values: &[f64]| {
            let mut kahan = Kahan::default();
            values.iter().for_each(|value| kahan.add(*value));
            kahan.total()
        };
        assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum(&[f64::INFINITY, 1.0]), f64::INFINITY);
    }
}

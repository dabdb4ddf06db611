//! Float samples and the stale marker.

use crate::time::Timestamp;

/// One float at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When.
    pub time: Timestamp,
    /// What; a NaN with the bits of [`STALE_NAN`] says that the series ended.
    pub value: f64,
}

impl Sample {
    /// A sample at `time`.
    pub const fn new(time: Timestamp, value: f64) -> Self {
        Sample { time, value }
    }
}

/// The stale marker: a signalling NaN with exactly these bits (Prometheus, `model/value/value.go`). Any other NaN is a
/// value like any other, so compare with [`is_stale`], never with `is_nan`.
pub const STALE_NAN: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Whether a value is the stale marker, to the bit.
#[inline]
pub const fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_bits_are_stale() {
        assert!(is_stale(STALE_NAN));
        assert!(!is_stale(f64::NAN));
        assert!(!is_stale(f64::from_bits(0x7ff8_0000_0000_0001)));
    }
}

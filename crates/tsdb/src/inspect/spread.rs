//! How large chunks are: the figures and bars of `promtool tsdb analyze --extended`.

use std::collections::BTreeMap;

const BARS: u64 = 10;
const STEP_MIN: u64 = 10;
const STEP_MAX: u64 = 100_000;

/// How often each size occurs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread {
    counts: BTreeMap<u64, u64>,
}

/// How many sizes lie in a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// The smallest size of the range.
    pub from: u64,
    /// The first size behind it.
    pub to: u64,
    /// How often a size of the range occurs.
    pub count: u64,
}

impl Spread {
    pub(super) fn count(&mut self, size: usize) {
        *self.counts.entry(size as u64).or_default() += 1;
    }

    /// How many sizes were counted.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The smallest, the average without its fraction, and the largest size; `None` where nothing was counted.
    pub fn summary(&self) -> Option<(u64, u64, u64)> {
        let ((min, _), (max, _)) = (self.counts.first_key_value()?, self.counts.last_key_value()?);
        let sum: u64 = self.counts.iter().map(|(size, count)| size * count).sum();
        Some((*min, sum / self.total(), *max))
    }

    /// Ranges of one width, a power of ten, from the smallest size to behind the largest.
    pub fn bars(&self) -> Vec<Bar> {
        let Some((min, _, max)) = self.summary() else { return Vec::new() };
        let mut step = STEP_MIN;
        while step < (max - min) / BARS && step < STEP_MAX {
            step *= 10;
        }
        let (start, end) = (min - min % step, max - max % step + step);
        let bar = |from: u64| {
            let to = from + step;
            Bar { from, to, count: self.counts.range(from..to).map(|(_, count)| count).sum() }
        };
        (start..=end).step_by(step as usize).map(bar).collect()
    }
}

/// The chunks of a block or a head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChunkSpread {
    /// Samples of a chunk of floats.
    pub float_samples: Spread,
    /// Bytes of a chunk of floats.
    pub float_bytes: Spread,
    /// Samples of a chunk of native histograms.
    pub histogram_samples: Spread,
    /// Bytes of a chunk of native histograms.
    pub histogram_bytes: Spread,
    /// Buckets of all native histograms of a chunk together, zero buckets left out.
    pub histogram_buckets: Spread,
}

impl ChunkSpread {
    /// How many chunks there are.
    pub fn total(&self) -> u64 {
        self.float_samples.total() + self.histogram_samples.total()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(sizes: &[usize]) -> Spread {
        let mut spread = Spread::default();
        sizes.iter().for_each(|size| spread.count(*size));
        spread
    }

    #[test]
    fn bars_are_promtools() {
        let check = |sizes: &[usize], summary, bars: &[(u64, u64, u64)]| {
            let spread = spread(sizes);
            assert_eq!(spread.summary(), summary, "{sizes:?}");
            let got: Vec<_> = spread.bars().iter().map(|bar| (bar.from, bar.to, bar.count)).collect();
            assert_eq!(got, bars, "{sizes:?}");
        };
        check(&[], None, &[]);
        check(&[1, 5, 5], Some((1, 3, 5)), &[(0, 10, 3), (10, 20, 0)]);
        let bars_of = |step: u64| {
            let count = |i| u64::from(matches!(i, 1 | 11));
            (1..=12).map(|i| (i * step, i * step + step, count(i))).collect::<Vec<_>>()
        };
        check(&[10, 110], Some((10, 60, 110)), &bars_of(10));
        check(&[199, 1199], Some((199, 699, 1199)), &bars_of(100));
        check(&[0, 1100], Some((0, 550, 1100)), &[(0, 1000, 1), (1000, 2000, 1), (2000, 3000, 0)]);
    }
}

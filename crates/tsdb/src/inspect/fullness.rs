//! How full chunks are.

use storage::chunk::SAMPLES_PER_CHUNK;

const STEPS: usize = 10;

/// Chunks by their number of samples, in tenths of a full chunk of 120 samples; a fuller one counts as full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fullness {
    /// How many chunks are up to 10 %, 20 %, … 100 % full.
    pub chunks: [u64; STEPS],
}

impl Fullness {
    pub(super) fn count(&mut self, samples: usize) {
        let tenths = (samples.clamp(1, SAMPLES_PER_CHUNK) * STEPS).div_ceil(SAMPLES_PER_CHUNK);
        self.chunks[tenths - 1] += 1;
    }

    /// All chunks.
    pub fn total(&self) -> u64 {
        self.chunks.iter().sum()
    }

    /// The upper ends in per cent, each with the share of chunks in whole per cent.
    pub fn shares(&self) -> impl Iterator<Item = (usize, u64)> {
        let total = self.total().max(1);
        self.chunks.iter().enumerate().map(move |(i, count)| ((i + 1) * 100 / STEPS, count * 100 / total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_tenths_of_120() {
        let mut fullness = Fullness::default();
        for samples in [0, 1, 12, 13, 119, 120, 500] {
            fullness.count(samples);
        }
        assert_eq!(fullness.chunks, [3, 1, 0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(fullness.shares().next(), Some((10, 42)));
    }
}

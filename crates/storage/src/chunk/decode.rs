//! All samples of a chunk at once, for those who compute with them.

use model::{FloatHistogram, Histogram, TimeRange};

use super::encoded::{Chunk, Encoding};
use super::error::ChunkError;
use super::{columns, native};
use crate::samples::Samples;

impl Chunk {
    /// Appends the samples within `range` to `out`. Histograms come as float histograms.
    pub fn decode(&self, range: TimeRange, out: &mut Samples) -> Result<(), ChunkError> {
        match self.encoding {
            Encoding::Xor => columns::decode(&self.data, range, out),
            Encoding::Histogram => native::decode::<Histogram>(&self.data, range, out),
            Encoding::FloatHistogram => native::decode::<FloatHistogram>(&self.data, range, out),
        }
    }
}

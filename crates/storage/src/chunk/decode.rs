//! All samples of a chunk at once, for those who compute with them.

use model::TimeRange;

use super::encoded::{Chunk, Encoding};
use super::error::ChunkError;
use super::{columns, float_histogram, histogram, native, xor2};
use crate::samples::Samples;

impl Chunk {
    /// Appends the samples within `range` to `out`. Histograms come as float histograms.
    pub fn decode(&self, range: TimeRange, out: &mut Samples) -> Result<(), ChunkError> {
        let data = &self.data;
        match self.encoding {
            Encoding::Xor => columns::decode(data, range, out),
            Encoding::Xor2 => xor2::decode(data, range, out),
            Encoding::Histogram => native::decode(histogram::Reader::new(data)?, range, out),
            Encoding::HistogramStarts => native::decode(histogram::Reader::with_starts(data)?, range, out),
            Encoding::FloatHistogram => native::decode(float_histogram::Reader::new(data)?, range, out),
            Encoding::FloatHistogramStarts => native::decode(float_histogram::Reader::with_starts(data)?, range, out),
        }
    }
}

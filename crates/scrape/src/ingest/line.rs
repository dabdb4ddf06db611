//! Series in the formats that are lines.

use exposition::normalize_number_label;
use exposition::text::ParseError;
use model::{LabelsScratch, METRIC_NAME, MetricType};
use xxhash_rust::xxh3::xxh3_64;

use super::error::{IngestError, Place, check_size};
use super::sample::Shown;

/// How a series is parsed out of its bytes.
pub(super) type ParseSeries = fn(&[u8], &mut LabelsScratch) -> Result<(), ParseError>;

/// A series as it stands in a line of text.
#[derive(Clone, Copy)]
pub(super) struct TextSeries<'t> {
    pub(super) raw: &'t [u8],
    pub(super) line: usize,
    /// What the family is that was described last.
    pub(super) kind: MetricType,
    pub(super) parse: ParseSeries,
}

impl Shown for TextSeries<'_> {
    fn labels(&self, scratch: &mut LabelsScratch) -> Result<(), IngestError> {
        check_size(self.raw.len(), self.place())?;
        scratch.clear();
        (self.parse)(self.raw, scratch).map_err(|mut error| {
            error.line += self.line - 1;
            error
        })?;
        normalize_number_label(self.kind, scratch);
        Ok(())
    }

    fn metric(&self) -> &[u8] {
        self.raw
    }

    fn place(&self) -> Place {
        Place::Line(self.line)
    }
}

/// Under what a line is remembered: its bytes, and what of its family's kind changes what they mean.
#[inline]
pub(super) fn key(raw: &[u8], kind: MetricType) -> u64 {
    let salt = match kind {
        MetricType::Histogram => 0x9e37_79b9_7f4a_7c15,
        MetricType::Summary => 0xc2b2_ae3d_27d4_eb4f,
        _ => 0,
    };
    xxh3_64(raw) ^ salt
}

/// The metric's name among pushed labels.
pub(super) fn metric_name(scratch: &LabelsScratch) -> &str {
    scratch.pairs().find(|(name, _)| *name == METRIC_NAME).map_or("", |(_, value)| value)
}

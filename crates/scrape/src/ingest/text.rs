//! The text format.

use exposition::text::{Entry, Parser, parse_series};
use model::MetricType;

use super::Ingest;
use super::classic::Conversion;
use super::error::IngestError;
use super::line::{TextSeries, key};
use super::sample::{Batch, Sample};

impl Ingest<'_> {
    pub(super) fn text(&mut self, body: &[u8]) -> Result<(), IngestError> {
        let (mut batch, mut conversion) = (Batch::new(), Conversion::new(self.forms));
        let mut kind = MetricType::Unknown;
        for entry in Parser::new(body) {
            match entry? {
                Entry::Sample(line) => {
                    let shown = TextSeries { raw: line.series, line: line.line, kind, parse: parse_series };
                    let own_time = self.own_time(line.timestamp);
                    let sample =
                        Sample { key: key(line.series, kind), value: line.value, own_time, start: None, shown };
                    match &mut conversion {
                        None => self.sample(&sample, &mut batch).map(drop)?,
                        Some(conversion) => self.convertible(conversion, &sample, None, &mut batch)?,
                    }
                }
                Entry::Remark(line) => {
                    self.end_classic(&mut conversion)?;
                    self.metadata.take(&line)?;
                    kind = self.metadata.told_kind();
                }
            }
        }
        self.end_classic(&mut conversion)?;
        self.flush(&mut batch)
    }
}

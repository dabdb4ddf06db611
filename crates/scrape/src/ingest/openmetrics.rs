//! OpenMetrics.

use exposition::openmetrics::{Entry, ExemplarText, Parser, SampleLine, parse_series};
use model::{Exemplar, MetricType};

use super::Ingest;
use super::classic::Conversion;
use super::created::CountingFamily;
use super::error::IngestError;
use super::line::{TextSeries, key};
use super::sample::{Batch, Sample};

impl Ingest<'_> {
    pub(super) fn openmetrics(&mut self, body: &[u8]) -> Result<(), IngestError> {
        let (mut batch, mut conversion) = (Batch::new(), Conversion::new(self.forms));
        if let Some(created) = self.created.as_deref_mut() {
            created.read(body, self.scratch);
        }
        let (mut kind, mut counting) = (MetricType::Unknown, None::<CountingFamily>);
        for entry in Parser::new(body) {
            let entry = entry?;
            if !matches!(entry, Entry::Sample(_)) {
                self.end_classic(&mut conversion)?;
            }
            match entry {
                Entry::Sample(line) if counting.as_ref().is_some_and(|family| family.is_told_by(line.series)) => {}
                Entry::Sample(line) => {
                    let start = counting.as_ref().and_then(|family| self.start_of(family, &line));
                    let shown = TextSeries { raw: line.series, line: line.line, kind, parse: parse_series };
                    let own_time = self.own_time(line.timestamp);
                    let sample = Sample { key: key(line.series, kind), value: line.value, own_time, start, shown };
                    let exemplar = line.exemplar.and_then(|text| self.exemplar_of_text(&text, own_time));
                    match (&mut conversion, exemplar) {
                        (Some(conversion), exemplar) => {
                            self.convertible(conversion, &sample, exemplar, &mut batch)?;
                        }
                        (None, exemplar) => {
                            let entry = self.sample(&sample, &mut batch)?;
                            self.note_exemplar(entry, exemplar);
                        }
                    }
                }
                Entry::Help { metric, text } => self.metadata.set_help(&metric, &text),
                Entry::Unit { metric, unit } => self.metadata.set_unit(&metric, unit),
                Entry::Type { metric, kind: told } => {
                    self.metadata.set_kind(&metric, told);
                    kind = told;
                    counting = self.created.as_ref().and_then(|_| CountingFamily::new(&metric, told));
                }
            }
        }
        self.end_classic(&mut conversion)?;
        self.flush(&mut batch)
    }

    /// Since when the metric of a line counts, where that is wanted.
    fn start_of(&mut self, family: &CountingFamily, line: &SampleLine<'_>) -> Option<i64> {
        self.created.as_deref_mut()?.start(family, line, self.scratch)
    }

    /// The exemplar, and whether it has a time of its own; `None` for one that is too long to be kept.
    fn exemplar_of_text(&mut self, text: &ExemplarText<'_>, own_time: Option<i64>) -> Option<(Exemplar, bool)> {
        match text.labels(self.scratch) {
            Ok(true) => {
                let time = self.time_of(text.timestamp.or(own_time));
                let exemplar = Exemplar { labels: self.scratch.build(), value: text.value, time };
                Some((exemplar, text.timestamp.is_some()))
            }
            _ => None,
        }
    }
}

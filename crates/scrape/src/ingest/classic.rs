//! Classic histograms that become native ones with listed bounds, line by line.
//!
//! A line that was seen before is known to be a part of a histogram, and its value goes to the one that is being put together. That ends
//! with the first line that is not a part of it, as in Prometheus: a histogram whose lines don't stand together is told several times,
//! and only the first counts.

use model::{BUCKET_LABEL, ClassicHistogram, ClassicPart, Exemplar, Labels, LabelsBuilder, METRIC_NAME, MetricType};

use super::Ingest;
use super::error::IngestError;
use super::histogram::HistogramSample;
use super::line::{TextSeries, metric_name};
use super::sample::{Batch, Sample, Shown};
use crate::histograms::HistogramForms;
use crate::series_cache::{EntryId, PartOf};

/// Makes the key of a series of native histograms another than that of its labels as floats.
pub(super) const NATIVE: u64 = 0x1656_67b1_9e37_79f9;

/// The histogram that is being put together.
pub(super) struct Conversion<'t> {
    /// Whether the classic parts are stored, too.
    keeps_parts: bool,
    classic: ClassicHistogram,
    open: Option<Open<'t>>,
}

struct Open<'t> {
    histogram: EntryId,
    /// The last of its lines, and the times that this gives.
    shown: TextSeries<'t>,
    own_time: Option<i64>,
    start: Option<i64>,
    exemplars: Vec<Exemplar>,
}

impl Conversion<'_> {
    /// `None` where classic histograms stay what they are.
    pub(super) fn new(forms: HistogramForms) -> Option<Self> {
        let classic = ClassicHistogram::default();
        forms.converted.then_some(Conversion { keeps_parts: forms.classic, classic, open: None })
    }
}

impl Ingest<'_> {
    /// Takes a sample that may be a part of a histogram.
    pub(super) fn convertible<'t>(
        &mut self,
        conversion: &mut Conversion<'t>,
        sample: &Sample<TextSeries<'t>>,
        exemplar: Option<(Exemplar, bool)>,
        batch: &mut Batch<TextSeries<'t>>,
    ) -> Result<(), IngestError> {
        let known = self.cache.find(sample.key);
        let part = match known {
            Some(id) => self.cache.part(id),
            None => self.find_part(&sample.shown)?,
        };
        let Some(part) = part else {
            self.end_open(conversion)?;
            let entry = self.plain(known, sample, batch)?;
            self.note_exemplar(entry, exemplar);
            return Ok(());
        };
        self.add_part(conversion, part, sample, exemplar.as_ref())?;
        match known {
            _ if conversion.keeps_parts => {
                let entry = self.plain(known, sample, batch)?;
                self.note_exemplar(entry, exemplar);
            }
            Some(id) => drop(self.cache.see(id)),
            None => drop(self.cache.insert(sample.key, None)),
        }
        if known.is_none()
            && let Some(id) = self.cache.find_aside(sample.key)
        {
            self.cache.set_part(id, part);
        }
        Ok(())
    }

    /// Takes a sample as what it is.
    fn plain<'t>(
        &mut self,
        known: Option<EntryId>,
        sample: &Sample<TextSeries<'t>>,
        batch: &mut Batch<TextSeries<'t>>,
    ) -> Result<Option<EntryId>, IngestError> {
        match known {
            Some(id) => self.known(id, sample, batch),
            None => {
                self.flush(batch)?;
                self.new_series(sample)
            }
        }
    }

    fn add_part<'t>(
        &mut self,
        conversion: &mut Conversion<'t>,
        part: PartOf,
        sample: &Sample<TextSeries<'t>>,
        exemplar: Option<&(Exemplar, bool)>,
    ) -> Result<(), IngestError> {
        if conversion.open.as_ref().is_none_or(|open| open.histogram != part.histogram) {
            self.end_open(conversion)?;
        }
        let Sample { value, own_time, start, shown, .. } = *sample;
        let open = conversion.open.get_or_insert(Open {
            histogram: part.histogram,
            shown,
            own_time,
            start,
            exemplars: Vec::new(),
        });
        (open.shown, open.own_time, open.start) = (shown, own_time, start);
        open.exemplars.extend(exemplar.filter(|(_, has_time)| *has_time).map(|(exemplar, _)| exemplar.clone()));
        conversion.classic.set(part.part, value);
        Ok(())
    }

    /// Ends the histogram that is being put together, if there is one.
    pub(super) fn end_classic(&mut self, conversion: &mut Option<Conversion<'_>>) -> Result<(), IngestError> {
        conversion.as_mut().map_or(Ok(()), |conversion| self.end_open(conversion))
    }

    /// One that contradicts itself is dropped, as in Prometheus.
    fn end_open(&mut self, conversion: &mut Conversion<'_>) -> Result<(), IngestError> {
        let Some(open) = conversion.open.take() else { return Ok(()) };
        let Open { histogram: id, shown, own_time, start, exemplars } = open;
        let native = conversion.classic.native();
        conversion.classic.clear();
        match native {
            Ok(histogram) => self.histogram(id, HistogramSample { histogram, own_time, start, exemplars }, &shown),
            Err(error) => {
                self.cache.see(id);
                tracing::debug!(%error, line = shown.line, "a classic histogram cannot be converted");
                Ok(())
            }
        }
    }

    /// Of which histogram a new line is a part, if its family is one.
    #[cold]
    fn find_part(&mut self, shown: &TextSeries<'_>) -> Result<Option<PartOf>, IngestError> {
        if shown.kind != MetricType::Histogram {
            return Ok(None);
        }
        shown.labels(self.scratch)?;
        let Some(suffix) = metric_name(self.scratch).strip_prefix(self.metadata.typed_family()) else {
            return Ok(None);
        };
        let bound =
            || self.scratch.pairs().find(|(name, _)| *name == BUCKET_LABEL).and_then(|(_, value)| bound_of(value));
        let part = match suffix {
            "_bucket" => bound().map(ClassicPart::Bucket),
            "_count" => Some(ClassicPart::Count),
            "_sum" => Some(ClassicPart::Sum),
            _ => None,
        };
        let Some(part) = part else { return Ok(None) };
        let mut labels = LabelsBuilder::new(&self.scratch.build());
        labels.set(METRIC_NAME, self.metadata.typed_family()).del(BUCKET_LABEL);
        let histogram = self.histogram_entry(&labels.build(), shown)?;
        Ok(Some(PartOf { histogram, part }))
    }

    /// The entry of the native histograms of a series, by its labels as the target shows them.
    fn histogram_entry(&mut self, exposed: &Labels, shown: &TextSeries<'_>) -> Result<EntryId, IngestError> {
        let key = exposed.stable_hash() ^ NATIVE;
        if let Some(id) = self.cache.find_aside(key) {
            return Ok(id);
        }
        self.scratch.clear();
        exposed.iter().for_each(|(name, value)| self.scratch.push(name, value));
        let labels = self.settle(shown.place())?;
        let id = self.cache.insert_aside(key, None);
        if let Some(labels) = labels {
            self.cache.set_histogram(id, labels);
        }
        Ok(id)
    }
}

/// The bound of a bucket, unless it is no number.
fn bound_of(text: &str) -> Option<f64> {
    model::parse_float(text).filter(|bound| !bound.is_nan())
}

//! Protocol buffers: a metric is one line or several.

use exposition::protobuf::{self, Content, DecodeError, Family, HistogramMessage, Metric, Parser};
use exposition::{Dialect, QUANTILE_LABEL};
use model::{
    BUCKET_LABEL, ClassicHistogram, ClassicPart, CounterReset, Exemplar, LabelsScratch, METRIC_NAME, NativeHistogram,
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::Ingest;
use super::classic::NATIVE;
use super::error::{IngestError, Place, check_size};
use super::histogram::HistogramSample;
use super::sample::{Batch, Sample, Shown};
use crate::series_cache::EntryId;

/// One of the series that a metric is.
#[derive(Clone, Copy)]
struct MetricSeries<'t> {
    family: &'t str,
    suffix: &'static str,
    /// The label that tells it from others of its metric.
    number: Option<(&'static str, f64)>,
    metric: Metric<'t>,
}

impl Shown for MetricSeries<'_> {
    fn labels(&self, scratch: &mut LabelsScratch) -> Result<(), IngestError> {
        scratch.clear();
        scratch.push(METRIC_NAME, &[self.family, self.suffix].concat());
        self.metric.labels(scratch)?;
        if let Some((name, number)) = self.number {
            scratch.push(name, &Dialect::OpenMetrics.number(number + 0.0));
        }
        check_size(scratch.byte_len(), self.place())?;
        match scratch.duplicate_name() {
            Some(name) => Err(IngestError::series(self.place(), format!("the label {name:?} is given twice"))),
            None => Ok(()),
        }
    }

    fn metric(&self) -> &[u8] {
        self.family.as_bytes()
    }

    fn place(&self) -> Place {
        Place::Byte(self.metric.offset())
    }
}

/// A metric as it is taken apart.
struct Parts<'t> {
    family: &'t str,
    metric: Metric<'t>,
    /// Of the family's name and the metric's labels.
    key: u64,
    own_time: Option<i64>,
    start: Option<i64>,
}

impl<'t> Parts<'t> {
    fn series(&self, suffix: &'static str, number: Option<(&'static str, f64)>) -> MetricSeries<'t> {
        MetricSeries { family: self.family, suffix, number, metric: self.metric }
    }

    fn sample(
        &self,
        suffix: &'static str,
        number: Option<(&'static str, f64)>,
        value: f64,
    ) -> Sample<MetricSeries<'t>> {
        // The first byte of a suffix behind its underscore is its own.
        let tag = suffix.as_bytes().get(1).map_or(0, |byte| u64::from(*byte));
        let key = match number {
            Some((_, number)) => xxh3_64_with_seed(&number.to_bits().to_le_bytes(), self.key ^ tag),
            None => self.key ^ tag,
        };
        Sample { key, value, own_time: self.own_time, start: self.start, shown: self.series(suffix, number) }
    }
}

impl Ingest<'_> {
    pub(super) fn protobuf(&mut self, body: &[u8]) -> Result<(), IngestError> {
        let mut batch = Batch::new();
        let mut classic = ClassicHistogram::default();
        for family in Parser::new(body) {
            let family = family?;
            self.metadata.set_help(family.name, family.help);
            self.metadata.set_unit(family.name, family.unit);
            self.metadata.set_kind(family.name, family.kind);
            let seed = xxh3_64(family.name.as_bytes());
            for metric in family.metrics() {
                let metric = metric?;
                let key = xxh3_64_with_seed(metric.label_bytes(), seed);
                let own_time = self.own_time(metric.timestamp);
                let content = metric.content()?;
                let start = content.start().filter(|start| self.created.is_some() && *start > 0);
                let parts = Parts { family: family.name, metric, key, own_time, start };
                self.metric(&parts, content, &family, &mut classic, &mut batch)?;
            }
        }
        self.flush(&mut batch)
    }

    fn metric<'t>(
        &mut self,
        parts: &Parts<'t>,
        content: Content<'t>,
        family: &Family<'t>,
        classic: &mut ClassicHistogram,
        batch: &mut Batch<MetricSeries<'t>>,
    ) -> Result<(), IngestError> {
        match content {
            Content::Number { value, exemplar, .. } => {
                let entry = self.sample(&parts.sample("", None, value), batch)?;
                self.exemplar_of(entry, exemplar, parts.own_time)
            }
            Content::Summary(summary) => {
                self.sample(&parts.sample("_count", None, summary.count as f64), batch)?;
                self.sample(&parts.sample("_sum", None, summary.sum), batch)?;
                for quantile in summary.quantiles() {
                    let (quantile, value) = quantile?;
                    self.sample(&parts.sample("", Some((QUANTILE_LABEL, quantile)), value), batch)?;
                }
                Ok(())
            }
            Content::Histogram(histogram) if self.forms.native && histogram.is_native() => {
                let native = histogram.native()?;
                self.native(parts, &histogram, native)?;
                if self.forms.classic && histogram.has_buckets() {
                    self.classic(parts, &histogram, batch)?;
                }
                Ok(())
            }
            Content::Histogram(histogram) => {
                if !self.forms.converted || self.forms.classic {
                    self.classic(parts, &histogram, batch)?;
                }
                if self.forms.converted {
                    let native = convert(&histogram, classic, family)?;
                    self.native(parts, &histogram, native)?;
                }
                Ok(())
            }
        }
    }

    /// The series of a classic histogram. The last bucket is the infinite one, which needs not be told.
    fn classic<'t>(
        &mut self,
        parts: &Parts<'t>,
        histogram: &HistogramMessage<'t>,
        batch: &mut Batch<MetricSeries<'t>>,
    ) -> Result<(), IngestError> {
        self.sample(&parts.sample("_count", None, histogram.count()), batch)?;
        self.sample(&parts.sample("_sum", None, histogram.sum), batch)?;
        for bucket in histogram.buckets() {
            let bucket = bucket?;
            let bound = Some((BUCKET_LABEL, bucket.upper_bound));
            let entry = self.sample(&parts.sample("_bucket", bound, bucket.cumulative_count), batch)?;
            self.exemplar_of(entry, bucket.exemplar, parts.own_time)?;
            if bucket.upper_bound == f64::INFINITY {
                return Ok(());
            }
        }
        let infinite = Some((BUCKET_LABEL, f64::INFINITY));
        self.sample(&parts.sample("_bucket", infinite, histogram.count()), batch).map(drop)
    }

    /// A native histogram.
    fn native(
        &mut self,
        parts: &Parts<'_>,
        message: &HistogramMessage<'_>,
        histogram: NativeHistogram,
    ) -> Result<(), IngestError> {
        let shown = parts.series("", None);
        let key = parts.key ^ NATIVE;
        let id = match self.cache.find(key) {
            Some(id) => id,
            None => {
                let labels = self.resolve(&shown)?;
                let id = self.cache.insert(key, None);
                if let Some(labels) = labels {
                    self.cache.set_histogram(id, labels);
                }
                id
            }
        };
        let exemplars = self.exemplars_of(message)?;
        self.histogram(
            id,
            HistogramSample { histogram, own_time: parts.own_time, start: parts.start, exemplars },
            &shown,
        )
    }

    /// The exemplars of a native histogram, or else those of its classic buckets; only those that have a time.
    fn exemplars_of(&mut self, message: &HistogramMessage<'_>) -> Result<Vec<Exemplar>, DecodeError> {
        let mut found: Vec<protobuf::Exemplar<'_>> = message.exemplars().collect::<Result<_, _>>()?;
        if found.is_empty() {
            for bucket in message.buckets() {
                found.extend(bucket?.exemplar);
            }
        }
        let timed = found.into_iter().filter(|exemplar| exemplar.timestamp.is_some());
        timed.map(|exemplar| self.built(&exemplar, None)).collect()
    }

    fn exemplar_of(
        &mut self,
        entry: Option<EntryId>,
        exemplar: Option<protobuf::Exemplar<'_>>,
        own_time: Option<i64>,
    ) -> Result<(), IngestError> {
        if let (Some(_), Some(exemplar)) = (entry, exemplar) {
            let exemplar = self.built(&exemplar, own_time)?;
            self.note_exemplar(entry, Some((exemplar, true)));
        }
        Ok(())
    }

    fn built(&mut self, exemplar: &protobuf::Exemplar<'_>, own_time: Option<i64>) -> Result<Exemplar, DecodeError> {
        exemplar.labels(self.scratch)?;
        let time = self.time_of(exemplar.timestamp.or(own_time));
        Ok(Exemplar { labels: self.scratch.build(), value: exemplar.value, time })
    }
}

/// A histogram's classic parts as a native one.
fn convert(
    message: &HistogramMessage<'_>,
    classic: &mut ClassicHistogram,
    family: &Family<'_>,
) -> Result<NativeHistogram, DecodeError> {
    classic.clear();
    classic.set(ClassicPart::Count, message.count());
    classic.set(ClassicPart::Sum, message.sum);
    for bucket in message.buckets() {
        let bucket = bucket?;
        classic.set(ClassicPart::Bucket(bucket.upper_bound), bucket.cumulative_count);
    }
    let mut native = classic.native().map_err(|error| family.error(format!("histogram {:?}: {error}", family.name)))?;
    if message.is_gauge() {
        match &mut native {
            NativeHistogram::Int(histogram) => histogram.counter_reset = CounterReset::Gauge,
            NativeHistogram::Float(histogram) => histogram.counter_reset = CounterReset::Gauge,
        }
    }
    Ok(native)
}

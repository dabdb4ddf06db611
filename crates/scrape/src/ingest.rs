//! From the text of an exposition to appended samples.
//!
//! The fast path is [`Ingest::sample`] for a line that was seen before: no label is built for it, and many are appended together.
//! What is new is resolved
//! in [`Ingest::resolve`].

use discovery::relabel::process;
use exposition::text::{Entry, ParseError, Parser, SampleLine};
use model::{Labels, LabelsBuilder, LabelsScratch, METRIC_NAME, Timestamp};
use storage::{AppendError, Appender, SeriesRef};

use crate::metadata::MetadataCache;
use crate::scrape_config::ScrapeConfig;
use crate::series_cache::{EntryId, SeriesCache};

/// Samples further in the future than this are not taken, in milliseconds.
const FUTURE_MAX_MS: i64 = 10 * 60_000;
/// Bytes of a metric's name in a message about a limit.
const NAME_SHOWN_MAX: usize = 50;

/// Why an exposition was refused as a whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IngestError {
    #[error("{0}")]
    Parse(#[from] ParseError),
    #[error("sample limit exceeded: the target has more than the {0} samples of sample_limit")]
    SampleLimit(u64),
    #[error("{0}")]
    LabelLimit(String),
    #[error("line {line}: {reason}")]
    Series { line: usize, reason: String },
}

/// What a scrape brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Samples in the text.
    pub(crate) scraped: u64,
    /// Those that relabelling left.
    pub(crate) kept: u64,
    /// Series that weren't there before.
    pub(crate) added: u64,
    /// Samples that were skipped because a newer one is stored.
    pub(crate) out_of_order: u64,
    /// Samples that were skipped because their series has another value at that time.
    pub(crate) duplicate: u64,
    /// Samples that were skipped because they are too old or in the future.
    pub(crate) out_of_bounds: u64,
}

/// Samples of remembered lines that are appended together, at the time of the scrape.
struct Batch<'t> {
    lines: Vec<(EntryId, SampleLine<'t>)>,
    /// Parallel to `lines`.
    samples: Vec<(SeriesRef, f64)>,
    /// What was not taken, by its place.
    refused: Vec<(usize, AppendError)>,
}

/// So many are appended together: enough to share the cost, few enough to stay in the processor's nearest cache.
const BATCH_SAMPLES: usize = 128;

impl<'t> Batch<'t> {
    fn new() -> Self {
        let (lines, samples) = (Vec::with_capacity(BATCH_SAMPLES), Vec::with_capacity(BATCH_SAMPLES));
        Batch { lines, samples, refused: Vec::new() }
    }

    fn is_full(&self) -> bool {
        self.lines.len() == BATCH_SAMPLES
    }

    #[inline]
    fn push(&mut self, id: EntryId, series: SeriesRef, line: &SampleLine<'t>) {
        self.lines.push((id, *line));
        self.samples.push((series, line.value));
    }
}

/// Everything that reading one exposition needs.
pub(crate) struct Ingest<'a> {
    pub(crate) config: &'a ScrapeConfig,
    /// The labels that the target's series get.
    pub(crate) labels: &'a Labels,
    pub(crate) cache: &'a mut SeriesCache,
    pub(crate) scratch: &'a mut LabelsScratch,
    pub(crate) metadata: &'a mut MetadataCache,
    pub(crate) appender: &'a mut dyn Appender,
    pub(crate) time: Timestamp,
    pub(crate) counts: &'a mut Counts,
}

impl Ingest<'_> {
    /// Appends all samples of `text`. After an error the transaction must be rolled back; the counts say how far it came.
    pub(crate) fn run(&mut self, text: &[u8]) -> Result<(), IngestError> {
        self.metadata.begin();
        let mut batch = Batch::new();
        for entry in Parser::new(text) {
            match entry? {
                Entry::Sample(line) => self.sample(&line, &mut batch)?,
                Entry::Remark(line) => self.metadata.take(&line)?,
            }
        }
        self.flush(&mut batch)?;
        self.metadata.finish();
        match self.config.limits.samples {
            limit if limit > 0 && self.counts.kept > limit => Err(IngestError::SampleLimit(limit)),
            _ => Ok(()),
        }
    }

    #[inline]
    fn sample<'t>(&mut self, line: &SampleLine<'t>, batch: &mut Batch<'t>) -> Result<(), IngestError> {
        self.counts.scraped += 1;
        let own_time = line.timestamp.filter(|_| self.config.honor_timestamps);
        let Some(id) = self.cache.find(line.series) else {
            self.flush(batch)?; // what the line stands for may be in it
            return self.new_series(line, own_time);
        };
        let is_repeated = self.cache.see(id);
        let Some(series) = self.cache.series(id) else { return Ok(()) };
        if !self.keep() {
            return Ok(());
        }
        if is_repeated && own_time.is_none() {
            self.counts.duplicate += 1;
            return Ok(());
        }
        if own_time.is_some() || self.metadata.has_changed() {
            self.flush(batch)?;
            return self.single(id, series, line, own_time);
        }
        batch.push(id, series, line);
        if batch.is_full() { self.flush(batch) } else { Ok(()) }
    }

    /// Appends what has been put together.
    fn flush(&mut self, batch: &mut Batch<'_>) -> Result<(), IngestError> {
        let Batch { lines, samples, refused } = batch;
        if samples.is_empty() {
            return Ok(()); // each line of a target that is new comes here
        }
        self.appender.append_refs(samples, self.time, &mut |at, error| refused.push((at, error)));
        samples.clear();
        let mut refused = refused.drain(..).peekable();
        for (at, (id, line)) in lines.drain(..).enumerate() {
            match refused.next_if(|(place, _)| *place == at) {
                None => self.cache.track(id),
                Some((_, AppendError::UnknownSeries(_))) => self.again(id, &line, None)?,
                Some((_, error)) => self.skipped(&line, &error)?,
            }
        }
        Ok(())
    }

    /// A remembered line that is appended on its own.
    fn single(
        &mut self,
        id: EntryId,
        series: SeriesRef,
        line: &SampleLine<'_>,
        own_time: Option<i64>,
    ) -> Result<(), IngestError> {
        let time = self.time_of(own_time);
        if self.is_future(time) {
            return Ok(());
        }
        match self.appender.append_ref(series, time, line.value) {
            Ok(()) => {
                if self.metadata.has_changed() {
                    self.store_metadata(line, series);
                }
                if self.is_tracked(own_time) {
                    self.cache.track(id);
                }
                Ok(())
            }
            Err(AppendError::UnknownSeries(_)) => self.again(id, line, own_time),
            Err(e) => self.skipped(line, &e),
        }
    }

    fn time_of(&self, own_time: Option<i64>) -> Timestamp {
        own_time.map_or(self.time, Timestamp::from_ms)
    }

    /// Whether a series gets a stale marker when it ends: not if the target says when its samples were.
    fn is_tracked(&self, own_time: Option<i64>) -> bool {
        own_time.is_none() || self.config.track_timestamps_staleness
    }

    /// A line that is not remembered.
    #[cold]
    fn new_series(&mut self, line: &SampleLine<'_>, own_time: Option<i64>) -> Result<(), IngestError> {
        let time = self.time_of(own_time);
        let Some(labels) = self.resolve(line)? else {
            self.cache.insert(line.series, None);
            return Ok(());
        };
        if !self.keep() || self.is_future(time) {
            return Ok(());
        }
        match self.appender.append(&labels, time, line.value) {
            Ok(series) => {
                self.store_metadata(line, series);
                let id = self.cache.insert(line.series, Some(series));
                self.took_new(id, own_time);
                Ok(())
            }
            Err(e) => self.skipped(line, &e),
        }
    }

    /// A remembered line whose series the storage has dropped meanwhile.
    #[cold]
    fn again(&mut self, id: EntryId, line: &SampleLine<'_>, own_time: Option<i64>) -> Result<(), IngestError> {
        let Some(labels) = self.resolve(line)? else { return Ok(()) };
        let time = self.time_of(own_time);
        match self.appender.append(&labels, time, line.value) {
            Ok(series) => {
                self.store_metadata(line, series);
                self.cache.set_series(id, series);
                self.took_new(id, own_time);
                Ok(())
            }
            Err(e) => self.skipped(line, &e),
        }
    }

    /// Hands over what the target says of the metric of a line, where that is wanted.
    #[cold]
    fn store_metadata(&mut self, line: &SampleLine<'_>, series: SeriesRef) {
        if let Some(metadata) = self.metadata.of_line(line.series)
            && let Err(error) = self.appender.append_metadata(series, &metadata)
        {
            tracing::debug!(%error, %series, "metadata not stored");
        }
    }

    fn took_new(&mut self, id: EntryId, own_time: Option<i64>) {
        self.counts.added += 1;
        if self.is_tracked(own_time) {
            self.cache.track(id);
        }
    }

    /// Counts a sample that relabelling left; false beyond the limit: reading goes on only to count.
    fn keep(&mut self) -> bool {
        self.counts.kept += 1;
        self.config.limits.samples == 0 || self.counts.kept <= self.config.limits.samples
    }

    fn is_future(&mut self, time: Timestamp) -> bool {
        let is_future = time > self.time.saturating_add(FUTURE_MAX_MS);
        self.counts.out_of_bounds += u64::from(is_future);
        is_future
    }

    fn skipped(&mut self, line: &SampleLine<'_>, error: &AppendError) -> Result<(), IngestError> {
        match error {
            AppendError::OutOfOrder => self.counts.out_of_order += 1,
            AppendError::DuplicateTimestamp => self.counts.duplicate += 1,
            AppendError::TooOld { .. } | AppendError::TooNew { .. } | AppendError::BeyondWindow { .. } => {
                self.counts.out_of_bounds += 1;
            }
            AppendError::UnknownSeries(_)
            | AppendError::InvalidLabels { .. }
            | AppendError::InvalidHistogram(_)
            | AppendError::InvalidExemplar(_)
            | AppendError::Unsupported(_) => {
                return Err(IngestError::Series { line: line.line, reason: error.to_string() });
            }
        }
        Ok(())
    }

    /// The labels of a line as they are stored; `None` where relabelling drops it.
    fn resolve(&mut self, line: &SampleLine<'_>) -> Result<Option<Labels>, IngestError> {
        line.labels(self.scratch)?;
        let mut labels = LabelsBuilder::new(&self.scratch.build());
        merge_target_labels(&mut labels, self.scratch, self.labels, self.config.honor_labels);
        if !process(&self.config.metric_relabel_configs, &mut labels) {
            return Ok(None);
        }
        let labels = labels.build();
        if labels.is_empty() {
            return Ok(None);
        }
        if labels.metric_name().is_empty() {
            let reason = "relabelling left the series without a metric name".to_owned();
            return Err(IngestError::Series { line: line.line, reason });
        }
        check_label_limits(&labels, self.config)?;
        Ok(Some(labels))
    }
}

/// Adds the target's labels. Where the exposition has one of the same name, `honor_labels` decides: the exposition's wins,
/// even an empty one, or it is kept as `exported_…`.
fn merge_target_labels(labels: &mut LabelsBuilder, exposed: &LabelsScratch, target: &Labels, honor_labels: bool) {
    if honor_labels {
        for (name, value) in target {
            if !exposed.pairs().any(|(exposed, _)| exposed == name) {
                labels.set(name, value);
            }
        }
        return;
    }
    let mut conflicts = Vec::new();
    for (name, value) in target {
        if let Some(exposed) = labels.get(name) {
            conflicts.push((name, exposed.to_owned()));
        }
        labels.set(name, value);
    }
    // The shortest first, so that a name which is exported twice takes its second prefix.
    conflicts.sort_by_key(|(name, _)| name.len());
    for (name, value) in conflicts {
        let mut exported = format!("exported_{name}");
        while labels.get(&exported).is_some() {
            exported.insert_str(0, "exported_");
        }
        labels.set(&exported, &value);
    }
}

fn check_label_limits(labels: &Labels, config: &ScrapeConfig) -> Result<(), IngestError> {
    let limits = &config.limits;
    let metric: String = labels.get(METRIC_NAME).unwrap_or("").chars().take(NAME_SHOWN_MAX).collect();
    if limits.labels > 0 && labels.len() as u64 > limits.labels {
        let reason =
            format!("label_limit exceeded (metric: {metric}, labels: {}, limit: {})", labels.len(), limits.labels);
        return Err(IngestError::LabelLimit(reason));
    }
    let exceeded = |limit: u64, text: &str| limit > 0 && text.len() as u64 > limit;
    for (name, value) in labels {
        let shown: String = name.chars().take(NAME_SHOWN_MAX).collect();
        if exceeded(limits.label_name_length, name) {
            return Err(IngestError::LabelLimit(format!(
                "label_name_length_limit exceeded (metric: {metric}, label: {shown}, length: {}, limit: {})",
                name.len(),
                limits.label_name_length
            )));
        }
        if exceeded(limits.label_value_length, value) {
            return Err(IngestError::LabelLimit(format!(
                "label_value_length_limit exceeded (metric: {metric}, label: {shown}, length: {}, limit: {})",
                value.len(),
                limits.label_value_length
            )));
        }
    }
    Ok(())
}

/// Appends stale markers; a series that has a newer sample already needs none.
pub(crate) fn append_stale(appender: &mut dyn Appender, ended: &[SeriesRef], time: Timestamp) {
    for series in ended {
        if let Err(error) = appender.append_ref(*series, time, model::STALE_NAN) {
            tracing::debug!(%error, %series, "no stale marker");
        }
    }
}

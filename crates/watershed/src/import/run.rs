//! From lines to blocks.

use std::io;
use std::path::{Path, PathBuf};

use exposition::normalize_number_label;
use exposition::openmetrics::SampleLine;
use exposition::text::ParseError;
use model::{Labels, LabelsBuilder, LabelsScratch, MetricType, Timestamp};
use tsdb::inspect::Progress;
use tsdb::{Backfill, BackfillError, BackfillOptions, BlockMeta};

use super::known::KnownSeries;
use super::source::{ReadError, Source};

/// Why nothing was made. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    #[error("cannot read the text")]
    Io(#[source] io::Error),
    /// A line is wrong.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A line is right, but can't be stored.
    #[error("line {line}, column {column}: {series}: {reason}")]
    Sample { line: usize, column: usize, series: String, reason: String },
    #[error(transparent)]
    Blocks(#[from] BackfillError),
}

impl From<ReadError<ImportError>> for ImportError {
    fn from(error: ReadError<ImportError>) -> Self {
        match error {
            ReadError::Io(error) => ImportError::Io(error),
            ReadError::Parse(error) => ImportError::Parse(error),
            ReadError::Refused(error) => error,
        }
    }
}

struct Import<'a> {
    /// Those of histograms, of summaries and of all other kinds: the same bytes mean other labels there.
    known: [KnownSeries; 3],
    scratch: LabelsScratch,
    extra: &'a [(String, String)],
    backfill: Backfill,
}

impl Import<'_> {
    #[inline]
    fn take(&mut self, line: &SampleLine<'_>, kind: MetricType) -> Result<(), ImportError> {
        let Some(time) = line.timestamp else {
            return Err(refused(line, line.series.len() + 1, "expected a timestamp, got none"));
        };
        let series = match self.known(kind).find(line.series) {
            Some(series) => series,
            None => self.add(line, kind)?,
        };
        match self.backfill.push(series, Timestamp::from_ms(time), line.value) {
            Ok(()) => Ok(()),
            Err(error) => Err(refused(line, 1, error.to_string())),
        }
    }

    #[inline]
    fn known(&mut self, kind: MetricType) -> &mut KnownSeries {
        let [histograms, summaries, others] = &mut self.known;
        match kind {
            MetricType::Histogram => histograms,
            MetricType::Summary => summaries,
            _ => others,
        }
    }

    #[cold]
    fn add(&mut self, line: &SampleLine<'_>, kind: MetricType) -> Result<u32, ImportError> {
        line.labels(&mut self.scratch)?;
        normalize_number_label(kind, &mut self.scratch);
        let series = self.backfill.series(&self.with_extra(self.scratch.build()))?;
        self.known(kind).add(line.series, series);
        Ok(series)
    }

    fn with_extra(&self, labels: Labels) -> Labels {
        if self.extra.is_empty() {
            return labels;
        }
        let mut builder = LabelsBuilder::new(&labels);
        for (name, value) in self.extra {
            builder.set(name, value);
        }
        builder.build()
    }
}

#[cold]
fn refused(line: &SampleLine<'_>, column: usize, reason: impl Into<String>) -> ImportError {
    let series = String::from_utf8_lossy(line.series).into_owned();
    ImportError::Sample { line: line.line, column, series, reason: reason.into() }
}

/// Makes blocks of all samples of a text in a directory; every series gets the `extra` labels. The answer is the blocks, oldest
/// first, with their folders, and how many samples there were.
pub(crate) fn import(
    source: &mut Source,
    dir: &Path,
    options: BackfillOptions,
    extra: &[(String, String)],
    progress: &mut dyn Progress,
) -> Result<Vec<(PathBuf, BlockMeta)>, ImportError> {
    let mut import = Import {
        known: std::array::from_fn(|_| KnownSeries::new()),
        scratch: LabelsScratch::default(),
        extra,
        backfill: Backfill::new(options),
    };
    loop {
        progress.begin("reading samples", source.byte_len().map_err(ImportError::Io)?);
        source.for_each_sample(|line, kind| import.take(line, kind), |bytes| progress.advance(bytes))?;
        progress.begin("writing blocks", 0);
        if !import.backfill.write(dir)? {
            break;
        }
    }
    let blocks = import.backfill.publish()?;
    Ok(blocks.into_iter().map(|meta| (dir.join(meta.ulid.to_string()), meta)).collect())
}

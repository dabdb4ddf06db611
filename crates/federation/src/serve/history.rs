//! Reading by time what can't be told commit by commit any more.

use model::{NativeHistogram, TimeRange, Timestamp};
use storage::chunk::Value;
use storage::{Described, ExemplarSeries, QueryError, Samples, Series, SeriesSet};

use crate::wire::{FIRST_VALUE, WireFloat};

use super::answer::Answer;
use super::error::FederateError;

/// So many milliseconds are read at first.
pub(super) const STEP_MS: i64 = 5 * 60_000;
/// Where nothing is found, longer steps are taken, up to this.
const STEP_MS_MAX: i64 = 6 * 3_600_000;
/// An answer should have so many samples, give or take the half of it.
const SAMPLES_AIM: usize = 400_000;

/// The samples of a step.
pub(super) struct Step {
    series: Vec<OfSeries>,
    samples: usize,
}

struct OfSeries {
    described: Described,
    floats: Samples,
    histograms: Vec<(i64, NativeHistogram)>,
}

impl Step {
    /// Decodes what lies within `range`; `None` where that is far more than an answer should have and `may_split` says that less can be
    /// read.
    pub(super) fn read(set: SeriesSet, range: TimeRange, may_split: bool) -> Result<Option<Self>, QueryError> {
        let mut step = Step { series: Vec::new(), samples: 0 };
        for series in set.series {
            let of_series = read_series(series?, range)?;
            let samples = of_series.floats.times.len() + of_series.histograms.len();
            if samples > 0 {
                step.series.push(of_series);
                step.samples += samples;
            }
            if step.samples > SAMPLES_AIM * 2 && may_split {
                return Ok(None);
            }
        }
        Ok(Some(step))
    }

    /// How long the next step should be after this one of `step_ms`.
    pub(super) fn next_step_ms(&self, step_ms: i64) -> i64 {
        if self.samples < SAMPLES_AIM / 2 { step_ms.saturating_mul(2).min(STEP_MS_MAX) } else { step_ms }
    }

    /// Writes the samples in order of time, as commits would have brought them, with definitions that hold for this answer.
    pub(super) fn write(&self, answer: &mut Answer, exemplars: &[ExemplarSeries]) -> Result<(), FederateError> {
        let mut floats: Vec<(i64, u32, f64)> = Vec::with_capacity(self.samples);
        for (id, series) in (0_u32..).zip(&self.series) {
            answer.define(id, &series.described)?;
            let columns = series.floats.times.iter().zip(&series.floats.values);
            floats.extend(columns.map(|(time, value)| (*time, id, *value)));
        }
        floats.sort_unstable_by_key(|(time, id, _)| (*time, *id));
        let mut last = vec![FIRST_VALUE; self.series.len()];
        for (time, id, value) in floats {
            answer.float(WireFloat { id, time, value }, &mut last[id as usize])?;
        }
        for (id, series) in (0_u32..).zip(&self.series).filter(|(_, series)| !series.histograms.is_empty()) {
            answer.histograms(id, series.histograms.iter().cloned());
        }
        let mut more = self.series.len() as u32..;
        for ExemplarSeries { labels, exemplars } in exemplars {
            let found = self.series.binary_search_by(|series| series.described.labels.cmp(labels));
            let id = match (found, more.next()) {
                (Ok(at), _) => at as u32,
                (Err(_), Some(id)) => {
                    answer.define(id, &Described { labels: labels.clone(), metadata: None })?;
                    id
                }
                (Err(_), None) => continue,
            };
            exemplars.iter().for_each(|exemplar| answer.exemplar(id, exemplar));
        }
        Ok(())
    }
}

/// Histograms stay what they are: [`Series::decode`] would make floats of their counts.
fn read_series(series: Series, range: TimeRange) -> Result<OfSeries, QueryError> {
    let (mut floats, mut histograms) = (Samples::default(), Vec::new());
    let is_float = series.chunks.iter().all(|chunk| chunk.encoding.is_of_floats());
    if is_float {
        series.decode(range, &mut floats)?;
    } else {
        let mut all: Vec<(i64, Value)> = Vec::new();
        for chunk in &series.chunks {
            let mut values = chunk.values();
            while let Some((time, value)) = values.next()? {
                if range.contains(Timestamp::from_ms(time)) {
                    all.push((time, value));
                }
            }
        }
        all.sort_by_key(|(time, _)| *time);
        all.dedup_by_key(|(time, _)| *time); // of two the first stays, as a reader would see it
        for (time, value) in all {
            match value {
                Value::Float(value) => floats.push(time, value),
                Value::Histogram(histogram) => histograms.push((time, histogram)),
            }
        }
    }
    Ok(OfSeries { described: Described { labels: series.labels, metadata: None }, floats, histograms })
}

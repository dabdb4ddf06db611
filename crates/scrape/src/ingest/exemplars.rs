//! Exemplars wait until the samples of their series are appended.

use model::Exemplar;
use storage::AppendError;

use super::Ingest;
use super::sample::Waiting;
use crate::series_cache::EntryId;

impl Ingest<'_> {
    /// Takes note of an exemplar, if its sample was taken.
    pub(super) fn note_exemplar(&mut self, entry: Option<EntryId>, exemplar: Option<(Exemplar, bool)>) {
        if let (Some(series), Some((exemplar, _))) = (entry, exemplar) {
            self.exemplars.push(Waiting { series, exemplar });
        }
    }

    /// Takes note of the exemplars of a native histogram.
    pub(super) fn note_exemplars(&mut self, series: EntryId, exemplars: Vec<Exemplar>) {
        self.exemplars.extend(exemplars.into_iter().map(|exemplar| Waiting { series, exemplar }));
    }

    /// Appends all exemplars. None of them makes a scrape fail: there are newer ones.
    pub(super) fn append_exemplars(&mut self) {
        let mut waiting = std::mem::take(&mut self.exemplars);
        for of_series in waiting.chunk_by_mut(|a, b| a.series == b.series) {
            of_series.sort_by_key(|waiting| waiting.exemplar.time);
            let Some(series) = self.cache.series(of_series[0].series) else { continue };
            let mut out_of_order = 0;
            for Waiting { exemplar, .. } in &*of_series {
                match self.appender.append_exemplar(series, exemplar) {
                    Ok(()) => {}
                    Err(AppendError::OutOfOrder) => out_of_order += 1,
                    Err(error) => tracing::debug!(%error, %series, "exemplar not stored"),
                }
            }
            // Where some are newer, the others are those of the last scrape.
            if out_of_order == of_series.len() {
                self.counts.exemplars_out_of_order += out_of_order as u64;
            }
        }
    }
}

//! Series come into being: by an append, or from the log.

use model::Labels;
use storage::AppendError;

use super::index::Place;
use super::series::SeriesState;
use super::state::Head;

impl Head {
    /// The series with these labels, which is made if it is new.
    pub(super) fn find_or_create(&self, labels: &Labels) -> Result<Place, AppendError> {
        if let Some(place) = self.index.read().find(labels)
            && self.has_state(place)
        {
            return Ok(place);
        }
        check_labels(labels)?;
        let mut index = self.index.write();
        if let Some(place) = index.find(labels) {
            if !self.has_state(place) {
                self.pages.put(place.slot, SeriesState::restored(place.reference));
            }
            return Ok(place);
        }
        let reference = index.next_reference();
        let full = || AppendError::InvalidLabels {
            labels: labels.clone(),
            reason: "the head holds 4 GiB of label text or 2^32 series already".to_owned(),
        };
        let place = index.add(labels, reference).ok_or_else(full)?;
        let mut state = SeriesState::new(reference);
        state.followed = self.feed.following.mask_of(labels);
        self.pages.put(place.slot, state);
        self.metrics.head_series_created.inc();
        self.metrics.head_series.set(index.len() as i64);
        Ok(place)
    }

    /// Whether samples can be put to a series of the index. While the history of before the start is being read, those of the log
    /// get a state when their first sample comes.
    fn has_state(&self, place: Place) -> bool {
        self.pages.with(place.slot, |state| state.reference == place.reference) == Some(true)
    }
}

fn check_labels(labels: &Labels) -> Result<(), AppendError> {
    let invalid = |reason: String| Err(AppendError::InvalidLabels { labels: labels.clone(), reason });
    if labels.is_empty() {
        return invalid("a series needs at least one label".to_owned());
    }
    let mut last: Option<&str> = None;
    for (name, _) in labels {
        if last == Some(name) {
            return invalid(format!("label name {name:?} is not unique"));
        }
        last = Some(name);
    }
    Ok(())
}

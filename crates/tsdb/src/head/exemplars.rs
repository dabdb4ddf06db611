//! The newest exemplars of all series, in a ring of bounded length; what is too much pushes out what came first.
//!
//! The rules are those of Prometheus's tsdb/exemplar.go. Exemplars of a series are a list through the ring, oldest first. A
//! series is known by its number in the log, which is never given to another one, so that an append needs no labels.

use hashbrown::HashMap;
use model::{Exemplar, Labels, Matcher, TimeRange};
use storage::{AppendError, ExemplarSeries};

/// The characters that names and values of an exemplar's labels may have together; OpenMetrics's bound.
const LABEL_CHARACTERS_MAX: usize = 128;

/// No entry.
const NONE: u32 = u32::MAX;

/// What an append comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExemplarVerdict {
    Fits,
    /// It is here already, or the ring has no room for any.
    Ignored,
    OutOfOrder,
}

/// One exemplar. There may be hundreds of thousands: see the size in the tests.
#[derive(Debug)]
struct Entry {
    exemplar: Exemplar,
    /// Index into the ring's series.
    series: u32,
    older: u32,
    newer: u32,
}

#[derive(Debug)]
struct SeriesList {
    reference: u64,
    labels: Labels,
    oldest: u32,
    newest: u32,
}

/// The ring. It takes memory as it fills.
#[derive(Debug)]
pub(super) struct ExemplarRing {
    capacity: usize,
    /// How much older than the newest of its series an exemplar may be.
    window_ms: i64,
    entries: Vec<Entry>,
    /// Which entry is overwritten next once the ring is full: the one that came first.
    next: usize,
    series: Vec<Option<SeriesList>>,
    free_series: Vec<u32>,
    by_reference: HashMap<u64, u32, foldhash::fast::FixedState>,
}

/// Numbers for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExemplarStats {
    pub(super) exemplars: usize,
    pub(super) series: usize,
    /// The time of the exemplar that came first, in milliseconds; 0 where there is none.
    pub(super) first_ms: i64,
}

/// Refuses an exemplar whose labels are too long.
pub(super) fn check_labels(exemplar: &Exemplar) -> Result<(), AppendError> {
    let characters: usize =
        exemplar.labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    if characters > LABEL_CHARACTERS_MAX {
        let reason = format!("its labels have {characters} characters, at most {LABEL_CHARACTERS_MAX} are taken");
        return Err(AppendError::InvalidExemplar(reason));
    }
    Ok(())
}

impl ExemplarRing {
    /// A ring of at most `capacity` exemplars; 0 takes none.
    pub(super) fn new(capacity: usize, window_ms: i64) -> Self {
        ExemplarRing {
            capacity: capacity.min(NONE as usize),
            window_ms,
            entries: Vec::new(),
            next: 0,
            series: Vec::new(),
            free_series: Vec::new(),
            by_reference: HashMap::default(),
        }
    }

    /// How many exemplars there may be.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Changes how much older than the newest of its series an exemplar may be.
    pub(super) fn set_window(&mut self, window_ms: i64) {
        self.window_ms = window_ms;
    }

    /// Whether an exemplar of a series would be taken now.
    pub(super) fn judge(&self, reference: u64, exemplar: &Exemplar) -> ExemplarVerdict {
        if self.capacity == 0 {
            return ExemplarVerdict::Ignored;
        }
        let Some(list) = self.list(reference) else { return ExemplarVerdict::Fits };
        let newest = &self.entries[list.newest as usize].exemplar;
        if newest == exemplar {
            return ExemplarVerdict::Ignored;
        }
        let window_begin = newest.time.saturating_sub(self.window_ms);
        // A native histogram brings several at one time: ordered by value and labels, so that repeats of all but the last are
        // found without walking the list.
        let is_late = if exemplar.time == newest.time {
            exemplar.value < newest.value
                || (exemplar.value == newest.value && exemplar.labels.stable_hash() < newest.labels.stable_hash())
        } else {
            exemplar.time < newest.time && exemplar.time <= window_begin
        };
        if is_late { ExemplarVerdict::OutOfOrder } else { ExemplarVerdict::Fits }
    }

    /// Adds an exemplar if it is to be taken. `labels` tells the series' labels, which are asked for once.
    pub(super) fn push(
        &mut self,
        reference: u64,
        labels: impl FnOnce() -> Labels,
        exemplar: &Exemplar,
    ) -> ExemplarVerdict {
        let verdict = self.judge(reference, exemplar);
        if verdict != ExemplarVerdict::Fits {
            return verdict;
        }
        if let Some(list) = self.list(reference)
            && exemplar.time < self.entries[list.newest as usize].exemplar.time
            && self.before(list, exemplar).is_some_and(|at| self.entries[at as usize].exemplar.time == exemplar.time)
        {
            return ExemplarVerdict::Ignored;
        }
        self.insert(reference, labels, exemplar.clone());
        ExemplarVerdict::Fits
    }

    fn list(&self, reference: u64) -> Option<&SeriesList> {
        self.series[*self.by_reference.get(&reference)? as usize].as_ref()
    }

    /// The newest entry of a list that isn't newer than an exemplar.
    fn before(&self, list: &SeriesList, exemplar: &Exemplar) -> Option<u32> {
        let mut at = list.newest;
        while at != NONE && self.entries[at as usize].exemplar.time > exemplar.time {
            at = self.entries[at as usize].older;
        }
        (at != NONE).then_some(at)
    }

    fn insert(&mut self, reference: u64, labels: impl FnOnce() -> Labels, exemplar: Exemplar) {
        let is_full = self.entries.len() >= self.capacity;
        let at = if is_full { self.next } else { self.entries.len() };
        if is_full {
            self.unlink(at);
        }
        self.next = (at + 1) % self.capacity;
        let series = match self.by_reference.get(&reference) {
            Some(series) => *series,
            None => self.add_series(reference, labels()),
        };
        let list = self.series[series as usize].as_ref().expect("a number that is found has its list");
        let older = self.before(list, &exemplar).unwrap_or(NONE);
        let newer = if older == NONE { list.oldest } else { self.entries[older as usize].newer };
        let entry = Entry { exemplar, series, older, newer };
        if is_full {
            self.entries[at] = entry;
        } else {
            self.entries.push(entry);
        }
        self.link(series, older, at as u32);
        self.link_back(series, at as u32, newer);
    }

    /// Makes `newer` the one after `older`; `NONE` is the list's beginning.
    fn link(&mut self, series: u32, older: u32, newer: u32) {
        if let Some(entry) = self.entries.get_mut(older as usize) {
            entry.newer = newer;
        } else if let Some(list) = &mut self.series[series as usize] {
            list.oldest = newer;
        }
    }

    /// Makes `older` the one before `newer`; `NONE` is the list's end.
    fn link_back(&mut self, series: u32, older: u32, newer: u32) {
        if let Some(entry) = self.entries.get_mut(newer as usize) {
            entry.older = older;
        } else if let Some(list) = &mut self.series[series as usize] {
            list.newest = older;
        }
    }

    fn add_series(&mut self, reference: u64, labels: Labels) -> u32 {
        let list = Some(SeriesList { reference, labels, oldest: NONE, newest: NONE });
        let series = match self.free_series.pop() {
            Some(series) => {
                self.series[series as usize] = list;
                series
            }
            None => {
                self.series.push(list);
                self.series.len() as u32 - 1
            }
        };
        self.by_reference.insert(reference, series);
        series
    }

    /// Takes an entry out of its list, and the list away if that was all.
    fn unlink(&mut self, at: usize) {
        let Entry { series, older, newer, .. } = self.entries[at];
        self.link(series, older, newer);
        self.link_back(series, older, newer);
        if older == NONE
            && newer == NONE
            && let Some(list) = self.series[series as usize].take()
        {
            self.by_reference.remove(&list.reference);
            self.free_series.push(series);
        }
    }

    /// All exemplars in the order in which they came, each with the labels of its series.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (&Labels, &Exemplar)> {
        let with_labels = |entry| {
            let Entry { series, exemplar, .. }: &Entry = entry;
            Some((&self.series[*series as usize].as_ref()?.labels, exemplar))
        };
        self.entries_in_order().filter_map(with_labels)
    }

    fn entries_in_order(&self) -> impl Iterator<Item = &Entry> {
        let count = self.entries.len();
        let first = if count < self.capacity { 0 } else { self.next };
        (0..count).map(move |i| &self.entries[(first + i) % count])
    }

    /// Changes how many exemplars there may be; the newest are kept.
    pub(super) fn resize(&mut self, capacity: usize) {
        let mut resized = ExemplarRing::new(capacity, self.window_ms);
        if resized.capacity == self.capacity {
            return;
        }
        for entry in self.entries_in_order().skip(self.entries.len().saturating_sub(resized.capacity)) {
            if let Some(list) = &self.series[entry.series as usize] {
                resized.insert(list.reference, || list.labels.clone(), entry.exemplar.clone());
            }
        }
        *self = resized;
    }

    /// The exemplars in `range` of the series that all matchers of any selector accept, sorted by labels and time.
    pub(super) fn select(&self, selectors: &[Vec<Matcher>], range: TimeRange) -> Vec<ExemplarSeries> {
        let mut found: Vec<ExemplarSeries> = Vec::new();
        for list in self.series.iter().flatten() {
            if !selectors.iter().any(|matchers| matchers.iter().all(|matcher| matcher.matches_labels(&list.labels))) {
                continue;
            }
            let mut exemplars = Vec::new();
            let mut at = list.oldest;
            while let Some(entry) = self.entries.get(at as usize).filter(|entry| entry.exemplar.time <= range.max) {
                if entry.exemplar.time >= range.min {
                    exemplars.push(entry.exemplar.clone());
                }
                at = entry.newer;
            }
            if !exemplars.is_empty() {
                found.push(ExemplarSeries { labels: list.labels.clone(), exemplars });
            }
        }
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        // A series that was gone for a while and came back has two numbers.
        found.dedup_by(|later, kept| {
            let same = later.labels == kept.labels;
            if same {
                kept.exemplars.append(&mut later.exemplars);
                kept.exemplars.sort_by_key(|exemplar| exemplar.time);
            }
            same
        });
        found
    }

    /// Numbers for the metrics.
    pub(super) fn stats(&self) -> ExemplarStats {
        let first = if self.entries.len() < self.capacity { self.entries.first() } else { self.entries.get(self.next) };
        ExemplarStats {
            exemplars: self.entries.len(),
            series: self.by_reference.len(),
            first_ms: first.map_or(0, |entry| entry.exemplar.time.as_ms()),
        }
    }
}

#[cfg(test)]
mod tests;

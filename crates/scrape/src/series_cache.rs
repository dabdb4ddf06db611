//! What the lines of a target stand for: remembered from scrape to scrape by a key, which is a hash of their raw bytes.
//!
//! The bytes themselves, two hundred for a usual line, were three quarters of what scraping held in memory. A line that was
//! never seen is taken for another one only if their 64 bits are equal by chance: with ten thousand lines remembered, once
//! in 10^15 new lines.
//!
//! Targets show their series in the same order each time. So every entry knows which one followed it last time, and a
//! comparison with that one usually takes the place of a search. Only a line that isn't where it was is looked up in a
//! table (`benches/loop.rs`), which is made for that and goes away when nobody has needed it for some scrapes.
//!
//! It also knows which series end: a series is *live* if the last stored scrape brought it without a timestamp of its own,
//! and a live series that the next scrape doesn't bring gets a stale marker. Scrapes are numbered; a failed one may have
//! touched entries before it failed, so an entry keeps the number before its last as well.
//!
//! Some things are known of few lines, and lie beside the entries: the labels of series with native histograms, which are appended
//! by labels, of which histogram a line of a classic one is a part, and since when a series counts.

use hashbrown::{HashMap, HashSet, HashTable};
use model::{ClassicPart, Labels};
use storage::SeriesRef;

const NONE: u32 = u32::MAX;
/// In the place of a reference: relabelling drops the line, or its series has no sample yet. No storage gives it out.
const DROPPED: u64 = u64::MAX;
/// Lines that may be remembered beyond twice those of the last scrape.
const UNSEEN_MAX: usize = 1000;
/// The table is kept for so many scrapes after one that needed it.
const TABLE_SCRAPES: u32 = 4;

/// The place of an entry; good until the end of the scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryId(u32);

/// What a line tells of a classic histogram that becomes a native one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PartOf {
    /// The entry of the native one.
    pub(crate) histogram: EntryId,
    pub(crate) part: ClassicPart,
}

/// Thirty-two bytes, so that two share a cache line.
#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u64,
    /// A [`SeriesRef`], or [`DROPPED`].
    series: u64,
    /// The entry that followed in the last scrape.
    next: u32,
    /// The last scrape that brought the line; 0 where the entry is free.
    seen: u32,
    /// The last scrape that brought it as a live series, and the one before.
    tracked: u32,
    tracked_before: u32,
}

impl Entry {
    fn series(&self) -> Option<SeriesRef> {
        (self.series != DROPPED).then_some(SeriesRef(self.series))
    }
}

/// What is known of a series of native histograms besides its entry.
#[derive(Debug)]
struct HistogramEntry {
    labels: Labels,
    /// The last scrape that brought a histogram.
    brought: u32,
}

/// Those that are not free, by hash.
fn table_of(entries: &[Entry]) -> HashTable<u32> {
    let mut table = HashTable::with_capacity(entries.len());
    for (id, entry) in (0_u32..).zip(entries).filter(|(_, entry)| entry.seen != 0) {
        table.insert_unique(entry.hash, id, |id| entries[*id as usize].hash);
    }
    table
}

/// The remembered lines of one target.
#[derive(Debug, Default)]
pub(crate) struct SeriesCache {
    /// The entries by hash, while it is needed.
    table: Option<HashTable<u32>>,
    /// The last scrape that needed it.
    searched: u32,
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// Entries that stand for native histograms.
    histograms: HashMap<u32, HistogramEntry, foldhash::fast::RandomState>,
    /// Parallel to the entries, but only as long as the last that is a part of something.
    parts: Vec<Option<PartOf>>,
    /// The same of the times since when series count, in milliseconds, 0 where that isn't known.
    starts: Vec<i64>,
    /// Live series whose lines were forgotten because the rules changed.
    orphans: Vec<SeriesRef>,
    /// The number of the scrape under way, from 1.
    scrape: u32,
    /// The number of the last stored scrape; 0 where nothing is live.
    stored: u32,
    live_count: usize,
    seen_count: usize,
    tracked_count: usize,
    /// How many of the live series this scrape brought again.
    still_live_count: usize,
    first: Option<u32>,
    previous: Option<u32>,
}

impl SeriesCache {
    /// Begins a scrape.
    pub(crate) fn begin(&mut self) {
        self.scrape += 1;
        (self.seen_count, self.tracked_count, self.still_live_count) = (0, 0, 0);
        self.previous = None;
        if self.table.is_some() && self.scrape > self.searched + TABLE_SCRAPES {
            self.table = None;
            self.entries.shrink_to_fit();
        }
    }

    /// How many lines are remembered.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Finds a line.
    #[inline]
    pub(crate) fn find(&mut self, key: u64) -> Option<EntryId> {
        let guess = match self.previous {
            Some(previous) => self.entries[previous as usize].next,
            None => self.first.unwrap_or(NONE),
        };
        if let Some(entry) = self.entries.get(guess as usize)
            && entry.hash == key
        {
            self.previous = Some(guess);
            return Some(EntryId(guess));
        }
        let id = self.find_aside(key)?;
        self.follow_with(id.0);
        Some(id)
    }

    /// Finds a line that doesn't follow the one before it.
    pub(crate) fn find_aside(&mut self, key: u64) -> Option<EntryId> {
        self.searched = self.scrape;
        let entries = &self.entries;
        let table = self.table.get_or_insert_with(|| table_of(entries));
        table.find(key, |id| entries[*id as usize].hash == key).map(|id| EntryId(*id))
    }

    fn follow_with(&mut self, id: u32) {
        match self.previous {
            Some(previous) => self.entries[previous as usize].next = id,
            None => self.first = Some(id),
        }
        self.previous = Some(id);
    }

    /// Remembers a new line, which this scrape has; `None` for one that relabelling drops.
    pub(crate) fn insert(&mut self, key: u64, series: Option<SeriesRef>) -> EntryId {
        let id = self.insert_aside(key, series);
        self.follow_with(id.0);
        id
    }

    /// Remembers a new line that doesn't follow the one before it.
    pub(crate) fn insert_aside(&mut self, hash: u64, series: Option<SeriesRef>) -> EntryId {
        let series = series.map_or(DROPPED, |series| series.0);
        let entry = Entry { hash, series, next: NONE, seen: self.scrape, tracked: 0, tracked_before: 0 };
        self.seen_count += 1;
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = entry;
                id
            }
            None => {
                if self.entries.len() == self.entries.capacity() {
                    self.entries.reserve_exact(16 + self.entries.len() / 4); // doubling would leave half of it empty
                }
                self.entries.push(entry);
                u32::try_from(self.entries.len() - 1).expect("a body of 256 MiB has fewer lines than fit into 32 bits")
            }
        };
        if let Some(table) = &mut self.table {
            table.insert_unique(hash, id, |id| self.entries[*id as usize].hash);
        }
        EntryId(id)
    }

    /// Notes that an entry stands for native histograms of the series with these labels.
    pub(crate) fn set_histogram(&mut self, id: EntryId, labels: Labels) {
        self.histograms.insert(id.0, HistogramEntry { labels, brought: 0 });
    }

    /// Notes that this scrape has a native histogram: the labels of its series, and whether the scrape had one already. `None` where
    /// relabelling drops it.
    pub(crate) fn bring(&mut self, id: EntryId) -> Option<(Labels, bool)> {
        self.see(id);
        let known = self.histograms.get_mut(&id.0)?;
        let is_repeated = std::mem::replace(&mut known.brought, self.scrape) == self.scrape;
        Some((known.labels.clone(), is_repeated))
    }

    /// Notes that a line is a part of a histogram.
    pub(crate) fn set_part(&mut self, id: EntryId, part: PartOf) {
        let at = id.0 as usize;
        if self.parts.len() <= at {
            self.parts.resize(at + 1, None);
        }
        self.parts[at] = Some(part);
    }

    /// Of which histogram a line is a part.
    #[inline]
    pub(crate) fn part(&self, id: EntryId) -> Option<PartOf> {
        self.parts.get(id.0 as usize).copied().flatten()
    }

    /// Notes since when a series counts, in milliseconds, as far as the storage has been told.
    pub(crate) fn set_start(&mut self, id: EntryId, start: i64) {
        let at = id.0 as usize;
        if self.starts.len() <= at {
            self.starts.resize(at + 1, 0);
        }
        self.starts[at] = start;
    }

    /// Since when a series counts, as far as the storage has been told.
    #[inline]
    pub(crate) fn start(&self, id: EntryId) -> Option<i64> {
        self.starts.get(id.0 as usize).copied().filter(|start| *start != 0)
    }

    /// Forgets since when series count: the storage may have lost what it was told.
    pub(crate) fn forget_starts(&mut self) {
        self.starts = Vec::new();
    }

    /// The series of a line; `None` for one that relabelling drops.
    #[inline]
    pub(crate) fn series(&self, id: EntryId) -> Option<SeriesRef> {
        self.entries[id.0 as usize].series()
    }

    /// Notes that the storage gave the series another reference.
    pub(crate) fn set_series(&mut self, id: EntryId, series: SeriesRef) {
        self.entries[id.0 as usize].series = series.0;
    }

    /// Notes that this scrape has the line; true where it had it already.
    #[inline]
    pub(crate) fn see(&mut self, id: EntryId) -> bool {
        let entry = &mut self.entries[id.0 as usize];
        let is_repeated = entry.seen == self.scrape;
        entry.seen = self.scrape;
        self.seen_count += usize::from(!is_repeated);
        is_repeated
    }

    /// Notes that this scrape brings the series as a live one.
    #[inline]
    pub(crate) fn track(&mut self, id: EntryId) {
        let entry = &mut self.entries[id.0 as usize];
        if entry.tracked != self.scrape {
            self.still_live_count += usize::from(self.stored != 0 && entry.tracked == self.stored);
            entry.tracked_before = entry.tracked;
            entry.tracked = self.scrape;
            self.tracked_count += 1;
        }
    }

    /// Ends a scrape that worked: the series that ended with it. Their lines are forgotten.
    pub(crate) fn finish(&mut self) -> Vec<SeriesRef> {
        let mut ended = Vec::new();
        if self.still_live_count != self.live_count || !self.orphans.is_empty() {
            // Another spelling of the same series, or other rules, may have brought the series again.
            let current: HashSet<SeriesRef, foldhash::fast::RandomState> =
                self.entries.iter().filter(|e| e.tracked == self.scrape).filter_map(Entry::series).collect();
            let live = self.entries.iter().filter(|e| self.stored != 0 && e.tracked == self.stored);
            ended.extend(live.filter_map(Entry::series).chain(self.orphans.drain(..)).filter(|s| !current.contains(s)));
            self.forget_unseen();
        } else if self.len() > 2 * self.seen_count + UNSEEN_MAX {
            self.forget_unseen();
        }
        self.stored = self.scrape;
        self.live_count = self.tracked_count;
        ended
    }

    /// Ends a scrape that failed, or all scraping: the series that were live. None is from now on.
    pub(crate) fn fail(&mut self) -> Vec<SeriesRef> {
        let (stored, scrape) = (self.stored, self.scrape);
        let is_live =
            |e: &&Entry| stored != 0 && (e.tracked == stored || (e.tracked == scrape && e.tracked_before == stored));
        let mut ended: Vec<SeriesRef> = self.entries.iter().filter(is_live).filter_map(Entry::series).collect();
        ended.append(&mut self.orphans);
        self.forget_starts();
        (self.stored, self.live_count) = (0, 0);
        ended
    }

    /// Forgets all lines because the rules by which they were read have changed; live series stay live.
    pub(crate) fn forget_lines(&mut self) {
        let live = self.fail();
        *self = SeriesCache { orphans: live, scrape: self.scrape, ..SeriesCache::default() };
    }

    fn forget_unseen(&mut self) {
        for id in 0..self.entries.len() {
            let entry = &mut self.entries[id];
            if entry.seen == self.scrape || entry.seen == 0 {
                continue;
            }
            let id = id as u32;
            if let Some(table) = &mut self.table
                && let Ok(occupied) = table.find_entry(entry.hash, |other| *other == id)
            {
                occupied.remove();
            }
            *entry = Entry { hash: 0, series: DROPPED, next: NONE, seen: 0, tracked: 0, tracked_before: 0 };
            self.histograms.remove(&id);
            if let Some(part) = self.parts.get_mut(id as usize) {
                *part = None;
            }
            if let Some(start) = self.starts.get_mut(id as usize) {
                *start = 0;
            }
            self.free.push(id);
        }
    }
}

#[cfg(test)]
mod tests;

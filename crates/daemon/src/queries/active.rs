//! `queries.active`: what runs at the moment, in Prometheus's form. A process that dies leaves it as it is.
//!
//! The file is `[` and a row of places of 1,000 bytes; a running query has one, `{"query":…,"timestamp_sec":…}`, zeros behind it and a
//! comma at its end. A place that is free is zeros. Without the zeros, and with its last comma as `]`, the file is JSON.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use model::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

const PLACE_BYTES: usize = 1_000;
const NAME: &str = "queries.active";
/// A file of more bytes than this was not written by us.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A query that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) query: String,
    #[serde(rename = "timestamp_sec")]
    pub(super) seconds: i64,
}

/// What an earlier process left behind: the queries that had not ended.
pub(super) fn left(folder: &Path) -> Vec<Entry> {
    let file = folder.join(NAME);
    if !fs::metadata(&file).is_ok_and(|metadata| metadata.len() <= FILE_BYTES_MAX) {
        return Vec::new();
    }
    fs::read(&file).map(|bytes| entries(&bytes)).unwrap_or_default()
}

/// The places one by one, so that one that was being written doesn't hide the others.
fn entries(bytes: &[u8]) -> Vec<Entry> {
    let places = bytes.get(1..).unwrap_or_default().chunks(PLACE_BYTES);
    let entry = |place: &[u8]| {
        let end = place.iter().position(|byte| *byte == 0).unwrap_or(place.len());
        let text = place[..end].strip_suffix(b",").unwrap_or(&place[..end]);
        serde_json::from_slice(text).ok()
    };
    places.filter_map(entry).collect()
}

/// The file of a node that runs. A query that finds no place free is not noted.
#[derive(Debug)]
pub(super) struct ActiveQueries {
    file: File,
    free: Mutex<Vec<usize>>,
}

impl ActiveQueries {
    /// Begins a new file with so many places.
    pub(super) fn create(folder: &Path, places: usize) -> io::Result<Arc<Self>> {
        let file = File::options().create(true).write(true).truncate(true).open(folder.join(NAME))?;
        file.set_len((1 + places * PLACE_BYTES) as u64)?;
        file.write_all_at(b"[", 0)?;
        Ok(Arc::new(ActiveQueries { file, free: Mutex::new((0..places).rev().collect()) }))
    }

    /// Notes a query for as long as the answer lives.
    pub(super) fn note(self: &Arc<Self>, query: &str, now: Timestamp) -> Option<Noted> {
        let place = self.free.lock().pop()?;
        let noted = Noted { active: self.clone(), place };
        let written = self.file.write_all_at(&line(query, now.as_ms().div_euclid(1000)), noted.offset());
        // A full disk keeps nobody from asking.
        written.is_ok().then_some(noted)
    }
}

/// A place's bytes.
fn line(query: &str, seconds: i64) -> Vec<u8> {
    let mut query = query;
    loop {
        let entry = Entry { query: query.to_owned(), seconds };
        let mut bytes = serde_json::to_vec(&entry).unwrap_or_default();
        if bytes.len() < PLACE_BYTES {
            bytes.resize(PLACE_BYTES - 1, 0);
            bytes.push(b',');
            return bytes;
        }
        // What is escaped takes more bytes than it has.
        let surplus = bytes.len() + 1 - PLACE_BYTES;
        let end = query.floor_char_boundary(query.len().saturating_sub(surplus.div_ceil(6).max(1)));
        query = &query[..end];
    }
}

/// A query's place in the file.
#[derive(Debug)]
pub(super) struct Noted {
    active: Arc<ActiveQueries>,
    place: usize,
}

impl Noted {
    fn offset(&self) -> u64 {
        (1 + self.place * PLACE_BYTES) as u64
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        // What can't be wiped out is overwritten by the next query.
        let _ = self.active.file.write_all_at(&[0; PLACE_BYTES], self.offset());
        self.active.free.lock().push(self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_found_after_a_crash() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(left(folder.path()), []);
        let active = ActiveQueries::create(folder.path(), 3).expect("a file");
        let note = |query: &str| active.note(query, Timestamp::from_ms(1_700_000_000_500)).expect("a free place");
        let (first, second, third) = (note("up"), note("sum(\"é\")"), note("rate(x[5m])"));
        assert!(active.note("too many", Timestamp::from_ms(0)).is_none());
        drop(second);
        let queries = |entries: Vec<Entry>| entries.into_iter().map(|e| (e.query, e.seconds)).collect::<Vec<_>>();
        let want = |query: &str| (query.to_owned(), 1_700_000_000);
        assert_eq!(queries(left(folder.path())), [want("up"), want("rate(x[5m])")]);
        let fourth = note("fourth");
        assert_eq!(queries(left(folder.path())), [want("up"), want("fourth"), want("rate(x[5m])")]);
        // As Prometheus reads it.
        let text = fs::read_to_string(folder.path().join(NAME)).expect("readable").replace('\0', "");
        let json = format!("{}]", text.strip_suffix(',').expect("a comma"));
        assert_eq!(serde_json::from_str::<Vec<Entry>>(&json).expect("JSON").len(), 3);
        drop((first, third, fourth));
        assert_eq!(left(folder.path()), []);
    }

    #[test]
    fn a_long_query_is_cut() {
        let check = |query: &str| {
            let line = line(query, 1);
            assert_eq!(line.len(), PLACE_BYTES);
            let found = entries(&[b"[", &line[..]].concat());
            assert_eq!(found.len(), 1, "{query}");
            assert!(query.starts_with(&found[0].query) && found[0].query.len() > 100, "{query}");
        };
        check(&"x".repeat(5_000));
        check(&"\u{1}".repeat(5_000));
        check(&"é\"".repeat(5_000));
        check(&"x".repeat(967));
        check(&"x".repeat(966));
    }

    #[test]
    fn damage_hides_nothing_else() {
        let mut file = [b"[".to_vec(), line("a", 1), line("b", 2), line("c", 3)].concat();
        file[1 + PLACE_BYTES + 3] = 0;
        let queries: Vec<String> = entries(&file).into_iter().map(|entry| entry.query).collect();
        assert_eq!(queries, ["a", "c"]);
        for end in 0..file.len() {
            entries(&file[..end]);
        }
    }
}

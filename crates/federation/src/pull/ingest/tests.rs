//! Which samples reach the storage, and when series end.

use std::collections::BTreeMap;

use model::is_stale;
use storage::{CommitError, SeriesRef};

use super::*;

/// Notes what is appended; refuses what a database would refuse.
#[derive(Default)]
struct Notebook {
    series: Vec<Labels>,
    samples: BTreeMap<(String, i64), String>,
    /// References that are no longer known are answered so, once.
    forgetful: bool,
}

impl Appender for Notebook {
    fn append(&mut self, labels: &Labels, time: Timestamp, value: f64) -> Result<SeriesRef, AppendError> {
        let at = self.series.iter().position(|known| known == labels).unwrap_or(self.series.len());
        if at == self.series.len() {
            self.series.push(labels.clone());
        }
        let series = SeriesRef(at as u64);
        self.forgetful = false;
        self.append_ref(series, time, value)?;
        Ok(series)
    }

    fn append_ref(&mut self, series: SeriesRef, time: Timestamp, value: f64) -> Result<(), AppendError> {
        let Some(labels) = self.series.get(series.0 as usize).filter(|_| !self.forgetful) else {
            return Err(AppendError::UnknownSeries(series));
        };
        let labels = labels.to_string();
        let newest = self.samples.keys().filter(|(known, _)| *known == labels).map(|(_, time)| *time).max();
        match newest {
            Some(newest) if time.as_ms() < newest => return Err(AppendError::OutOfOrder),
            Some(newest) if time.as_ms() == newest => return Err(AppendError::DuplicateTimestamp),
            _ => {}
        }
        let text = if is_stale(value) { "stale".to_owned() } else { value.to_string() };
        self.samples.insert((labels, time.as_ms()), text);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), CommitError> {
        Ok(())
    }

    fn rollback(self: Box<Self>) {}
}

impl Notebook {
    fn of(&self, series: &str) -> Vec<(i64, &str)> {
        self.samples.iter().filter(|((name, _), _)| name == series).map(|((_, t), v)| (*t, v.as_str())).collect()
    }
}

fn pull(ingest: &mut Ingest, notebook: &mut Notebook, at: i64, body: &str) -> Brought {
    let brought = ingest.append(body.as_bytes(), Timestamp::from_ms(at), notebook).expect("an exposition");
    ingest.settle();
    brought
}

#[test]
fn keeps_labels_and_times_and_skips_what_it_has() {
    let (mut ingest, mut notebook) = (Ingest::default(), Notebook::default());
    let first = pull(&mut ingest, &mut notebook, 100, "# TYPE a untyped\na{instance=\"\",z=\"1\"} 1 90\nb 2\n");
    assert_eq!((first.samples, first.appended, first.series_added, first.newest), (2, 2, 2, Some(100)));
    let second = pull(&mut ingest, &mut notebook, 200, "a{instance=\"\",z=\"1\"} 1 90\nb 3\n");
    assert_eq!((second.appended, second.skipped.repeated, second.series_added), (1, 1, 0));
    let third = pull(&mut ingest, &mut notebook, 300, "a{instance=\"\",z=\"1\"} 7 80\nb 4\n");
    assert_eq!((third.appended, third.skipped.out_of_order, third.newest), (1, 1, Some(300)));
    assert_eq!(notebook.of("a{z=\"1\"}"), [(90, "1")]);
    assert_eq!(notebook.of("b"), [(100, "2"), (200, "3"), (300, "4")]);
    assert_eq!(ingest.label_value(&["x".to_owned(), "z".to_owned()]), Some("1"));
    assert_eq!(ingest.label_value(&["x".to_owned()]), None);
}

#[test]
fn a_series_that_is_gone_ends_once_and_may_come_back() {
    let (mut ingest, mut notebook) = (Ingest::default(), Notebook::default());
    pull(&mut ingest, &mut notebook, 100, "a 1 90\nb 1 90\n");
    pull(&mut ingest, &mut notebook, 200, "b 1 190\n");
    pull(&mut ingest, &mut notebook, 300, "b 1 290\n");
    let back = pull(&mut ingest, &mut notebook, 400, "a 5 390\nb 1 390\n");
    assert_eq!(back.series_added, 1);
    assert_eq!(notebook.of("a"), [(90, "1"), (200, "stale"), (390, "5")]);
    assert_eq!(notebook.of("b").len(), 4);
}

#[test]
fn an_answer_that_is_not_stored_changes_nothing() {
    let (mut ingest, mut notebook) = (Ingest::default(), Notebook::default());
    pull(&mut ingest, &mut notebook, 100, "a 1 90\n");
    let mut lost = Notebook::default();
    let error = ingest.append(b"a 2 190\nb 2 190\nc x\n", Timestamp::from_ms(200), &mut lost).expect_err("line 3");
    assert_eq!(error.line, 3);
    ingest.abandon();
    let next = pull(&mut ingest, &mut notebook, 300, "a 2 190\nb 2 190\n");
    assert_eq!((next.appended, next.series_added, next.skipped), (2, 1, Skipped::default()));
    assert_eq!(notebook.of("a"), [(90, "1"), (190, "2")]);
}

#[test]
fn what_the_storage_refuses_is_counted_and_not_tried_again() {
    let (mut ingest, mut notebook) = (Ingest::default(), Notebook::default());
    pull(&mut Ingest::default(), &mut notebook, 100, "a 1 90\n");
    let refused = pull(&mut ingest, &mut notebook, 200, "a 2 90\n");
    assert_eq!((refused.appended, refused.skipped.duplicate), (0, 1));
    let repeated = pull(&mut ingest, &mut notebook, 300, "a 2 90\n");
    assert_eq!((repeated.skipped.duplicate, repeated.skipped.repeated), (0, 1));
}

#[test]
fn a_forgotten_reference_is_asked_for_anew() {
    let (mut ingest, mut notebook) = (Ingest::default(), Notebook::default());
    pull(&mut ingest, &mut notebook, 100, "a 1 90\n");
    notebook.forgetful = true;
    assert_eq!(pull(&mut ingest, &mut notebook, 200, "a 2 190\n").appended, 1);
    assert_eq!(notebook.of("a"), [(90, "1"), (190, "2")]);
}

#[test]
fn a_removed_replica_ends_its_series() {
    let (mut ingest, mut notebook) = (Ingest::default(), Notebook::default());
    pull(&mut ingest, &mut notebook, 100, "a 1 90\nb 1 150\n");
    ingest.end_all(Timestamp::from_ms(120), &mut notebook);
    assert_eq!(notebook.of("a"), [(90, "1"), (120, "stale")]);
    assert_eq!(notebook.of("b"), [(150, "1")], "the storage has something newer");
}

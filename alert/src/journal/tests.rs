use model::{Labels, Timestamp};

use super::*;
use crate::fingerprint::Fingerprint;

fn sent(key: &str, at: i64) -> Record {
    let firing = [Fingerprint::of(&Labels::from_pairs([("alertname", key)]))].into();
    let (at, expires_at) = (Timestamp::from_ms(at), Timestamp::from_ms(at + 1000));
    Record::Sent(Entry { key: key.to_owned(), at, firing, resolved: [].into(), expires_at })
}

#[test]
fn keeps_what_was_appended_and_forgets_a_torn_tail() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, recovered) = Journal::open(dir.path()).unwrap();
    assert_eq!(recovered, Recovered::default());
    journal.rewrite([sent("a", 1)]).unwrap();
    journal.append(&[sent("b", 2), sent("c", 3)]).unwrap();
    let path = dir.path().join("alert/journal");
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len() as u64, journal.bytes());
    let two_lines = whole.len() - whole.split_inclusive(|b| *b == b'\n').next_back().unwrap().len();
    for cut in HEADER.len()..whole.len() {
        let recovered = read(&whole[..cut]).unwrap();
        assert!(recovered.unreadable <= 1, "cut at {cut}");
        assert_eq!(recovered.records.len() == 2, cut >= two_lines, "cut at {cut}");
    }
    fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    let (_, recovered) = Journal::open(dir.path()).unwrap();
    assert_eq!(recovered, Recovered { records: vec![sent("a", 1), sent("b", 2)], unreadable: 1 });
}

#[test]
fn a_damaged_line_costs_only_itself() {
    let mut content = HEADER.as_bytes().to_vec();
    for record in [sent("a", 1), sent("b", 2), sent("c", 3)] {
        lines::write(&record, &mut content);
    }
    let at = content.windows(3).position(|w| w == b"\"b\"").unwrap();
    content[at + 1] = b'x';
    assert_eq!(read(&content).unwrap(), Recovered { records: vec![sent("a", 1), sent("c", 3)], unreadable: 1 });
}

#[test]
fn another_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("alert")).unwrap();
    fs::write(dir.path().join("alert/journal"), "something else\n").unwrap();
    assert!(matches!(Journal::open(dir.path()), Err(JournalError::Foreign { .. })));
    assert_eq!(fs::read(dir.path().join("alert/journal")).unwrap(), b"something else\n");
}

#[test]
fn asks_to_be_rewritten_when_it_has_outgrown_its_content() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path()).unwrap();
    assert!(journal.wants_rewrite());
    journal.rewrite([]).unwrap();
    let record = sent(&"k".repeat(100_000), 1);
    let mut appended = 0;
    while !journal.wants_rewrite() {
        journal.append([&record]).unwrap();
        appended += 1;
        assert!(appended < 100);
    }
    assert_eq!(appended, 11);
    journal.rewrite([record.clone()]).unwrap();
    assert!(!journal.wants_rewrite());
    drop(journal);
    assert_eq!(Journal::open(dir.path()).unwrap().1.records, [record]);
}

/// The example of `docs/format/alert-journal.md` is what is written, byte for byte, and reads back.
#[test]
fn the_documented_example_is_right() {
    let doc = include_str!("../../../docs/format/alert-journal.md");
    let example = doc.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let recovered = read(example.as_bytes()).unwrap();
    assert_eq!((recovered.records.len(), recovered.unreadable), (5, 0), "{example}");
    let mut again = HEADER.as_bytes().to_vec();
    recovered.records.iter().for_each(|record| lines::write(record, &mut again));
    assert_eq!(String::from_utf8(again).unwrap(), example);
    let kinds = &recovered.records[..];
    assert!(matches!(
        kinds,
        [Record::Instance(_), Record::Alert(_), Record::Alert(_), Record::Sent(_), Record::Silence(_)]
    ));
}

//! Records there and back, snapshots with something wrong, and the worked example.

use std::fs;
use std::path::Path;

use model::{Exemplar, FloatHistogram, Histogram, Labels, NativeHistogram, TimeRange, Timestamp};
use storage::chunk::{Chunk, Encoding, Recoder, Value};

use super::basis::Basis;
use super::choice::{Choice, choose};
use super::directory::{Snapshot, list_snapshots, remove_unfinished};
use super::reader::check_open;
use super::record::{
    OpenData, SnapshotRecord, SnapshotSeries, decode_record, encode_exemplar_list, encode_series, encode_tombstones,
};
use super::writer::SnapshotWriter;
use crate::wal::{LogPosition, LoggedExemplar, LoggedTombstone, Wal, WalCompression, encode_series as encode_logged};

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn values(kind: Encoding) -> Vec<(i64, Value)> {
    let value = |i: i64| match kind {
        Encoding::Xor | Encoding::Xor2 => Value::Float(i as f64 * 0.5),
        Encoding::Histogram | Encoding::HistogramStarts => {
            Value::Histogram(NativeHistogram::Int(Box::new(Histogram {
                zero_count: i as u64,
                count: i as u64,
                ..Histogram::default()
            })))
        }
        Encoding::FloatHistogram | Encoding::FloatHistogramStarts => {
            let (zero_count, count) = (i as f64, i as f64);
            Value::Histogram(NativeHistogram::Float(Box::new(FloatHistogram {
                zero_count,
                count,
                ..FloatHistogram::default()
            })))
        }
    };
    (1..20).map(|i| (i * 1000, value(i))).collect()
}

fn chunk(kind: Encoding) -> (Chunk, Value) {
    let mut recoder = Recoder::default();
    let values = values(kind);
    values.iter().for_each(|(time, value)| recoder.push(*time, value.clone()));
    (recoder.finish().swap_remove(0), values[values.len() - 1].1.clone())
}

fn open_of(chunk: &Chunk) -> OpenData<'_> {
    let range = TimeRange::new(chunk.min_time, chunk.max_time);
    OpenData { range, encoding: chunk.encoding, data: &chunk.data }
}

const LABELS: [(&str, &str); 2] = [("__name__", "up"), ("job", "node")];

fn stones() -> Vec<LoggedTombstone> {
    let stone = |series, min, max| LoggedTombstone { series, range: TimeRange::new(ms(min), ms(max)) };
    vec![stone(1, -5, 10), stone(1, 20, 20), stone(1 << 40, 0, i64::MAX)]
}

fn exemplars() -> Vec<LoggedExemplar> {
    let exemplar = Exemplar { labels: Labels::from_pairs([("trace_id", "ab")]), value: 0.5, time: ms(1000) };
    vec![LoggedExemplar { series: 7, exemplar: exemplar.clone() }, LoggedExemplar { series: 3, exemplar }]
}

#[test]
fn records_come_back() {
    for kind in [None, Some(Encoding::Xor), Some(Encoding::Histogram), Some(Encoding::FloatHistogram)] {
        let chunk = kind.map(chunk);
        let open = chunk.as_ref().map(|(chunk, last)| (open_of(chunk), last));
        let mut record = Vec::new();
        encode_series(&mut record, 7, LABELS.into_iter(), open);
        let (labels, open) = (LABELS.to_vec(), open.map(|(open, _)| open));
        assert_eq!(decode_record(&record), Ok(SnapshotRecord::Series(SnapshotSeries { series: 7, labels, open })));
        if let Some(open) = open {
            check_open(open).expect("as it says");
            check_open(OpenData { range: TimeRange::new(ms(0), open.range.max), ..open }).expect_err("another time");
        }
    }
    let mut record = Vec::new();
    encode_tombstones(&mut record, &stones());
    assert_eq!(decode_record(&record), Ok(SnapshotRecord::Tombstones(stones())));
    let mut record = Vec::new();
    encode_exemplar_list(&mut record, &exemplars());
    assert_eq!(decode_record(&record), Ok(SnapshotRecord::Exemplars(exemplars())));
}

/// A Prometheus of before 2.47 reads 64 bytes behind each chunk, and a later one the histogram.
#[test]
fn old_and_new_prometheus_find_what_they_look_for_behind_a_chunk() {
    for kind in [Encoding::Xor, Encoding::Histogram, Encoding::FloatHistogram] {
        let (chunk, last) = chunk(kind);
        let (mut with, mut without) = (Vec::new(), Vec::new());
        encode_series(&mut with, 7, LABELS.into_iter(), Some((open_of(&chunk), &last)));
        encode_series(&mut without, 7, LABELS.into_iter(), None);
        let head = without.len() + 8 + 8 + 1 + 1; // times, encoding, length of less than 128
        let tail = &with[head + chunk.data.len()..];
        assert!(chunk.data.len() < 128 && tail.len() >= 64, "{}", tail.len());
        if let Value::Float(last) = last {
            assert_eq!(tail, [&[0; 56][..], &last.to_bits().to_be_bytes()].concat());
        }
    }
}

/// No panic, and no more memory than the input justifies.
#[test]
fn damaged_records_are_survived() {
    let bound = mutation::Bound { bytes: 1 << 20, per_byte: 4096 };
    let mut seeds = vec![Vec::new(), Vec::new()];
    encode_tombstones(&mut seeds[0], &stones());
    encode_exemplar_list(&mut seeds[1], &exemplars());
    for kind in [Encoding::Xor, Encoding::Histogram, Encoding::FloatHistogram] {
        let ((chunk, last), mut record) = (chunk(kind), Vec::new());
        encode_series(&mut record, 7, LABELS.into_iter(), Some((open_of(&chunk), &last)));
        seeds.push(record);
    }
    for (at, seed) in seeds.iter().enumerate() {
        mutation::check(&format!("chunk snapshot record {at}"), seed, bound, |input| match decode_record(input) {
            Ok(SnapshotRecord::Series(SnapshotSeries { open: Some(open), .. })) => check_open(open).is_ok(),
            decoded => decoded.is_ok(),
        });
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let check = |record: &[u8], want: &str| {
        let error = decode_record(record).expect_err(want).to_string();
        assert!(error.contains(want), "{error}");
    };
    check(&[], "an empty record");
    check(&[9, 1, 2], "a record of kind 9");
    check(&[2, 1, 2], "a form that this version doesn't know");
    let (chunk, last) = chunk(Encoding::Xor);
    let mut record = Vec::new();
    encode_series(&mut record, 7, LABELS.into_iter(), Some((open_of(&chunk), &last)));
    let encoding_at = record.len() - 64 - chunk.data.len() - 2;
    assert_eq!(record[encoding_at], 1);
    record[encoding_at] = 7;
    check(&record, "chunk encoding 7 is not supported");
    check(&record[..20], "broken series");
}

/// A data directory with a log of some pages and a snapshot of its end.
struct Fixture {
    dir: tempfile::TempDir,
    snapshot: Snapshot,
}

fn log_some(wal: &Wal) {
    let mut batch = wal.batch();
    for number in 1..2000 {
        let mut record = Vec::new();
        encode_logged(&mut record, number, [("__name__", "up"), ("i", number.to_string().as_str())].into_iter());
        batch.add(&record).expect("added");
    }
    batch.write().expect("written");
}

fn write(dir: &Path, at: LogPosition) -> Snapshot {
    let mut writer = SnapshotWriter::create(dir, at, 64 << 10, WalCompression::None).expect("begun");
    let (chunk, last) = chunk(Encoding::Xor);
    for number in 1..15_000_u64 {
        let text = number.to_string();
        let labels = [("__name__", "up"), ("i", text.as_str())];
        writer.add(|out| encode_series(out, number, labels.into_iter(), Some((open_of(&chunk), &last))));
        writer.flush_much().expect("written");
    }
    let page = at.page_checksum(&dir.join("wal")).expect("readable").expect("there");
    writer.finish(&stones(), &exemplars(), Basis::new(None, page, (0, 0))).expect("finished")
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().expect("a folder");
    let wal = Wal::open(&dir.path().join("wal"), 128 << 20, WalCompression::None).expect("opens");
    log_some(&wal);
    let at = wal.end_page().expect("filled up");
    assert!(at.is_between_pages() && at.offset > 0);
    let snapshot = write(dir.path(), at);
    Fixture { dir, snapshot }
}

/// What a start would say of it.
fn verdict(fixture: &Fixture) -> String {
    match choose(fixture.dir.path(), true, &|_| true).expect("readable") {
        Choice::Nothing => "nothing".to_owned(),
        Choice::Use(snapshot) => {
            assert_eq!(snapshot, fixture.snapshot);
            "use".to_owned()
        }
        Choice::Outdated(_, reason) => format!("outdated: {reason}"),
        Choice::Refused(_, error) => format!("refused: {error}"),
    }
}

#[test]
fn a_snapshot_is_used_where_everything_fits() {
    let check = |what: &str, act: &dyn Fn(&Fixture), want: &str| {
        let fixture = fixture();
        act(&fixture);
        let verdict = verdict(&fixture);
        assert!(verdict.contains(want), "{what}: {verdict}, not {want}");
    };
    let segment = |fixture: &Fixture, number: u32| fixture.snapshot.path.join(format!("{number:08}"));
    let change = |path: &Path, act: &dyn Fn(&mut Vec<u8>)| {
        let mut content = fs::read(path).expect("readable");
        act(&mut content);
        fs::write(path, content).expect("written");
    };
    let wal = |fixture: &Fixture| fixture.dir.path().join("wal");
    check("as it is", &|_| {}, "use");
    check("none", &|f| f.snapshot.remove().expect("removed"), "nothing");
    check("a byte is wrong", &|f| change(&segment(f, 0), &|bytes| bytes[5000] ^= 1), "checksum is wrong");
    check("a segment is cut", &|f| change(&segment(f, 1), &|bytes| bytes.truncate(40_000)), "the middle of a page");
    check("a page is missing", &|f| change(&segment(f, 1), &|bytes| bytes.truncate(32 << 10)), "refused");
    check("a segment is missing", &|f| fs::remove_file(segment(f, 0)).expect("removed"), "before it is missing");
    let remove_last = |f: &Fixture| {
        let last = (0..).take_while(|number| segment(f, *number).exists()).last().expect("there are some");
        assert!(last >= 2, "{last}");
        fs::remove_file(segment(f, last)).expect("removed");
    };
    check("the last segment is missing", &remove_last, "it ends before its last");
    check("it is empty", &|f| (0..9).for_each(|n| drop(fs::remove_file(segment(f, n)))), "it ends before its last");
    let basis = |f: &Fixture| f.snapshot.path.join("basis.json");
    check("by Prometheus", &|f| fs::remove_file(basis(f)).expect("removed"), "use");
    check("of a later version", &|f| fs::write(basis(f), "{\"version\":2}").expect("written"), "refused");
    let longer = |f: &Fixture| {
        change(&basis(f), &|json| {
            *json = String::from_utf8_lossy(json).replace("\"version\":1", "\"version\":7").into_bytes();
        });
    };
    check("of another version", &longer, "version 7 is not known");
    check("the log goes on", &|f| change(&wal(f).join("00000000"), &|bytes| bytes.extend([0; 100])), "use");
    check(
        "the log is short",
        &|f| change(&wal(f).join("00000000"), &|bytes| bytes.truncate(32 << 10)),
        "the log ends before",
    );
    check("the log is away", &|f| fs::remove_file(wal(f).join("00000000")).expect("removed"), "the log ends before");
    let other = |f: &Fixture| {
        change(&wal(f).join("00000000"), &|bytes| *bytes.iter_mut().rev().find(|byte| **byte > 0).expect("some") ^= 1);
    };
    check("another log", &other, "not the one that it was taken from");
    check(
        "a checkpoint",
        &|f| fs::create_dir(wal(f).join("checkpoint.00000000")).expect("made"),
        "the log begins after it",
    );
}

#[test]
fn series_must_be_those_of_the_log() {
    let Fixture { dir, .. } = fixture();
    let check = |is_known: &dyn Fn(&SnapshotSeries<'_>) -> bool, is_used: bool| {
        let choice = choose(dir.path(), true, is_known).expect("readable");
        assert_eq!(matches!(choice, Choice::Use(_)), is_used, "{choice:?}");
    };
    check(&|series| series.labels[1].1 == series.series.to_string(), true);
    check(&|series| series.series != 9000, false);
}

#[test]
fn head_chunks_must_be_there() {
    let Fixture { dir, snapshot } = fixture();
    assert!(matches!(choose(dir.path(), false, &|_| true), Ok(Choice::Outdated(..))));
    let page = snapshot.at.page_checksum(&dir.path().join("wal")).expect("readable").expect("there");
    let basis = Basis::new(Some(3), page, (2, 100));
    let chunks = dir.path().join("chunks_head");
    assert!(basis.objection(None, Some(page), &chunks).is_some_and(|reason| reason.contains("shortened")));
    assert!(basis.objection(Some(3), Some(page), &chunks).is_some_and(|reason| reason.contains("head chunks")));
    fs::create_dir(&chunks).expect("made");
    fs::write(chunks.join("000002"), [0; 100]).expect("written");
    assert_eq!(basis.objection(Some(3), Some(page), &chunks), None);
}

#[test]
fn one_snapshot_is_left() {
    let Fixture { dir, snapshot } = fixture();
    fs::create_dir(snapshot.unfinished()).expect("made");
    remove_unfinished(dir.path()).expect("removed");
    assert!(!snapshot.unfinished().exists() && snapshot.path.exists());
    let aside = snapshot.set_aside(dir.path()).expect("renamed");
    assert!(aside.ends_with("chunk_snapshot.000000.0000098304.bad"), "{}", aside.display());
    assert_eq!(list_snapshots(dir.path()).expect("listed"), []);
    write(dir.path(), LogPosition { segment: 0, offset: 32 << 10 });
    let last = write(dir.path(), LogPosition { segment: 0, offset: 64 << 10 });
    assert_eq!(list_snapshots(dir.path()).expect("listed"), [last]);
    assert!(!aside.exists());
    // A snapshot that is given up leaves nothing.
    let at = LogPosition { segment: 9, offset: 0 };
    drop(SnapshotWriter::create(dir.path(), at, 64 << 10, WalCompression::Snappy).expect("begun"));
    assert!(!Snapshot::new(dir.path(), at).unfinished().exists());
}

#[test]
fn chunk_snapshot_md() {
    let document = include_str!("../../../../docs/format/chunk-snapshot.md");
    let (_, rest) = document.split_once("```hex\n").expect("an example");
    let (block, _) = rest.split_once("```").expect("its end");
    let words = block.lines().flat_map(|line| line.split(';').next().unwrap_or("").split_whitespace());
    let want: Vec<u8> = words.map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits")).collect();
    let dir = tempfile::tempdir().expect("a folder");
    let at = LogPosition { segment: 3, offset: 32 << 10 };
    let mut recoder = Recoder::default();
    [1000, 1015, 1030].iter().for_each(|time| recoder.push(*time, Value::Float(1.5)));
    let chunk = recoder.finish().swap_remove(0);
    let mut writer = SnapshotWriter::create(dir.path(), at, 128 << 20, WalCompression::None).expect("begun");
    let open = Some((open_of(&chunk), &Value::Float(1.5)));
    writer.add(|out| encode_series(out, 7, [("__name__", "up")].into_iter(), open));
    let stone = LoggedTombstone { series: 7, range: TimeRange::new(ms(1000), ms(1010)) };
    let exemplar = Exemplar { labels: Labels::from_pairs([("trace_id", "ab")]), value: 0.5, time: ms(1000) };
    let exemplar = LoggedExemplar { series: 7, exemplar };
    let basis = Basis::new(Some(1), 0x1234_5678, (2, 4711));
    let snapshot = writer.finish(&[stone], &[exemplar], basis).expect("finished");
    assert!(snapshot.path.ends_with("chunk_snapshot.000003.0000032768"));
    let got = fs::read(snapshot.path.join("00000000")).expect("segment");
    assert_eq!(got.len(), 32 << 10);
    let (content, filling) = got.split_at(want.len());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    assert_eq!(hex(content), hex(&want));
    assert!(filling.iter().all(|byte| *byte == 0));
    let (_, rest) = document.split_once("```json\n").expect("an example");
    let json = rest.split_once("\n```").expect("its end").0;
    assert_eq!(fs::read_to_string(snapshot.path.join("basis.json")).expect("basis"), json);
}

//! What stays of each kind of record.

use model::{Exemplar, Labels, MetricType, NativeHistogram, TimeRange};

use super::super::log::Wal;
use super::super::segments::segment_path;
use super::*;

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn help(text: &str) -> Metadata {
    Metadata { kind: MetricType::Gauge, unit: String::new(), help: text.to_owned() }
}

/// One record of each kind, of the series 1 and 2 at a time.
fn write_all(wal: &Wal, time: i64, text: &str) {
    let mut batch = wal.batch();
    let mut records = vec![Vec::new(); 5];
    for series in [1, 2] {
        encode_series(&mut records[0], series, [("__name__", "m")].into_iter());
        encode_metadata(&mut records[1], series, &help(text));
    }
    let of = |series| LoggedSample { series, time: ms(time), value: 1.0 };
    encode_samples(&mut records[2], &[of(1), of(2)]);
    let exemplar = Exemplar { labels: Labels::empty(), value: 1.0, time: ms(time) };
    encode_exemplars(&mut records[3], &[LoggedExemplar { series: 1, exemplar }]);
    encode_tombstones(&mut records[4], &[LoggedTombstone { series: 1, range: TimeRange::new(ms(0), ms(time)) }]);
    for record in &records {
        batch.add(record).expect("added");
    }
    let histogram = NativeHistogram::Int(Box::default());
    let histograms = [LoggedHistogram { series: 1, time: ms(time), histogram }];
    encode_histograms(&histograms, |record| batch.add(record)).expect("added");
    batch.add(&[11, 0xff]).expect("added"); // samples with start times, which we don't read
    batch.add(&[14, 0, 0, 0, 0, 0, 0, 0, 1]).expect("added");
    batch.write().expect("written");
}

#[test]
fn what_is_still_needed_of_each_kind_is_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let wal = Wal::open(dir.path(), 128 << 20, WalCompression::Snappy).expect("opens");
    write_all(&wal, 1000, "old");
    write_all(&wal, 2000, "new");
    let filter = CheckpointFilter { min_time: ms(2000), keep_series: &|series| series == 1 };
    write_checkpoint(dir.path(), 0, 128 << 20, WalCompression::Zstd, &filter).expect("written");
    let mut reader = SegmentReader::open(&segment_path(&checkpoint_path(dir.path(), 0), 0)).expect("opens");
    let (mut seen, mut series, mut newest) = (Vec::new(), Vec::new(), Vec::new());
    let (mut samples, mut histograms, mut exemplars, mut stones) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    while let Some(record) = reader.next().expect("readable") {
        let kind = RecordKind::of(record);
        seen.push(kind.name());
        match kind {
            RecordKind::Series => decode_series(record, |number, _| series.push(number)).expect("valid"),
            RecordKind::Samples => decode_samples(record, &mut samples).expect("valid"),
            RecordKind::Histograms => assert_eq!(decode_histograms(record, &mut histograms), Ok(0)),
            RecordKind::Exemplars => decode_exemplars(record, |e| exemplars.push(e.exemplar.time)).expect("valid"),
            RecordKind::Tombstones => decode_tombstones(record, &mut stones).expect("valid"),
            RecordKind::Metadata => {
                decode_metadata(record, |m| newest.push((m.series, m.metadata.help))).expect("valid");
            }
            _ => assert_eq!(record, [11, 0xff]),
        }
    }
    assert!(reader.damages().is_empty());
    assert_eq!(series, [1, 1]);
    assert_eq!(
        samples.iter().map(|sample| (sample.series, sample.time)).collect::<Vec<_>>(),
        [(1, ms(2000)), (2, ms(2000))]
    );
    assert_eq!(histograms.iter().map(|h| h.time).collect::<Vec<_>>(), [ms(2000)]);
    assert_eq!((exemplars, stones.len()), (vec![ms(2000)], 1));
    assert_eq!(newest, [(1, "new".to_owned())]);
    assert_eq!(seen.last(), Some(&"metadata"));
    assert_eq!(seen.iter().filter(|kind| **kind == "samples_v2").count(), 2);
    assert!(!seen.contains(&"min_valid_time"));
}

#[test]
fn a_checkpoint_that_fails_leaves_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let wal = Wal::open(dir.path(), 128 << 20, WalCompression::Snappy).expect("opens");
    write_all(&wal, 1000, "old");
    // Something stands where the folder of the input's first segment should be read from.
    std::fs::create_dir(segment_path(dir.path(), 1)).expect("made");
    let filter = CheckpointFilter { min_time: ms(0), keep_series: &|_| true };
    write_checkpoint(dir.path(), 1, 128 << 20, WalCompression::None, &filter).expect_err("a folder is no segment");
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("read").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

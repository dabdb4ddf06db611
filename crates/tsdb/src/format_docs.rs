//! The worked examples of `docs/format` are what we write and what we read.

use std::fs;

use bytes::Bytes;
use model::{Labels, Matcher, TimeRange, Timestamp};
use storage::Samples;
use storage::chunk::{Encoding, xor};

use crate::block::select_index;
use crate::chunks::{ChunkWriter, SEGMENT_BYTES_MAX, check_header, decode_chunk};
use crate::head_chunks::{self, NewChunk};
use crate::index::{Index, IndexWriter, IndexedChunk};
use crate::meta::{BlockCompaction, BlockMeta};
use crate::tombstones::Tombstones;
use crate::wal::{
    CheckpointFilter, LoggedMarker, LoggedSample, SegmentReader, Wal, WalCompression, decode_markers, decode_samples,
    decode_series, encode_markers, encode_samples, encode_series, write_checkpoint,
};

/// The bytes of a document's example: what stands before the semicolons of its `hex` block.
fn example(document: &str) -> Vec<u8> {
    let (_, rest) = document.split_once("```hex\n").expect("an example");
    let (block, _) = rest.split_once("```").expect("its end");
    let digits = block.lines().flat_map(|line| line.split(';').next().unwrap_or("").split_whitespace());
    digits.map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits")).collect()
}

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn log_of(dir: &std::path::Path, series: &[(u64, &str)], samples: &[(u64, i64)]) -> Wal {
    let wal = Wal::open(dir, 128 << 20, WalCompression::None).expect("opens");
    let (mut series_record, mut sample_record) = (Vec::new(), Vec::new());
    for (number, name) in series {
        encode_series(&mut series_record, *number, [("__name__", *name)].into_iter());
    }
    let samples: Vec<_> =
        samples.iter().map(|(series, time)| LoggedSample { series: *series, time: ms(*time), value: 1.0 }).collect();
    encode_samples(&mut sample_record, &samples);
    let mut batch = wal.batch();
    batch.add(&series_record).expect("added");
    batch.add(&sample_record).expect("added");
    batch.write().expect("written");
    drop(batch);
    wal
}

/// Reads a segment with `up` and one sample.
fn check_log(segment: &[u8], time: i64) {
    let mut reader = SegmentReader::new(segment);
    let record = reader.next().expect("readable").expect("a record").to_vec();
    let mut seen = Vec::new();
    decode_series(&record, |number, labels| seen.push((number, labels.to_vec()))).expect("valid");
    assert_eq!(seen, [(1, vec![("__name__", "up")])]);
    let record = reader.next().expect("readable").expect("a record").to_vec();
    let mut samples = Vec::new();
    decode_samples(&record, &mut samples).expect("valid");
    assert_eq!(samples, [LoggedSample { series: 1, time: ms(time), value: 1.0 }]);
    assert_eq!(reader.next().expect("readable"), None);
    assert!(reader.damages().is_empty());
}

#[test]
fn wal_md() {
    let want = example(include_str!("../../../docs/format/wal.md"));
    check_log(&want, 1000);
    let dir = tempfile::tempdir().expect("dir");
    log_of(dir.path(), &[(1, "up")], &[(1, 1000)]);
    assert_eq!(fs::read(dir.path().join("00000000")).expect("segment"), want);
}

#[test]
fn checkpoint_md() {
    let want = example(include_str!("../../../docs/format/checkpoint.md"));
    check_log(&want, 2000);
    let dir = tempfile::tempdir().expect("dir");
    log_of(dir.path(), &[(1, "up"), (2, "gone")], &[(1, 1000), (2, 1000), (1, 2000)]);
    let filter = CheckpointFilter { min_time: ms(2000), keep_series: &|series| series == 1 };
    write_checkpoint(dir.path(), 0, 128 << 20, WalCompression::None, &filter).expect("written");
    assert_eq!(fs::read(dir.path().join("checkpoint.00000000/00000000")).expect("segment"), want);
}

#[test]
fn chunks_md() {
    let want = example(include_str!("../../../docs/format/chunks.md"));
    check_header(&want).expect("a chunk file");
    let place = IndexedChunk { min_time: ms(1000), max_time: ms(1030), segment: 0, offset: 8 };
    let chunk = decode_chunk(&Bytes::from(want[8..].to_vec()), &place).expect("a chunk");
    let mut samples = Samples::default();
    chunk.decode(TimeRange::ALL, &mut samples).expect("samples");
    assert_eq!((samples.times, samples.values), (vec![1000, 1015, 1030], vec![1.5; 3]));
    let dir = tempfile::tempdir().expect("dir");
    let mut chunk = xor::Writer::default();
    [1000, 1015, 1030].iter().for_each(|time| assert!(chunk.push(*time, 1.5)));
    let mut writer = ChunkWriter::new(dir.path(), SEGMENT_BYTES_MAX);
    assert_eq!(writer.write(ms(1000), ms(1030), Encoding::Xor, chunk.bytes()).expect("written"), place);
    writer.finish().expect("synced");
    assert_eq!(fs::read(dir.path().join("000001")).expect("file"), want);
    for at in 0..want.len() - 8 {
        let mut damaged = want[8..].to_vec();
        damaged[at] ^= 1;
        assert!(decode_chunk(&damaged.into(), &place).is_err(), "byte {at}");
    }
}

#[test]
fn head_chunks_md() {
    let want = example(include_str!("../../../docs/format/head-chunks.md"));
    let dir = tempfile::tempdir().expect("dir");
    let (store, _) = head_chunks::open(dir.path(), i64::MIN).expect("opens");
    let mut chunk = xor::Writer::default();
    [1000, 1015, 1030].iter().for_each(|time| assert!(chunk.push(*time, 1.5)));
    let new = NewChunk { series: 7, range: (1000, 1030), encoding: Encoding::Xor, late: true, data: chunk.bytes() };
    store.append(new);
    store.flush().expect("written");
    assert_eq!(fs::read(dir.path().join("000001")).expect("file"), want);
    let (store, mut loaded) = head_chunks::open(dir.path(), i64::MIN).expect("opens");
    let chunks = loaded.take();
    assert_eq!((chunks.len(), chunks[0].series, chunks[0].late), (1, 7, true));
    assert_eq!(chunks[0].place.as_u64(), 1 << 32 | 8);
    let mut samples = Samples::default();
    let chunk = store.reader().read(chunks[0].place).expect("a chunk");
    chunk.decode(TimeRange::ALL, &mut samples).expect("samples");
    assert_eq!((samples.times, samples.values), (vec![1000, 1015, 1030], vec![1.5; 3]));
}

#[test]
fn wbl_md() {
    let want = example(include_str!("../../../docs/format/wbl.md"));
    let samples = [2000, 1000].map(|time| LoggedSample { series: 7, time: ms(time), value: 1.0 });
    let markers = [LoggedMarker { series: 7, chunk: 2 << 32 | 8 }];
    let mut reader = SegmentReader::new(&want[..]);
    let (mut read_samples, mut read_markers) = (Vec::new(), Vec::new());
    decode_samples(reader.next().expect("readable").expect("a record"), &mut read_samples).expect("valid");
    decode_markers(reader.next().expect("readable").expect("a record"), &mut read_markers).expect("valid");
    assert_eq!((&read_samples[..], &read_markers[..]), (&samples[..], &markers[..]));
    assert_eq!(reader.next().expect("readable"), None);
    let dir = tempfile::tempdir().expect("dir");
    let log = Wal::open(dir.path(), 128 << 20, WalCompression::None).expect("opens");
    let (mut sample_record, mut marker_record) = (Vec::new(), Vec::new());
    encode_samples(&mut sample_record, &samples);
    encode_markers(&mut marker_record, &markers);
    let mut batch = log.batch();
    batch.add(&sample_record).expect("added");
    batch.add(&marker_record).expect("added");
    batch.write().expect("written");
    drop(batch);
    assert_eq!(fs::read(dir.path().join("00000000")).expect("segment"), want);
}

#[test]
fn index_md() {
    let want = example(include_str!("../../../docs/format/index.md"));
    let place = IndexedChunk { min_time: ms(1000), max_time: ms(1030), segment: 0, offset: 8 };
    let mut writer = IndexWriter::new(Vec::new(), ["__name__", "up"].into_iter()).expect("begun");
    writer.add_series(&[(0, 1)], &[place]).expect("added");
    assert_eq!(writer.finish().expect("written"), want);
    let index = Index::open(want.clone().into()).expect("an index");
    assert_eq!(index.label_names(), ["__name__"]);
    assert_eq!(index.label_values("__name__", 0).expect("values"), ["up"]);
    let found: Vec<_> = select_index(&index, &[Matcher::equal("__name__", "up")], TimeRange::ALL)
        .expect("selects")
        .map(|series| series.expect("series"))
        .collect();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0, &found[0].1.chunks), (2, &vec![place]));
    assert_eq!(found[0].1.labels, Labels::from_pairs([("__name__", "up")]));
    // Damage anywhere is an error or changes nothing, and never a panic.
    for at in 0..want.len() {
        let mut damaged = want.clone();
        damaged[at] ^= 0x41;
        if let Ok(index) = Index::open(damaged.into())
            && let Ok(found) = select_index(&index, &[Matcher::equal("__name__", "up")], TimeRange::ALL)
        {
            found.flatten().for_each(|(_, series)| assert_eq!(series.labels.metric_name(), "up"));
        }
        assert!(Index::open(Bytes::from(want[..at].to_vec())).is_err(), "cut at {at}");
    }
}

/// The JSON documents of a document's examples.
fn json_examples(document: &str) -> Vec<&str> {
    let parts = document.split("```json\n").skip(1);
    parts.map(|part| part.split_once("\n```").expect("its end").0).collect()
}

#[test]
fn block_md() {
    let examples = json_examples(include_str!("../../../docs/format/block.md"));
    let metas: Vec<BlockMeta> =
        examples.iter().map(|json| BlockMeta::from_json(json.as_bytes()).expect("valid")).collect();
    for (meta, json) in metas.iter().zip(&examples) {
        assert_eq!(String::from_utf8_lossy(&meta.to_json()), *json);
    }
    let [cut, merged] = &metas[..] else { panic!("two examples") };
    assert_eq!(cut.range(), TimeRange::new(ms(1000), ms(1030)));
    let made = BlockMeta::new(cut.ulid, cut.min_time, cut.max_time, cut.stats.clone(), BlockCompaction::cut());
    assert_eq!(&made, cut);
    let second = &merged.compaction.parents[1];
    let (stats, compaction) = (merged.stats.clone(), BlockCompaction::cut());
    let second = BlockMeta::new(second.ulid, second.min_time, second.max_time, stats.clone(), compaction);
    let compaction = BlockCompaction::of_merged(&[cut, &second]);
    assert_eq!(&BlockMeta::new(merged.ulid, merged.min_time, merged.max_time, stats, compaction), merged);
}

#[test]
fn tombstones_md() {
    let want = example(include_str!("../../../docs/format/tombstones.md"));
    let stones = Tombstones::decode(&want).expect("tombstones");
    assert_eq!(stones.of(7), [TimeRange::new(ms(-5), ms(10)), TimeRange::new(ms(20), ms(20))]);
    assert_eq!(stones.of(300), [TimeRange::new(ms(0), ms(1000))]);
    assert_eq!(stones.encode(), want);
}

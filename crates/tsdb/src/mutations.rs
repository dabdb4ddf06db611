//! Every decoder of what lies on disk on damaged input: no panic, and no more memory than the input justifies. What is mutated
//! was written by the encoders; the mutations are the same in every run. The files in `tests/seeds` are what fuzzers begin
//! with, and what was once too much for a decoder.

use std::path::Path;

use model::{Buckets, CounterReset, Exemplar, Histogram, Labels, Metadata, MetricType, NativeHistogram, Span};
use model::{TimeRange, Timestamp};
use mutation::{Bound, Counting};
use storage::chunk::{Chunk, Encoding, Recoder, TimedValue, Value};

use crate::chunks::ChunkWriter;
use crate::fuzzing::{TARGETS, Target};
use crate::head_chunks::{self, NewChunk};
use crate::index::{IndexWriter, IndexedChunk};
use crate::tombstones::Tombstones;
use crate::wal::{
    LoggedExemplar, LoggedHistogram, LoggedMarker, LoggedSample, LoggedTombstone, RecordKind, Wal, WalCompression,
    encode_exemplars, encode_histograms, encode_markers, encode_metadata, encode_note, encode_samples, encode_series,
    encode_tombstones,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What decoding may allocate in all, both readings and what is encoded again: a megabyte, and a page for each byte of input.
const BOUND: Bound = Bound { bytes: 1 << 20, per_byte: 4096 };

const ENCODINGS: [Encoding; 6] = [
    Encoding::Xor,
    Encoding::Histogram,
    Encoding::FloatHistogram,
    Encoding::Xor2,
    Encoding::HistogramStarts,
    Encoding::FloatHistogramStarts,
];

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn histogram(step: i64, custom: bool) -> NativeHistogram {
    let positive_spans = vec![Span { offset: 0, length: 2 }, Span { offset: 3, length: 1 }];
    let buckets = Buckets {
        schema: if custom { model::CUSTOM_BUCKETS_SCHEMA } else { 3 },
        zero_threshold: if custom { 0.0 } else { 1e-9 },
        positive_spans: if custom { vec![Span { offset: 0, length: 3 }] } else { positive_spans },
        negative_spans: Vec::new(),
        custom_values: if custom { vec![0.5, 1.0, 2.0] } else { Vec::new() },
    };
    let positive = vec![2 + step, 1, -1];
    let zero_count = if custom { 0 } else { 3 };
    let count = (3 * (2 + step) + 1) as u64 + zero_count;
    let counter_reset = CounterReset::Unknown;
    let whole =
        Histogram { counter_reset, buckets, zero_count, count, sum: step as f64, positive, negative: Vec::new() };
    NativeHistogram::Int(Box::new(whole))
}

/// One record of each kind.
fn records() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut record = Vec::new();
    for number in 1..9 {
        encode_series(&mut record, number, [("__name__", "up"), ("instance", "localhost:9090")].into_iter());
    }
    out.push(std::mem::take(&mut record));
    let sample = |i: u64| LoggedSample { series: i, time: ms(1000 * i as i64), value: i as f64 };
    encode_samples(&mut record, &(1..9).map(sample).collect::<Vec<_>>());
    out.push(std::mem::take(&mut record));
    let stone = |i: u64| LoggedTombstone { series: i, range: TimeRange::new(ms(-5), ms(i as i64)) };
    encode_tombstones(&mut record, &(1..9).map(stone).collect::<Vec<_>>());
    out.push(std::mem::take(&mut record));
    let exemplar = |i: u64| {
        let labels = Labels::from_pairs([("trace_id", "0123456789abcdef")]);
        LoggedExemplar { series: i, exemplar: Exemplar { labels, value: 0.5, time: ms(i as i64) } }
    };
    encode_exemplars(&mut record, &(1..9).map(exemplar).collect::<Vec<_>>());
    out.push(std::mem::take(&mut record));
    let markers: Vec<LoggedMarker> = (1..9).map(|i| LoggedMarker { series: i, chunk: i << 32 }).collect();
    encode_markers(&mut record, &markers);
    out.push(std::mem::take(&mut record));
    for number in 1..5 {
        let (unit, help) = ("seconds".to_owned(), "What it means.".to_owned());
        encode_metadata(&mut record, number, &Metadata { kind: MetricType::Counter, unit, help });
    }
    out.push(std::mem::take(&mut record));
    let kinds = (0..16_i64).map(|i| {
        let whole = histogram(i, i % 2 == 0);
        if i % 4 < 2 { whole } else { NativeHistogram::Float(Box::new(whole.to_float())) }
    });
    let logged: Vec<LoggedHistogram> =
        kinds.enumerate().map(|(i, histogram)| LoggedHistogram { series: i as u64, time: ms(7), histogram }).collect();
    encode_histograms(&logged, |record| {
        out.push(record.to_vec());
        Ok::<(), std::convert::Infallible>(())
    })
    .expect("encoded");
    for name in ["runs", "cursor"] {
        encode_note(&mut record, name, &[1, 2, 3]);
    }
    out.push(record);
    out
}

/// A segment with a record of each kind, and one that crosses pages.
fn segment(compression: WalCompression) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("dir");
    let wal = Wal::open(dir.path(), 128 << 20, compression).expect("opens");
    let mut batch = wal.batch();
    records().iter().for_each(|record| batch.add(record).expect("added"));
    batch.write().expect("written");
    drop(batch);
    std::fs::read(dir.path().join("00000000")).expect("a segment")
}

/// A segment with a record that crosses the end of a page.
fn long_segment() -> Vec<u8> {
    let dir = tempfile::tempdir().expect("dir");
    let wal = Wal::open(dir.path(), 128 << 20, WalCompression::None).expect("opens");
    let sample = |i: u64| LoggedSample { series: i, time: ms(1000 * i as i64), value: i as f64 };
    let mut record = Vec::new();
    encode_samples(&mut record, &(1..3000).map(sample).collect::<Vec<_>>());
    let mut batch = wal.batch();
    batch.add(&record).expect("added");
    batch.write().expect("written");
    drop(batch);
    std::fs::read(dir.path().join("00000000")).expect("a segment")
}

fn chunk_of(encoding: Encoding) -> Chunk {
    let mut recoder = Recoder::default();
    for step in 0..60 {
        let value = match encoding {
            Encoding::Xor | Encoding::Xor2 => Value::Float(1.5 * step as f64),
            Encoding::Histogram | Encoding::HistogramStarts => Value::Histogram(histogram(step, false)),
            Encoding::FloatHistogram | Encoding::FloatHistogramStarts => {
                Value::Histogram(NativeHistogram::Float(Box::new(histogram(step, true).to_float())))
            }
        };
        let has_starts = !matches!(encoding, Encoding::Xor | Encoding::Histogram | Encoding::FloatHistogram);
        let start = if has_starts { step / 20 * 20_000 - 7 } else { 0 };
        recoder.push_timed(TimedValue { time: step * 1000, start, value });
    }
    let chunk = recoder.finish().swap_remove(0);
    assert_eq!(chunk.encoding, encoding);
    chunk
}

fn chunk_file() -> Vec<u8> {
    let dir = tempfile::tempdir().expect("dir");
    let mut writer = ChunkWriter::new(dir.path(), 1 << 20);
    for chunk in ENCODINGS.map(chunk_of) {
        writer.write(chunk.min_time, chunk.max_time, chunk.encoding, &chunk.data).expect("written");
    }
    writer.finish().expect("written");
    std::fs::read(dir.path().join("000001")).expect("a file")
}

fn head_chunk_file() -> Vec<u8> {
    let dir = tempfile::tempdir().expect("dir");
    let (store, _) = head_chunks::open(dir.path(), i64::MIN).expect("opens");
    for (series, chunk) in (1..).zip(ENCODINGS.map(chunk_of)) {
        let range = (chunk.min_time.as_ms(), chunk.max_time.as_ms());
        let late = series == 2;
        store.append(NewChunk { series, range, encoding: chunk.encoding, late, data: &chunk.data });
    }
    store.flush().expect("written");
    std::fs::read(dir.path().join("000001")).expect("a file")
}

fn tombstones() -> Vec<u8> {
    let mut stones = Tombstones::default();
    (0..20).for_each(|i| stones.add(i * 3, TimeRange::new(ms(-4), ms(i64::from(i) * 100))));
    stones.encode()
}

const META: &str = r#"{"ulid": "01GRWZEJ5N3Z6TQZ4V2M3CZ1RA", "minTime": 1, "maxTime": 2, "stats": {"numSamples": 10},
    "compaction": {"level": 2, "sources": ["01GRWZEJ5N3Z6TQZ4V2M3CZ1R0"], "parents": [
    {"ulid": "01GRWZEJ5N3Z6TQZ4V2M3CZ1R0", "minTime": 1, "maxTime": 2}]}, "version": 1, "thanos": {"labels": {"a": "b"}}}"#;

fn index() -> Vec<u8> {
    let symbols = ["", "__name__", "a", "b", "c", "d", "up"];
    let mut writer = IndexWriter::new(Vec::new(), symbols.into_iter()).expect("begun");
    for value in 2..6 {
        let place = |at: u32| IndexedChunk {
            min_time: ms(i64::from(at)),
            max_time: ms(i64::from(at) + 9),
            segment: 0,
            offset: at,
        };
        writer.add_series(&[(1, 6), (2, value)], &[place(8), place(80)]).expect("added");
    }
    writer.finish().expect("finished")
}

/// What a decoder can read, by name.
fn valid(target: &str) -> Vec<(String, Vec<u8>)> {
    let one = |name: &str, bytes: Vec<u8>| vec![(name.to_owned(), bytes)];
    match target {
        "wal_record" => {
            let named = |(i, record): (usize, Vec<u8>)| (format!("{}-{i}", RecordKind::of(&record).name()), record);
            records().into_iter().enumerate().map(named).collect()
        }
        "wal_segment" => {
            let kinds = [WalCompression::None, WalCompression::Snappy, WalCompression::Zstd];
            let mut all: Vec<_> =
                kinds.iter().map(|kind| (format!("{kind:?}").to_lowercase(), segment(*kind))).collect();
            all.push(("long".to_owned(), long_segment()));
            all
        }
        "chunk" => {
            let named = |encoding: Encoding| {
                let data = [&[encoding.byte()], &chunk_of(encoding).data[..]].concat();
                (encoding.name().to_lowercase(), data)
            };
            ENCODINGS.map(named).into()
        }
        "chunk_file" => one("encodings", chunk_file()),
        "head_chunk_file" => one("encodings", head_chunk_file()),
        "index" => one("four-series", index()),
        "block_meta" => one("compacted", META.as_bytes().to_vec()),
        "tombstones" => one("twenty", tombstones()),
        other => panic!("no seeds for {other}"),
    }
}

fn seeds_dir(target: &Target) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds").join(target.name)
}

#[test]
fn decoders_survive_damage() {
    for target in TARGETS {
        for (name, seed) in valid(target.name) {
            mutation::check(&format!("{}, {name}", target.name), &seed, BOUND, target.decode);
        }
    }
}

#[test]
fn seeds_are_still_survived() {
    for target in TARGETS {
        mutation::replay(target.name, &seeds_dir(target), BOUND, target.decode);
    }
}

/// Writes the seeds that the encoders make; run it when an encoder has changed.
#[test]
#[ignore = "writes files into the source tree"]
fn write_seeds() {
    for target in TARGETS {
        let dir = seeds_dir(target);
        std::fs::create_dir_all(&dir).expect("a folder");
        for (name, seed) in valid(target.name) {
            std::fs::write(dir.join(format!("valid-{name}")), seed).expect("written");
        }
    }
}

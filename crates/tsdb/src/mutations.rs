//! Every decoder of records, pages, chunks, indices and small files on damaged input: no panic, and no more memory than the
//! input justifies. What is mutated was written by the encoders; the mutations are the same in every run.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use model::{Buckets, CounterReset, Exemplar, Histogram, Labels, Metadata, MetricType, NativeHistogram, Span};
use model::{Matcher, TimeRange, Timestamp};
use storage::chunk::{Chunk, Encoding, Recoder, Value};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::block::select_index;
use crate::chunks::{ChunkWriter, check_header, decode_chunk};
use crate::index::{Index, IndexWriter, IndexedChunk};
use crate::meta::BlockMeta;
use crate::tombstones::Tombstones;
use crate::wal::{
    LoggedExemplar, LoggedHistogram, LoggedMarker, LoggedSample, LoggedTombstone, RecordKind, SegmentReader, Wal,
    WalCompression, decode_exemplars, decode_histograms, decode_markers, decode_metadata, decode_samples,
    decode_series, decode_tombstones, encode_exemplars, encode_histograms, encode_markers, encode_metadata,
    encode_samples, encode_series, encode_tombstones,
};

/// Mutations of each seed; `$WATERSHED_MUTATIONS` asks for another number.
const MUTATIONS: u64 = 3000;
/// What decoding may allocate in all: a page or two of its own, and so much per byte of input.
const ALLOCATED_MAX: usize = 1 << 20;
const ALLOCATED_PER_BYTE: usize = 4096;

/// Counts what each thread asks for, so that tests beside each other don't count for each other.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait; this one hands everything to the system's")]
// SAFETY: both calls are handed on as they come, and counting touches a plain number of the thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATED.try_with(|bytes| bytes.set(bytes.get().saturating_add(layout.size())));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The input with some of its bytes changed, the same for the same number.
fn mutate(seed: &[u8], number: u64) -> Vec<u8> {
    let mut out = seed.to_vec();
    let mut state = number;
    let mut roll = |sides: usize| {
        state = xxh3_64_with_seed(&state.to_be_bytes(), 7);
        (state % sides.max(1) as u64) as usize
    };
    for _ in 0..1 + roll(3) {
        let at = roll(out.len());
        match roll(6) {
            0 => out.truncate(at),
            1 | 2 => out.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << roll(8)),
            // Lengths and counts that are huge: as a varint, and in fixed width.
            3 => out.iter_mut().skip(at).take(1 + roll(9)).for_each(|byte| *byte = 0xff),
            4 => out.iter_mut().skip(at).take(1 + roll(8)).for_each(|byte| *byte = 0),
            _ => {
                let from = roll(out.len()).min(at);
                let part = out[from..at].to_vec();
                out.extend_from_slice(&part[..part.len().min(64)]);
            }
        }
    }
    out
}

/// Decodes the seed and its mutations.
fn check(name: &str, seed: &[u8], decode: impl Fn(&[u8]) -> bool) {
    assert!(decode(seed), "{name}: the seed itself can be read");
    let mutations = std::env::var("WATERSHED_MUTATIONS").map_or(MUTATIONS, |text| text.parse().expect("a number"));
    for number in 0..mutations {
        let input = mutate(seed, number);
        let before = ALLOCATED.get();
        decode(&input);
        let allocated = ALLOCATED.get() - before;
        let bound = ALLOCATED_MAX + input.len() * ALLOCATED_PER_BYTE;
        assert!(allocated <= bound, "{name}, mutation {number}: {allocated} bytes allocated for {}", input.len());
    }
}

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
    out
}

fn decode_record(record: &[u8]) -> bool {
    match RecordKind::of(record) {
        RecordKind::Series => decode_series(record, |_, _| ()).is_ok(),
        RecordKind::Samples => decode_samples(record, &mut Vec::new()).is_ok(),
        RecordKind::Tombstones => decode_tombstones(record, &mut Vec::new()).is_ok(),
        RecordKind::Exemplars => decode_exemplars(record, |_| ()).is_ok(),
        RecordKind::MmapMarker => decode_markers(record, &mut Vec::new()).is_ok(),
        RecordKind::Metadata => decode_metadata(record, |_| ()).is_ok(),
        RecordKind::Histograms | RecordKind::FloatHistograms => decode_histograms(record, &mut Vec::new()).is_ok(),
        RecordKind::MinValidTime | RecordKind::Unread(_) | RecordKind::Unknown(_) => false,
    }
}

#[test]
fn records_of_the_log() {
    for record in records() {
        check(RecordKind::of(&record).name(), &record, decode_record);
    }
}

#[test]
fn segments_of_the_log() {
    for compression in [WalCompression::None, WalCompression::Snappy, WalCompression::Zstd] {
        let dir = tempfile::tempdir().expect("dir");
        let wal = Wal::open(dir.path(), 128 << 20, compression).expect("opens");
        let mut batch = wal.batch();
        records().iter().for_each(|record| batch.add(record).expect("added"));
        batch.write().expect("written");
        drop(batch);
        let segment = std::fs::read(dir.path().join("00000000")).expect("a segment");
        check("segment", &segment, |input| {
            let mut reader = SegmentReader::new(input);
            let mut count = 0;
            while let Some(record) = reader.next().expect("memory can be read") {
                decode_record(record);
                count += 1;
            }
            count > 0
        });
    }
}

fn chunk_of(encoding: Encoding) -> Chunk {
    let mut recoder = Recoder::default();
    for step in 0..60 {
        let value = match encoding {
            Encoding::Xor => Value::Float(1.5 * step as f64),
            Encoding::Histogram => Value::Histogram(histogram(step, false)),
            Encoding::FloatHistogram => {
                Value::Histogram(NativeHistogram::Float(Box::new(histogram(step, true).to_float())))
            }
        };
        recoder.push(step * 1000, value);
    }
    recoder.finish().swap_remove(0)
}

#[test]
fn chunks_of_each_encoding() {
    for encoding in [Encoding::Xor, Encoding::Histogram, Encoding::FloatHistogram] {
        let chunk = chunk_of(encoding);
        check(encoding.name(), &chunk.data, |input| {
            let chunk = Chunk { data: Bytes::copy_from_slice(input), ..chunk.clone() };
            let decoded = chunk.decode(TimeRange::ALL, &mut storage::Samples::default());
            let mut values = chunk.values();
            while let Ok(Some(_)) = values.next() {}
            decoded.is_ok()
        });
    }
}

#[test]
fn chunk_files_of_a_block() {
    let dir = tempfile::tempdir().expect("dir");
    let mut writer = ChunkWriter::new(dir.path(), 1 << 20);
    let places = [Encoding::Xor, Encoding::Histogram, Encoding::FloatHistogram].map(|encoding| {
        let chunk = chunk_of(encoding);
        writer.write(chunk.min_time, chunk.max_time, chunk.encoding, &chunk.data).expect("written")
    });
    writer.finish().expect("written");
    let file = std::fs::read(dir.path().join("000001")).expect("a file");
    check("chunk file", &file, |input| {
        let bytes = Bytes::copy_from_slice(input);
        let rest = |place: &IndexedChunk| bytes.slice((place.offset as usize).min(bytes.len())..);
        let read = |place: &IndexedChunk| decode_chunk(&rest(place), place).is_ok();
        check_header(&bytes).is_ok() && places.iter().all(read)
    });
}

/// Puts right the checksum that ends a file, so that what is behind it is looked at.
fn with_checksum(mut file: Vec<u8>, from: usize) -> Vec<u8> {
    if let Some(end) = file.len().checked_sub(4).filter(|end| *end >= from) {
        let crc = crc32c::crc32c(&file[from..end]);
        file[end..].copy_from_slice(&crc.to_be_bytes());
    }
    file
}

#[test]
fn tombstones_and_descriptions_of_blocks() {
    let mut stones = Tombstones::default();
    (0..20).for_each(|i| stones.add(i * 3, TimeRange::new(ms(-4), ms(i64::from(i) * 100))));
    check("tombstones", &stones.encode(), |input| {
        Tombstones::decode(&with_checksum(input.to_vec(), 5)).is_ok() | Tombstones::decode(input).is_ok()
    });
    let meta = r#"{"ulid": "01GRWZEJ5N3Z6TQZ4V2M3CZ1RA", "minTime": 1, "maxTime": 2, "stats": {"numSamples": 10},
        "compaction": {"level": 2, "sources": ["01GRWZEJ5N3Z6TQZ4V2M3CZ1R0"], "parents": [
        {"ulid": "01GRWZEJ5N3Z6TQZ4V2M3CZ1R0", "minTime": 1, "maxTime": 2}]}, "version": 1, "thanos": {"labels": {"a": "b"}}}"#;
    check("meta.json", meta.as_bytes(), |input| BlockMeta::from_json(input).is_ok());
}

#[test]
fn indices_of_blocks() {
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
    let file = writer.finish().expect("finished");
    check("index", &file, |input| {
        let Ok(index) = Index::open(Bytes::copy_from_slice(input)) else { return false };
        let names: Vec<String> = index.label_names();
        let values = names.iter().all(|name| index.label_values(name, 0).is_ok());
        let numbers = input.len() as u32 / 16 + 2;
        (0..numbers).for_each(|number| drop(index.series(number)));
        let matchers = [Matcher::equal("__name__", "up")];
        let found = select_index(&index, &matchers, TimeRange::ALL).is_ok_and(|found| found.flatten().count() > 0);
        values && found
    });
}

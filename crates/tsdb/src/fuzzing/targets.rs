//! The decoders.

use std::convert::Infallible;

use bytes::Bytes;
use model::{Labels, MatchOp, Matcher, TimeRange, Timestamp};
use storage::Samples;
use storage::chunk::{Chunk, Encoding, Recoder};

use super::mend;
use crate::block::{select_index, without_overlaps};
use crate::chunks::{HEADER_BYTES, check_header, decode_chunk};
use crate::head_chunks;
use crate::index::format::CRC_BYTES;
use crate::index::{Index, IndexedChunk};
use crate::matching::matching_series;
use crate::meta::BlockMeta;
use crate::tombstones::{Tombstones, without_deleted};
use crate::wal::{
    RecordKind, SegmentReader, decode_exemplars, decode_histograms, decode_markers, decode_metadata, decode_notes,
    decode_samples, decode_series, decode_tombstones, encode_exemplars, encode_histograms, encode_markers,
    encode_metadata, encode_note, encode_samples, encode_series, encode_tombstones,
};

/// A decoder by name.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of its folder of seeds.
    pub name: &'static str,
    /// Reads any bytes.
    pub decode: fn(&[u8]) -> bool,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "wal_record", decode: wal_record },
    Target { name: "wal_segment", decode: wal_segment },
    Target { name: "chunk", decode: chunk },
    Target { name: "chunk_file", decode: chunk_file },
    Target { name: "head_chunk_file", decode: head_chunk_file },
    Target { name: "index", decode: index },
    Target { name: "block_meta", decode: block_meta },
    Target { name: "tombstones", decode: tombstones },
];

/// A record of the write-ahead log or of the log of late samples. What was read is written again, as a checkpoint does.
pub fn wal_record(record: &[u8]) -> bool {
    let mut out = Vec::new();
    match RecordKind::of(record) {
        RecordKind::Series => {
            let mut pairs = Vec::new();
            let read = decode_series(record, |series, labels| {
                encode_series(&mut out, series, labels.iter().copied());
                pairs.extend_from_slice(labels);
            });
            Labels::from_pairs(pairs.iter().copied());
            read.is_ok()
        }
        RecordKind::Samples => {
            let mut samples = Vec::new();
            let read = decode_samples(record, &mut samples);
            encode_samples(&mut out, &samples);
            read.is_ok()
        }
        RecordKind::Tombstones => {
            let mut stones = Vec::new();
            let read = decode_tombstones(record, &mut stones);
            encode_tombstones(&mut out, &stones);
            read.is_ok()
        }
        RecordKind::Exemplars => {
            let mut exemplars = Vec::new();
            let read = decode_exemplars(record, |exemplar| exemplars.push(exemplar));
            encode_exemplars(&mut out, &exemplars);
            read.is_ok()
        }
        RecordKind::MmapMarker => {
            let mut markers = Vec::new();
            let read = decode_markers(record, &mut markers);
            encode_markers(&mut out, &markers);
            read.is_ok()
        }
        RecordKind::Metadata => {
            decode_metadata(record, |logged| encode_metadata(&mut out, logged.series, &logged.metadata)).is_ok()
        }
        RecordKind::Histograms | RecordKind::FloatHistograms => {
            let mut histograms = Vec::new();
            let read = decode_histograms(record, &mut histograms);
            let Ok(()) = encode_histograms(&histograms, |_| Ok::<(), Infallible>(()));
            let mut recoder = Recoder::default();
            for (time, logged) in (0..).zip(histograms) {
                recoder.push(time, storage::chunk::Value::Histogram(logged.histogram));
            }
            recoder.finish();
            read.is_ok()
        }
        RecordKind::Notes => decode_notes(record, |name, content| encode_note(&mut out, name, content)).is_ok(),
        RecordKind::MinValidTime | RecordKind::Unread(_) | RecordKind::Unknown(_) => false,
    }
}

/// A segment of a log with its records.
pub fn wal_segment(segment: &[u8]) -> bool {
    read_segment(&mend::segment(segment));
    read_segment(segment)
}

fn read_segment(segment: &[u8]) -> bool {
    let is_wanted = |kind: u8| kind == 1;
    let mut some = SegmentReader::new(segment).only(is_wanted);
    while let Ok(Some(_)) = some.next() {}
    let (mut reader, mut count) = (SegmentReader::new(segment), 0);
    while let Ok(Some(record)) = reader.next() {
        wal_record(record);
        count += 1;
    }
    count > 0 && reader.damages().is_empty() && reader.good_end() <= segment.len() as u64
}

/// A chunk: the byte of its encoding, then its data.
pub fn chunk(input: &[u8]) -> bool {
    let Some((byte, data)) = input.split_first() else { return false };
    let Ok(encoding) = Encoding::from_byte(*byte) else { return false };
    let time = Timestamp::from_ms(0);
    read_chunk(Chunk { min_time: time, max_time: time, encoding, data: Bytes::copy_from_slice(data) })
}

/// Reads a chunk in every way there is.
fn read_chunk(chunk: Chunk) -> bool {
    let decoded = chunk.decode(TimeRange::ALL, &mut Samples::default());
    let (mut values, mut recoder) = (chunk.values(), Recoder::default());
    let read = loop {
        match values.next_timed() {
            Ok(Some(sample)) => recoder.push_timed(sample),
            end => break end.is_ok(),
        }
    };
    recoder.finish().iter().for_each(|chunk| {
        let _ = chunk.decode(TimeRange::ALL, &mut Samples::default());
    });
    let deleted = [TimeRange::new(Timestamp::from_ms(-1000), Timestamp::from_ms(1000))];
    let _ = without_deleted(vec![chunk.clone()], &deleted);
    // Another one, or they would count as copies of each other.
    let other = Chunk { data: chunk.data.slice(..chunk.data.len().saturating_sub(1)), ..chunk.clone() };
    let _ = without_overlaps(vec![chunk, other]);
    decoded.is_ok() && read
}

/// A file of chunks of a block.
pub fn chunk_file(file: &[u8]) -> bool {
    read_chunk_file(&Bytes::from(mend::chunk_file(file)));
    read_chunk_file(&Bytes::copy_from_slice(file))
}

fn read_chunk_file(file: &Bytes) -> bool {
    let (mut at, mut whole) = (HEADER_BYTES, check_header(file).is_ok());
    let time = Timestamp::from_ms(0);
    while at < file.len() {
        let place = IndexedChunk { min_time: time, max_time: time, segment: 0, offset: at as u32 };
        whole &= decode_chunk(&file.slice(at..), &place).is_ok_and(read_chunk);
        let Some((_, end)) = mend::chunk_content(file, at) else { return false };
        at = end + CRC_BYTES;
    }
    whole
}

/// A file of full chunks of the head.
pub fn head_chunk_file(file: &[u8]) -> bool {
    read_head_chunks(&Bytes::from(mend::head_chunk_file(file)));
    read_head_chunks(&Bytes::copy_from_slice(file))
}

fn read_head_chunks(file: &Bytes) -> bool {
    let mut whole = true;
    let read = head_chunks::read_file(file, |chunk| whole &= chunk.is_ok_and(read_chunk));
    read && whole
}

/// A block's index.
pub fn index(file: &[u8]) -> bool {
    read_index(Bytes::from(mend::index(file)));
    read_index(Bytes::copy_from_slice(file))
}

fn read_index(file: Bytes) -> bool {
    let places = file.len() as u32 / 16 + 2;
    let Ok(index) = Index::open(file) else { return false };
    let names = index.label_names();
    let mut whole = names.iter().all(|name| index.label_values(name, 0).is_ok());
    whole &= index.symbols().count() == index.symbol_count();
    let (mut labels, mut chunks) = (Vec::new(), Vec::new());
    for number in 0..places {
        let _ = index.series(number);
        let _ = index.series_into(number, &mut labels, &mut chunks);
    }
    let (regex, mut found) = (Matcher::new(MatchOp::Regex, "a", "b|c.*").expect("a regular expression"), 0);
    for matchers in [vec![], vec![Matcher::equal("__name__", "up")], vec![regex]] {
        let Ok(numbers) = matching_series(&index, &matchers) else {
            whole = false;
            continue;
        };
        whole &= index.label_names_of(&numbers).is_ok() && index.label_values_of("a", &numbers).is_ok();
        match select_index(&index, &matchers, TimeRange::ALL) {
            Ok(selection) => selection.for_each(|series| found += usize::from(series.is_ok())),
            Err(_) => whole = false,
        }
    }
    whole && index.series_numbers().is_ok() && found > 0
}

/// A block's `meta.json`.
pub fn block_meta(file: &[u8]) -> bool {
    let Ok(meta) = BlockMeta::from_json(file) else { return false };
    let again = BlockMeta::from_json(&meta.to_json());
    meta.range();
    again.is_ok_and(|again| again == meta)
}

/// A block's `tombstones`.
pub fn tombstones(file: &[u8]) -> bool {
    let _ = Tombstones::decode(&mend::tombstones(file));
    Tombstones::decode(file).is_ok_and(|stones| Tombstones::decode(&stones.encode()) == Ok(stones))
}

//! Answers by cursor under mutation: what a replica sends may be anything.

use model::{Exemplar, Histogram, Labels, Metadata, NativeHistogram, Timestamp};
use mutation::{Bound, Counting};
use serde_bytes::ByteBuf;
use storage::chunk::{Recoder, Value};
use storage::{AppendError, Appender, CommitError, SeriesRef};
use xxhash_rust::xxh3::xxh3_64;

use crate::pull::follow::FollowIngest;
use crate::pull::spec::tests::spec;
use crate::wire::{
    BodyWriter, Definition, FIRST_VALUE, FloatWriter, Frame, Header, Histograms, Trailer, VERSION, WireExemplar,
    WireFloat,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Decompressing takes some memory whatever the input is.
const BOUND: Bound = Bound { bytes: 32 << 20, per_byte: 16_384 };

/// Takes everything and keeps nothing.
struct Nowhere;

impl Appender for Nowhere {
    fn append(&mut self, _: &Labels, _: Timestamp, _: f64) -> Result<SeriesRef, AppendError> {
        Ok(SeriesRef(1))
    }

    fn append_ref(&mut self, _: SeriesRef, _: Timestamp, _: f64) -> Result<(), AppendError> {
        Ok(())
    }

    fn append_histogram(&mut self, _: &Labels, _: Timestamp, _: NativeHistogram) -> Result<SeriesRef, AppendError> {
        Ok(SeriesRef(1))
    }

    fn append_exemplar(&mut self, _: SeriesRef, _: &Exemplar) -> Result<(), AppendError> {
        Ok(())
    }

    fn append_metadata(&mut self, _: SeriesRef, _: &Metadata) -> Result<(), AppendError> {
        Ok(())
    }

    fn set_note(&mut self, _: &str, _: &[u8]) -> Result<(), AppendError> {
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), CommitError> {
        Ok(())
    }

    fn rollback(self: Box<Self>) {}
}

/// An answer with everything that there is, before compression.
fn plain() -> Vec<u8> {
    let external = vec![("replica".to_owned(), "a".to_owned())];
    let header = Header { version: VERSION, run: 7, session: 9, answer: 0, now: 2000, external };
    let mut body = BodyWriter::new(&header).expect("written");
    let define = |id: u32| Definition {
        id,
        labels: ["__name__", "m", "series", &id.to_string()].map(str::to_owned).into(),
        kind: "gauge".to_owned(),
        unit: "seconds".to_owned(),
        help: "What it means.".to_owned(),
    };
    body.add(&Frame::Definitions((0..5).map(define).collect())).expect("written");
    let (mut floats, mut last) = (FloatWriter::default(), [FIRST_VALUE; 5]);
    for i in 0..60 {
        let value = if i % 7 == 0 { model::STALE_NAN } else { f64::from(i) * if i % 3 == 0 { 0.37 } else { 2.0 } };
        floats.add(WireFloat { id: i % 5, time: i64::from(i / 5) * 15_000, value }, &mut last[i as usize % 5]);
    }
    body.add(&Frame::Floats(floats.take())).expect("written");
    let mut recoder = Recoder::default();
    for i in 0..5 {
        recoder.push(i * 1000, Value::from(Histogram { count: 3, zero_count: 3, ..Histogram::default() }));
    }
    let of_chunk = |chunk: storage::chunk::Chunk| Histograms {
        id: 4,
        encoding: chunk.encoding.byte(),
        data: ByteBuf::from(chunk.data.to_vec()),
    };
    body.add(&Frame::Histograms(recoder.finish().into_iter().map(of_chunk).collect())).expect("written");
    let labels = ["trace_id", "abc"].map(str::to_owned).into();
    body.add(&Frame::Exemplars(vec![WireExemplar { id: 1, time: 5, value: 0.5, labels }])).expect("written");
    let trailer = Trailer {
        cursor: "x".to_owned(),
        more: false,
        samples: 65,
        definitions: 5,
        gap: None,
        checksum: ByteBuf::new(),
    };
    zstd::decode_all(body.finish(trailer).expect("written").as_slice()).expect("decompressed")
}

fn is_read(compressed: &[u8]) -> bool {
    FollowIngest::default().append(compressed, &spec("http://h"), &mut Nowhere).is_ok()
}

/// With the checksum that belongs to it, so that what is behind the check is met, too.
fn is_read_mended(plain: &[u8]) -> bool {
    let mut plain = plain.to_vec();
    if let Some((checked, checksum)) = plain.split_last_chunk_mut::<8>() {
        *checksum = xxh3_64(checked).to_be_bytes();
    }
    is_read(&zstd::encode_all(plain.as_slice(), 1).expect("compressed"))
}

#[test]
fn damaged_answers_are_survived() {
    mutation::check(
        "a compressed answer",
        &zstd::encode_all(plain().as_slice(), 1).expect("compressed"),
        BOUND,
        is_read,
    );
    mutation::check("an answer with its checksum", &plain(), BOUND, is_read_mended);
}

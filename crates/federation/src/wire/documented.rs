//! The answer of `docs/format/federation.md` is what we write and what we read.

use serde_bytes::ByteBuf;

use super::*;

/// The example as bytes.
fn example() -> Vec<u8> {
    let document = include_str!("../../../../docs/format/federation.md");
    let (_, rest) = document.split_once("```hex\n").expect("an example");
    let block = rest.split("```").next().unwrap_or_default();
    let words = block.lines().flat_map(|line| line.split(';').next().unwrap_or_default().split_whitespace());
    words.map(|word| u8::from_str_radix(word, 16).expect("two hexadecimal digits")).collect()
}

fn header() -> Header {
    let external = vec![("cluster".to_owned(), "eu".to_owned())];
    Header { version: VERSION, run: 7, session: 9, answer: 0, now: 2000, external }
}

fn definition() -> Definition {
    let labels = vec!["__name__".to_owned(), "up".to_owned()];
    Definition { id: 0, labels, kind: "gauge".to_owned(), unit: String::new(), help: String::new() }
}

fn compressed() -> Vec<u8> {
    let mut body = BodyWriter::new(&header()).expect("written");
    body.add(&Frame::Definitions(vec![definition()])).expect("written");
    let mut floats = FloatWriter::default();
    floats.add(WireFloat { id: 0, time: 1000, value: 1.0 }, &mut FIRST_VALUE.clone());
    body.add(&Frame::Floats(floats.take())).expect("written");
    let trailer = Trailer {
        cursor: "x".to_owned(),
        more: false,
        samples: 1,
        definitions: 1,
        gap: None,
        checksum: ByteBuf::new(),
    };
    body.finish(trailer).expect("written")
}

#[test]
fn federation_md() {
    let plain = zstd::decode_all(compressed().as_slice()).expect("decompressed");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x} ")).collect::<String>();
    assert_eq!(hex(&plain), hex(&example()));
}

#[test]
fn an_answer_comes_back() {
    let mut reader = BodyReader::new(&compressed(), 1 << 20).expect("whole");
    assert_eq!((reader.header(), reader.trailer().samples), (&header(), 1));
    assert_eq!(reader.next().expect("valid"), Some(Frame::Definitions(vec![definition()])));
    let Some(Frame::Floats(floats)) = reader.next().expect("valid") else { panic!("floats") };
    let mut floats = FloatReader::new(&floats).expect("valid");
    assert_eq!(floats.next().expect("valid"), Some((0, 1000)));
    assert_eq!(floats.value(&mut FIRST_VALUE.clone()).expect("valid"), 1.0);
    assert_eq!(reader.next().expect("valid"), None);
}

#[test]
fn a_damaged_answer_is_thrown_away() {
    let compressed = compressed();
    for len in 0..compressed.len() {
        assert!(BodyReader::new(&compressed[..len], 1 << 20).is_err(), "{len} bytes");
    }
    let plain = example();
    let read = |plain: &[u8]| {
        let compressed = zstd::encode_all(plain, 1).expect("compressed");
        BodyReader::new(&compressed, 1 << 20).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(read(&plain), Ok(()));
    for at in 0..plain.len() {
        let mut damaged = plain.clone();
        damaged[at] ^= 1;
        assert!(read(&damaged).is_err(), "byte {at}");
    }
    assert!(read(&[&plain[..], &[1]].concat()).is_err_and(|error| error.contains("follows the trailer")));
    let mut newer = plain;
    newer[2] = 2;
    assert!(read(&newer).is_err_and(|error| error.contains("version 2")));
    assert!(BodyReader::new(&compressed, 10).is_err_and(|error| matches!(error, WireError::TooLong(10))));
}

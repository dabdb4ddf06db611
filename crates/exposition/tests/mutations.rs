//! All parsers on damaged input: no panic, and no more memory than the input justifies.

use std::path::Path;

use exposition::fuzzing;
use mutation::{Bound, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a page may cost to parse: a few kilobytes, and for each byte what the labels of a series take that is read several times in
/// pieces.
const BOUND: Bound = Bound { bytes: 16 << 10, per_byte: 256 };

fn check(target: &str, decode: fn(&[u8]) -> bool) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds").join(target);
    mutation::replay(target, &dir, BOUND, decode);
    let seed = std::fs::read(dir.join("valid-kinds")).expect("a seed");
    mutation::check(target, &seed, BOUND, decode);
    // Line by line as well: a damaged line ends the page, so the mutations of the whole seldom come to its end.
    let end: &[u8] = if target == "openmetrics" { b"# EOF\n" } else { b"" };
    for line in seed.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"# EOF")) {
        mutation::check(target, &[line, end].concat(), BOUND, decode);
    }
}

#[test]
fn text_survives_damage() {
    check("text", fuzzing::text);
}

#[test]
fn openmetrics_survives_damage() {
    check("openmetrics", fuzzing::openmetrics);
}

#[test]
fn protobuf_survives_damage() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds/protobuf");
    mutation::replay("protobuf", &dir, BOUND, fuzzing::protobuf);
    for seed in ["valid-kinds", "valid-native"] {
        let seed = std::fs::read(dir.join(seed)).expect("a seed");
        mutation::check("protobuf", &seed, BOUND, fuzzing::protobuf);
    }
}

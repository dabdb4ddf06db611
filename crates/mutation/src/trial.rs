//! Giving a decoder what it may have to live with.

use std::path::Path;

use crate::counting::allocated_bytes;
use crate::inputs::mutate;

/// Mutations of each seed. `$WATERSHED_MUTATIONS` asks for another number, `$WATERSHED_MUTATIONS_FROM` for others than the first.
const MUTATIONS: u64 = 3000;

/// What decoding may allocate in all, given back or not.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// Whatever the input is.
    pub bytes: usize,
    /// For each byte of input.
    pub per_byte: usize,
}

impl Bound {
    fn check(self, name: &str, what: &dyn std::fmt::Display, input: &[u8], decode: impl Fn(&[u8]) -> bool) -> bool {
        let before = allocated_bytes();
        let readable = decode(input);
        let allocated = allocated_bytes() - before;
        let bound = self.bytes + input.len() * self.per_byte;
        assert!(allocated <= bound, "{name}, {what}: {allocated} bytes allocated for {}", input.len());
        readable
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Decodes the seed, which must be readable, and its mutations, which may be.
///
/// # Panics
/// Where the seed can't be read, where the decoder panics, and where it allocates more than it may.
pub fn check(name: &str, seed: &[u8], bound: Bound, decode: impl Fn(&[u8]) -> bool) {
    assert!(bound.check(name, &"the seed", seed, &decode), "{name}: the seed itself can be read");
    let from = from_environment("WATERSHED_MUTATIONS_FROM", 0);
    for number in from..from + from_environment("WATERSHED_MUTATIONS", MUTATIONS) {
        bound.check(name, &format_args!("mutation {number}"), &mutate(seed, number), &decode);
    }
}

/// Decodes every file of a folder: inputs that once were too much for a decoder, and what fuzzers begin with. Files whose name
/// begins with `valid` must be readable.
///
/// # Panics
/// Where there is no file, and as [`check`] does.
pub fn replay(name: &str, dir: &Path, bound: Bound, decode: impl Fn(&[u8]) -> bool) {
    let mut files: Vec<_> =
        std::fs::read_dir(dir).expect("a folder of seeds").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{name}: no seed in {}", dir.display());
    for file in files {
        let input = std::fs::read(&file).expect("a seed");
        let readable = bound.check(name, &file.display(), &input, &decode);
        let is_valid = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("valid"));
        assert!(readable || !is_valid, "{name}: {} can be read", file.display());
    }
}

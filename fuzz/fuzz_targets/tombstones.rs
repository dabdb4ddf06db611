#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    tsdb::fuzzing::tombstones(input);
});

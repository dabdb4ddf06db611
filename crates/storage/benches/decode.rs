//! What a sample of an XOR chunk costs to decode, whole chunks at once and one by one: `cargo bench -p storage --bench decode`.
#![allow(missing_docs, clippy::print_stdout, reason = "a benchmark is a program that prints")]

use std::hint::black_box;
use std::time::Instant;

use model::TimeRange;
use storage::Samples;
use storage::chunk::{Chunk, xor};

const CHUNKS: usize = 5000;
const SAMPLES: i64 = 120;
const ROUNDS: usize = 15;

/// Chunks of samples 15 s apart, late by up to `jitter_ms`.
fn chunks(jitter_ms: u64, value: impl Fn(u64, u64) -> f64) -> Vec<Chunk> {
    let mut random = 11_u64;
    let chunk = |_| {
        let mut writer = xor::Writer::default();
        for at in 0..SAMPLES {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let late = if jitter_ms == 0 { 0 } else { (random >> 20) % jitter_ms };
            writer.push(1_700_000_000_000 + at * 15_000 + late as i64, value(at as u64, random >> 33));
        }
        writer.finish().expect("samples were pushed")
    };
    (0..CHUNKS).map(chunk).collect()
}

fn one_by_one(chunk: &Chunk, out: &mut Samples) {
    let mut reader = xor::Reader::new(&chunk.data).expect("a valid chunk");
    while let Some((time, value)) = reader.next().expect("a valid chunk") {
        out.push(time, value);
    }
}

fn at_once(chunk: &Chunk, out: &mut Samples) {
    chunk.decode(TimeRange::ALL, out).expect("a valid chunk");
}

fn main() {
    let kinds = [
        ("constant", chunks(0, |_, _| 12.5)),
        ("a counter that rests at times", chunks(0, |at, random| (at / 5 * 7 + random % 2) as f64)),
        ("a counter", chunks(0, |at, random| (at * 1000 + random % 1000) as f64)),
        ("noise", chunks(0, |_, random| random as f64 / 7.0)),
        ("a counter, scraped late by some ms", chunks(5, |at, random| (at * 1000 + random % 1000) as f64)),
    ];
    println!("median (min, max) of {ROUNDS}, ns per sample");
    for (name, chunks) in &kinds {
        for (how, decode) in [("at once", at_once as fn(&Chunk, &mut Samples)), ("one by one", one_by_one)] {
            let mut out = Samples::default();
            let mut rounds: Vec<f64> = (0..ROUNDS)
                .map(|_| {
                    let begin = Instant::now();
                    for chunk in chunks {
                        out.clear();
                        decode(black_box(chunk), &mut out);
                        black_box(&out);
                    }
                    begin.elapsed().as_secs_f64() * 1e9 / (CHUNKS as f64 * SAMPLES as f64)
                })
                .collect();
            rounds.sort_by(f64::total_cmp);
            println!("{:6.2} ({:.2}, {:.2}) {how}: {name}", rounds[ROUNDS / 2], rounds[0], rounds[ROUNDS - 1]);
        }
    }
}

//! Federation in simulation: two shards with two replicas each, two globals that pull all of them and each other, real databases, on a
//! simulated network and under a simulated clock. A seed says what goes wrong: links that are cut, delayed, or change bits, processes that
//! are killed, power cuts, clocks. In the end each global has every sample that a replica stored, once, and both answer alike.
//!
//! `WATERSHED_SIM_SEED=7` runs one seed, `WATERSHED_SIM_SEEDS=1000` so many, `WATERSHED_SIM_SEEDS=5000..9000` those.
//!
//! Time stands still while a thread works: the runtime doesn't move a paused clock on meanwhile. So plan, delays, what is stored and what
//! power cuts take follow from the seed. What doesn't, not wholly: how an answer falls into pieces, and with that which piece of a bad link
//! is hit; the order in which the runtime takes ready branches of a `select!`; what threads that maintain a database meet in one run of
//! three. A failure of such a kind may take some runs of its seed to come again.
//!
//! Power cuts make the globals differ for good where one had pulled what the log lost; then their answers are not compared with each other.

mod checks;
mod clock;
mod network;
mod nodes;
mod plan;
mod random;
mod source;
mod stored;
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use world::Summary;

/// So many are run where nobody says otherwise.
const SEEDS: u64 = 200;
/// After so many that failed no more are begun.
const FAILURES_MAX: usize = 3;

/// The seeds that are asked for.
fn seeds() -> Range<u64> {
    let number = |text: &str| text.trim().parse::<u64>().expect("a number");
    if let Ok(seed) = std::env::var("WATERSHED_SIM_SEED") {
        return number(&seed)..number(&seed) + 1;
    }
    match std::env::var("WATERSHED_SIM_SEEDS") {
        Ok(seeds) => match seeds.split_once("..") {
            Some((from, until)) => number(from)..number(until),
            None => 0..number(&seeds),
        },
        Err(_) => 0..SEEDS,
    }
}

fn run(seed: u64) -> Result<Summary, String> {
    catch_unwind(AssertUnwindSafe(|| world::run(seed))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("seed {seed}: panicked: {}", text.unwrap_or_default()))
    })
}

#[test]
fn nothing_is_lost_and_both_globals_agree() {
    let (seeds, started) = (seeds(), Instant::now());
    let next = AtomicU64::new(seeds.start);
    let (total, failures) = (Mutex::new(Summary::default()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || failures.lock().expect("nobody panics here").len() >= FAILURES_MAX {
                return;
            }
            match run(seed) {
                Ok(summary) => total.lock().expect("nobody panics here").add(&summary),
                Err(error) => {
                    println!("WATERSHED_SIM_SEED={seed}\n{error}");
                    failures.lock().expect("nobody panics here").push(seed);
                }
            }
        }
    };
    let workers = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let (total, failures) = (total.into_inner().expect("no panic"), failures.into_inner().expect("no panic"));
    println!("seeds {seeds:?} in {:.1} s: {total}", started.elapsed().as_secs_f64());
    assert!(failures.is_empty(), "failed: {failures:?}; WATERSHED_SIM_SEED={} runs the first again", failures[0]);
}

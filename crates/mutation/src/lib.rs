//! Damaged inputs for the tests of decoders: the mutations of a seed, the same in every run, and a bound on what decoding them
//! may allocate. Only tests depend on it.
//!
//! Fuzzers with coverage need a nightly compiler; the targets in `fuzz/` are for them. What is here runs with the other tests
//! and asks two things of a decoder: it never panics, and it takes memory in proportion to its input.

mod counting;
mod inputs;
mod trial;

pub use counting::{Counting, allocated_bytes, live_bytes};
pub use inputs::mutate;
pub use trial::{Bound, check, replay};

//! `watershed tsdb`, as a process, beside promtool and on directories that a Prometheus made.

mod create_blocks;
mod damage;
mod figures;
mod fixture;
mod prometheus;

//! Blocks of windows: the same bytes wherever the samples are the same, each window once, whatever happens in between.

mod cleaning;
mod contests;
mod fixture;
mod identity;
mod late;
mod shapes;
mod stamped;

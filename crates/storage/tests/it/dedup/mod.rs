//! Replicas made one: what must hold for any scrapes, and cases one by one.

mod cases;
mod memory;
mod properties;
mod rate;
mod scrapes;
mod view;

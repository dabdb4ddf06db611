//! Alertmanager's configuration file: as written (`raw`), and as checked (`validate`).

mod raw;
mod validate;

pub use validate::Config;

//! Telling how far long work has come.

/// Hears of long work. The words and numbers are for people.
pub trait Progress {
    /// A part begins that will take `total` steps (bytes or series).
    fn begin(&mut self, what: &str, total: u64);

    /// So many steps more are done.
    fn advance(&mut self, steps: u64);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _: &str, _: u64) {}

    fn advance(&mut self, _: u64) {}
}

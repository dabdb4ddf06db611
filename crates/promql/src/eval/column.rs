//! A series' values, one place per step.

use model::{STALE_NAN, is_stale};

/// One value or none per step.
///
/// An empty place holds the bits of the stale marker: selectors never hand one on and arithmetic can't make one, so no
/// second array tells which places are taken. Everybody reads and writes through these methods; native histograms will be
/// a second, optional array beside the floats.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Column {
    floats: Vec<f64>,
}

impl Column {
    /// A column of empty places.
    pub(crate) fn empty(len: usize) -> Self {
        Column { floats: vec![STALE_NAN; len] }
    }

    /// A column with a value in every place.
    pub(crate) fn full(floats: Vec<f64>) -> Self {
        Column { floats }
    }

    /// Makes this `len` empty places and keeps the memory.
    pub(crate) fn reset(&mut self, len: usize) {
        self.floats.clear();
        self.floats.resize(len, STALE_NAN);
    }

    /// How many places there are.
    pub(crate) fn len(&self) -> usize {
        self.floats.len()
    }

    /// Whether every place is empty.
    pub(crate) fn is_blank(&self) -> bool {
        self.floats.iter().all(|value| is_stale(*value))
    }

    /// The value in a place.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<f64> {
        let value = self.floats[at];
        if is_stale(value) { None } else { Some(value) }
    }

    /// Puts a value into a place.
    #[inline]
    pub(crate) fn set(&mut self, at: usize, value: f64) {
        self.floats[at] = value;
    }

    /// The taken places with their values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, f64)> {
        self.floats.iter().copied().enumerate().filter(|(_, value)| !is_stale(*value))
    }

    /// Changes every value; the place counts from 0.
    pub(crate) fn map(&mut self, mut change: impl FnMut(usize, f64) -> f64) {
        for (at, value) in self.floats.iter_mut().enumerate() {
            if !is_stale(*value) {
                *value = change(at, *value);
            }
        }
    }

    /// Changes every value, or empties its place.
    pub(crate) fn filter_map(&mut self, mut change: impl FnMut(usize, f64) -> Option<f64>) {
        for (at, value) in self.floats.iter_mut().enumerate() {
            if !is_stale(*value) {
                *value = change(at, *value).unwrap_or(STALE_NAN);
            }
        }
    }

    /// The first place's value in `len` places.
    pub(crate) fn broadcast(&mut self, len: usize) {
        let value = self.floats.first().copied().unwrap_or(STALE_NAN);
        self.floats.clear();
        self.floats.resize(len, value);
    }
}

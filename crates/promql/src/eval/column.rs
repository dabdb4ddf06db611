//! A series' values, one place per step.

use std::rc::Rc;

use model::{FloatHistogram, STALE_NAN, is_stale};

/// A native histogram as columns hold it: the same sample stands in several places, and results are made anew.
pub(crate) type Native = Rc<FloatHistogram>;

/// For how many samples a histogram counts against the limit: by its size, as Prometheus does it.
pub(crate) fn weight(histogram: &FloatHistogram) -> usize {
    const STRUCT_BYTES: usize = 168 + size_of::<i64>();
    const SAMPLE_BYTES: usize = 16;
    let shape = &histogram.buckets;
    let numbers = histogram.positive.len() + histogram.negative.len() + shape.custom_values.len();
    let spans = shape.positive_spans.len() + shape.negative_spans.len();
    (STRUCT_BYTES + 8 * (numbers + spans)) / SAMPLE_BYTES
}

/// One float or one native histogram.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Point {
    Float(f64),
    Native(Native),
}

/// One float, one native histogram or nothing per step.
///
/// A place without a float holds the bits of the stale marker: selectors never hand one on and arithmetic can't make one, so no
/// second array tells which places are taken. Native histograms stand in an array of their own, which series without them don't
/// have; where one stands the float is missing. Loops over floats therefore pass histograms over without asking.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Column {
    floats: Vec<f64>,
    #[expect(clippy::box_collection, reason = "columns are moved a lot and seldom have histograms")]
    natives: Option<Box<Vec<Option<Native>>>>,
    /// Whether the name of the series' metric is to go at the end of the query.
    pub(crate) drops_name: bool,
}

impl Column {
    /// A column of empty places.
    pub(crate) fn empty(len: usize) -> Self {
        Column { floats: vec![STALE_NAN; len], ..Column::default() }
    }

    /// A column with a float in every place.
    pub(crate) fn full(floats: Vec<f64>) -> Self {
        Column { floats, ..Column::default() }
    }

    /// Makes this `len` empty places and keeps the memory.
    pub(crate) fn reset(&mut self, len: usize) {
        self.natives = None;
        self.drops_name = false;
        self.floats.clear();
        self.floats.resize(len, STALE_NAN);
    }

    /// How many places there are.
    pub(crate) fn len(&self) -> usize {
        self.floats.len()
    }

    /// For how many samples it counts against the limit: one a place, and the histograms by their size.
    pub(crate) fn weight(&self) -> usize {
        self.len() + self.natives().map(|(_, histogram)| weight(histogram)).sum::<usize>()
    }

    /// Whether every place is empty.
    pub(crate) fn is_blank(&self) -> bool {
        self.floats.iter().all(|value| is_stale(*value)) && self.natives().next().is_none()
    }

    /// Whether there may be histograms.
    #[inline]
    pub(crate) fn has_natives(&self) -> bool {
        self.natives.is_some()
    }

    /// The float in a place.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<f64> {
        let value = self.floats[at];
        if is_stale(value) { None } else { Some(value) }
    }

    /// The histogram in a place.
    #[inline]
    pub(crate) fn native(&self, at: usize) -> Option<&Native> {
        self.natives.as_ref()?[at].as_ref()
    }

    /// What is in a place.
    pub(crate) fn point(&self, at: usize) -> Option<Point> {
        self.get(at).map(Point::Float).or_else(|| self.native(at).cloned().map(Point::Native))
    }

    /// Whether a place is taken.
    pub(crate) fn is_taken(&self, at: usize) -> bool {
        self.get(at).is_some() || self.native(at).is_some()
    }

    /// Puts a float into a place without a histogram.
    #[inline]
    pub(crate) fn set(&mut self, at: usize, value: f64) {
        self.floats[at] = value;
    }

    /// Puts something, or nothing, into a place.
    pub(crate) fn put(&mut self, at: usize, point: Option<Point>) {
        let (float, native) = match point {
            Some(Point::Float(value)) => (value, None),
            Some(Point::Native(native)) => (STALE_NAN, Some(native)),
            None => (STALE_NAN, None),
        };
        self.floats[at] = float;
        match &mut self.natives {
            Some(natives) => natives[at] = native,
            None if native.is_some() => {
                let mut natives = vec![None; self.floats.len()];
                natives[at] = native;
                self.natives = Some(Box::new(natives));
            }
            None => {}
        }
    }

    /// The places with floats, with these.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, f64)> {
        self.floats.iter().copied().enumerate().filter(|(_, value)| !is_stale(*value))
    }

    /// The places with histograms, with these.
    pub(crate) fn natives(&self) -> impl Iterator<Item = (usize, &Native)> {
        let natives = self.natives.iter().flat_map(|natives| natives.iter());
        natives.enumerate().filter_map(|(at, native)| Some((at, native.as_ref()?)))
    }

    /// The taken places.
    pub(crate) fn taken(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(|at| self.is_taken(*at))
    }

    /// Changes every float; the place counts from 0.
    pub(crate) fn map(&mut self, mut change: impl FnMut(usize, f64) -> f64) {
        for (at, value) in self.floats.iter_mut().enumerate() {
            if !is_stale(*value) {
                *value = change(at, *value);
            }
        }
    }

    /// Changes every float, or empties its place.
    pub(crate) fn filter_map(&mut self, mut change: impl FnMut(usize, f64) -> Option<f64>) {
        for (at, value) in self.floats.iter_mut().enumerate() {
            if !is_stale(*value) {
                *value = change(at, *value).unwrap_or(STALE_NAN);
            }
        }
    }

    /// Makes of every histogram something else, or nothing.
    pub(crate) fn replace_natives(&mut self, mut change: impl FnMut(usize, Native) -> Option<Point>) {
        let Some(natives) = self.natives.take() else { return };
        for (at, native) in natives.into_iter().enumerate() {
            if let Some(point) = native.and_then(|native| change(at, native)) {
                self.put(at, Some(point));
            }
        }
    }

    /// Takes the histograms out.
    pub(crate) fn drop_natives(&mut self) {
        self.natives = None;
    }

    /// Empties the places that aren't wanted.
    pub(crate) fn retain(&mut self, mut wanted: impl FnMut(usize) -> bool) {
        self.filter_map(|at, value| wanted(at).then_some(value));
        self.replace_natives(|at, native| wanted(at).then_some(Point::Native(native)));
    }

    /// The first place's value in `len` places.
    pub(crate) fn broadcast(&mut self, len: usize) {
        let native = self.natives.as_ref().and_then(|natives| natives.first().cloned().flatten());
        self.natives = native.map(|native| Box::new(vec![Some(native); len]));
        let value = self.floats.first().copied().unwrap_or(STALE_NAN);
        self.floats.clear();
        self.floats.resize(len, value);
    }
}

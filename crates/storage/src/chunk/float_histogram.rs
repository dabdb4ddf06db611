//! Prometheus's float histogram chunk: counts and sums XORed, each with a window of its own.
//!
//! The layout is followed by samples of time, count, zero count, sum and buckets. The first has 64 bits for each; from the
//! second on each number is XORed with the same number of the sample before.

use model::{Buckets, CounterReset, FloatHistogram, NativeHistogram, bucket_count};

use super::bits::{BitReader, BitWriter};
use super::encoded::Encoding;
use super::gorilla::Window;
use super::native::{self, Less, Numbers, Why};

/// Writes a chunk of float histograms.
pub type Writer = native::Writer<FloatHistogram>;
/// Reads a chunk of float histograms.
pub type Reader<'a> = native::Reader<'a, FloatHistogram>;

/// The windows of all numbers.
#[derive(Debug)]
pub struct Windows {
    count: Window,
    zero_count: Window,
    sum: Window,
    positive: Vec<Window>,
    negative: Vec<Window>,
}

impl Windows {
    fn all(window: Window, histogram: &FloatHistogram) -> Self {
        let (positive, negative) = (vec![window; histogram.positive.len()], vec![window; histogram.negative.len()]);
        Windows { count: window, zero_count: window, sum: window, positive, negative }
    }
}

fn take_xor(bits: &mut BitReader<'_>, value: &mut f64, window: &mut Window) -> Option<()> {
    *value = f64::from_bits(window.take(bits, value.to_bits())?);
    Some(())
}

impl Numbers for FloatHistogram {
    const ENCODING: Encoding = Encoding::FloatHistogram;
    const ENCODING_WITH_STARTS: Encoding = Encoding::FloatHistogramStarts;
    type Bucket = f64;
    type Written = Windows;
    type Read = Windows;

    fn stale() -> Self {
        FloatHistogram::stale()
    }

    fn is_stale(&self) -> bool {
        FloatHistogram::is_stale(self)
    }

    fn shape(&self) -> &Buckets {
        &self.buckets
    }

    fn counter_reset(&self) -> CounterReset {
        self.counter_reset
    }

    fn set_counter_reset(&mut self, known: CounterReset) {
        self.counter_reset = known;
    }

    fn counts_less(&self, before: &Self) -> Less {
        Less { all: self.count < before.count, zero: self.zero_count < before.zero_count }
    }

    fn buckets(&self) -> (&[f64], &[f64]) {
        (&self.positive, &self.negative)
    }

    fn with_buckets(&self, shape: Buckets, positive: Vec<f64>, negative: Vec<f64>) -> Self {
        let FloatHistogram { counter_reset, zero_count, count, sum, .. } = *self;
        FloatHistogram { counter_reset, buckets: shape, zero_count, count, sum, positive, negative }
    }

    fn counts(buckets: &[f64]) -> impl Iterator<Item = f64> {
        buckets.iter().copied()
    }

    fn from_counts(counts: impl Iterator<Item = f64>) -> Vec<f64> {
        counts.collect()
    }

    fn same_as(&self, other: &Self) -> bool {
        FloatHistogram::same_as(self, other)
    }

    fn to_float(&self) -> FloatHistogram {
        self.clone()
    }

    fn into_native(self) -> NativeHistogram {
        self.into()
    }

    fn header(why: Option<Why>, at_end: bool) -> CounterReset {
        match why {
            Some(Why::Reset) => CounterReset::Reset,
            // Prometheus says no more of float histograms than this, even where the shape changed at the end of a chunk.
            _ if at_end => CounterReset::NotReset,
            _ => CounterReset::Unknown,
        }
    }

    fn push_first(&self, out: &mut BitWriter) -> Windows {
        let numbers = [self.count, self.zero_count, self.sum];
        for number in numbers.iter().chain(&self.positive).chain(&self.negative) {
            out.push(number.to_bits(), 64);
        }
        Windows::all(Window::WRITE, self)
    }

    fn push_next(&self, last: &Self, windows: &mut Windows, out: &mut BitWriter) {
        windows.count.push_to(out, last.count, self.count);
        windows.zero_count.push_to(out, last.zero_count, self.zero_count);
        windows.sum.push_to(out, last.sum, self.sum);
        let sides = [
            (&last.positive, &self.positive, &mut windows.positive),
            (&last.negative, &self.negative, &mut windows.negative),
        ];
        for (old, new, windows) in sides {
            for ((old, new), window) in old.iter().zip(new).zip(windows) {
                window.push_to(out, *old, *new);
            }
        }
    }

    fn take_first(shape: Buckets, bits: &mut BitReader<'_>) -> Option<(Self, Windows)> {
        let mut number = || bits.take(64).map(f64::from_bits);
        let mut first =
            FloatHistogram { count: number()?, zero_count: number()?, sum: number()?, ..FloatHistogram::default() };
        for (spans, buckets) in
            [(&shape.positive_spans, &mut first.positive), (&shape.negative_spans, &mut first.negative)]
        {
            *buckets = (0..bucket_count(spans)).map(|_| number()).collect::<Option<_>>()?;
        }
        first.buckets = shape;
        let windows = Windows::all(Window::READ, &first);
        Some((first, windows))
    }

    fn take_next(&mut self, windows: &mut Windows, bits: &mut BitReader<'_>) -> Option<()> {
        take_xor(bits, &mut self.count, &mut windows.count)?;
        take_xor(bits, &mut self.zero_count, &mut windows.zero_count)?;
        take_xor(bits, &mut self.sum, &mut windows.sum)?;
        if self.is_stale() {
            return Some(());
        }
        for (buckets, windows) in
            [(&mut self.positive, &mut windows.positive), (&mut self.negative, &mut windows.negative)]
        {
            for (bucket, window) in buckets.iter_mut().zip(windows) {
                take_xor(bits, bucket, window)?;
            }
        }
        Some(())
    }
}

//! Prometheus's histogram chunk: counts as deltas of deltas in varbits, sums XORed.
//!
//! The layout is followed by samples of time, count, zero count, sum and buckets. The first has them as they are (buckets are
//! differences between neighbours already, the sum takes 64 bits); from the second on each integer is the change of its
//! change.

use model::{
    Buckets, CounterReset, FloatHistogram, Histogram, NativeHistogram, bucket_count, bucket_counts, bucket_deltas,
};

use super::bits::{BitReader, BitWriter};
use super::encoded::Encoding;
use super::gorilla::Window;
use super::native::{self, Less, Numbers, Why};
use super::varbit::{push_int, push_uint, take_int, take_uint};

/// Writes a chunk of integer histograms.
pub type Writer = native::Writer<Histogram>;
/// Reads a chunk of integer histograms.
pub type Reader<'a> = native::Reader<'a, Histogram>;

/// The last changes of all integers, and the window of the sum.
#[derive(Debug)]
pub struct Changes {
    count: i64,
    zero_count: i64,
    sum: Window,
    positive: Vec<i64>,
    negative: Vec<i64>,
}

impl Changes {
    fn none(sum: Window, histogram: &Histogram) -> Self {
        let (positive, negative) = (vec![0; histogram.positive.len()], vec![0; histogram.negative.len()]);
        Changes { count: 0, zero_count: 0, sum, positive, negative }
    }
}

/// Writes how much the change differs from the one before.
fn push_change(out: &mut BitWriter, old: i64, new: i64, change: &mut i64) {
    let now = new.wrapping_sub(old);
    push_int(out, now.wrapping_sub(std::mem::replace(change, now)));
}

fn take_change(bits: &mut BitReader<'_>, old: i64, change: &mut i64) -> Option<i64> {
    *change = change.wrapping_add(take_int(bits)?);
    Some(old.wrapping_add(*change))
}

impl Numbers for Histogram {
    const ENCODING: Encoding = Encoding::Histogram;
    const ENCODING_WITH_STARTS: Encoding = Encoding::HistogramStarts;
    type Bucket = i64;
    type Written = Changes;
    type Read = Changes;

    fn stale() -> Self {
        Histogram::stale()
    }

    fn is_stale(&self) -> bool {
        Histogram::is_stale(self)
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

    fn buckets(&self) -> (&[i64], &[i64]) {
        (&self.positive, &self.negative)
    }

    fn with_buckets(&self, shape: Buckets, positive: Vec<i64>, negative: Vec<i64>) -> Self {
        let Histogram { counter_reset, zero_count, count, sum, .. } = *self;
        Histogram { counter_reset, buckets: shape, zero_count, count, sum, positive, negative }
    }

    fn counts(buckets: &[i64]) -> impl Iterator<Item = i64> {
        bucket_counts(buckets)
    }

    fn from_counts(counts: impl Iterator<Item = i64>) -> Vec<i64> {
        bucket_deltas(counts)
    }

    fn same_as(&self, other: &Self) -> bool {
        Histogram::same_as(self, other)
    }

    fn to_float(&self) -> FloatHistogram {
        Histogram::to_float(self)
    }

    fn into_native(self) -> NativeHistogram {
        self.into()
    }

    fn header(why: Option<Why>, _at_end: bool) -> CounterReset {
        match why {
            None | Some(Why::Kind) => CounterReset::NotReset,
            Some(Why::Reset) => CounterReset::Reset,
            Some(Why::Stale | Why::Shape) => CounterReset::Unknown,
        }
    }

    fn push_first(&self, out: &mut BitWriter) -> Changes {
        push_uint(out, self.count);
        push_uint(out, self.zero_count);
        out.push(self.sum.to_bits(), 64);
        self.positive.iter().chain(&self.negative).for_each(|bucket| push_int(out, *bucket));
        Changes::none(Window::WRITE, self)
    }

    fn push_next(&self, last: &Self, changes: &mut Changes, out: &mut BitWriter) {
        if self.is_stale() {
            push_int(out, 0);
            push_int(out, 0);
            changes.sum.push_to(out, last.sum, self.sum);
            return;
        }
        push_change(out, last.count as i64, self.count as i64, &mut changes.count);
        push_change(out, last.zero_count as i64, self.zero_count as i64, &mut changes.zero_count);
        changes.sum.push_to(out, last.sum, self.sum);
        let sides = [
            (&last.positive, &self.positive, &mut changes.positive),
            (&last.negative, &self.negative, &mut changes.negative),
        ];
        for (old, new, changes) in sides {
            for ((old, new), change) in old.iter().zip(new).zip(changes) {
                push_change(out, *old, *new, change);
            }
        }
    }

    fn take_first(shape: Buckets, bits: &mut BitReader<'_>) -> Option<(Self, Changes)> {
        let mut first = Histogram {
            count: take_uint(bits)?,
            zero_count: take_uint(bits)?,
            sum: f64::from_bits(bits.take(64)?),
            ..Histogram::default()
        };
        for (spans, buckets) in
            [(&shape.positive_spans, &mut first.positive), (&shape.negative_spans, &mut first.negative)]
        {
            *buckets = (0..bucket_count(spans)).map(|_| take_int(bits)).collect::<Option<_>>()?;
        }
        first.buckets = shape;
        let changes = Changes::none(Window::READ, &first);
        Some((first, changes))
    }

    fn take_next(&mut self, changes: &mut Changes, bits: &mut BitReader<'_>) -> Option<()> {
        self.count = take_change(bits, self.count as i64, &mut changes.count)? as u64;
        self.zero_count = take_change(bits, self.zero_count as i64, &mut changes.zero_count)? as u64;
        self.sum = f64::from_bits(changes.sum.take(bits, self.sum.to_bits())?);
        if self.is_stale() {
            return Some(());
        }
        for (buckets, changes) in
            [(&mut self.positive, &mut changes.positive), (&mut self.negative, &mut changes.negative)]
        {
            for (bucket, change) in buckets.iter_mut().zip(changes) {
                *bucket = take_change(bits, *bucket, change)?;
            }
        }
        Some(())
    }
}

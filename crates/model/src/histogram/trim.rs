//! Histograms without the observations above or below a value.

use super::bucket::Bucket;
use super::float::FloatHistogram;
use super::shape::{Buckets, Span, bucket_indexes};

/// Which observations stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Below,
    Above,
}

/// On which side of zero a bucket lies, which decides what its middle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Positive,
    Negative,
}

/// What is left after a cut, in total.
#[derive(Debug, Default)]
struct Rest {
    count: f64,
    sum: f64,
    changed: bool,
}

impl FloatHistogram {
    /// Only what was observed below `value`, estimated within the bucket of the value. Where nothing is taken away, count and sum
    /// stay; otherwise the sum is estimated from the middles of the buckets.
    #[must_use]
    pub fn trimmed_above(self, value: f64) -> Self {
        self.trimmed(value, Keep::Below)
    }

    /// Only what was observed above `value`; see [`FloatHistogram::trimmed_above`].
    #[must_use]
    pub fn trimmed_below(self, value: f64) -> Self {
        self.trimmed(value, Keep::Above)
    }

    fn trimmed(mut self, value: f64, keep: Keep) -> Self {
        let mut rest = Rest::default();
        let cut = Cut { value, keep, linear: self.buckets.are_custom() };
        let shape = &self.buckets;
        let has_positive = cut.side(shape, &shape.positive_spans, &mut self.positive, Side::Positive, &mut rest);
        let has_negative = cut.side(shape, &shape.negative_spans, &mut self.negative, Side::Negative, &mut rest);
        if self.zero_count > 0.0 {
            let threshold = shape.zero_threshold;
            let lower = if has_positive && !has_negative { 0.0 } else { -threshold };
            let upper = if has_negative && !has_positive { 0.0 } else { threshold };
            let (kept, middle) = cut.zero(lower, upper, self.zero_count);
            rest.changed |= kept != self.zero_count;
            self.zero_count = kept;
            rest.count += kept;
            rest.sum += middle * kept;
        }
        if !rest.changed {
            return self;
        }
        (self.count, self.sum) = (rest.count, rest.sum);
        self.compacted()
    }
}

/// Where to cut, and what to keep.
struct Cut {
    value: f64,
    keep: Keep,
    /// Whether observations are spread evenly in a bucket, not exponentially.
    linear: bool,
}

impl Cut {
    /// Cuts one side's buckets; tells whether there were observations.
    fn side(&self, shape: &Buckets, spans: &[Span], counts: &mut [f64], side: Side, rest: &mut Rest) -> bool {
        let mut filled = false;
        for (index, count) in bucket_indexes(spans).zip(counts).filter(|(_, count)| **count != 0.0) {
            filled = true;
            let bucket = match side {
                Side::Positive => shape.positive_bucket(index, *count),
                Side::Negative => shape.negative_bucket(index, *count),
            };
            let (whole, partly) = match self.keep {
                Keep::Below => (bucket.upper <= self.value, bucket.lower < self.value),
                Keep::Above => (bucket.lower >= self.value, bucket.upper > self.value),
            };
            let (kept, middle) = if whole {
                (bucket.count, self.middle(bucket.lower, bucket.upper, side))
            } else if partly {
                self.partly(bucket, side)
            } else {
                (0.0, 0.0)
            };
            rest.count += kept;
            rest.sum += middle * kept;
            rest.changed |= kept != *count || !(whole || partly);
            *count = kept;
        }
        filled
    }

    /// What is left of a bucket that is cut, and its middle.
    fn partly(&self, bucket: Bucket, side: Side) -> (f64, f64) {
        if bucket.lower.is_infinite() || bucket.upper.is_infinite() {
            return self.open_ended(bucket);
        }
        let below = bucket.count * bucket.share_below(self.value, self.linear);
        match self.keep {
            Keep::Below => (below, self.middle(bucket.lower, self.value, side)),
            Keep::Above => (bucket.count - below, self.middle(self.value, bucket.upper, side)),
        }
    }

    /// The same of a bucket without lower or upper end. Nothing is known of what is in it, so it is kept or dropped as a whole, but for
    /// the lowest of the listed ones, which begins at zero where it ends above.
    fn open_ended(&self, bucket: Bucket) -> (f64, f64) {
        let Bucket { lower, upper, count, .. } = bucket;
        let value = self.value;
        let begins_at_zero = upper > 0.0 && upper.is_finite();
        match (self.keep, lower.is_infinite()) {
            (Keep::Below, true) if value > 0.0 && begins_at_zero => (count * value / upper, value / 2.0),
            (Keep::Below, true) if upper <= 0.0 => (count, value),
            (Keep::Above, true) if value >= 0.0 && begins_at_zero => {
                (count * (1.0 - value / upper), f64::midpoint(value, upper))
            }
            (Keep::Above, false) if value >= lower => (count, value),
            _ => (0.0, 0.0),
        }
    }

    /// What is left of the zero bucket, and its middle.
    fn zero(&self, lower: f64, upper: f64, count: f64) -> (f64, f64) {
        let (value, width) = (self.value, upper - lower);
        let whole = (count, f64::midpoint(lower, upper));
        match self.keep {
            Keep::Below if value <= lower => (0.0, 0.0),
            Keep::Below if value >= upper => whole,
            Keep::Below => (count * ((value - lower) / width), f64::midpoint(lower, value)),
            Keep::Above if value <= lower => whole,
            Keep::Above if value >= upper => (0.0, 0.0),
            Keep::Above => (count * ((upper - value) / width), f64::midpoint(value, upper)),
        }
    }

    /// Where the observations of an interval lie on average.
    fn middle(&self, lower: f64, upper: f64, side: Side) -> f64 {
        match (lower.is_infinite(), upper.is_infinite()) {
            (true, true) => 0.0,
            (true, false) if upper > 0.0 => upper / 2.0,
            (true, false) => upper,
            (false, true) => lower,
            (false, false) if self.linear => f64::midpoint(lower, upper),
            (false, false) => {
                let mean = (lower * upper).abs().sqrt();
                if side == Side::Positive { mean } else { -mean }
            }
        }
    }
}

//! What becomes of histograms: native ones, classic ones, and those that are both.

use model::{EXPONENTIAL_SCHEMA_MAX, EXPONENTIAL_SCHEMA_MIN, NativeHistogram};

/// Which forms of a histogram are stored. Relabelling may change it target by target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HistogramForms {
    /// `scrape_native_histograms`: native parts are read. Without it a histogram is what its classic parts are.
    pub native: bool,
    /// `convert_classic_histograms_to_nhcb`: a histogram of classic parts becomes a native one with listed bounds.
    pub converted: bool,
    /// `always_scrape_classic_histograms`: classic parts are stored even where a native histogram is.
    pub classic: bool,
}

/// How fine native histograms may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistogramLimits {
    /// `native_histogram_bucket_limit`: a histogram with more buckets is made coarser; 0 is no bound.
    pub buckets: u64,
    /// The finest schema, which follows from `native_histogram_min_bucket_factor`.
    pub schema: i32,
}

impl Default for HistogramLimits {
    fn default() -> Self {
        HistogramLimits { buckets: 0, schema: EXPONENTIAL_SCHEMA_MAX }
    }
}

impl HistogramLimits {
    /// From the values as configured; 0 is no bound.
    pub(crate) fn new(buckets: u64, factor: f64) -> Self {
        HistogramLimits { buckets, schema: schema_max(factor) }
    }

    /// Makes a histogram as coarse as needed; false where that is not enough.
    pub(crate) fn fit(self, histogram: &mut NativeHistogram) -> bool {
        if !histogram.buckets().are_custom() && histogram.buckets().schema > self.schema {
            histogram.reduce_resolution(self.schema);
        }
        while self.buckets > 0 && bucket_count(histogram) > self.buckets {
            let buckets = histogram.buckets();
            if buckets.are_custom() || buckets.schema <= EXPONENTIAL_SCHEMA_MIN {
                return false;
            }
            let coarser = buckets.schema - 1;
            histogram.reduce_resolution(coarser);
        }
        true
    }
}

/// Positive and negative ones.
fn bucket_count(histogram: &NativeHistogram) -> u64 {
    let (positive, negative) = match histogram {
        NativeHistogram::Int(histogram) => (histogram.positive.len(), histogram.negative.len()),
        NativeHistogram::Float(histogram) => (histogram.positive.len(), histogram.negative.len()),
    };
    (positive + negative) as u64
}

/// The finest schema whose buckets grow by at least this factor.
fn schema_max(factor: f64) -> i32 {
    if factor <= 1.0 {
        return EXPONENTIAL_SCHEMA_MAX;
    }
    let schema = (-factor.log2().log2()).floor();
    (schema as i32).clamp(EXPONENTIAL_SCHEMA_MIN, EXPONENTIAL_SCHEMA_MAX)
}

#[cfg(test)]
mod tests {
    use model::{Buckets, CUSTOM_BUCKETS_SCHEMA, Histogram, Span};

    use super::*;

    #[test]
    fn factors_are_schemas() {
        let table = [(65536.0, -4), (256.0, -3), (16.0, -2), (4.0, -1), (2.0, 0), (1.4, 1), (1.1, 2), (1.09, 3)];
        let more =
            [(1.04, 4), (1.02, 5), (1.01, 6), (1.005, 7), (1.002, 8), (0.0, 8), (1.0, 8), (1e300, -4), (1.0000001, 8)];
        for (factor, want) in table.into_iter().chain(more) {
            assert_eq!(schema_max(factor), want, "{factor}");
        }
    }

    fn histogram(schema: i32, buckets: u32) -> NativeHistogram {
        let positive_spans = vec![Span { offset: 1, length: buckets }];
        let buckets_of = Buckets { schema, positive_spans, ..Buckets::default() };
        Histogram { buckets: buckets_of, positive: vec![0; buckets as usize], ..Histogram::default() }.into()
    }

    #[test]
    fn histograms_are_made_coarser_until_they_fit() {
        let check = |limits: (u64, f64), schema: i32, buckets: u32, want: Option<(i32, u64)>| {
            let mut histogram = histogram(schema, buckets);
            let fits = HistogramLimits::new(limits.0, limits.1).fit(&mut histogram);
            let got = fits.then(|| (histogram.buckets().schema, bucket_count(&histogram)));
            assert_eq!(got, want, "{limits:?} {schema} {buckets}");
        };
        check((0, 0.0), 8, 100, Some((8, 100)));
        check((0, 2.0), 3, 16, Some((0, 2)));
        check((8, 0.0), 3, 16, Some((2, 8)));
        check((8, 0.0), 3, 17, Some((1, 5)));
        check((1, 0.0), -3, 2, Some((-4, 1)));
        check((1, 0.0), -4, 2, None);
        check((8, 0.0), CUSTOM_BUCKETS_SCHEMA, 9, None);
        check((9, 4.0), CUSTOM_BUCKETS_SCHEMA, 9, Some((CUSTOM_BUCKETS_SCHEMA, 9)));
    }
}

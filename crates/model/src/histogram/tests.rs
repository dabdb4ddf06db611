//! Histograms under operators: tables, and what holds for any.

use proptest::prelude::*;

use super::*;

fn spans(list: &[(i32, u32)]) -> Vec<Span> {
    list.iter().map(|(offset, length)| Span { offset: *offset, length: *length }).collect()
}

/// A histogram whose count fits its buckets.
fn exponential(schema: i32, zero: (f64, f64), at: &[(i32, u32)], counts: &[f64]) -> FloatHistogram {
    FloatHistogram {
        buckets: Buckets { schema, zero_threshold: zero.0, positive_spans: spans(at), ..Buckets::default() },
        zero_count: zero.1,
        count: zero.1 + counts.iter().sum::<f64>(),
        sum: counts.iter().sum(),
        positive: counts.to_vec(),
        ..FloatHistogram::default()
    }
}

fn custom(bounds: &[f64], counts: &[f64]) -> FloatHistogram {
    let mut histogram = exponential(CUSTOM_BUCKETS_SCHEMA, (0.0, 0.0), &[(0, counts.len() as u32)], counts);
    histogram.buckets.custom_values = bounds.to_vec();
    histogram
}

#[test]
fn the_coarser_schema_and_the_wider_zero_bucket_win() {
    let check = |a: &FloatHistogram, b: &FloatHistogram, want: &FloatHistogram| {
        for (a, b) in [(a, b), (b, a)] {
            let (got, added) = a.plus(b).expect("the same kind");
            let want = FloatHistogram { sum: a.sum + b.sum, ..want.clone() };
            assert_eq!((got, added), (want, Added::default()));
        }
    };
    let none = (0.0, 0.0);
    check(
        &exponential(1, none, &[(1, 4)], &[1.0; 4]),
        &exponential(0, none, &[(2, 1)], &[5.0]),
        &exponential(0, none, &[(1, 2)], &[2.0, 7.0]),
    );
    // The threshold 3 lies in the bucket from 2 to 4, which has observations.
    check(
        &exponential(0, (1.0, 1.0), &[(1, 3)], &[1.0, 2.0, 4.0]),
        &exponential(0, (3.0, 10.0), &[(3, 1)], &[8.0]),
        &exponential(0, (4.0, 14.0), &[(3, 1)], &[12.0]),
    );
    // Without observations there it stays.
    check(
        &exponential(0, (1.0, 1.0), &[(1, 1), (1, 1)], &[1.0, 4.0]),
        &exponential(0, (3.0, 10.0), &[(3, 1)], &[8.0]),
        &exponential(0, (3.0, 12.0), &[(3, 1)], &[12.0]),
    );
}

#[test]
fn listed_bounds_that_both_have_are_left() {
    let (got, added) = custom(&[1.0, 2.0, 3.0], &[1.0; 4]).plus(&custom(&[2.0, 3.0, 4.0], &[2.0; 4])).expect("listed");
    assert!(added.bounds_reconciled);
    assert_eq!((got.buckets.custom_values, got.positive), (vec![2.0, 3.0], vec![4.0, 3.0, 5.0]));
    let (got, added) = custom(&[1.0], &[1.0, 2.0]).minus(&custom(&[2.0], &[1.0, 1.0])).expect("listed");
    assert!(added.bounds_reconciled);
    assert_eq!((got.buckets.custom_values, got.positive), (vec![], vec![1.0]));
    assert!(custom(&[1.0], &[1.0]).plus(&FloatHistogram::default()).is_err());
}

#[test]
fn what_is_known_of_resets_is_joined() {
    use CounterReset::{Gauge, NotReset, Reset, Unknown};
    let check = |a: CounterReset, b: CounterReset, want: (CounterReset, bool)| {
        let of = |counter_reset| FloatHistogram { counter_reset, ..FloatHistogram::default() };
        let (got, added) = of(a).plus(&of(b)).expect("the same kind");
        assert_eq!((got.counter_reset, added.counter_reset_collision), want, "{a:?} {b:?}");
    };
    check(Reset, Reset, (Reset, false));
    check(Reset, NotReset, (Unknown, true));
    check(NotReset, Unknown, (Unknown, false));
    check(Gauge, Reset, (Gauge, false));
    check(Unknown, Gauge, (Gauge, false));
}

#[test]
fn a_reset_is_whatever_went_down() {
    let none = (0.0, 0.0);
    let old = exponential(1, (1.0, 1.0), &[(1, 3)], &[1.0, 2.0, 3.0]);
    let check = |change: fn(&mut FloatHistogram), want: bool| {
        let mut new = old.clone();
        change(&mut new);
        assert_eq!(new.is_reset_after(&old), want, "{new:?}");
    };
    check(|_| {}, false);
    check(|h| h.count = 6.0, true);
    check(|h| h.counter_reset = CounterReset::Reset, true);
    check(|h| (h.counter_reset, h.count) = (CounterReset::NotReset, 0.0), false);
    check(|h| (h.positive[1], h.count) = (1.0, 9.0), true);
    check(|h| h.zero_count = 0.5, true);
    check(|h| h.buckets.schema = 2, true);
    check(|h| h.buckets.zero_threshold = 0.5, true);
    check(|h| h.reduce_resolution(0), false);
    check(|h| h.buckets.positive_spans[0].offset = 2, true);
    check(|h| (h.buckets.positive_spans.clear(), h.positive.clear()).0, true);
    assert!(!exponential(0, none, &[(3, 1)], &[4.0]).is_reset_after(&exponential(
        0,
        none,
        &[(1, 3)],
        &[0.0, 0.0, 4.0]
    )));
    let listed = |bounds: &[f64], counts: &[f64], want: bool| {
        assert_eq!(custom(bounds, counts).is_reset_after(&custom(&[1.0, 2.0, 3.0], &[1.0; 4])), want, "{bounds:?}");
    };
    listed(&[1.0, 2.0, 3.0], &[1.0; 4], false);
    listed(&[1.0, 3.0, 5.0], &[1.0, 2.0, 1.0], false);
    listed(&[1.0, 3.0, 5.0], &[1.0, 1.0, 3.0], true);
    listed(&[], &[3.0], true);
    listed(&[], &[4.0], false);
}

#[test]
fn a_mean_survives_an_overflow_of_the_sum() {
    let big = |factor: f64| exponential(0, (0.0, 0.0), &[(1, 2)], &[0.5, 1.0]).times(factor);
    let mean = |list: &[FloatHistogram]| {
        let mut mean = HistogramMean::of(&list[0]);
        list[1..].iter().for_each(|other| assert!(mean.add(other).is_ok()));
        mean.finish()
    };
    assert_eq!(mean(&[big(1.0), big(2.0), big(6.0)]), big(3.0));
    let huge = mean(&[big(1e308), big(1e308), big(1e308)]);
    assert!((huge.positive[1] / 1e308 - 1.0).abs() < 1e-12 && !huge.sum.is_infinite());
}

#[test]
fn sums_keep_what_rounding_loses() {
    let mut sum = HistogramSum::of(&exponential(0, (0.0, 0.0), &[(1, 1)], &[1.0]));
    for count in [1e100, 1.0, -1e100] {
        sum.add(&exponential(0, (0.0, 0.0), &[(1, 1)], &[count])).expect("the same kind");
    }
    assert_eq!(sum.finish().positive, [2.0]);
}

#[test]
fn trimmed_histograms() {
    let check = |got: FloatHistogram, count: f64, counts: &[f64]| {
        assert!((got.count - count).abs() < 1e-9, "{got}");
        assert!(got.positive.iter().zip(counts).all(|(a, b)| (a - b).abs() < 1e-9), "{got}");
        assert_eq!(got.positive.len(), counts.len(), "{got}");
    };
    let whole = exponential(0, (0.5, 4.0), &[(0, 3)], &[1.0, 2.0, 4.0]);
    check(whole.clone().trimmed_above(2.0), 7.0, &[1.0, 2.0]);
    check(whole.clone().trimmed_above(8_f64.sqrt()), 9.0, &[1.0, 2.0, 2.0]);
    check(whole.clone().trimmed_below(1.0), 6.0, &[2.0, 4.0]);
    check(whole.clone().trimmed_below(0.25), 9.0, &[1.0, 2.0, 4.0]);
    assert_eq!(whole.clone().trimmed_above(100.0), whole);
    let listed = custom(&[2.0, 4.0], &[2.0, 2.0, 2.0]);
    check(listed.clone().trimmed_above(3.0), 3.0, &[2.0, 1.0]);
    check(listed.clone().trimmed_above(1.0), 1.0, &[1.0]);
    check(listed.trimmed_below(5.0), 2.0, &[2.0]);
}

prop_compose! {
    /// Any histogram with whole counts, which add up without rounding.
    fn any_histogram()(
        schema in -4_i32..=8,
        threshold in prop_oneof![Just(0.0), Just(0.001), Just(1.0), 0.0..8.0],
        zero in 0_u32..5,
        positive in prop::collection::vec((0_i32..5, 0_u32..4), 0..12),
        negative in prop::collection::vec((0_i32..5, 0_u32..4), 0..5),
        first in -20_i32..20,
    ) -> FloatHistogram {
        let side = |list: &[(i32, u32)]| {
            let mut spans = spans(&list.iter().map(|(offset, _)| (*offset, 1)).collect::<Vec<_>>());
            if let Some(span) = spans.first_mut() {
                span.offset = first;
            }
            (spans, list.iter().map(|(_, count)| f64::from(*count)).collect::<Vec<f64>>())
        };
        let ((positive_spans, positive), (negative_spans, negative)) = (side(&positive), side(&negative));
        let zero_count = f64::from(zero);
        let count = zero_count + positive.iter().sum::<f64>() + negative.iter().sum::<f64>();
        let buckets = Buckets { schema, positive_spans, negative_spans, ..Buckets::default() };
        let histogram = FloatHistogram { buckets, zero_count, count, sum: count, positive, negative, ..FloatHistogram::default() };
        // A wider zero bucket takes the buckets in that lie within it.
        histogram.plus(&exponential(schema, (threshold, 0.0), &[], &[])).expect("the same kind").0
    }
}

fn in_buckets(histogram: &FloatHistogram) -> f64 {
    histogram.zero_count + histogram.positive.iter().sum::<f64>() + histogram.negative.iter().sum::<f64>()
}

proptest! {
    #[test]
    fn nothing_is_lost_in_sums(a in any_histogram(), b in any_histogram()) {
        let (sum, _) = a.plus(&b).expect("the same kind");
        prop_assert_eq!(sum.count, a.count + b.count);
        prop_assert_eq!(in_buckets(&sum), sum.count);
        prop_assert_eq!(sum.buckets.schema, a.buckets.schema.min(b.buckets.schema));
        prop_assert!(sum.buckets.zero_threshold >= a.buckets.zero_threshold.max(b.buckets.zero_threshold));
        prop_assert!(sum.validate().is_ok());
        // What was added can be taken away; what is left is the first in the shape of the sum.
        let (rest, _) = sum.minus(&b).expect("the same kind");
        let (other_way, _) = sum.minus(&a).expect("the same kind");
        prop_assert_eq!(in_buckets(&rest), a.count);
        prop_assert_eq!(in_buckets(&other_way), b.count);
        let (again, _) = rest.plus(&other_way).expect("the same kind");
        prop_assert!(again.same_as(&sum), "{} {}", again, sum);
        prop_assert!(!sum.is_reset_after(&a) || sum.buckets.zero_threshold != a.buckets.zero_threshold, "{} {}", sum, a);
    }

    #[test]
    fn coarser_buckets_keep_their_observations(a in any_histogram(), schema in -4_i32..=8) {
        let mut sum = HistogramSum::of(&a);
        sum.reduce_resolution(schema);
        let mut reduced = a.clone();
        reduced.reduce_resolution(schema);
        prop_assert!(sum.finish().same_as(&reduced.clone().compacted()));
        prop_assert_eq!(in_buckets(&reduced), a.count);
    }

    #[test]
    fn cuts_leave_what_they_leave(a in any_histogram(), value in -100.0..100.0_f64) {
        let (below, above) = (a.clone().trimmed_above(value), a.clone().trimmed_below(value));
        prop_assert!((below.count + above.count - a.count).abs() < 1e-6, "{} {} {}", a, below, above);
        prop_assert!(below.count >= 0.0 && above.count >= 0.0);
    }

    #[test]
    fn buckets_ascend(a in any_histogram()) {
        let buckets = a.ascending_buckets();
        prop_assert!(buckets.windows(2).all(|pair| pair[0].lower <= pair[1].lower));
        prop_assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<f64>(), a.count);
    }
}

//! `histogram_quantile` and `histogram_fraction` of classic buckets.

use hashbrown::HashMap;
use model::{BUCKET_LABEL, Labels, format_float};

use crate::eval::column::Column;
use crate::eval::context::Notes;
use crate::eval::failure::QueryFailure;
use crate::eval::series::{SeriesSet, Sink, StepSeries, without_metadata};
use crate::eval::steps::Steps;
use crate::syntax::Span;

/// One bucket of a histogram: how many observations were at most `bound`.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// Counts that differ by less than this share of their sum are equal; floats that were summed in another order do.
const SMALL_DIFFERENCE: f64 = 1e-12;

/// Groups series that are buckets of the same histogram and computes one value per histogram and step. `compute` gets the
/// place of the step and the buckets sorted by bound, those with equal bounds added up; only histograms with `+Inf` come
/// there, for others the value is NaN.
fn per_histogram(
    series: Vec<StepSeries>,
    steps: Steps,
    notes: &Notes,
    span: Span,
    sink: &mut Sink<'_>,
    mut compute: impl FnMut(usize, &mut Vec<Bucket>) -> f64,
) -> Result<(), QueryFailure> {
    let mut index: HashMap<Labels, usize, foldhash::fast::RandomState> = HashMap::default();
    let mut histograms: Vec<(Labels, Vec<(f64, Column)>)> = Vec::new();
    for one in series {
        let le = one.labels.value(BUCKET_LABEL);
        let Some(bound) = model::parse_float(le) else {
            let mut message =
                format!("bucket label \"le\" is missing or has a malformed value of {}", model::quote(le));
            let name = one.labels.metric_name();
            if !name.is_empty() {
                message.push_str(&format!(" for metric name {}", model::quote(name)));
            }
            notes.warn(&message, span);
            continue;
        };
        // Histograms of different metrics stay apart here; that they are the same without a name is an error below.
        let labels = one.labels.filtered(|name| name != BUCKET_LABEL);
        let at = *index.entry(labels.clone()).or_insert_with(|| {
            histograms.push((labels, Vec::new()));
            histograms.len() - 1
        });
        histograms[at].1.push((bound, one.column));
    }
    let (mut buckets, mut results) = (Vec::new(), SeriesSet::default());
    for (labels, mut columns) in histograms {
        columns.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut out = Column::empty(steps.count);
        for at in 0..steps.count {
            buckets.clear();
            for (bound, count) in columns.iter().filter_map(|(bound, column)| Some((*bound, column.get(at)?))) {
                match buckets.last_mut() {
                    Some(Bucket { bound: last, count: sum }) if *last == bound => *sum += count,
                    _ => buckets.push(Bucket { bound, count }),
                }
            }
            match buckets.last() {
                None => {}
                Some(last) if last.bound == f64::INFINITY => {
                    let value = compute(at, &mut buckets);
                    out.set(at, value);
                }
                Some(_) => out.set(at, compute_without_end(at, &mut compute)),
            }
        }
        results.add(without_metadata(&labels), &mut out)?;
    }
    results.drain_into(sink)
}

/// A histogram without `+Inf` has no value, unless the question has its answer without looking.
fn compute_without_end(at: usize, compute: &mut impl FnMut(usize, &mut Vec<Bucket>) -> f64) -> f64 {
    compute(at, &mut Vec::new())
}

/// The quantiles of the histograms in `series`; `quantiles` has one value per step.
pub(crate) fn quantiles(
    series: Vec<StepSeries>,
    quantiles: &[f64],
    steps: Steps,
    notes: &Notes,
    (quantile_span, span): (Span, Span),
    sink: &mut Sink<'_>,
) -> Result<(), QueryFailure> {
    for q in quantiles.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
        let got = format_float(*q);
        notes.warn(&format!("quantile value should be between 0 and 1, got {got}"), quantile_span);
    }
    let mut fix = Fix::default();
    let done = per_histogram(series, steps, notes, span, sink, |at, buckets| {
        bucket_quantile(quantiles[at], buckets, steps.time(at), &mut fix)
    });
    for message in fix.messages {
        notes.info(&message, span);
    }
    done
}

/// What was said about buckets whose counts fall.
#[derive(Default)]
struct Fix {
    messages: Vec<String>,
}

fn bucket_quantile(q: f64, buckets: &mut [Bucket], time: i64, fix: &mut Fix) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    make_monotonic(buckets, time, fix);
    let [rest @ .., last] = &*buckets else { return f64::NAN };
    let Some(before_last) = rest.last() else { return f64::NAN };
    if last.count == 0.0 {
        return f64::NAN;
    }
    let mut rank = q * last.count;
    let at = rest.partition_point(|bucket| {
        // A comparison with NaN is false, and the search then goes on to the right.
        let enough = bucket.count >= rank;
        !enough
    });
    let Some(bucket) = rest.get(at) else { return before_last.bound };
    if at == 0 && bucket.bound <= 0.0 {
        return bucket.bound;
    }
    let (mut start, mut count) = (0.0, bucket.count);
    if let Some(before) = at.checked_sub(1).map(|before| rest[before]) {
        start = before.bound;
        count -= before.count;
        rank -= before.count;
    }
    start + (bucket.bound - start) * (rank / count)
}

/// Counts must not fall from bucket to bucket. Small falls come from rounding and are taken away silently, others are told.
fn make_monotonic(buckets: &mut [Bucket], time: i64, fix: &mut Fix) {
    let Some((first, rest)) = buckets.split_first_mut() else { return };
    let mut before = first.count;
    let (mut lowest, mut highest, mut largest) = (f64::INFINITY, f64::NEG_INFINITY, 0.0_f64);
    for bucket in rest {
        let count = bucket.count;
        if count == before {
            continue;
        }
        if almost_equal(before, count) {
            bucket.count = before;
        } else if count < before {
            bucket.count = before;
            lowest = lowest.min(bucket.bound);
            highest = highest.max(bucket.bound);
            largest = largest.max(before - count);
        } else {
            before = count;
        }
    }
    if largest > 0.0 {
        let see = "(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
        fix.messages.push(format!(
            "input to histogram_quantile needed to be fixed for monotonicity {see}, from buckets {} to {}, with a max diff of {}, at {}",
            format_float(lowest),
            format_float(highest),
            format_float(largest),
            model::Timestamp::from_ms(time).to_rfc3339(),
        ));
    }
}

fn almost_equal(a: f64, b: f64) -> bool {
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < SMALL_DIFFERENCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < SMALL_DIFFERENCE
}

/// The shares of observations between `bounds.0` and `bounds.1`, each with one value per step.
pub(crate) fn fractions(
    series: Vec<StepSeries>,
    bounds: (&[f64], &[f64]),
    steps: Steps,
    notes: &Notes,
    span: Span,
    sink: &mut Sink<'_>,
) -> Result<(), QueryFailure> {
    per_histogram(series, steps, notes, span, sink, |at, buckets| bucket_fraction(bounds.0[at], bounds.1[at], buckets))
}

fn bucket_fraction(lower: f64, upper: f64, buckets: &[Bucket]) -> f64 {
    let Some(total) = buckets.last().map(|last| last.count) else { return f64::NAN };
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, buckets).min(total) - rank_of(lower, buckets).min(total)) / total
}

/// How many observations were at most `value`, with straight lines between the bounds. Buckets that reach to infinity
/// can't be divided: of the last one nothing counts, of a first one everything.
fn rank_of(value: f64, buckets: &[Bucket]) -> f64 {
    let mut start = if buckets[0].bound <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    let mut rank = 0.0;
    for bucket in buckets {
        if start >= value {
            return rank;
        }
        if bucket.bound > value {
            let inside = (bucket.count - rank) * (value - start) / (bucket.bound - start);
            return if start == f64::NEG_INFINITY { bucket.count } else { rank + inside };
        }
        rank = bucket.count;
        start = bucket.bound;
    }
    f64::INFINITY
}

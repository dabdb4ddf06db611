//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction` of classic buckets.

use hashbrown::HashMap;
use model::{BUCKET_LABEL, Labels, LabelsBuilder, format_float};

use crate::eval::column::Column;
use crate::eval::context::Notes;
use crate::eval::failure::QueryFailure;
use crate::eval::series::{SeriesSet, Sink, StepSeries, is_metadata};
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

/// Classic histograms: the buckets' columns by the labels that the buckets have in common.
pub(crate) struct Histograms<'a> {
    histograms: Vec<(Labels, Vec<(f64, Column)>)>,
    steps: Steps,
    notes: &'a Notes,
    /// Where the buckets come from in the query.
    span: Span,
    results: SeriesSet,
}

impl<'a> Histograms<'a> {
    /// Groups series that are buckets of the same histogram. What has no `le` that is a number is told and left out.
    pub(crate) fn group(series: Vec<StepSeries>, steps: Steps, notes: &'a Notes, span: Span) -> Self {
        let mut index: HashMap<Labels, usize, foldhash::fast::RandomState> = HashMap::default();
        let mut histograms: Vec<(Labels, Vec<(f64, Column)>)> = Vec::new();
        for one in series {
            let le = one.labels.value(BUCKET_LABEL);
            let Some(bound) = model::parse_float(le) else {
                let why = "bucket label \"le\" is missing or has a malformed value of";
                let name = match one.labels.metric_name() {
                    "" => String::new(),
                    name => format!(" for metric name {}", model::quote(name)),
                };
                notes.warn(&format!("{why} {}{name}", model::quote(le)), span);
                continue;
            };
            // Histograms of different metrics stay apart; that they are the same without a name is an error later.
            let labels = one.labels.filtered(|name| name != BUCKET_LABEL);
            let at = *index.entry(labels.clone()).or_insert_with(|| {
                histograms.push((labels, Vec::new()));
                histograms.len() - 1
            });
            histograms[at].1.push((bound, one.column));
        }
        for (_, columns) in &mut histograms {
            columns.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Histograms { histograms, steps, notes, span, results: SeriesSet::default() }
    }

    /// Computes one value per histogram and step, and sets `label` on the results. `compute` gets the place of the step
    /// and the buckets sorted by bound, those with equal bounds added up; of a histogram without `+Inf` it gets none.
    fn compute(
        &mut self,
        label: Option<(&str, &str)>,
        mut compute: impl FnMut(usize, &mut [Bucket]) -> f64,
    ) -> Result<(), QueryFailure> {
        let mut buckets: Vec<Bucket> = Vec::new();
        for (labels, columns) in &self.histograms {
            let mut out = Column::empty(self.steps.count);
            for at in 0..self.steps.count {
                buckets.clear();
                for (bound, count) in columns.iter().filter_map(|(bound, column)| Some((*bound, column.get(at)?))) {
                    match buckets.last_mut() {
                        Some(last) if last.bound == bound => last.count += count,
                        _ => buckets.push(Bucket { bound, count }),
                    }
                }
                if let Some(last) = buckets.last() {
                    let complete = last.bound == f64::INFINITY;
                    out.set(at, compute(at, if complete { &mut buckets } else { &mut [] }));
                }
            }
            let mut builder = LabelsBuilder::new(labels);
            builder.retain(|name, _| !is_metadata(name));
            if let Some((name, value)) = label {
                builder.set(name, value);
            }
            self.results.add(builder.build(), &mut out)?;
        }
        Ok(())
    }

    /// Adds the quantiles; `quantiles` has one value per step and stands at `span` in the query. With `label` each result
    /// tells its quantile under that name.
    pub(crate) fn quantiles(&mut self, quantiles: &[f64], span: Span, label: Option<&str>) -> Result<(), QueryFailure> {
        for q in quantiles.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
            let got = format_float(*q);
            self.notes.warn(&format!("quantile value should be between 0 and 1, got {got}"), span);
        }
        let written = quantiles.first().map(|q| format_label_float(*q)).unwrap_or_default();
        let mut fix = Fix::default();
        let steps = self.steps;
        self.compute(label.map(|name| (name, written.as_str())), |at, buckets| {
            bucket_quantile(quantiles[at], buckets, steps.time(at), &mut fix)
        })?;
        for message in fix.messages {
            self.notes.info(&message, self.span);
        }
        Ok(())
    }

    /// Adds the shares of observations between `lower` and `upper`, each with one value per step.
    pub(crate) fn fractions(&mut self, lower: &[f64], upper: &[f64]) -> Result<(), QueryFailure> {
        self.compute(None, |at, buckets| bucket_fraction(lower[at], upper[at], buckets))
    }

    /// Gives the results away.
    pub(crate) fn finish(self, sink: &mut Sink<'_>) -> Result<(), QueryFailure> {
        self.results.drain_into(sink)
    }
}

/// A number as the label values `le` and `quantile` have it: with a point even where it is whole.
fn format_label_float(value: f64) -> String {
    let mut text = format_float(value);
    if value.is_finite() && !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    text
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

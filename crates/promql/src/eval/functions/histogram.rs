//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`, of classic buckets and of native histograms.

use hashbrown::HashMap;
use model::{BUCKET_LABEL, FloatHistogram, Labels, LabelsBuilder, format_float};

use crate::eval::column::Column;
use crate::eval::context::Notes;
use crate::eval::failure::QueryFailure;
use crate::eval::functions::monotonic::{Bucket, Fix};
use crate::eval::native::quantile;
use crate::eval::native::remarks::Remarks;
use crate::eval::series::{SeriesSet, Sink, StepSeries, is_metadata};
use crate::eval::steps::Steps;
use crate::syntax::Span;

/// Classic histograms: the buckets' columns by the labels that the buckets have in common. Native ones: their series.
pub(crate) struct Histograms<'a> {
    natives: Vec<StepSeries>,
    histograms: Vec<(Labels, Vec<(f64, Column)>)>,
    steps: Steps,
    notes: &'a Notes,
    /// Where the buckets come from in the query.
    span: Span,
    results: SeriesSet,
    /// Whether names of metrics go at the end of the query.
    delays_names: bool,
}

impl<'a> Histograms<'a> {
    /// Groups series that are buckets of the same histogram. What has no `le` that is a number is told and left out.
    pub(crate) fn group(
        series: Vec<StepSeries>,
        steps: Steps,
        (notes, span): (&'a Notes, Span),
        delays_names: bool,
    ) -> Self {
        let mut index: HashMap<Labels, usize, foldhash::fast::RandomState> = HashMap::default();
        let mut histograms: Vec<(Labels, Vec<(f64, Column)>)> = Vec::new();
        let mut natives: Vec<StepSeries> = Vec::new();
        // As in Prometheus, where names have gone by then unless they go at the end.
        let metric_of = |labels: &Labels| if delays_names { labels.metric_name().to_owned() } else { String::new() };
        for mut one in series {
            if one.column.has_natives() {
                natives.push(one.clone());
                one.column.drop_natives();
                if one.column.is_blank() {
                    continue;
                }
            }
            let le = one.labels.value(BUCKET_LABEL);
            let Some(bound) = model::parse_float(le) else {
                let why = "bucket label \"le\" is missing or has a malformed value of";
                let name = match metric_of(&one.labels).as_str() {
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
        for native in &mut natives {
            let Some(classic) = index.get(&native.labels) else { continue };
            if keep_apart(native, &mut histograms[*classic].1) {
                Remarks { notes, span }.mixed_classic(&metric_of(&native.labels));
            }
        }
        Histograms { natives, histograms, steps, notes, span, results: SeriesSet::default(), delays_names }
    }

    /// Computes one value per native histogram, and sets `label` on the results. `compute` gets the place of the step, the
    /// histogram, and the name of its metric.
    fn compute_natives(
        &mut self,
        label: Option<(&str, &str)>,
        compute: impl Fn(usize, &FloatHistogram, &str) -> f64,
    ) -> Result<(), QueryFailure> {
        for native in &self.natives {
            let mut out = Column::empty(self.steps.count);
            for (at, histogram) in native.column.natives() {
                out.set(at, compute(at, histogram, native.labels.metric_name()));
            }
            out.drops_name = self.delays_names;
            self.results.add(result_labels(&native.labels, label, self.delays_names), &mut out)?;
        }
        Ok(())
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
            out.drops_name = self.delays_names;
            self.results.add(result_labels(&labels.without_name(), label, self.delays_names), &mut out)?;
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
        let label = label.map(|name| (name, written.as_str()));
        let remarks = Remarks { notes: self.notes, span: self.span };
        self.compute_natives(label, |at, histogram, metric| {
            quantile::quantile(quantiles[at], histogram, metric, remarks)
        })?;
        self.compute(label, |at, buckets| bucket_quantile(quantiles[at], buckets, steps.time(at), &mut fix))?;
        if let Some(message) = fix.message() {
            self.notes.info(&message, self.span);
        }
        Ok(())
    }

    /// Adds the shares of observations between `lower` and `upper`, each with one value per step.
    pub(crate) fn fractions(&mut self, lower: &[f64], upper: &[f64]) -> Result<(), QueryFailure> {
        let remarks = Remarks { notes: self.notes, span: self.span };
        self.compute_natives(None, |at, histogram, metric| {
            quantile::fraction((lower[at], upper[at]), histogram, metric, remarks)
        })?;
        self.compute(None, |at, buckets| bucket_fraction(lower[at], upper[at], buckets))
    }

    /// Gives the results away.
    pub(crate) fn finish(self, sink: &mut Sink<'_>) -> Result<(), QueryFailure> {
        self.results.drain_into(sink)
    }
}

/// Empties the steps at which there are a native and a classic histogram with the same labels: nobody knows which one is meant. Tells
/// whether there are any.
fn keep_apart(native: &mut StepSeries, classic: &mut [(f64, Column)]) -> bool {
    let clash = |at: usize| native.column.native(at).is_some() && classic.iter().any(|(_, c)| c.get(at).is_some());
    let clashes: Vec<usize> = (0..native.column.len()).filter(|at| clash(*at)).collect();
    for at in &clashes {
        native.column.put(*at, None);
        classic.iter_mut().for_each(|(_, column)| column.put(*at, None));
    }
    !clashes.is_empty()
}

/// The labels of a result.
fn result_labels(labels: &Labels, label: Option<(&str, &str)>, keeps_name: bool) -> Labels {
    let mut builder = LabelsBuilder::new(labels);
    builder.retain(|name, _| keeps_name || !is_metadata(name));
    if let Some((name, value)) = label {
        builder.set(name, value);
    }
    builder.build()
}

/// A number as the label values `le` and `quantile` have it: with a point even where it is whole.
fn format_label_float(value: f64) -> String {
    let mut text = format_float(value);
    if value.is_finite() && !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    text
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
    fix.make_monotonic(buckets, time);
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

//! `info`: series with the labels that others tell of the same target.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};
use model::{INSTANCE, JOB, Labels, LabelsBuilder, METRIC_NAME};

use crate::eval::column::Column;
use crate::eval::evaluator::Evaluator;
use crate::eval::failure::QueryFailure;
use crate::eval::info_selector::{InfoSelector, info_times};
use crate::eval::instant::{self, Part};
use crate::eval::selections::SelectorKey;
use crate::eval::series::{SeriesSet, Sink, StepSeries};
use crate::eval::steps::Steps;
use crate::syntax::Call;

/// The labels that name a target.
const IDENTIFYING: [&str; 2] = [INSTANCE, JOB];

/// A target, by those of its identifying labels that are there.
type Target<'a> = [&'a str; 2];

fn target(labels: &Labels) -> Target<'_> {
    IDENTIFYING.map(|name| labels.value(name))
}

impl Evaluator<'_> {
    /// The series of the first argument with the labels of the info series of the same targets.
    pub(crate) fn info(&self, call: &Call, steps: Steps, sink: &mut Sink<'_>) -> Result<(), QueryFailure> {
        let [base, ..] = &call.args[..] else {
            return Err(QueryFailure::Execution("info needs an instant vector".to_owned()));
        };
        let selector = InfoSelector::of(call);
        let (all, held) = self.collect(base, steps)?;
        let is_info = |series: &StepSeries| {
            let name = series.labels.metric_name();
            selector.names.iter().all(|matcher| matcher.matches(name))
        };
        let (untouched, enriched): (Vec<_>, Vec<_>) = all.into_iter().partition(is_info);
        let looks = info_times(base, steps, self.context);
        let infos = self.info_series(call, looks, &enriched)?;
        let infos = Infos::new(&infos, &selector, steps);
        let mut out = SeriesSet::default();
        for mut series in untouched {
            out.add(series.labels, &mut series.column)?;
        }
        for series in &enriched {
            self.context.limits.check()?;
            infos.enrich(series, &mut out)?;
        }
        out.drain_into(sink)?;
        self.context.limits.release(held + infos.series.len().saturating_mul(steps.count));
        Ok(())
    }

    /// The info series of the targets of `enriched`; their columns say how old the newest sample is: its time.
    fn info_series(&self, call: &Call, looks: Steps, enriched: &[StepSeries]) -> Result<Vec<StepSeries>, QueryFailure> {
        let values = IDENTIFYING.map(|name| {
            let values = enriched.iter().map(|series| series.labels.value(name));
            values.filter(|value| !value.is_empty()).collect::<HashSet<_, foldhash::fast::RandomState>>()
        });
        let answer = self.answers.take(SelectorKey::of_call(call));
        if values.iter().all(|values| values.is_empty()) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        self.walk(answer, self.context.instant_reach(looks), &mut |labels, samples| {
            let mut wanted = values.iter().zip(target(labels));
            if !wanted.all(|(values, value)| values.is_empty() || values.contains(value)) {
                return Ok(());
            }
            if samples.histograms.iter().any(|sample| !sample.histogram.is_stale()) {
                return Err(QueryFailure::Execution("info sample should be float".to_owned()));
            }
            let mut column = Column::default();
            instant::fill(samples, looks, self.context.lookback_ms, Part::Time, &mut column);
            if let Some(tally) = &self.tally {
                tally.points(SelectorKey::of_call(call), &column)?;
            }
            if !column.is_blank() {
                self.context.limits.hold(column.len())?;
                found.push(StepSeries { labels: labels.clone(), column });
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// The info series by what they are about.
struct Infos<'a> {
    series: &'a [StepSeries],
    selector: &'a InfoSelector,
    steps: Steps,
    /// By target, then by the metric's name: sorted, so that errors are the same each time.
    by_target: HashMap<Target<'a>, BTreeMap<&'a str, Vec<usize>>, foldhash::fast::RandomState>,
}

impl<'a> Infos<'a> {
    fn new(series: &'a [StepSeries], selector: &'a InfoSelector, steps: Steps) -> Self {
        let mut by_target: HashMap<Target<'_>, BTreeMap<&str, Vec<usize>>, _> = HashMap::default();
        for (at, info) in series.iter().enumerate() {
            let metrics = by_target.entry(target(&info.labels)).or_default();
            metrics.entry(info.labels.metric_name()).or_default().push(at);
        }
        Infos { series, selector, steps, by_target }
    }

    /// Adds a series with its new labels. It becomes several where its info series change.
    fn enrich(&self, series: &StepSeries, out: &mut SeriesSet) -> Result<(), QueryFailure> {
        let metrics = self.by_target.get(&target(&series.labels));
        let mut parts: Vec<(Vec<usize>, Column)> = Vec::new();
        let mut chosen = Vec::new();
        for at in series.column.taken() {
            chosen.clear();
            for candidates in metrics.into_iter().flat_map(BTreeMap::values) {
                chosen.extend(self.newest(candidates, at)?);
            }
            let known = parts.iter().rposition(|(infos, _)| *infos == chosen);
            let part = known.unwrap_or_else(|| {
                parts.push((chosen.clone(), Column::empty(self.steps.count)));
                parts.len() - 1
            });
            parts[part].1.put(at, series.column.point(at));
        }
        for (infos, mut column) in parts {
            column.drops_name = series.column.drops_name;
            if let Some(labels) = self.labels(&series.labels, &infos)? {
                out.add(labels, &mut column)?;
            }
        }
        Ok(())
    }

    /// Which of these has the newest sample at a step.
    fn newest(&self, candidates: &[usize], at: usize) -> Result<Option<usize>, QueryFailure> {
        let mut newest: Option<(usize, f64)> = None;
        for candidate in candidates {
            let Some(time) = self.series[*candidate].column.get(at) else { continue };
            match newest {
                Some((_, before)) if before > time => {}
                Some((other, before)) if before == time => {
                    let (ms, name) = ((time * 1000.0).round() as i64, |at: usize| &self.series[at].labels);
                    let (other, this) = (name(other), name(*candidate));
                    let message = "found duplicate series for info metric";
                    let message = format!("{message}: existing {other} @ {ms}, new {this} @ {ms}");
                    return Err(QueryFailure::Execution(message));
                }
                _ => newest = Some((*candidate, time)),
            }
        }
        Ok(newest.map(|(candidate, _)| candidate))
    }

    /// The labels of a series with those of its info series; `None` where it lacks one that it has to have.
    fn labels(&self, base: &Labels, infos: &[usize]) -> Result<Option<Labels>, QueryFailure> {
        let wanted = &self.selector.labels;
        if infos.is_empty() && !wanted.iter().all(|matcher| matcher.matches("")) {
            return Ok(None);
        }
        let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|matcher| matcher.name() == name);
        let mut added: BTreeMap<&str, &str> = BTreeMap::new();
        for info in infos {
            let labels = self.series[*info].labels.iter().filter(|(name, _)| *name != METRIC_NAME && is_wanted(name));
            for (name, value) in labels.filter(|(name, _)| base.get(name).is_none()) {
                if *added.entry(name).or_insert(value) != value {
                    return Err(QueryFailure::Execution(format!("conflicting label: {name}")));
                }
            }
        }
        let mut builder = LabelsBuilder::new(base);
        for (name, value) in added {
            builder.set(name, value);
        }
        Ok(Some(builder.build()))
    }
}

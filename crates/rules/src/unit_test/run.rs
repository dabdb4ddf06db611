//! Running tests: storing, evaluating and comparing, one moment after another.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use config::Position;
use model::{Clock, FloatHistogram, Labels, Timestamp, format_duration};
use prometheus_client::registry::Registry;
use promql::testlang::{SequenceValue, written_histogram};
use promql::{Engine, EngineOptions, VectorSample};
use storage::{AppendError, Appendable, Queryable};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::evaluate::vector;
use crate::group::Group;
use crate::metrics::Metrics;
use crate::notify::{Alert, Notifier};
use crate::shared::{Settings, Shared};
use crate::status::AlertState;
use crate::unit_test::file::{AlertTest, ExprTest, Test, UnitTests};
use crate::unit_test::memory::GrowingStorage;
use crate::unit_test::outcome::{Failure, Finding, Outcome};

/// Takes alerts and tells nobody.
struct Nobody;

#[async_trait]
impl Notifier for Nobody {
    async fn notify(&self, _: Vec<Alert>) {}
}

/// Stands where the test is.
#[derive(Debug)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::Relaxed))
    }
}

impl UnitTests {
    /// Runs the tests whose names `wanted` takes, in order; a test without a name has the empty one. `with_data` says whether all series
    /// are shown at the end of each.
    pub async fn run(&self, wanted: impl Fn(&str) -> bool, with_data: bool) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for test in &self.tests {
            if !wanted(if test.is_named { &test.name } else { "" }) {
                continue;
            }
            let started = Instant::now();
            let bench = Bench::new(self, test);
            let failures = bench.run().await;
            let data = if with_data { bench.storage.dump() } else { Vec::new() };
            let (name, position) = (test.name.clone(), test.position);
            outcomes.push(Outcome { name, position, failures, took: started.elapsed(), data });
        }
        outcomes
    }
}

/// Everything that a test runs on.
struct Bench<'a> {
    file: &'a UnitTests,
    test: &'a Test,
    storage: GrowingStorage,
    engine: Arc<Engine>,
    clock: Arc<TestClock>,
    groups: Vec<Group>,
}

impl<'a> Bench<'a> {
    fn new(file: &'a UnitTests, test: &'a Test) -> Self {
        let storage = GrowingStorage::default();
        let options = EngineOptions {
            subquery_step_ms: file.evaluation_interval_ms,
            language: file.language,
            ..EngineOptions::default()
        };
        let engine = Arc::new(Engine::new(options));
        let clock = Arc::new(TestClock(AtomicI64::new(test.start.as_ms())));
        let shared = Arc::new(Shared {
            engine: engine.clone(),
            queryable: Arc::new(storage.clone()),
            storage: Arc::new(storage.clone()),
            notifier: Arc::new(Nobody),
            gate: None,
            clock: clock.clone(),
            external_url: test.external_url.clone(),
            external_labels: ArcSwap::from_pointee(test.external_labels.clone()),
            settings: Settings { restore: false, hold_missed: false, timers: false, ..Settings::default() },
            metrics: Metrics::new(&mut Registry::default()),
            interrupt: CancellationToken::new(),
        });
        let groups = file.groups.iter().map(|group| Group::new(group.clone(), shared.clone(), true)).collect();
        Bench { file, test, storage, engine, clock, groups }
    }

    async fn run(&self) -> Vec<Failure> {
        let mut failures = Vec::new();
        let interval_ms = self.file.evaluation_interval_ms;
        let times = self.test.alerts.iter().map(|a| a.at_ms).chain(self.test.exprs.iter().map(|e| e.at_ms));
        let end_ms = times.max().unwrap_or(0);
        let mut alerts: Vec<&AlertTest> = self.test.alerts.iter().collect();
        alerts.sort_by_key(|alert| alert.at_ms);
        let mut alerts = alerts.into_iter().peekable();
        let mut stored_ms = i64::MIN;
        let steps = std::iter::successors(Some(0), |at_ms: &i64| at_ms.checked_add(interval_ms));
        for at_ms in steps.take_while(|at_ms| *at_ms <= end_ms) {
            match self.store(stored_ms, at_ms) {
                Ok(()) => {
                    let broken = self.evaluate(at_ms).await;
                    if !broken.is_empty() {
                        failures.extend(broken);
                        return failures;
                    }
                }
                Err(failure) => failures.push(failure),
            }
            stored_ms = at_ms;
            while let Some(alert) = alerts.next_if(|alert| alert.at_ms < at_ms.saturating_add(interval_ms)) {
                failures.extend(self.alerts(alert));
            }
        }
        for expr in &self.test.exprs {
            failures.extend(self.expr(expr).await);
        }
        failures
    }

    fn failure(&self, position: Position, subject: String, finding: Finding) -> Failure {
        Failure { position, subject, finding }
    }

    /// Stores what the series have after `from_ms` and up to `to_ms`.
    fn store(&self, from_ms: i64, to_ms: i64) -> Result<(), Failure> {
        let mut appender = self.storage.appender();
        let interval_ms = self.test.interval_ms;
        let first = from_ms.div_euclid(interval_ms).saturating_add(1).max(0);
        for (labels, values) in &self.test.series {
            let values = values.iter().skip(usize::try_from(first).unwrap_or(usize::MAX));
            for (place, value) in (first..).zip(values) {
                let offset_ms = interval_ms.saturating_mul(place);
                if offset_ms > to_ms {
                    break;
                }
                let time = self.test.start.saturating_add(offset_ms);
                let stored: Result<(), AppendError> = match value {
                    SequenceValue::Omitted => Ok(()),
                    SequenceValue::Float(value) => appender.append(labels, time, *value).map(drop),
                    SequenceValue::Histogram(literal) => {
                        appender.append_histogram(labels, time, literal.histogram.clone().into()).map(drop)
                    }
                };
                if let Err(error) = stored {
                    let subject = format!("input series {labels} at {}", format_duration(offset_ms));
                    return Err(self.failure(self.test.position, subject, Finding::Error(error.to_string())));
                }
            }
        }
        let subject = || "input series".to_owned();
        let stored = appender.commit();
        stored.map_err(|e| self.failure(self.test.position, subject(), Finding::Error(e.to_string())))
    }

    /// Evaluates all groups; what failed.
    async fn evaluate(&self, at_ms: i64) -> Vec<Failure> {
        let time = self.test.start.saturating_add(at_ms);
        self.clock.0.store(time.as_ms(), Ordering::Relaxed);
        let mut failures = Vec::new();
        for group in &self.groups {
            group.evaluate(time).await;
            for rule in group.status().rules {
                let Some(error) = rule.last_error else { continue };
                let subject =
                    format!("rule {} of group {} at {}", rule.name, group.definition.name, format_duration(at_ms));
                failures.push(self.failure(self.test.position, subject, Finding::Error(error)));
            }
        }
        failures
    }

    /// Compares the firing alerts of one name.
    fn alerts(&self, test: &AlertTest) -> Option<Failure> {
        let rules = self.groups.iter().flat_map(|group| group.status().rules);
        let alerts = rules.filter(|rule| rule.name == test.name).filter_map(|rule| rule.alerting);
        let firing = alerts.flat_map(|alerting| alerting.alerts).filter(|alert| alert.state == AlertState::Firing);
        let mut got: Vec<(Labels, Labels)> = firing.map(|alert| (alert.labels, alert.annotations)).collect();
        got.sort();
        if got == test.expected {
            return None;
        }
        let lines = |alerts: &[(Labels, Labels)]| alerts.iter().flat_map(alert_lines).collect();
        let finding = Finding::Difference { expected: lines(&test.expected), got: lines(&got) };
        let subject = format!("alert {} at {}", test.name, format_duration(test.at_ms));
        Some(self.failure(test.position, subject, finding))
    }

    async fn expr(&self, test: &ExprTest) -> Option<Failure> {
        let finding = match self.ask(test).await {
            Err(error) => Finding::Error(error),
            Ok(mut got) => {
                got.sort_by(|a, b| a.labels.cmp(&b.labels));
                let fits = |((labels, value), sample): (&(Labels, SequenceValue), &VectorSample)| {
                    let same_value = match (value, &sample.histogram) {
                        (SequenceValue::Float(want), None) => equal(*want, sample.value, self.file.fuzzy),
                        (SequenceValue::Histogram(want), Some(got)) => {
                            let (want, got) = (want.histogram.clone().compacted(), got.as_ref().clone().compacted());
                            want.counter_reset == got.counter_reset && want.same_as(&got)
                        }
                        _ => false,
                    };
                    *labels == sample.labels && same_value
                };
                if got.len() == test.expected.len() && test.expected.iter().zip(&got).all(fits) {
                    return None;
                }
                let expected = test.expected.iter().map(|(labels, value)| value_line(labels, value));
                let got =
                    got.iter().map(|sample| sample_line(&sample.labels, sample.value, sample.histogram.as_deref()));
                Finding::Difference { expected: expected.collect(), got: got.collect() }
            }
        };
        let subject = format!("expr {} at {}", test.expr.trim(), format_duration(test.at_ms));
        Some(self.failure(test.position, subject, finding))
    }

    async fn ask(&self, test: &ExprTest) -> Result<Vec<VectorSample>, String> {
        let expr = self.engine.parse(&test.expr).map_err(|e| e.to_string())?;
        let time = self.test.start.saturating_add(test.at_ms);
        let source: Arc<dyn Queryable> = Arc::new(self.storage.clone());
        let result = self.engine.instant(source, &expr, time).await.map_err(|e| e.to_string())?;
        vector(result.value).map_err(|e| e.to_string())
    }
}

/// Whether two values are the same; `fuzzy` lets them differ in their last bit. No value is the same as NaN, as in promtool.
fn equal(a: f64, b: f64, fuzzy: bool) -> bool {
    a == b || (fuzzy && (a.next_down() == b || a.next_up() == b))
}

fn value_line(labels: &Labels, value: &SequenceValue) -> String {
    match value {
        SequenceValue::Float(value) => sample_line(labels, *value, None),
        SequenceValue::Histogram(literal) => sample_line(labels, 0.0, Some(&literal.histogram)),
        SequenceValue::Omitted => format!("{labels} _"),
    }
}

fn sample_line(labels: &Labels, value: f64, histogram: Option<&FloatHistogram>) -> String {
    match histogram {
        Some(histogram) => format!("{labels} {}", written_histogram(histogram)),
        None => format!("{labels} {value:e}"),
    }
}

/// An alert line by line, so that what differs in it is seen.
fn alert_lines((labels, annotations): &(Labels, Labels)) -> Vec<String> {
    let mut lines = vec!["labels:".to_owned()];
    lines.extend(labels.iter().map(|(name, value)| format!("  {name}: {value}")));
    if !annotations.is_empty() {
        lines.push("annotations:".to_owned());
        for (name, text) in annotations.iter() {
            let mut text = text.lines();
            lines.push(format!("  {name}: {}", text.next().unwrap_or_default()));
            lines.extend(text.map(|line| format!("    {line}")));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bit_counts_unless_told_otherwise() {
        let check = |a: f64, b: f64, want: (bool, bool)| {
            assert_eq!((equal(a, b, false), equal(a, b, true)), want, "{a} {b}");
        };
        check(1.0, 1.0, (true, true));
        check(0.0, -0.0, (true, true));
        check(0.1 + 0.2, 0.3, (false, true));
        check(1.0, 1.000_001, (false, false));
        check(f64::NAN, f64::NAN, (false, false));
        check(f64::INFINITY, f64::MAX, (false, true));
        check(f64::INFINITY, f64::INFINITY, (true, true));
    }
}

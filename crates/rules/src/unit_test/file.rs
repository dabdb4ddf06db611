//! The file of unit tests: as it is written, then checked, with the rules it names.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{DurationMs, Errors, Position, Report, Spanned};
use model::{Labels, Timestamp};
use promql::ParseOptions;
use promql::testlang::{SequenceValue, parse_series};
use serde::Deserialize;

use crate::definition::RuleGroup;
use crate::files::RuleSet;
use crate::position::locate;
use crate::validate::GroupDefaults;

const MINUTE_MS: i64 = 60_000;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawFile {
    rule_files: Option<Vec<String>>,
    evaluation_interval: Option<DurationMs>,
    group_eval_order: Option<Vec<Spanned<String>>>,
    tests: Option<Vec<Spanned<RawTest>>>,
    fuzzy_compare: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawTest {
    name: Option<String>,
    interval: Option<DurationMs>,
    input_series: Option<Vec<RawSeries>>,
    alert_rule_test: Option<Vec<Spanned<RawAlertTest>>>,
    promql_expr_test: Option<Vec<Spanned<RawExprTest>>>,
    external_labels: Option<BTreeMap<String, String>>,
    external_url: Option<String>,
    start_timestamp: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSeries {
    series: Spanned<String>,
    values: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawAlertTest {
    eval_time: DurationMs,
    alertname: Option<String>,
    exp_alerts: Option<Vec<RawAlert>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawAlert {
    exp_labels: Option<BTreeMap<String, Option<String>>>,
    exp_annotations: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawExprTest {
    expr: String,
    eval_time: DurationMs,
    exp_samples: Option<Vec<RawSample>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSample {
    labels: Option<Spanned<String>>,
    value: f64,
    histogram: Option<Spanned<String>>,
}

/// A checked file of unit tests, ready to run.
#[derive(Debug, Clone)]
pub struct UnitTests {
    pub(crate) evaluation_interval_ms: i64,
    /// Whether values may differ in their last bit.
    pub(crate) fuzzy: bool,
    pub(crate) language: ParseOptions,
    /// In the order in which they are evaluated.
    pub(crate) groups: Vec<Arc<RuleGroup>>,
    pub(crate) tests: Vec<Test>,
}

/// One test: series, and what is expected of them.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    pub(crate) name: String,
    /// Whether the name is the file's own.
    pub(crate) is_named: bool,
    pub(crate) position: Position,
    pub(crate) start: Timestamp,
    pub(crate) interval_ms: i64,
    pub(crate) series: Vec<(Labels, Vec<SequenceValue>)>,
    pub(crate) external_labels: Labels,
    pub(crate) external_url: String,
    pub(crate) alerts: Vec<AlertTest>,
    pub(crate) exprs: Vec<ExprTest>,
}

/// The alerts of one name that are to fire at a time.
#[derive(Debug, Clone)]
pub(crate) struct AlertTest {
    pub(crate) position: Position,
    pub(crate) at_ms: i64,
    pub(crate) name: String,
    /// Labels and annotations, sorted.
    pub(crate) expected: Vec<(Labels, Labels)>,
}

/// What an expression is to give.
#[derive(Debug, Clone)]
pub(crate) struct ExprTest {
    pub(crate) position: Position,
    pub(crate) at_ms: i64,
    pub(crate) expr: String,
    /// Sorted by labels.
    pub(crate) expected: Vec<(Labels, SequenceValue)>,
}

impl UnitTests {
    /// Checks the text of a file and reads the rule files that it names, relative to its folder; `language` is what expressions may use.
    ///
    /// # Errors
    /// Everything that is wrong with the file, then with the rule files.
    pub fn load(file: &Path, text: &str, language: ParseOptions) -> Result<Self, Errors> {
        let raw: RawFile = config::load(text, file)?;
        let mut report = Report::new(file);
        let positive = |duration: Option<DurationMs>| duration.map(|d| d.0).filter(|ms| *ms > 0);
        let evaluation_interval_ms = positive(raw.evaluation_interval).unwrap_or(MINUTE_MS);
        let order = order(raw.group_eval_order.unwrap_or_default(), &mut report);
        let mut checked = Checked { text, report: &mut report };
        let tests = raw.tests.unwrap_or_default().into_iter().enumerate();
        let tests = tests.map(|(number, test)| checked.test(number, test, evaluation_interval_ms)).collect();
        report.finish(())?;
        let defaults = GroupDefaults { interval_ms: evaluation_interval_ms, language, ..GroupDefaults::default() };
        let folder = file.parent().unwrap_or(Path::new(""));
        let patterns: Vec<PathBuf> = raw.rule_files.unwrap_or_default().iter().map(|f| folder.join(f)).collect();
        let groups = ordered(RuleSet::load(&patterns, defaults)?.groups, &order);
        Ok(UnitTests { evaluation_interval_ms, fuzzy: raw.fuzzy_compare == Some(true), language, groups, tests })
    }
}

/// The place of each group that is named.
fn order(names: Vec<Spanned<String>>, report: &mut Report) -> HashMap<String, usize> {
    let mut order = HashMap::new();
    for (place, name) in names.into_iter().enumerate() {
        if order.contains_key(&name.value) {
            report.error(&name, format_args!("group {:?} is repeated in the order of evaluation", name.value));
        }
        order.insert(name.value, place);
    }
    order
}

/// Each group once, those that have no place with the first one.
fn ordered(groups: Vec<Arc<RuleGroup>>, order: &HashMap<String, usize>) -> Vec<Arc<RuleGroup>> {
    let mut unique: Vec<Arc<RuleGroup>> = Vec::new();
    for group in groups {
        unique.retain(|earlier| earlier.key() != group.key());
        unique.push(group);
    }
    unique.sort_by_key(|group| order.get(&group.name).copied().unwrap_or(0));
    unique
}

/// Checks tests.
struct Checked<'a> {
    text: &'a str,
    report: &'a mut Report,
}

impl Checked<'_> {
    fn test(&mut self, number: usize, test: Spanned<RawTest>, evaluation_interval_ms: i64) -> Test {
        let Spanned { value: raw, position } = test;
        let mut series: Vec<(Labels, Vec<SequenceValue>)> = Vec::new();
        for one in raw.input_series.unwrap_or_default() {
            let Some((labels, values)) = self.input(&one) else { continue };
            // The same series again replaces the one before.
            series.retain(|(earlier, _)| *earlier != labels);
            series.push((labels, values));
        }
        let alerts = raw.alert_rule_test.unwrap_or_default();
        let exprs = raw.promql_expr_test.unwrap_or_default();
        let name = raw.name.filter(|name| !name.is_empty());
        Test {
            is_named: name.is_some(),
            name: name.unwrap_or_else(|| format!("unnamed#{number}")),
            position,
            start: raw.start_timestamp.map_or(Timestamp::from_ms(0), |start| self.start(&start)),
            interval_ms: raw.interval.map(|d| d.0).filter(|ms| *ms > 0).unwrap_or(evaluation_interval_ms),
            series,
            external_labels: Labels::from_pairs(raw.external_labels.unwrap_or_default()),
            external_url: raw.external_url.unwrap_or_default(),
            alerts: alerts.into_iter().map(|alert| self.alert(alert)).collect(),
            exprs: exprs.into_iter().map(|expr| self.expr(expr)).collect(),
        }
    }

    fn input(&mut self, raw: &RawSeries) -> Option<(Labels, Vec<SequenceValue>)> {
        let labels = self.labels(&raw.series)?;
        let Some(values) = &raw.values else { return Some((labels, Vec::new())) };
        // The notation is that of a whole line.
        let (_, values) = self.series(values, &format!("{{}} {}", values.value))?;
        Some((labels, values))
    }

    /// Reads a series without values.
    fn labels(&mut self, written: &Spanned<String>) -> Option<Labels> {
        let (labels, values) = self.series(written, &written.value)?;
        if !values.is_empty() {
            self.report.error(written, "a series without values was expected");
            return None;
        }
        Some(labels)
    }

    /// Reads a line of which `written` is the end.
    fn series(&mut self, written: &Spanned<String>, line: &str) -> Option<(Labels, Vec<SequenceValue>)> {
        match parse_series(line) {
            Ok(series) => Some(series),
            Err(error) => {
                let added = line.len() - written.value.len();
                let inside = (error.column - 1).saturating_sub(added);
                let place = locate(self.text, written.position, &written.value, inside);
                self.report.error(place.unwrap_or(written.position), error.message);
                None
            }
        }
    }

    fn start(&mut self, text: &Spanned<String>) -> Timestamp {
        Timestamp::parse(text).unwrap_or_else(|_| {
            self.report.error(text, format_args!("{:?} is no time: want seconds or RFC 3339", text.value));
            Timestamp::from_ms(0)
        })
    }

    fn alert(&mut self, raw: Spanned<RawAlertTest>) -> AlertTest {
        let Spanned { value: raw, position } = raw;
        let name = raw.alertname.unwrap_or_default();
        if name.is_empty() {
            let time = raw.eval_time;
            let what = "an item of alert_rule_test misses the required key alertname";
            self.report.error(position, format_args!("{what} (eval_time {time})"));
        }
        let texts = |texts: Option<BTreeMap<String, Option<String>>>| {
            texts.unwrap_or_default().into_iter().map(|(name, text)| (name, text.unwrap_or_default()))
        };
        let expected = raw.exp_alerts.unwrap_or_default().into_iter().map(|alert| {
            let labels = texts(alert.exp_labels).chain([(crate::alerts::ALERT_NAME.to_owned(), name.clone())]);
            let labels: BTreeMap<String, String> = labels.collect();
            (Labels::from_pairs(labels), Labels::from_pairs(texts(alert.exp_annotations)))
        });
        let mut expected: Vec<_> = expected.collect();
        expected.sort();
        AlertTest { position, at_ms: raw.eval_time.0, name, expected }
    }

    fn expr(&mut self, raw: Spanned<RawExprTest>) -> ExprTest {
        let Spanned { value: raw, position } = raw;
        let mut expected = Vec::new();
        for sample in raw.exp_samples.unwrap_or_default() {
            let labels = match &sample.labels {
                Some(labels) if !labels.value.trim().is_empty() => self.labels(labels),
                _ => Some(Labels::empty()),
            };
            let value = match &sample.histogram {
                Some(histogram) if !histogram.value.is_empty() => self.histogram(histogram),
                _ => Some(SequenceValue::Float(sample.value)),
            };
            expected.extend(labels.zip(value));
        }
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        ExprTest { position, at_ms: raw.eval_time.0, expr: raw.expr, expected }
    }

    fn histogram(&mut self, written: &Spanned<String>) -> Option<SequenceValue> {
        let (_, mut values) = self.series(written, &format!("{{}} {}", written.value))?;
        match (values.pop(), values.is_empty()) {
            (Some(value @ SequenceValue::Histogram(_)), true) => Some(value),
            _ => {
                self.report.error(written, "one native histogram was expected, {{…}}");
                None
            }
        }
    }
}

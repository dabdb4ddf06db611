//! Rule groups as their files define them, checked and with every default in place.

use std::path::PathBuf;

use model::Labels;
use promql::Expr;
use template::Template;

/// A checked rule group.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleGroup {
    /// The file it comes from.
    pub file: PathBuf,
    /// Its name, unique within the file.
    pub name: String,
    /// How often it is evaluated, in milliseconds; positive.
    pub interval_ms: i64,
    /// How far in the past its expressions are evaluated and its results stored, in milliseconds.
    pub query_offset_ms: i64,
    /// At most so many series or alerts per rule, 0 for no limit.
    pub limit: usize,
    /// Its rules in order.
    pub rules: Vec<Rule>,
}

impl RuleGroup {
    /// `file;name`, which identifies the group among all groups.
    pub fn key(&self) -> String {
        format!("{};{}", self.file.display(), self.name)
    }
}

/// A checked rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The recorded metric's or the alert's name.
    pub name: String,
    /// What is evaluated.
    pub expr: Expr,
    /// The expression as PromQL prints it.
    pub query: String,
    /// The labels it adds, the group's included, sorted by name. A label whose text is empty is taken off.
    pub labels: Vec<(String, Text)>,
    /// What becomes of the result.
    pub kind: RuleKind,
}

impl PartialEq for Rule {
    /// Equal where the files say the same.
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.query, &self.labels, &self.kind) == (&other.name, &other.query, &other.labels, &other.kind)
    }
}

/// What becomes of a rule's result.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleKind {
    /// It is stored under the rule's name.
    Recording,
    /// Each series of it is an alert.
    Alerting(Alerting),
}

/// What an alerting rule has besides.
#[derive(Debug, Clone, PartialEq)]
pub struct Alerting {
    /// How long an alert stays pending before it fires, in milliseconds.
    pub for_ms: i64,
    /// How long an alert keeps firing after its condition has ended, in milliseconds.
    pub keep_firing_for_ms: i64,
    /// What is told about an alert, sorted by name.
    pub annotations: Vec<(String, Text)>,
}

/// The text of a label or an annotation, which in alerting rules is a template.
#[derive(Debug, Clone)]
pub struct Text {
    /// As it is written.
    pub source: String,
    /// The template; `None` in recording rules.
    pub template: Option<Template>,
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Rule {
    /// The labels it adds, templates unexpanded.
    pub fn label_sources(&self) -> Labels {
        sources(&self.labels)
    }

    /// The alerting part, if it has one.
    pub fn alerting(&self) -> Option<&Alerting> {
        match &self.kind {
            RuleKind::Recording => None,
            RuleKind::Alerting(alerting) => Some(alerting),
        }
    }
}

impl Alerting {
    /// The annotations, templates unexpanded.
    pub fn annotation_sources(&self) -> Labels {
        sources(&self.annotations)
    }
}

fn sources(texts: &[(String, Text)]) -> Labels {
    Labels::from_sorted(texts.iter().map(|(name, text)| (name.as_str(), text.source.as_str())))
}

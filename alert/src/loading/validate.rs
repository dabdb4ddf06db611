//! The file as checked: every default in place, every name resolved, every matcher compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use config::{DurationMs, Errors, HttpClientConfig, Position, Report, Spanned};
use http_client::HttpClient;
use model::{MatchOp, Matcher};

use crate::inhibit::InhibitRule;
use crate::loading::raw::{RawConfig, RawGlobal, RawInhibitRule, RawReceiver, RawRoute, RawWebhook};
use crate::matcher_text::{parse_matchers, print_matchers};
use crate::receiver::{Receiver, UrlSource, Webhook, WebhookUrl};
use crate::route::{GroupBy, Route, RouteId, Routes};

const RESOLVE_TIMEOUT_MS: i64 = 5 * 60_000;
const GROUP_WAIT_MS: i64 = 30_000;
const GROUP_INTERVAL_MS: i64 = 5 * 60_000;
const REPEAT_INTERVAL_MS: i64 = 4 * 3_600_000;
/// Alertmanager's word for grouping by all labels.
const GROUP_BY_ALL: &str = "...";
/// How long one attempt to reach a webhook may take where the file doesn't say.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(30);

/// A checked configuration.
#[derive(Debug)]
pub struct Config {
    /// After how long an alert that came without an end counts as resolved, in milliseconds.
    pub(crate) resolve_timeout_ms: i64,
    /// The route tree.
    pub(crate) routes: Routes,
    /// The receivers, their names unique.
    pub(crate) receivers: Vec<Receiver>,
    /// What mutes what.
    pub(crate) inhibit_rules: Vec<InhibitRule>,
    /// The file's text with all secrets blotted out.
    pub(crate) shown: String,
}

impl Config {
    /// Reads and checks the text of a file in Alertmanager's format; `report` knows the file's path.
    ///
    /// # Errors
    /// Everything that is wrong, each with line and column.
    pub fn load(text: &str, mut report: Report) -> Result<Self, Errors> {
        let raw: RawConfig = config::load(text, report.file())?;
        let config = Config::validate(raw, text, &mut report);
        report.finish(config)
    }

    fn validate(raw: RawConfig, text: &str, report: &mut Report) -> Self {
        raw.refuse_unsupported(report);
        let (resolve_timeout_ms, http) = global(raw.global, report);
        let receivers: Vec<Receiver> = raw.receivers.into_iter().filter_map(|r| receiver(r, &http, report)).collect();
        refuse_repeated_names(&receivers, report);
        let inhibit_rules = raw.inhibit_rules.into_iter().map(|rule| inhibit_rule(rule.value, report)).collect();
        let routes = match raw.route {
            Some(root) => Tree::build(root, &receivers, report),
            None => {
                report.error(Position::default(), "no route: the file needs a route with a receiver");
                Routes::new(Vec::new())
            }
        };
        let shown = shown(text, &receivers);
        Config { resolve_timeout_ms, routes, receivers, inhibit_rules, shown }
    }

    /// Mutes alerts that match all of `target` while one fires that matches all of `source` and has the same values in `equal`, beside
    /// what the file says.
    pub fn inhibit(&mut self, source: Vec<Matcher>, target: Vec<Matcher>, equal: Vec<String>) {
        self.inhibit_rules.push(InhibitRule { source, target, equal });
    }

    /// The receiver with this name.
    pub(crate) fn receiver(&self, name: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|r| r.name == name)
    }
}

/// The text without passwords and tokens. A webhook's URL often is a token, so only its server is shown.
fn shown(text: &str, receivers: &[Receiver]) -> String {
    let mut shown = config::redact(text);
    for webhook in receivers.iter().flat_map(|r| &r.webhooks) {
        if let UrlSource::Inline(url) = &webhook.url {
            shown = shown.replace(url.written(), &url.shown());
        }
    }
    shown
}

fn global(raw: Option<RawGlobal>, report: &mut Report) -> (i64, HttpClientConfig) {
    let raw = raw.unwrap_or_default();
    raw.refuse_unsupported(report);
    let http = raw.http_config.map(|http| HttpClientConfig::validate(http.value, report)).unwrap_or_default();
    (raw.resolve_timeout.map_or(RESOLVE_TIMEOUT_MS, |d| d.0), http)
}

fn refuse_repeated_names(receivers: &[Receiver], report: &mut Report) {
    let mut seen = BTreeSet::new();
    for receiver in receivers {
        if !seen.insert(&receiver.name) {
            report.error(receiver.position, format_args!("there are two receivers with the name {:?}", receiver.name));
        }
    }
}

fn receiver(raw: RawReceiver, http: &HttpClientConfig, report: &mut Report) -> Option<Receiver> {
    raw.refuse_unsupported(report);
    let Some(name) = raw.name else {
        report.error(Position::default(), "a receiver has no name");
        return None;
    };
    let webhooks = raw.webhook_configs.into_iter().filter_map(|w| webhook(w, http, report)).collect();
    Some(Receiver { position: name.position, name: name.value, webhooks })
}

fn webhook(raw: Spanned<RawWebhook>, http: &HttpClientConfig, report: &mut Report) -> Option<Webhook> {
    let (position, raw) = (raw.position, raw.value);
    raw.refuse_unsupported(report);
    let url = match (raw.url, raw.url_file) {
        (Some(url), None) => UrlSource::Inline(report.check(&url, WebhookUrl::parse(&url))?),
        (None, Some(file)) => UrlSource::File(report.resolve(&file)),
        (None, None) => {
            report.error(position, "a webhook needs url or url_file");
            return None;
        }
        (Some(_), Some(_)) => {
            report.error(position, "at most one of url and url_file may be given");
            return None;
        }
    };
    let timeout = raw.timeout.filter(|t| t.0 > 0).map_or(WEBHOOK_TIMEOUT, |t| t.to_std());
    let http = match raw.http_config {
        Some(own) => HttpClientConfig::validate(own.value, report),
        None => http.clone(),
    };
    let client = report.check(position, HttpClient::new(&http, timeout))?;
    let (send_resolved, max_alerts) = (raw.send_resolved.unwrap_or(true), raw.max_alerts.unwrap_or(0));
    let max_alerts = usize::try_from(max_alerts).unwrap_or(usize::MAX);
    Some(Webhook { url, send_resolved, max_alerts, client })
}

fn inhibit_rule(raw: RawInhibitRule, report: &mut Report) -> InhibitRule {
    InhibitRule {
        source: all_matchers(&raw.source_matchers, &raw.source_match, &raw.source_match_re, report),
        target: all_matchers(&raw.target_matchers, &raw.target_match, &raw.target_match_re, report),
        equal: raw.equal.into_iter().map(|name| label_name(name, report)).collect(),
    }
}

fn label_name(name: Spanned<String>, report: &mut Report) -> String {
    if name.is_empty() {
        report.error(&name, "a label name must not be empty");
    }
    name.value
}

/// Matchers in the three ways of writing them: a list of texts, and the older maps of names to values and to expressions.
fn all_matchers(
    texts: &[Spanned<String>],
    equal: &BTreeMap<String, Spanned<String>>,
    regex: &BTreeMap<String, Spanned<String>>,
    report: &mut Report,
) -> Vec<Matcher> {
    let mut matchers = Vec::new();
    for text in texts {
        matchers.extend(report.check(text, parse_matchers(text)).unwrap_or_default());
    }
    for (op, map) in [(MatchOp::Equal, equal), (MatchOp::Regex, regex)] {
        for (name, value) in map {
            matchers.extend(report.check(value, Matcher::new(op, name, &value.value)));
        }
    }
    matchers
}

/// What a route hands down to its sub-routes.
#[derive(Clone)]
struct Inherited {
    receiver: String,
    group_by: GroupBy,
    group_wait_ms: i64,
    group_interval_ms: i64,
    repeat_interval_ms: i64,
    key: String,
}

/// Builds the route tree.
struct Tree<'a> {
    routes: Vec<Route>,
    ids: BTreeSet<String>,
    receivers: BTreeSet<&'a str>,
}

impl<'a> Tree<'a> {
    fn build(root: Spanned<RawRoute>, receivers: &'a [Receiver], report: &mut Report) -> Routes {
        let (has_matchers, position) =
            (!(root.matchers.is_empty() && root.r#match.is_empty() && root.match_re.is_empty()), root.position);
        if root.receiver.as_ref().is_none_or(|name| name.is_empty()) {
            report.error(
                position,
                "the root route needs a receiver: it is where everything goes that no sub-route takes",
            );
        }
        if has_matchers {
            report.error(position, "the root route must not have matchers: it takes every alert");
        }
        if let Some(continues) = root.r#continue.as_ref().filter(|c| c.value) {
            report.error(continues, "the root route has no siblings to continue with");
        }
        let receivers = receivers.iter().map(|r| r.name.as_str()).collect();
        let mut tree = Tree { routes: Vec::new(), ids: BTreeSet::new(), receivers };
        let defaults = Inherited {
            receiver: String::new(),
            group_by: GroupBy::Names(BTreeSet::new()),
            group_wait_ms: GROUP_WAIT_MS,
            group_interval_ms: GROUP_INTERVAL_MS,
            repeat_interval_ms: REPEAT_INTERVAL_MS,
            key: String::new(),
        };
        tree.add(root.value, defaults, report);
        Routes::new(tree.routes)
    }

    fn add(&mut self, raw: RawRoute, mut inherited: Inherited, report: &mut Report) -> RouteId {
        raw.refuse_unsupported(report);
        let matchers = all_matchers(&raw.matchers, &raw.r#match, &raw.match_re, report);
        let separator = if self.routes.is_empty() { "" } else { "/" };
        inherited.key = format!("{}{separator}{}", inherited.key, print_matchers(&matchers));
        self.take_own_values(&raw, &mut inherited, report);
        let id = self.unique_id(&inherited.key);
        let own = self.routes.len();
        self.routes.push(Route {
            receiver: inherited.receiver.clone(),
            group_by: inherited.group_by.clone(),
            group_wait_ms: inherited.group_wait_ms,
            group_interval_ms: inherited.group_interval_ms,
            repeat_interval_ms: inherited.repeat_interval_ms,
            matchers,
            continues: raw.r#continue.is_some_and(|c| c.value),
            key: inherited.key.clone(),
            id,
            children: Vec::new(),
        });
        for child in raw.routes {
            let child = self.add(child.value, inherited.clone(), report);
            self.routes[own].children.push(child);
        }
        own
    }

    /// Replaces what is inherited by what the route says itself.
    fn take_own_values(&self, raw: &RawRoute, values: &mut Inherited, report: &mut Report) {
        if let Some(name) = raw.receiver.as_ref().filter(|name| !name.is_empty()) {
            if !self.receivers.contains(name.as_str()) {
                let known: Vec<&str> = self.receivers.iter().copied().collect();
                let hint = match config::suggestion(name, &known) {
                    Some(meant) => format!(", did you mean {meant:?}?"),
                    None => String::new(),
                };
                report.error(name, format_args!("undefined receiver {:?}{hint}", name.value));
            }
            name.value.clone_into(&mut values.receiver);
        }
        if let Some(names) = &raw.group_by {
            values.group_by = group_by(names, report);
        }
        let mut duration = |key: &str, own: &Option<Spanned<DurationMs>>, value: &mut i64, may_be_zero: bool| {
            let Some(own) = own else { return };
            if own.0 == 0 && !may_be_zero {
                report.error(own, format_args!("{key} cannot be zero"));
            }
            *value = own.value.0;
        };
        duration("group_wait", &raw.group_wait, &mut values.group_wait_ms, true);
        duration("group_interval", &raw.group_interval, &mut values.group_interval_ms, false);
        duration("repeat_interval", &raw.repeat_interval, &mut values.repeat_interval_ms, false);
    }

    fn unique_id(&mut self, key: &str) -> Arc<str> {
        let mut id = key.to_owned();
        let mut twin = 1;
        while !self.ids.insert(id.clone()) {
            twin += 1;
            id = format!("{key}#{twin}");
        }
        id.into()
    }
}

fn group_by(names: &[Spanned<String>], report: &mut Report) -> GroupBy {
    let mut set = BTreeSet::new();
    for name in names {
        if name.value == GROUP_BY_ALL && names.len() > 1 {
            report.error(name, "group_by takes either '...' or names of labels, not both");
        }
        if name.is_empty() {
            report.error(name, "a label name must not be empty");
        }
        if !set.insert(name.value.clone()) {
            report.error(name, format_args!("group_by names the label {:?} twice", name.value));
        }
    }
    if set.contains(GROUP_BY_ALL) { GroupBy::All } else { GroupBy::Names(set) }
}

#[cfg(test)]
mod tests;

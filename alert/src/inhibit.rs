//! Inhibition: an alert that makes another one pointless keeps it quiet while it fires.

use std::collections::HashMap;

use model::{Labels, Matcher, Timestamp};

use crate::alert::Alert;
use crate::fingerprint::Fingerprint;

/// While an alert fires that matches `source`, alerts that match `target` and have the same values in `equal` are muted.
#[derive(Debug, Clone)]
pub(crate) struct InhibitRule {
    /// Which alerts mute.
    pub(crate) source: Vec<Matcher>,
    /// Which alerts are muted.
    pub(crate) target: Vec<Matcher>,
    /// Labels in which both agree; a label that neither has agrees.
    pub(crate) equal: Vec<String>,
}

fn all_match(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|m| m.matches_labels(labels))
}

impl InhibitRule {
    fn equal_values(&self, labels: &Labels) -> Vec<String> {
        self.equal.iter().map(|name| labels.value(name).to_owned()).collect()
    }
}

/// A source alert, and whether it is a target of the same rule too.
type Source = (Fingerprint, bool);

/// The sources of a rule by their values of its equal labels.
type Sources = HashMap<Vec<String>, Vec<Source>>;

/// The rules together with the alerts that fire at one moment, indexed so that asking costs no walk over all alerts.
#[derive(Debug)]
pub(crate) struct Inhibitor<'a> {
    rules: Vec<(&'a InhibitRule, Sources)>,
}

impl<'a> Inhibitor<'a> {
    /// Takes in the alerts that fire at `now`.
    pub(crate) fn new<'b>(
        rules: &'a [InhibitRule],
        alerts: &(impl Iterator<Item = (&'b Fingerprint, &'b Alert)> + Clone),
        now: Timestamp,
    ) -> Self {
        let indexed = rules.iter().map(|rule| {
            let mut sources = Sources::new();
            for (fingerprint, alert) in alerts.clone() {
                if !alert.is_resolved(now) && all_match(&rule.source, &alert.labels) {
                    let source = (*fingerprint, all_match(&rule.target, &alert.labels));
                    sources.entry(rule.equal_values(&alert.labels)).or_default().push(source);
                }
            }
            (rule, sources)
        });
        Inhibitor { rules: indexed.collect() }
    }

    /// The alert that mutes one with these labels. An alert that is source and target of the same rule is not muted by
    /// another such alert, itself included.
    pub(crate) fn muted_by(&self, labels: &Labels) -> Option<Fingerprint> {
        self.rules.iter().filter(|(rule, _)| all_match(&rule.target, labels)).find_map(|(rule, sources)| {
            let both_sides = all_match(&rule.source, labels);
            let candidates = sources.get(&rule.equal_values(labels))?;
            candidates.iter().find(|(_, target_too)| !(both_sides && *target_too)).map(|(fingerprint, _)| *fingerprint)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher_text::parse_matchers;

    fn firing(text: &str, ends: i64) -> (Fingerprint, Alert) {
        let matchers = parse_matchers(text).unwrap();
        let labels = Labels::from_pairs(matchers.iter().map(|m| (m.name(), m.value())));
        let alert = Alert {
            labels,
            annotations: Labels::empty(),
            starts_at: Timestamp::from_ms(0),
            ends_at: Timestamp::from_ms(ends),
            updated_at: Timestamp::from_ms(0),
            generator_url: String::new(),
            timeout: false,
        };
        (alert.fingerprint(), alert)
    }

    #[test]
    fn mutes_targets_that_agree_with_a_firing_source() {
        let rule = InhibitRule {
            source: parse_matchers("severity=critical").unwrap(),
            target: parse_matchers("severity=~\"warning|critical\"").unwrap(),
            equal: vec!["cluster".to_owned()],
        };
        let rules = [rule];
        let check = |source: (&str, i64), target: &str, muted: bool| {
            let alerts = [firing(source.0, source.1)];
            let inhibitor = Inhibitor::new(&rules, &alerts.iter().map(|(f, a)| (f, a)), Timestamp::from_ms(50));
            let want = muted.then_some(alerts[0].0);
            assert_eq!(inhibitor.muted_by(&firing(target, 100).1.labels), want, "{source:?} {target}");
        };
        check(("severity=critical,cluster=a", 100), "severity=warning,cluster=a", true);
        check(("severity=critical,cluster=a", 100), "severity=warning,cluster=b", false);
        check(("severity=critical,cluster=a", 100), "severity=info,cluster=a", false);
        check(("severity=critical,cluster=a", 50), "severity=warning,cluster=a", false); // resolved
        check(("severity=critical", 100), "severity=warning", true); // neither has the label
        check(("severity=critical,x=1", 100), "severity=critical,x=2", false); // both are on both sides
    }
}

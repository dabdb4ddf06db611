//! What a restart makes of alerts in each of their states.

use std::sync::atomic::Ordering;

use model::{Labels, STALE_NAN, Timestamp};
use rules::{Alert, AlertState, Settings};
use storage::Appendable;

use crate::node::{BY_HAND, MINUTE, Node, START, assert_lines, at};

const RESTORING: Settings = Settings { restore: true, ..BY_HAND };

/// What a target's scrape at a minute gives: `x` the condition holds, `-` it doesn't, `?` the scrape fails, a space where there is none.
fn scrape(node: &Node, minute: i64, instance: &str, what: char) {
    let (up, full) = match what {
        'x' => (1.0, 1.0),
        '-' => (1.0, 0.0),
        '?' => (0.0, STALE_NAN),
        _ => return,
    };
    let target = [("instance", instance), ("job", "node")];
    let of = |name| [("__name__", name), target[0], target[1]];
    node.append(at(minute), &[(&of("up"), up), (&of("full"), full)]);
}

/// The state of the only alert: `p`ending, `f`iring, `k`ept firing, a point where there is none.
fn state(node: &Node, rule: &str) -> char {
    match node.alerts(rule).first().map(|alert| (alert.state, alert.keep_firing_since)) {
        None => '.',
        Some((AlertState::Firing, None)) => 'f',
        Some((AlertState::Firing, Some(_))) => 'k',
        Some(_) => 'p',
    }
}

/// What was told since this was asked last: `h` hold on, `F` it fires, `R` it is over; repetitions left out.
fn tell(node: &Node, now: Timestamp, told: &mut Vec<char>) {
    let letter = |alert: Alert| match (alert.recalled, alert.is_resolved(now)) {
        (true, _) => 'h',
        (false, true) => 'R',
        (false, false) => 'F',
    };
    told.extend(node.recorder.sent.lock().drain(..).map(letter));
    told.dedup();
}

/// Lives of a node: for how many minutes it was away before, and what scrapes gave in it, a letter for each minute. It starts a second
/// before its first minute. The answer has the states in each life, since which minute the alert has been active in the end, and
/// what the last life told.
async fn lives(rule: &str, lives: &[(i64, &str)]) -> (String, Option<i64>, String) {
    let rules = format!("groups: [{{name: g, rules: [{{alert: Full, expr: 'full == 1', {rule}}}]}}]");
    let (mut minute, mut states) = (-1, Vec::new());
    let mut directory = tempfile::tempdir().expect("a directory");
    let mut last = (None, String::new());
    for (away, scrapes) in lives {
        minute += away;
        let node = Node::open(directory, RESTORING, at(minute + 1) - 1000);
        node.apply("r.yml", &rules).await;
        let (mut shown, mut told) = (String::new(), Vec::new());
        tell(&node, at(minute + 1) - 1000, &mut told);
        for what in scrapes.chars() {
            minute += 1;
            scrape(&node, minute, "a", what);
            node.evaluate(at(minute)).await;
            shown.push(state(&node, "Full"));
            tell(&node, at(minute), &mut told);
        }
        states.push(shown);
        let since = node.alerts("Full").first().map(|alert| (alert.active_at.as_ms() - START + MINUTE / 2) / MINUTE);
        last = (since, told.into_iter().collect());
        directory = node.stop().await;
    }
    (states.join("|"), last.0, last.1)
}

#[tokio::test]
async fn every_state_survives_a_restart() {
    let check = async |rule: &str, all: &[(i64, &str)], states: &str, since: Option<i64>, told: &str| {
        let got = lives(rule, all).await;
        assert_eq!(got, (states.to_owned(), since, told.to_owned()), "{rule} {all:?}");
    };
    // Firing: it holds, it has ended meanwhile, nothing is scraped at first, nothing is ever.
    check("for: 0s", &[(0, "xx"), (0, "xx")], "ff|ff", Some(0), "hF").await;
    check("for: 5m", &[(0, "xxxxxxx"), (0, "x")], "pppppff|f", Some(0), "hF").await;
    check("for: 0s", &[(0, "xx"), (0, "---")], "ff|f..", None, "hR").await;
    check("for: 0s", &[(0, "xx"), (10, "   xx")], "ff|fffff", Some(0), "hF").await;
    check("for: 0s", &[(0, "xx"), (10, "       ")], "ff|fffff..", None, "hR").await;
    // Again while it waits to be scraped.
    check("for: 0s", &[(0, "xx"), (10, "  "), (10, " xx")], "ff|ff|fff", Some(0), "hF").await;
    // Held, because a scrape failed.
    check("for: 0s", &[(0, "xx?"), (0, "?x")], "fff|ff", Some(0), "hF").await;
    check("for: 0s", &[(0, "xx?"), (0, "?--")], "fff|f..", None, "hR").await;
    check("for: 0s", &[(0, "xx?"), (0, "??????")], "fff|ffff..", None, "hR").await;
    // Kept firing.
    check("keep_firing_for: 5m", &[(0, "xx-"), (0, "------")], "ffk|kkkk..", None, "hFR").await;
    check("keep_firing_for: 5m", &[(0, "xx-"), (0, "-x-")], "ffk|kfk", Some(0), "hF").await;
    check("keep_firing_for: 5m", &[(0, "xx-"), (10, "--")], "ffk|..", None, "hR").await;
    // Pending: the outage doesn't count; with a long `for` the grace period does.
    check("for: 5m", &[(0, "xxx"), (0, "xxxxx")], "ppp|pppff", Some(1), "F").await;
    check("for: 10m", &[(0, "xxx"), (4, "xx")], "ppp|pp", Some(7), "").await;
    check("for: 30m", &[(0, "xxx"), (4, "xx")], "ppp|pp", Some(5), "").await;
    check("for: 5m", &[(0, "xx"), (0, "---")], "pp|p..", None, "").await;
    check("for: 5m", &[(0, "xx"), (10, "   x")], "pp|pppp", Some(11), "").await;
    // It doesn't fire before its target was scraped twice.
    check("for: 121s", &[(0, "xxx"), (0, "xx")], "ppp|pf", Some(1), "F").await;
    // Over, and still to be told; or too long ago.
    check("for: 0s", &[(0, "xx-"), (0, "--")], "ff.|..", None, "R").await;
    check("for: 0s", &[(0, "xx-"), (20, "--")], "ff.|..", None, "").await;
    // Away for too long.
    check("for: 0s", &[(0, "xx"), (61, "xx")], "ff|ff", Some(63), "F").await;
}

#[tokio::test]
async fn an_aggregate_waits_for_all_targets() {
    const RULES: &str = "groups: [{name: g, rules: [{alert: Total, expr: 'sum(full) > 1'}]}]";
    let node = Node::new(BY_HAND);
    node.apply("r.yml", RULES).await;
    ["a", "b"].into_iter().for_each(|instance| scrape(&node, 0, instance, 'x'));
    node.evaluate(at(0)).await;
    let directory = node.stop().await;
    let node = Node::open(directory, RESTORING, at(10) - 1000);
    node.apply("r.yml", RULES).await;
    for minute in 10..13 {
        scrape(&node, minute, "a", 'x');
        node.evaluate(at(minute)).await;
        assert_eq!(state(&node, "Total"), 'f', "{minute}");
    }
    ["a", "b"].into_iter().for_each(|instance| scrape(&node, 13, instance, 'x'));
    node.evaluate(at(13)).await;
    let alerts = node.alerts("Total");
    assert_eq!((alerts[0].state, alerts[0].active_at), (AlertState::Firing, at(0)));
}

#[tokio::test]
async fn a_rule_that_says_something_else_gets_no_state() {
    let rules = |rule: &str| format!("groups: [{{name: g, rules: [{{alert: Full, {rule}}}]}}]");
    for (changed, goes_on) in [
        ("expr: 'full == 1', for: 1m, annotations: {a: b}", true),
        ("expr: 'full == 1', for: 1m, keep_firing_for: 5m", true),
        ("expr: 'full >= 1', for: 1m", false),
        ("expr: 'full == 1', for: 2m", false),
        ("expr: 'full == 1', for: 1m, labels: {severity: page}", false),
    ] {
        let node = Node::new(BY_HAND);
        node.apply("r.yml", &rules("expr: 'full == 1', for: 1m")).await;
        for minute in 0..3 {
            scrape(&node, minute, "a", 'x');
            node.evaluate(at(minute)).await;
        }
        assert_eq!(node.storage.notes("alerts/").len(), 3);
        let node = Node::open(node.stop().await, RESTORING, at(3) - 1000);
        node.apply("r.yml", &rules(changed)).await;
        assert_eq!(node.storage.notes("alerts/").len(), if goes_on { 3 } else { 1 }, "{changed}");
        scrape(&node, 3, "a", 'x');
        node.evaluate(at(3)).await;
        assert_eq!(node.alerts("Full")[0].active_at, if goes_on { at(0) } else { at(3) }, "{changed}");
    }
}

#[tokio::test]
async fn notes_go_with_their_rules() {
    let rules = |name: &str, expr: &str| {
        format!("groups: [{{name: {name}, rules: [{{alert: Full, expr: '{expr}'}}, {{alert: Other, expr: full}}]}}]")
    };
    let node = Node::new(BY_HAND);
    let notes = |node: &Node| node.storage.notes("alerts/").into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    node.apply("r.yml", &rules("g", "full == 1")).await;
    scrape(&node, 0, "a", 'x');
    node.evaluate(at(0)).await;
    let first = notes(&node);
    assert_eq!(first.len(), 5, "{first:?}");
    // A reload that changes a rule: its alert goes on, and is noted as the new rule's.
    node.apply("r.yml", &rules("g", "full >= 1")).await;
    node.evaluate(at(1)).await;
    let second = notes(&node);
    assert_eq!(second.iter().filter(|name| first.contains(name)).count(), 3, "{first:?} {second:?}");
    assert_eq!((second.len(), node.alerts("Full")[0].active_at), (5, at(0)));
    node.apply("r.yml", "groups: []").await;
    assert!(notes(&node).is_empty());
}

#[tokio::test]
async fn what_could_not_be_noted_is_noted_later() {
    let node = Node::new(BY_HAND);
    node.apply("r.yml", "groups: [{name: g, rules: [{alert: Full, expr: 'full == 1'}]}]").await;
    let noted = |node: &Node| {
        let notes = node.storage.notes("alerts/").into_iter();
        notes.map(|(_, note)| String::from_utf8(note).expect("text")).collect::<Vec<_>>().join(" ")
    };
    for (minute, what) in "xx-".chars().enumerate() {
        node.storage.refuse_commits.store(minute == 2, Ordering::SeqCst);
        scrape(&node, minute as i64, "a", what);
        node.evaluate(at(minute as i64)).await;
    }
    assert!(!noted(&node).contains("resolved_at"), "{}", noted(&node));
    node.storage.refuse_commits.store(false, Ordering::SeqCst);
    node.evaluate(at(3)).await;
    assert!(noted(&node).contains(&format!("\"resolved_at\":{}", at(2).as_ms())), "{}", noted(&node));
}

#[tokio::test]
async fn series_of_before_a_restart_end_with_their_alerts() {
    const RULES: &str = "groups: [{name: g, rules: [{alert: Full, expr: 'full == 1', for: 1m}]}]";
    let node = Node::new(BY_HAND);
    node.apply("r.yml", RULES).await;
    for minute in 0..2 {
        scrape(&node, minute, "a", 'x');
        node.evaluate(at(minute)).await;
    }
    let node = Node::open(node.stop().await, RESTORING, at(2) - 1000);
    node.apply("r.yml", RULES).await;
    for minute in 2..5 {
        scrape(&node, minute, "a", '-');
        node.evaluate(at(minute)).await;
    }
    let line = |state: &str, samples: &str| {
        let labels = [("alertname", "Full"), ("alertstate", state), ("instance", "a"), ("job", "node")];
        format!("ALERTS{} {samples}", Labels::from_pairs(labels))
    };
    let want = [line("firing", "1:1 2:1 3:stale"), line("pending", "0:1 1:stale")];
    assert_lines(&node.stored("ALERTS").await, &[&want[0], &want[1]]);
}

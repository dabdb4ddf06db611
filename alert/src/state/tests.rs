use std::time::Duration;

use super::*;
use crate::pair::Answer;
use crate::silence::SilenceMatcher;
use crate::word::Word;

const MINUTE_MS: i64 = 60_000;

fn config(send_resolved: bool) -> Config {
    let text = format!(
        "
route: {{receiver: hook, group_by: [alertname], group_wait: 10s, group_interval: 1m, repeat_interval: 1h}}
receivers: [{{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:9/', send_resolved: {send_resolved}}}]}}]
inhibit_rules: [{{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [alertname]}}]
"
    );
    Config::load(&text, config::Report::new("alertmanager.yml")).unwrap()
}

/// A pipeline whose receiver takes everything, at a time that the test moves.
struct Bench {
    dir: tempfile::TempDir,
    config: Config,
    state: State,
    now: Timestamp,
}

impl Bench {
    fn new(send_resolved: bool) -> Self {
        let (dir, config, now) = (tempfile::tempdir().unwrap(), config(send_resolved), Timestamp::from_ms(1_000_000));
        let state = State::open(dir.path(), &config, 1, now).unwrap().0;
        Bench { dir, config, state, now }
    }

    /// Fires alerts (`name/instance/severity`) that hold for five minutes without being sent again.
    fn fire(&mut self, specs: &[&str]) {
        self.receive(specs, 5 * MINUTE_MS);
    }

    fn resolve(&mut self, specs: &[&str]) {
        self.receive(specs, 0);
    }

    fn receive(&mut self, specs: &[&str], ends_in_ms: i64) {
        let alert = |spec: &&str| {
            let mut parts = spec.split('/');
            let names = ["alertname", "instance", "severity"].into_iter();
            Alert {
                labels: Labels::from_pairs(names.map(|name| (name, parts.next().unwrap_or("")))),
                annotations: Labels::empty(),
                starts_at: self.now - 1,
                ends_at: self.now + ends_in_ms,
                updated_at: self.now,
                generator_url: String::new(),
                timeout: false,
            }
        };
        self.state.receive(specs.iter().map(alert).collect(), &self.config, self.now).unwrap();
    }

    /// Moves the time on and delivers what is due; the instances told, those that are over in brackets.
    fn after(&mut self, ms: i64) -> Vec<String> {
        self.now += ms;
        let plans = self.state.plan(&self.config, self.now);
        self.state.settle(&plans, self.now).unwrap();
        let mut told = Vec::new();
        for plan in plans {
            for delivery in plan.deliveries {
                let show = |(_, alert): &(Fingerprint, Alert)| match alert.labels.value("instance") {
                    name if alert.is_resolved(self.now) => format!("[{name}]"),
                    name => name.to_owned(),
                };
                told.push(delivery.alerts.iter().map(show).collect::<Vec<_>>().join(" "));
                self.state.record(delivery.intent).unwrap();
            }
            self.state.finish(&plan.flush, &Outcome::Delivered, self.now, Duration::ZERO);
        }
        told
    }

    /// What a kill -9 and a start after `ms` make of it.
    fn restart(&mut self, ms: i64) {
        self.now += ms;
        self.state = State::open(self.dir.path(), &self.config, 1, self.now).unwrap().0;
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn the_life_of_a_group() {
    let mut bench = Bench::new(true);
    bench.fire(&["Down/a"]);
    assert_eq!(bench.after(5000), NOTHING);
    bench.fire(&["Down/b"]);
    assert_eq!(bench.after(5000), ["a b"]);
    bench.fire(&["Down/a", "Down/b"]);
    assert_eq!(bench.after(MINUTE_MS), NOTHING, "nothing has changed");
    bench.resolve(&["Down/a"]);
    assert_eq!(bench.after(MINUTE_MS - 1), NOTHING, "the interval isn't over");
    assert_eq!(bench.after(1), ["[a] b"]);
    bench.fire(&["Down/b"]);
    bench.resolve(&["Down/b"]);
    assert_eq!(bench.after(MINUTE_MS), ["[b]"]);
    assert_eq!(bench.state.group_count(), 0);
}

#[test]
fn an_unchanged_group_is_repeated_after_the_repeat_interval() {
    let mut bench = Bench::new(true);
    bench.fire(&["Down/a"]);
    assert_eq!(bench.after(10_000), ["a"]);
    let mut told = Vec::new();
    for minute in 1..=60 {
        bench.fire(&["Down/a"]);
        told.extend(bench.after(MINUTE_MS).into_iter().map(|_| minute));
    }
    assert_eq!(told, [60]);
}

#[test]
fn an_alert_that_is_not_sent_again_times_out() {
    let mut bench = Bench::new(true);
    bench.fire(&["Down/a"]);
    assert_eq!(bench.after(10_000), ["a"]);
    assert_eq!(bench.after(4 * MINUTE_MS), NOTHING);
    assert_eq!(bench.after(MINUTE_MS), ["[a]"]);
}

#[test]
fn a_restart_repeats_nothing_and_forgets_nothing() {
    let mut bench = Bench::new(true);
    bench.fire(&["Down/a"]);
    assert_eq!(bench.after(10_000), ["a"]);
    bench.restart(1000);
    assert_eq!(bench.after(0), NOTHING, "a was told before");
    bench.resolve(&["Down/a"]);
    bench.restart(1000);
    assert_eq!(bench.after(0), ["[a]"], "its end wasn't");
    bench.restart(1000);
    assert_eq!(bench.after(MINUTE_MS), NOTHING);
}

#[test]
fn an_alert_survives_an_outage_longer_than_its_end() {
    let mut bench = Bench::new(true);
    bench.fire(&["Down/a"]);
    assert_eq!(bench.after(10_000), ["a"]);
    bench.restart(60 * MINUTE_MS - 10_000);
    assert_eq!(bench.after(0), NOTHING, "nobody could send it again while we were away");
    bench.fire(&["Down/a"]);
    assert_eq!(bench.after(MINUTE_MS), ["a"], "repeated, never resolved");
}

#[test]
fn what_timed_out_stays_over_after_a_restart() {
    let mut bench = Bench::new(true);
    bench.fire(&["Down/a"]);
    assert_eq!(bench.after(10_000), ["a"]);
    assert_eq!(bench.after(5 * MINUTE_MS), ["[a]"]);
    bench.restart(1000);
    assert_eq!(bench.after(MINUTE_MS), NOTHING);
    assert_eq!(bench.state.alert_views(&bench.config, bench.now), []);
}

#[test]
fn a_recalled_alert_is_held_on_and_is_no_news() {
    let mut bench = Bench::new(true);
    let alert = |bench: &Bench| Alert {
        labels: Labels::from_pairs([("alertname", "Down"), ("instance", "a"), ("severity", "")]),
        annotations: Labels::empty(),
        starts_at: bench.now - 1,
        ends_at: bench.now + 40 * MINUTE_MS,
        updated_at: bench.now,
        generator_url: String::new(),
        timeout: false,
    };
    let recalled = alert(&bench);
    bench.state.hold_on(std::slice::from_ref(&recalled), &bench.config, bench.now);
    assert_eq!(bench.after(10_000), NOTHING, "nobody knows of it");
    bench.fire(&["Down/a"]);
    assert_eq!(bench.after(10_000), ["a"]);
    bench.restart(MINUTE_MS);
    let recalled = alert(&bench);
    bench.state.hold_on(&[recalled], &bench.config, bench.now);
    assert_eq!(bench.after(30 * MINUTE_MS), NOTHING, "held on for longer than the pipeline would by itself");
    bench.resolve(&["Down/a"]);
    assert_eq!(bench.after(MINUTE_MS), ["[a]"]);
}

#[test]
fn a_source_that_is_gone_is_found_out_by_its_silence() {
    let mut bench = Bench::new(true);
    let peer = Member { name: "b".to_owned(), run: 1 };
    bench.fire(&["Down/a"]);
    let own = bench.state.alerts.iter().next().unwrap().1.clone();
    let word = Word::new("b".to_owned(), Alert { ends_at: bench.now + 60 * MINUTE_MS, ..own });
    bench.state.adopt(vec![Record::Alert(word)], &bench.config, bench.now).unwrap();
    assert_eq!(bench.after(10_000), ["a"]);
    bench.resolve(&["Down/a"]);
    let mut told = Vec::new();
    for round in 0..12 {
        if round < 6 {
            bench.state.alive(&peer, &HashSet::new(), bench.now, Duration::ZERO);
        }
        bench.state.let_go(&bench.config, bench.now).unwrap();
        told.extend(bench.after(MINUTE_MS).into_iter().map(|what| format!("{round} {what}")));
    }
    assert_eq!(told, ["9 [a]"]);
}

#[test]
fn an_answer_that_is_of_no_use_holds_nothing() {
    let mut bench = Bench::new(true);
    bench.fire(&["Down/a"]);
    bench.now += 10_000;
    let plan = bench.state.plan(&bench.config, bench.now).remove(0);
    let delivery = &plan.deliveries[0];
    let entry = |key: &str, at: Timestamp, expires_at: Timestamp| Entry {
        key: key.to_owned(),
        at,
        expires_at,
        ..delivery.intent.clone()
    };
    let key = delivery.intent.key.as_str();
    let mut check = |after: Option<Timestamp>, entry: Entry, tells: bool| {
        assert_eq!(bench.state.claim(delivery, bench.now, Duration::ZERO), Claim::Ask);
        let answers = vec![Answer::Sent(entry.clone())];
        let decided = bench.state.decide(key, after, answers, &bench.config, bench.now, Duration::ZERO).unwrap();
        assert_eq!(decided, tells, "{entry:?}");
        bench.state.give_up(key);
    };
    let (now, later) = (bench.now, bench.now + MINUTE_MS);
    check(None, entry("of another group", now, later), true);
    check(None, entry(key, now - 2, now), true); // expired, by our clock
    check(Some(now), entry(key, now, later), true); // we know that one
    check(Some(now - 1), entry(key, now, later), false);
}

#[test]
fn silences_mute_and_survive() {
    let mut bench = Bench::new(true);
    let matcher = SilenceMatcher { name: "instance".into(), value: "a".into(), is_regex: false, is_equal: true };
    let request = SilenceRequest {
        id: None,
        matchers: vec![matcher],
        starts_at: bench.now,
        ends_at: bench.now + 10 * MINUTE_MS,
        created_by: "ops".into(),
        comment: "upgrade".into(),
    };
    let id = bench.state.set_silence(request, bench.now).unwrap();
    bench.fire(&["Down/a", "Down/b"]);
    bench.restart(1000);
    let views = bench.state.alert_views(&bench.config, bench.now);
    let silenced: Vec<&[String]> = views.iter().filter(|v| v.is_suppressed()).map(|v| &v.silenced_by[..]).collect();
    assert_eq!(silenced, [[id.clone()]]);
    assert_eq!(bench.after(10_000), ["b"]);
    bench.state.expire_silence(&id, bench.now).unwrap();
    bench.restart(1000);
    assert_eq!(bench.after(MINUTE_MS), ["a b"]);
}

#[test]
fn a_critical_alert_mutes_the_warning() {
    let mut bench = Bench::new(true);
    bench.fire(&["Down/a/warning", "Down/b/critical"]);
    assert_eq!(bench.after(10_000), ["b"]);
    bench.resolve(&["Down/b/critical"]);
    assert_eq!(bench.after(MINUTE_MS), ["a [b]"]);
}

#[test]
fn without_send_resolved_the_end_is_not_told_and_a_new_incident_is() {
    let mut bench = Bench::new(false);
    bench.fire(&["Down/a"]);
    assert_eq!(bench.after(10_000), ["a"]);
    bench.resolve(&["Down/a"]);
    assert_eq!(bench.after(MINUTE_MS), [""], "an empty delivery, which only clears the log");
    bench.fire(&["Down/a"]);
    assert_eq!(bench.after(10_000), ["a"]);
}

#[test]
fn what_was_not_delivered_is_due_again() {
    let mut bench = Bench::new(true);
    bench.fire(&["Down/a"]);
    bench.now += 10_000;
    let plans = bench.state.plan(&bench.config, bench.now);
    assert_eq!(plans.len(), 1);
    bench.state.finish(&plans[0].flush, &Outcome::Failed, bench.now, Duration::ZERO);
    assert_eq!(bench.after(MINUTE_MS), ["a"]);
}

#[test]
fn the_journal_stays_bounded() {
    let mut bench = Bench::new(true);
    let path = bench.dir.path().join("alert/journal");
    let mut largest = 0;
    for round in 0..2000 {
        let specs: Vec<String> = (0..20).map(|i| format!("Down{i}/{round}")).collect();
        bench.fire(&specs.iter().map(String::as_str).collect::<Vec<_>>());
        bench.resolve(&specs.iter().map(String::as_str).collect::<Vec<_>>());
        bench.after(MINUTE_MS);
        bench.state.maintain(bench.now).unwrap();
        largest = largest.max(std::fs::metadata(&path).unwrap().len());
    }
    assert!(largest < 4 << 20, "{largest} bytes");
}

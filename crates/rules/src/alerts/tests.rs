use super::*;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;

fn labels(instance: &str) -> Labels {
    Labels::from_pairs([(ALERT_NAME, "Down"), ("instance", instance)])
}

fn found(instances: &[&str], value: f64) -> Found {
    let candidate = |instance: &&str| {
        let labels = labels(instance);
        let annotations = Labels::from_pairs([("value", value.to_string())]);
        (labels.clone(), Candidate { labels, annotations, value })
    };
    Found { candidates: instances.iter().map(candidate).collect(), missed: HashSet::new(), unsettled: HashSet::new() }
}

/// Feeds a set minute by minute: each letter is the condition at that minute (`x` holds, `-` doesn't, `?` isn't known because
/// a scrape failed), and the answer has the state after each: `p`ending, `f`iring, `k`ept firing, `r`esolved but known, ` `
/// unknown.
fn timeline(conditions: &str, holding: Holding) -> String {
    let mut set = AlertSet::default();
    let mut states = String::new();
    for (minute, condition) in conditions.chars().enumerate() {
        let instances: &[&str] = if condition == 'x' { &["a"] } else { &[] };
        let time = Timestamp::from_ms(minute as i64 * MINUTE);
        let mut found = found(instances, 1.0);
        if condition == '?' {
            found.missed.extend(set.vanished(time, &found.candidates, 5 * MINUTE));
        }
        set.step(time, found, holding, 0).expect("no limit");
        let times = set.instances.get(&labels("a")).map(|instance| instance.times);
        states.push(match times.map(|times| (times.state(), times.keep_firing_since)) {
            None => ' ',
            Some((AlertState::Pending, _)) => 'p',
            Some((AlertState::Firing, None)) => 'f',
            Some((AlertState::Firing, Some(_))) => 'k',
            Some((AlertState::Inactive, _)) => 'r',
        });
    }
    states
}

#[test]
fn states_over_time() {
    let check = |for_minutes: i64, keep_minutes: i64, conditions: &str, want: &str| {
        let holding = Holding { for_ms: for_minutes * MINUTE, keep_firing_for_ms: keep_minutes * MINUTE };
        assert_eq!(timeline(conditions, holding), want, "for {for_minutes}m, keep {keep_minutes}m: {conditions}");
    };
    check(0, 0, "-", " ");
    check(0, 0, "xx-", "ffr");
    check(2, 0, "xxxx-", "ppffr");
    check(2, 0, "xx-xxx", "pp ppf");
    check(3, 0, "x-x-x-", "p p p ");
    // Resolved alerts are known for a quarter of an hour, and one step to notice.
    check(0, 0, "x----------------", "frrrrrrrrrrrrrrrr");
    check(0, 0, "x-----------------", "frrrrrrrrrrrrrrrr ");
    // A resolved alert that comes back starts anew.
    check(2, 0, "xxx-xxx", "ppfrppf");
    check(0, 3, "x-----", "fkkkrr");
    check(0, 3, "x--x----", "fkkfkkkr");
    check(2, 2, "xxx---x", "ppfkkrp");
    // What is pending isn't kept.
    check(2, 5, "xx-", "pp ");
}

#[test]
fn a_missed_scrape_holds() {
    let check = |for_minutes: i64, keep_minutes: i64, conditions: &str, want: &str| {
        let holding = Holding { for_ms: for_minutes * MINUTE, keep_firing_for_ms: keep_minutes * MINUTE };
        assert_eq!(timeline(conditions, holding), want, "for {for_minutes}m, keep {keep_minutes}m: {conditions}");
    };
    check(0, 0, "x??x-", "ffffr");
    check(0, 0, "x??-", "fffr");
    // For five minutes from when it vanished.
    check(0, 0, "x??????", "ffffffr");
    check(0, 0, "x????x?????-", "fffffffffffr");
    // What is pending stays so, and fires when it is known to have held for long enough.
    check(2, 0, "x???x", "ppppf");
    check(2, 0, "x???-", "pppp ");
    check(9, 0, "x??????", "pppppp ");
    // What had ended before isn't held, and `keep_firing_for` begins when holding is over.
    check(0, 2, "x-??", "fkkr");
    check(0, 2, "x??--", "fffkk");
    check(0, 0, "x-??", "frrr");
    check(0, 0, "?", " ");
}

#[test]
fn value_and_annotations_follow_the_last_evaluation() {
    let mut set = AlertSet::default();
    let holding = Holding::default();
    set.step(Timestamp::from_ms(0), found(&["a"], 1.0), holding, 0).expect("no limit");
    set.step(Timestamp::from_ms(MINUTE), found(&["a", "b"], 2.0), holding, 0).expect("no limit");
    let status = set.status();
    assert_eq!(status.len(), 2);
    assert_eq!(status[0].labels, labels("a"));
    assert_eq!(status[0].active_at, Timestamp::from_ms(0));
    assert_eq!(status[0].value, 2.0);
    assert_eq!(status[0].annotations.value("value"), "2");
    assert_eq!(status[1].active_at, Timestamp::from_ms(MINUTE));
}

#[test]
fn active_alerts_show_as_series() {
    let mut set = AlertSet::default();
    let holding = Holding { for_ms: MINUTE, keep_firing_for_ms: 0 };
    let shown = |set: &AlertSet| -> Vec<String> { set.series().iter().map(|(l, v)| format!("{l} {v}")).collect() };
    set.step(Timestamp::from_ms(90_500), found(&["a"], 1.0), holding, 0).expect("no limit");
    assert_eq!(
        shown(&set),
        [
            "ALERTS{alertname=\"Down\", alertstate=\"pending\", instance=\"a\"} 1",
            "ALERTS_FOR_STATE{alertname=\"Down\", instance=\"a\"} 90",
        ]
    );
    set.step(Timestamp::from_ms(150_500), found(&["a"], 1.0), holding, 0).expect("no limit");
    assert_eq!(shown(&set)[0], "ALERTS{alertname=\"Down\", alertstate=\"firing\", instance=\"a\"} 1");
    assert_eq!(shown(&set)[1], "ALERTS_FOR_STATE{alertname=\"Down\", instance=\"a\"} 90");
    set.step(Timestamp::from_ms(210_500), found(&[], 1.0), holding, 0).expect("no limit");
    assert!(shown(&set).is_empty());
}

#[test]
fn beyond_the_limit_all_are_dropped() {
    let mut set = AlertSet::default();
    let holding = Holding::default();
    assert_eq!(set.step(Timestamp::from_ms(0), found(&["a", "b"], 1.0), holding, 2), Ok(()));
    assert_eq!(set.step(Timestamp::from_ms(1), found(&["a", "b", "c"], 1.0), holding, 2), Err(3));
    assert!(set.status().is_empty());
    // Resolved ones don't count.
    assert_eq!(set.step(Timestamp::from_ms(2), found(&["a", "b"], 1.0), holding, 2), Ok(()));
    assert_eq!(set.step(Timestamp::from_ms(3), found(&["c", "d"], 1.0), holding, 2), Ok(()));
}

#[test]
fn sends_when_due_and_resends() {
    let mut set = AlertSet::default();
    let holding = Holding { for_ms: MINUTE, keep_firing_for_ms: 0 };
    let mut sent = Vec::new();
    for second in (0..=200).step_by(20) {
        let time = Timestamp::from_ms(second * SECOND);
        let instances: &[&str] = if second < 160 { &["a"] } else { &[] };
        set.step(time, found(instances, 1.0), holding, 0).expect("no limit");
        for alert in set.due(time, MINUTE, 20 * SECOND, "http://g") {
            let ends_at = alert.ends_at.expect("always told").as_ms() / SECOND;
            sent.push((second, alert.starts_at.as_ms() / SECOND, ends_at, alert.is_resolved(time)));
        }
    }
    assert_eq!(
        sent,
        [
            (60, 60, 60 + 240, false),
            // More than a minute later.
            (140, 60, 140 + 240, false),
            // Resolved: at once.
            (160, 60, 160, true),
        ]
    );
    // Resolved alerts are told again while they are known, with the end they had.
    let time = Timestamp::from_ms(230 * SECOND);
    assert_eq!(set.due(time, MINUTE, 20 * SECOND, "http://g")[0].ends_at, Some(Timestamp::from_ms(160 * SECOND)));
}

#[test]
fn a_long_interval_makes_an_alert_good_for_longer() {
    let mut set = AlertSet::default();
    set.step(Timestamp::from_ms(0), found(&["b", "a"], 1.0), Holding::default(), 0).expect("no limit");
    let due = set.due(Timestamp::from_ms(0), MINUTE, 5 * MINUTE, "http://g");
    assert_eq!(due.iter().map(|alert| alert.labels.value("instance")).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(due[0].ends_at, Some(Timestamp::from_ms(20 * MINUTE)));
    assert_eq!(due[0].generator_url, "http://g");
}

#[test]
fn restores_active_alerts_only() {
    let mut set = AlertSet::default();
    let holding = Holding { for_ms: 0, keep_firing_for_ms: 0 };
    set.step(Timestamp::from_ms(0), found(&["a", "b"], 1.0), holding, 0).expect("no limit");
    set.step(Timestamp::from_ms(MINUTE), found(&["a"], 1.0), holding, 0).expect("no limit");
    set.restore(|_| Some(Timestamp::from_ms(-MINUTE)));
    let status = set.status();
    assert_eq!(status.len(), 1);
    assert_eq!(status[0].active_at, Timestamp::from_ms(-MINUTE));
    assert_eq!(set.instances[&labels("b")].times.active_at, Timestamp::from_ms(0));
}

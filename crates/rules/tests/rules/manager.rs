//! Rule groups over a real database and the real engine: what they store, what they tell, what a reload and a restart leave.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::node::{BY_HAND, Node, START, assert_lines, at};
use model::{Histogram, Labels, Timestamp};
use rules::{AlertState, Health, Settings};
use storage::Appendable;

const UP: [(&str, &str); 1] = [("__name__", "up")];

fn up(instance: &'static str) -> [(&'static str, &'static str); 2] {
    [UP[0], ("instance", instance)]
}

#[tokio::test]
async fn records_under_its_name_with_its_labels() {
    let node = Node::new(BY_HAND);
    node.apply(
        "r.yml",
        "groups: [{name: g, labels: {from: group}, rules: [
            {record: 'job:up:sum', expr: 'sum(up)', labels: {kind: sum, from: rule}},
            {record: 'up:copy', expr: 'up', labels: {instance: ''}},
            {record: 'one', expr: '1'}]}]",
    )
    .await;
    node.append(at(0), &[(&up("a"), 1.0)]);
    node.evaluate(at(0)).await;
    assert_lines(&node.stored("job:up:sum").await, &["job:up:sum{from=\"rule\", kind=\"sum\"} 0:1"]);
    assert_lines(&node.stored("up:copy").await, &["up:copy{from=\"group\"} 0:1"]);
    assert_lines(&node.stored("one").await, &["one{from=\"group\"} 0:1"]);
    assert_eq!(node.rule("one").health, Health::Good);
    assert_eq!(node.metric("prometheus_rule_evaluations_total{rule_group=\"r.yml;g\"}"), Some(3.0));
    assert_eq!(node.metric("prometheus_rule_group_rules{rule_group=\"r.yml;g\"}"), Some(3.0));
    assert_eq!(node.metric("prometheus_rule_group_interval_seconds{rule_group=\"r.yml;g\"}"), Some(60.0));
    assert_eq!(node.metric("prometheus_rule_group_last_evaluation_samples{rule_group=\"r.yml;g\"}"), Some(3.0));
}

#[tokio::test]
async fn later_rules_see_earlier_ones_and_all_is_one_transaction() {
    let node = Node::new(BY_HAND);
    node.apply(
        "r.yml",
        "groups: [{name: g, rules: [
            {record: 'a', expr: 'sum(up)'},
            {record: 'b', expr: 'a * 10'},
            {record: 'c', expr: 'sum({__name__=~\"a|b\"})'},
            {alert: 'Many', expr: 'c > 10'},
            {record: 'd', expr: 'ALERTS{alertstate=\"firing\"}'},
            {record: 'e', expr: 'sum_over_time(a[10m])'}]}]",
    )
    .await;
    node.append(at(0), &[(&up("x"), 1.0), (&up("y"), 1.0)]);
    node.evaluate(at(0)).await;
    node.evaluate(at(1)).await;
    assert_eq!(node.storage.commits.load(Ordering::SeqCst), 2);
    assert_lines(&node.stored("b").await, &["b 0:20 1:20"]);
    assert_lines(&node.stored("c").await, &["c 0:22 1:22"]);
    assert_lines(&node.stored("d").await, &["d{alertname=\"Many\", alertstate=\"firing\"} 0:1 1:1"]);
    assert_lines(&node.stored("e").await, &["e 0:2 1:4"]);
}

#[tokio::test]
async fn native_histograms_are_recorded() {
    let node = Node::new(BY_HAND);
    node.apply(
        "r.yml",
        "groups: [{name: g, rules: [
            {record: 'job:latency:sum', expr: 'sum by (job) (latency)'},
            {record: 'job:latency:count', expr: 'histogram_count(job:latency:sum)'}]}]",
    )
    .await;
    for minute in [0, 1] {
        let mut appender = node.storage.appender();
        for instance in ["a", "b"] {
            let labels = Labels::from_pairs([("__name__", "latency"), ("job", "x"), ("instance", instance)]);
            let count = 3 + minute as u64;
            let histogram = Histogram { count, zero_count: count, sum: 1.0, ..Histogram::default() };
            appender.append_histogram(&labels, at(minute), histogram.into()).expect("appended");
        }
        appender.commit().expect("committed");
        node.evaluate(at(minute)).await;
    }
    // The second rule sees what the first has found in the same evaluation, and the storage has it afterwards.
    assert_lines(&node.stored("job:latency:count").await, &["job:latency:count{job=\"x\"} 0:6 1:8"]);
    assert_lines(&node.query("histogram_sum(job:latency:sum)", at(1)).await, &["{job=\"x\"} 2"]);
    // What vanishes is marked stale.
    node.apply("r.yml", "groups: [{name: g, rules: [{record: 'job:latency:sum', expr: 'sum by (job) (nothing)'}]}]")
        .await;
    node.evaluate(at(2)).await;
    assert_lines(&node.query("job:latency:sum", at(2)).await, &[]);
}

#[tokio::test]
async fn what_vanishes_is_marked_stale() {
    let node = Node::new(BY_HAND);
    node.apply("r.yml", "groups: [{name: g, rules: [{record: a, expr: 'up > 0'}, {record: b, expr: 'sum(a)'}]}]").await;
    node.append(at(0), &[(&up("x"), 1.0), (&up("y"), 1.0)]);
    node.evaluate(at(0)).await;
    node.append(at(1), &[(&up("x"), 1.0), (&up("y"), 0.0)]);
    node.evaluate(at(1)).await;
    node.append(at(2), &[(&up("x"), 0.0), (&up("y"), 0.0)]);
    node.evaluate(at(2)).await;
    assert_lines(&node.stored("a").await, &["a{instance=\"x\"} 0:1 1:1 2:stale", "a{instance=\"y\"} 0:1 1:stale"]);
    // The later rule saw them vanish at the same time.
    assert_lines(&node.stored("b").await, &["b 0:2 1:1 2:stale"]);
    assert!(node.query("a", at(2)).await.is_empty());
}

#[tokio::test]
async fn a_query_offset_moves_question_and_answer() {
    let node = Node::new(BY_HAND);
    node.apply("r.yml", "groups: [{name: g, query_offset: 1m, rules: [{record: a, expr: up}, {record: b, expr: a}]}]")
        .await;
    node.append(at(0), &[(&up("x"), 1.0)]);
    node.append(at(1), &[(&up("x"), 2.0)]);
    node.evaluate(at(1)).await;
    assert_lines(&node.stored("a").await, &["a{instance=\"x\"} 0:1"]);
    assert_lines(&node.stored("b").await, &["b{instance=\"x\"} 0:1"]);
}

#[tokio::test]
async fn a_rule_that_fails_harms_no_other_and_keeps_its_series() {
    let node = Node::new(BY_HAND);
    node.apply(
        "r.yml",
        "groups: [{name: g, limit: 2, rules: [
            {record: same, expr: up, labels: {instance: one}},
            {record: many, expr: up},
            {record: matrix, expr: 'up[5m]'},
            {alert: Same, expr: up, labels: {instance: one}},
            {alert: Many, expr: up},
            {record: good, expr: sum(up)}]}]",
    )
    .await;
    node.append(at(0), &[(&up("x"), 1.0)]);
    node.evaluate(at(0)).await;
    assert_eq!(node.rule("same").last_error, None);
    node.append(at(1), &[(&up("x"), 1.0), (&up("y"), 1.0), (&up("z"), 1.0)]);
    node.evaluate(at(1)).await;
    let check = |rule: &str, want: &str| {
        let status = node.rule(rule);
        assert_eq!((status.health, status.last_error.as_deref()), (Health::Bad, Some(want)), "{rule}");
    };
    check("same", "vector contains metrics with the same labelset after applying rule labels");
    check("many", "exceeded limit of 2 with 3 series");
    check("matrix", "rule result is not a vector or scalar");
    check("Same", "vector contains metrics with the same labelset after applying alert labels");
    check("Many", "exceeded limit of 2 with 3 alerts");
    assert_lines(&node.stored("same").await, &["same{instance=\"one\"} 0:1"]);
    assert_lines(&node.stored("good").await, &["good 0:1 1:3"]);
    assert_eq!(node.metric("prometheus_rule_evaluation_failures_total{rule_group=\"r.yml;g\"}"), Some(6.0));
}

#[tokio::test]
async fn what_the_storage_refuses_is_told() {
    let node = Node::new(BY_HAND);
    node.apply("r.yml", "groups: [{name: g, rules: [{record: a, expr: '1'}, {record: a, expr: '2'}]}]").await;
    node.evaluate(at(0)).await;
    assert_lines(&node.stored("a").await, &["a 0:1"]);
    let rules = &node.manager.groups()[0].rules;
    assert_eq!(rules[0].health, Health::Good);
    assert_eq!(rules[1].last_error.as_deref(), Some("1 samples were not stored: duplicate sample for timestamp"));
    // Nothing is stored where the commit fails, and the next evaluation goes on.
    node.storage.refuse_commits.store(true, Ordering::SeqCst);
    node.evaluate(at(1)).await;
    assert_eq!(node.rule("a").last_error.as_deref(), Some("cannot store samples: the disk is full"));
    node.storage.refuse_commits.store(false, Ordering::SeqCst);
    node.evaluate(at(2)).await;
    assert_lines(&node.stored("a").await, &["a 0:1 2:1"]);
    assert_eq!(node.rule("a").health, Health::Good);
}

const DOWN: &str = "groups: [{name: g, rules: [{
    alert: Down, expr: 'up == 0', for: 2m, labels: {severity: '{{ if eq $value 0.0 }}page{{ end }}'},
    annotations: {summary: '{{ $labels.instance }} in {{ $externalLabels.cluster }} of {{ with query \"count(up)\" }}{{ . | first | value }}{{ end }}'}}]}]";

#[tokio::test]
async fn an_alert_from_pending_to_resolved() {
    let node = Node::new(BY_HAND);
    node.apply("r.yml", DOWN).await;
    for minute in 0..4 {
        node.append(at(minute), &[(&up("x"), 0.0), (&up("y"), 1.0)]);
        node.evaluate(at(minute)).await;
        let alerts = node.alerts("Down");
        assert_eq!(alerts.len(), 1);
        assert_eq!(alerts[0].state, if minute < 2 { AlertState::Pending } else { AlertState::Firing });
        assert_eq!(alerts[0].active_at, at(0));
    }
    let alerts = node.alerts("Down");
    assert_eq!(alerts[0].labels.to_string(), "{alertname=\"Down\", instance=\"x\", severity=\"page\"}");
    assert_eq!(alerts[0].annotations.value("summary"), "x in eu-1 of 2");
    node.append(at(4), &[(&up("x"), 1.0), (&up("y"), 1.0)]);
    node.evaluate(at(4)).await;
    assert!(node.alerts("Down").is_empty());

    assert_lines(
        &node.stored("ALERTS").await,
        &[
            "ALERTS{alertname=\"Down\", alertstate=\"firing\", instance=\"x\", severity=\"page\"} 2:1 3:1 4:stale",
            "ALERTS{alertname=\"Down\", alertstate=\"pending\", instance=\"x\", severity=\"page\"} 0:1 1:1 2:stale",
        ],
    );
    let since = START / 1000;
    let line = format!(
        "ALERTS_FOR_STATE{{alertname=\"Down\", instance=\"x\", severity=\"page\"}} 0:{since} 1:{since} 2:{since} 3:{since} 4:stale"
    );
    assert_lines(&node.stored("ALERTS_FOR_STATE").await, &[&line]);

    let sent = node.recorder.sent.lock().clone();
    let told: Vec<_> = sent.iter().map(|alert| (alert.starts_at, alert.ends_at)).collect();
    assert_eq!(told, [(at(2), Some(at(2 + 4))), (at(2), Some(at(4)))]);
    assert!(!sent[0].is_resolved(at(2)) && sent[1].is_resolved(at(4)));
    assert_eq!(sent[0].generator_url, "http://shard:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1");
}

#[tokio::test]
async fn many_alerts_at_once() {
    let node = Node::new(BY_HAND);
    node.apply("r.yml", "groups: [{name: g, rules: [{alert: Many, expr: up, annotations: {n: '{{ $value }}'}}]}]")
        .await;
    let names: Vec<String> = (0..500).map(|i| format!("i{i:03}")).collect();
    let labels: Vec<[(&str, &str); 2]> = names.iter().map(|name| [UP[0], ("instance", name.as_str())]).collect();
    let samples: Vec<(&[(&str, &str)], f64)> = labels.iter().zip(0..).map(|(l, i)| (&l[..], f64::from(i))).collect();
    node.append(at(0), &samples);
    node.evaluate(at(0)).await;
    let alerts = node.alerts("Many");
    assert_eq!(alerts.len(), 500);
    assert_eq!((alerts[7].labels.value("instance"), alerts[7].annotations.value("n")), ("i007", "7"));
    assert_eq!(node.recorder.sent.lock().len(), 500);
}

#[tokio::test]
async fn a_missed_scrape_holds_an_alert() {
    const RULES: &str = "groups: [{name: g, rules: [
        {record: 'instance:full', expr: 'full'},
        {alert: Full, expr: 'full > 90'},
        {alert: Recorded, expr: 'instance:full > 90'},
        {alert: Total, expr: 'sum(full) > 90'},
        {alert: Decides, expr: 'full > 90 and on (instance) up == 1'}]}]";
    let full = |instance| [("__name__", "full"), ("device", "sda"), ("instance", instance)];
    let stale = model::STALE_NAN;
    let active = |node: &Node| -> Vec<String> {
        let of = |rule: &str| node.alerts(rule).into_iter().map(move |alert| alert.labels);
        let all = ["Full", "Recorded", "Total", "Decides"].into_iter().flat_map(of);
        all.map(|labels| format!("{}{}", labels.value("alertname"), labels.value("instance"))).collect()
    };
    for hold_missed in [true, false] {
        let node = Node::new(Settings { hold_missed, ..BY_HAND });
        node.apply("r.yml", RULES).await;
        let evaluate = async |minute: i64, samples: [(f64, f64); 2]| {
            let [(up_x, x), (up_y, y)] = samples;
            node.append(at(minute), &[(&up("x"), up_x), (&full("x"), x), (&up("y"), up_y), (&full("y"), y)]);
            node.evaluate(at(minute)).await;
            active(&node)
        };
        let both = ["Fullx", "Fully", "Recordedx", "Recordedy", "Total", "Decidesx", "Decidesy"];
        assert_lines(&evaluate(0, [(1.0, 95.0), (1.0, 96.0)]).await, &both);
        // The scrape of x fails, and y is emptied.
        let held: &[&str] = if hold_missed { &["Fullx", "Recordedx"] } else { &[] };
        assert_lines(&evaluate(1, [(0.0, stale), (1.0, 10.0)]).await, held);
        let resolved = |node: &Node| -> usize {
            node.recorder.sent.lock().iter().filter(|alert| alert.is_resolved(at(1))).count()
        };
        assert_eq!(resolved(&node), if hold_missed { 5 } else { 7 });
        let shown = if hold_missed { 2 } else { 0 };
        assert_eq!(node.query("ALERTS", at(1)).await.len(), shown);
        // It succeeds again, still full.
        assert_lines(&evaluate(2, [(1.0, 95.0), (1.0, 10.0)]).await, &["Fullx", "Recordedx", "Total", "Decidesx"]);
        let since = if hold_missed { at(0) } else { at(2) };
        assert_eq!(node.alerts("Full")[0].active_at, since);
        // It fails for good: five minutes.
        for minute in 3..8 {
            assert_lines(&evaluate(minute, [(0.0, stale), (1.0, 10.0)]).await, held);
        }
        assert_lines(&evaluate(8, [(0.0, stale), (1.0, 10.0)]).await, &[]);
        // It comes back with the condition, and succeeds without it.
        assert_lines(&evaluate(9, [(1.0, 95.0), (1.0, 10.0)]).await, &["Fullx", "Recordedx", "Total", "Decidesx"]);
        assert_lines(&evaluate(10, [(1.0, 50.0), (1.0, 10.0)]).await, &[]);
    }
}

#[tokio::test]
async fn without_notes_state_is_restored_as_in_prometheus() {
    const RULES: &str = "groups: [{name: g, rules: [
        {alert: Slow, expr: 'up == 0', for: 30m}, {alert: Fast, expr: 'up == 0', for: 5m}]}]";
    let settings = Settings { restore: true, ..BY_HAND };
    let node = Node::new(BY_HAND);
    node.apply("r.yml", RULES).await;
    for minute in 0..=12 {
        node.append(at(minute), &[(&up("x"), 0.0)]);
        node.evaluate(at(minute)).await;
    }
    let directory = node.stop().await;

    // Ten minutes later; 18 of the 30 minutes were left.
    let node = Node::open(directory, settings, at(22));
    node.storage.without_notes.store(true, Ordering::SeqCst);
    node.apply("r.yml", RULES).await;
    for minute in 22..=24 {
        node.append(at(minute), &[(&up("x"), 0.0)]);
        node.evaluate(at(minute)).await;
        if minute < 24 {
            assert!(
                node.query("ALERTS{alertname='Slow'}", at(minute)).await.is_empty(),
                "stored before it is restored"
            );
            assert_eq!(node.query("ALERTS{alertname='Fast'}", at(minute)).await.len(), 1, "nothing to restore");
        }
        if minute == 22 {
            // A reload in between loses nothing.
            node.apply("r.yml", &RULES.replace("name: g,", "name: g, limit: 9,")).await;
        }
    }
    assert_eq!(node.alerts("Slow")[0].active_at, at(11));
    assert_eq!(node.alerts("Slow")[0].state, AlertState::Pending);
    // Less than the grace period: it waits its five minutes anew.
    assert_eq!(node.alerts("Fast")[0].active_at, at(22));
    assert_eq!(node.query("ALERTS", at(24)).await.len(), 2);
    for minute in 25..=41 {
        node.append(at(minute), &[(&up("x"), 0.0)]);
        node.evaluate(at(minute)).await;
        let firing = node.alerts("Slow")[0].state == AlertState::Firing;
        assert_eq!(firing, minute == 41, "{minute}");
    }
}

#[tokio::test]
async fn without_notes_an_alert_that_had_fired_fires_at_once() {
    const RULES: &str = "groups: [{name: g, rules: [{alert: Slow, expr: 'up == 0', for: 10m}]}]";
    let node = Node::new(BY_HAND);
    node.apply("r.yml", RULES).await;
    for minute in 0..=10 {
        node.append(at(minute), &[(&up("x"), 0.0), (&up("y"), 0.0)]);
        node.evaluate(at(minute)).await;
    }
    // One of the two has resolved before the restart.
    node.append(at(11), &[(&up("x"), 0.0), (&up("y"), 1.0)]);
    node.evaluate(at(11)).await;
    let directory = node.stop().await;
    let node = Node::open(directory, Settings { restore: true, ..BY_HAND }, at(15));
    node.storage.without_notes.store(true, Ordering::SeqCst);
    node.apply("r.yml", RULES).await;
    for minute in 15..=17 {
        node.append(at(minute), &[(&up("x"), 0.0), (&up("y"), 0.0)]);
        node.evaluate(at(minute)).await;
    }
    let alerts = node.alerts("Slow");
    assert_eq!((alerts[0].state, alerts[0].active_at), (AlertState::Firing, at(0)));
    assert_eq!((alerts[1].state, alerts[1].active_at), (AlertState::Pending, at(15)));
}

#[tokio::test]
async fn a_reload_keeps_what_it_can() {
    let node = Node::new(BY_HAND);
    let rules =
        |rest: &str| format!("groups: [{{name: g, rules: [{{alert: Down, expr: 'up == 0', for: 2m}}, {rest}]}}]");
    node.apply("r.yml", &rules("{record: a, expr: up}, {record: b, expr: up}")).await;
    node.append(at(0), &[(&up("x"), 0.0)]);
    node.evaluate(at(0)).await;
    node.apply("r.yml", &rules("{record: b, expr: up}")).await;
    assert_eq!(node.alerts("Down")[0].active_at, at(0));
    node.evaluate(at(1)).await;
    // The same rules again: nothing is touched.
    node.apply("r.yml", &rules("{record: b, expr: up}")).await;
    node.evaluate(at(2)).await;
    assert_eq!(node.alerts("Down")[0].state, AlertState::Firing);
    assert_lines(&node.stored("a").await, &["a{instance=\"x\"} 0:0 1:stale"]);
    assert_lines(&node.stored("b").await, &["b{instance=\"x\"} 0:0 1:0 2:0"]);
    node.apply("r.yml", "groups: []").await;
    assert!(node.manager.groups().is_empty());
    assert!(!node.manager.evaluate_at("g", at(3)).await);
    assert_eq!(node.metric("prometheus_rule_group_rules{rule_group=\"r.yml;g\"}"), None);
    node.manager.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_series_of_a_removed_group_end_unless_another_goes_on_with_them() {
    let node = Node::new(Settings { timers: true, ..BY_HAND });
    node.apply("r.yml", "groups: [{name: old, rules: [{record: a, expr: '1'}, {record: b, expr: '1'}]}]").await;
    tokio::time::sleep(Duration::from_secs(75)).await;
    node.apply("r.yml", "groups: [{name: new, rules: [{record: b, expr: '2'}]}]").await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    node.manager.shutdown().await;
    assert_lines(&node.stored("a").await, &["a 0:1 1:1 2:stale"]);
    assert_lines(&node.stored("b").await, &["b 0:1 1:1 2:2 3:2 4:2 5:2 6:2"]);
}

#[tokio::test(start_paused = true)]
async fn replicas_evaluate_at_the_same_times() {
    const RULES: &str = "groups: [{name: g, interval: 15s, rules: [{record: a, expr: 'time()'}]}]";
    let settings = Settings { timers: true, ..BY_HAND };
    let node =
        |start_ms: i64| Node::open(tempfile::tempdir().expect("a directory"), settings, Timestamp::from_ms(start_ms));
    // Their clocks differ by three seconds, and their files lie elsewhere.
    let (one, other) = (node(START + 100), node(START + 3100));
    one.apply("/etc/one/r.yml", RULES).await;
    other.apply("/srv/other.yml", RULES).await;
    tokio::time::sleep(Duration::from_secs(50)).await;
    one.manager.shutdown().await;
    other.manager.shutdown().await;
    let line = one.stored("a").await.remove(0);
    let times: Vec<&str> = line.split(' ').skip(1).filter_map(|pair| pair.split(':').next()).collect();
    assert_eq!(times[times.len() - 3..], ["0.25", "0.5", "0.75"]);
    let other_line = other.stored("a").await.remove(0);
    assert!(line.ends_with(&other_line[2..]), "{line} / {other_line}");
    assert_eq!(one.metric("prometheus_rule_group_iterations_missed_total{rule_group=\"/etc/one/r.yml;g\"}"), Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn slow_evaluations_miss_their_turn_and_are_counted() {
    let node = Node::new(Settings { timers: true, ..BY_HAND });
    // Telling about the alert takes 150 seconds, so a turn is missed after each that tells.
    *node.recorder.delay.lock() = Duration::from_secs(150);
    node.apply("r.yml", "groups: [{name: g, rules: [{alert: Always, expr: 'vector(1)'}, {record: a, expr: 1}]}]").await;
    tokio::time::sleep(Duration::from_secs(60 + 20 + 160)).await;
    node.manager.shutdown().await;
    let metric = |name: &str| node.metric(&format!("prometheus_rule_group_{name}{{rule_group=\"r.yml;g\"}}"));
    assert_eq!((metric("iterations_total"), metric("iterations_missed_total")), (Some(2.0), Some(1.0)));
    // The second was interrupted by the shutdown.
    assert_lines(&node.stored("a").await, &["a 0:1"]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_interrupts_and_stores_nothing() {
    let node = Node::new(Settings { timers: true, ..BY_HAND });
    node.apply("r.yml", "groups: [{name: g, rules: [{record: a, expr: '1'}, {record: b, expr: 'up'}]}]").await;
    node.storage.hang.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(80)).await;
    tokio::time::timeout(Duration::from_secs(1), node.manager.shutdown()).await.expect("it ends");
    node.storage.hang.store(false, Ordering::SeqCst);
    assert!(node.stored("a").await.is_empty());
    // What comes after a shutdown is ignored.
    node.apply("r.yml", "groups: [{name: h, rules: []}]").await;
    assert_eq!(node.manager.groups()[0].name, "g");
    assert_eq!(
        node.metric("prometheus_rule_group_last_evaluation_timestamp_seconds{rule_group=\"r.yml;g\"}"),
        Some(0.0)
    );
}

use super::*;
use crate::route::{GroupBy, Route};

const WAIT_MS: i64 = 30;
const INTERVAL_MS: i64 = 300;

fn routes() -> Routes {
    Routes::new(vec![Route {
        receiver: "hook".into(),
        group_by: GroupBy::Names(["alertname".to_owned()].into()),
        group_wait_ms: WAIT_MS,
        group_interval_ms: INTERVAL_MS,
        repeat_interval_ms: 4000,
        matchers: Vec::new(),
        continues: false,
        key: "{}".into(),
        id: "{}".into(),
        children: Vec::new(),
    }])
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn alert(name: &str, instance: &str, starts: i64, ends: i64) -> Alert {
    Alert {
        labels: Labels::from_pairs([("alertname", name), ("instance", instance)]),
        annotations: Labels::empty(),
        starts_at: at(starts),
        ends_at: at(ends),
        updated_at: at(starts),
        generator_url: String::new(),
        timeout: false,
    }
}

fn instances(flush: &Flush) -> Vec<&str> {
    flush.alerts.iter().map(|(_, a)| a.labels.value("instance")).collect()
}

#[test]
fn the_first_notification_waits_for_company_and_the_next_for_the_interval() {
    let (routes, mut dispatcher) = (routes(), Dispatcher::default());
    dispatcher.insert(&routes, &alert("Down", "a", 1000, 9000), at(1000));
    dispatcher.insert(&routes, &alert("Down", "b", 1010, 9000), at(1010));
    assert_eq!(dispatcher.next_due(), Some(at(1030)));
    assert_eq!(dispatcher.take_due(&routes, at(1029)), []);
    let flush = dispatcher.take_due(&routes, at(1030)).pop().unwrap();
    assert_eq!(instances(&flush), ["a", "b"]);
    assert_eq!(dispatcher.next_due(), None, "it is being told");
    dispatcher.insert(&routes, &alert("Down", "c", 1035, 9000), at(1035));
    assert_eq!(dispatcher.take_due(&routes, at(2000)), [], "one at a time");
    dispatcher.finish(&flush, true);
    assert_eq!(dispatcher.next_due(), Some(at(1330)));
    assert_eq!(instances(&dispatcher.take_due(&routes, at(1330))[0]), ["a", "b", "c"]);
}

#[test]
fn an_alert_that_has_fired_for_long_is_told_at_once() {
    let (routes, mut dispatcher) = (routes(), Dispatcher::default());
    dispatcher.insert(&routes, &alert("Down", "a", 1000, 9000), at(1000 + WAIT_MS));
    assert_eq!(dispatcher.next_due(), Some(at(1030)));
}

#[test]
fn groups_are_told_apart_by_their_labels() {
    let (routes, mut dispatcher) = (routes(), Dispatcher::default());
    dispatcher.insert(&routes, &alert("Down", "a", 1000, 9000), at(1000));
    dispatcher.insert(&routes, &alert("Slow", "a", 1000, 9000), at(1000));
    let labels: Vec<String> = dispatcher.views().iter().map(|view| view.labels.to_string()).collect();
    assert_eq!(labels, [r#"{alertname="Down"}"#, r#"{alertname="Slow"}"#]);
    assert_eq!(dispatcher.take_due(&routes, at(1030)).len(), 2);
}

#[test]
fn resolved_alerts_leave_once_they_were_told() {
    let (routes, mut dispatcher) = (routes(), Dispatcher::default());
    dispatcher.insert(&routes, &alert("Down", "a", 1000, 1020), at(1020));
    let flush = dispatcher.take_due(&routes, at(1050)).pop().unwrap();
    dispatcher.finish(&flush, false);
    assert_eq!(dispatcher.held().len(), 1, "not delivered: it stays");
    let flush = dispatcher.take_due(&routes, at(1350)).pop().unwrap();
    dispatcher.insert(&routes, &alert("Down", "a", 1355, 9000), at(1355));
    dispatcher.finish(&flush, true);
    assert_eq!(dispatcher.held().len(), 1, "it fires again: it stays");
    dispatcher.insert(&routes, &alert("Down", "a", 1355, 1400), at(1400));
    let flush = dispatcher.take_due(&routes, at(1650)).pop().unwrap();
    dispatcher.finish(&flush, true);
    assert_eq!(dispatcher.len(), 0);
}

#[test]
fn a_reload_keeps_the_pace_of_a_group() {
    let (mut routes, mut dispatcher) = (routes(), Dispatcher::default());
    let down = alert("Down", "a", 1000, 9000);
    dispatcher.insert(&routes, &down, at(1000));
    let flush = dispatcher.take_due(&routes, at(1030)).pop().unwrap();
    routes = Routes::new(vec![Route { group_interval_ms: 100, ..routes.get(0).clone() }]);
    dispatcher.rebuild(&routes, [&down].into_iter(), at(1050));
    assert_eq!(dispatcher.next_due(), None, "still being told");
    dispatcher.finish(&flush, true);
    assert_eq!(dispatcher.next_due(), Some(at(1130)));
}

#[test]
fn a_group_that_somebody_else_tells_is_looked_at_again() {
    let (routes, mut dispatcher) = (routes(), Dispatcher::default());
    dispatcher.insert(&routes, &alert("Down", "a", 1000, 9000), at(1000));
    let flush = dispatcher.take_due(&routes, at(1030)).pop().unwrap();
    dispatcher.put_off(&flush.group, at(1031));
    assert_eq!(dispatcher.next_due(), None, "it is being told");
    dispatcher.finish(&flush, false);
    dispatcher.put_off(&flush.group, at(1100));
    assert_eq!(dispatcher.next_due(), Some(at(1100)), "not only after the interval");
}

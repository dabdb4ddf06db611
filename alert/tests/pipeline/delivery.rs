//! From an alert to a webhook.

use axum::http::StatusCode;
use serde_json::json;

use crate::bench::{Hook, alert, config, start};

const DOWN: [(&str, &str); 2] = [("alertname", "Down"), ("instance", "a")];

#[tokio::test]
async fn an_alert_and_its_end_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let (hook, url) = Hook::start(&[]).await;
    let alertmanager = start(dir.path(), config(&url, "100ms"));
    alertmanager.notifier().notify(vec![alert(&DOWN, true)]).await;
    let first = hook.requests(1).await.remove(0);
    assert_eq!(first.headers["content-type"], "application/json");
    assert_eq!((&first.body["status"], &first.body["receiver"]), (&json!("firing"), &json!("hook")));
    assert_eq!(first.body["groupKey"], r#"{}:{alertname="Down"}"#);
    assert_eq!(first.body["externalURL"], "http://shard-a:9090");
    assert_eq!(first.body["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z");
    alertmanager.notifier().notify(vec![alert(&DOWN, false)]).await;
    let second = hook.requests(2).await.remove(1);
    assert_eq!(second.body["status"], "resolved");
    assert_eq!(second.body["alerts"][0]["fingerprint"], first.body["alerts"][0]["fingerprint"]);
    assert_ne!(second.headers["idempotency-key"], first.headers["idempotency-key"]);
    alertmanager.shutdown().await;
}

#[tokio::test]
async fn a_failed_attempt_is_repeated_as_the_same_notification() {
    let dir = tempfile::tempdir().unwrap();
    let (hook, url) = Hook::start(&[StatusCode::TOO_MANY_REQUESTS, StatusCode::INTERNAL_SERVER_ERROR]).await;
    let alertmanager = start(dir.path(), config(&url, "1h"));
    alertmanager.notifier().notify(vec![alert(&DOWN, true)]).await;
    let requests = hook.requests(3).await;
    let statuses: Vec<u16> = requests.iter().map(|r| r.status.as_u16()).collect();
    assert_eq!(statuses, [500, 429, 200]);
    for again in &requests[1..] {
        assert_eq!(again.headers["idempotency-key"], requests[0].headers["idempotency-key"]);
        assert_eq!(again.body, requests[0].body);
    }
    alertmanager.shutdown().await;
}

#[tokio::test]
async fn a_restart_does_not_tell_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (hook, url) = Hook::start(&[]).await;
    let before = start(dir.path(), config(&url, "100ms"));
    before.notifier().notify(vec![alert(&DOWN, true)]).await;
    hook.requests(1).await;
    before.shutdown().await;
    let after = start(dir.path(), config(&url, "100ms"));
    after.notifier().notify(vec![alert(&DOWN, true)]).await;
    // Another group's notification is proof that the first group was looked at: both were due at once.
    after.notifier().notify(vec![alert(&[("alertname", "Other")], true)]).await;
    hook.requests(2).await;
    after.notifier().notify(vec![alert(&DOWN, false)]).await;
    let told: Vec<(String, String)> = hook
        .requests(3)
        .await
        .iter()
        .map(|r| (r.body["groupLabels"]["alertname"].to_string(), r.body["status"].to_string()))
        .collect();
    let want = [("\"Down\"", "\"firing\""), ("\"Other\"", "\"firing\""), ("\"Down\"", "\"resolved\"")];
    assert_eq!(told, want.map(|(name, status)| (name.to_owned(), status.to_owned())));
    after.shutdown().await;
}

#[tokio::test]
async fn what_could_not_be_delivered_goes_out_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (hook, url) = Hook::start(&[StatusCode::BAD_GATEWAY]).await;
    let before = start(dir.path(), config(&url, "1h"));
    before.notifier().notify(vec![alert(&DOWN, true)]).await;
    hook.requests(1).await;
    before.shutdown().await;
    let after = start(dir.path(), config(&url, "1h"));
    let last = hook.requests(2).await.pop().unwrap();
    assert_eq!((last.status, &last.body["status"]), (StatusCode::OK, &json!("firing")));
    after.shutdown().await;
}

#[tokio::test]
async fn a_reload_sends_to_the_new_receiver() {
    let dir = tempfile::tempdir().unwrap();
    let (hook, url) = Hook::start(&[]).await;
    let alertmanager = start(dir.path(), config("http://127.0.0.1:9/", "1h"));
    alertmanager.reload(config(&url, "100ms"));
    alertmanager.notifier().notify(vec![alert(&DOWN, true)]).await;
    assert_eq!(hook.requests(1).await[0].body["status"], "firing");
    alertmanager.shutdown().await;
}

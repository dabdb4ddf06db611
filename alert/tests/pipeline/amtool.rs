//! The API, asked by amtool and by hand.

use std::path::Path;

use alert::Config;
use axum::Router;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::bench::{alert, serve, start};

const AMTOOL: &str = "/usr/bin/amtool";

const CONFIG: &str = "
global: {http_config: {basic_auth: {username: u, password: hunter2}}}
route:
  receiver: hook
  group_by: [alertname]
  routes:
    - receiver: pager
      matchers: [severity=\"critical\"]
receivers:
  - name: hook
    webhook_configs: [{url: 'http://127.0.0.1:9/token'}]
  - name: pager
inhibit_rules: [{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [alertname]}]
";

fn config() -> Config {
    Config::load(CONFIG, config::Report::new("alertmanager.yml")).unwrap()
}

/// What amtool prints for these arguments.
async fn amtool(url: &str, arguments: &[&str]) -> String {
    let output = Command::new(AMTOOL).arg(format!("--alertmanager.url={url}")).args(arguments).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {} {}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[tokio::test]
async fn amtool_works_with_us() {
    if !Path::new(AMTOOL).exists() {
        println!("SKIPPED: amtool is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let alertmanager = start(dir.path(), config());
    let address = serve(Router::new().nest("/api/v2", alertmanager.router())).await;
    let url = &format!("http://{address}");
    amtool(url, &["alert", "add", "alertname=Down", "instance=a", "severity=warning", "--annotation=summary=x"]).await;
    amtool(url, &["alert", "add", "alertname=Slow", "instance=b"]).await;
    let names = |json: &str| {
        let alerts: Vec<Value> = serde_json::from_str(json).unwrap();
        let mut names: Vec<String> = alerts.iter().map(|a| a["labels"]["alertname"].to_string()).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(names(&amtool(url, &["alert", "query", "-o", "json"]).await), "\"Down\" \"Slow\"");
    assert_eq!(names(&amtool(url, &["alert", "query", "-o", "json", "instance=~a|c"]).await), "\"Down\"");
    let id = amtool(url, &["silence", "add", "--author=ops", "--comment=upgrade", "alertname=Slow"]).await;
    assert_eq!(names(&amtool(url, &["alert", "query", "-o", "json"]).await), "\"Down\"");
    assert_eq!(names(&amtool(url, &["alert", "query", "-o", "json", "--silenced"]).await), "\"Slow\"");
    assert!(amtool(url, &["silence", "query"]).await.contains("alertname=\"Slow\""));
    amtool(url, &["silence", "expire", id.trim()]).await;
    assert_eq!(names(&amtool(url, &["alert", "query", "-o", "json"]).await), "\"Down\" \"Slow\"");
    amtool(url, &["alert", "add", "alertname=Down", "severity=critical"]).await;
    assert_eq!(names(&amtool(url, &["alert", "query", "-o", "json", "--inhibited"]).await), "\"Down\"");
    assert_eq!(amtool(url, &["config", "routes", "test", "severity=critical"]).await.trim(), "pager");
    assert_eq!(amtool(url, &["config", "routes", "test", "severity=none"]).await.trim(), "hook");
    let shown = amtool(url, &["config", "show"]).await;
    assert!(!shown.contains("hunter2") && !shown.contains("token"), "{shown}");
    amtool(url, &["cluster", "show"]).await;
    alertmanager.shutdown().await;
}

#[tokio::test]
async fn the_api_tells_what_is_wrong_and_groups_alerts() {
    let dir = tempfile::tempdir().unwrap();
    let alertmanager = start(dir.path(), config());
    let url = &format!("http://{}", serve(alertmanager.router()).await);
    let client = reqwest::Client::new();
    let post = async |path: &str, body: Value| {
        let answer = client.post(format!("{url}{path}")).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let get = async |path: &str| -> Value { reqwest::get(format!("{url}{path}")).await.unwrap().json().await.unwrap() };
    assert_eq!(
        post("/alerts", json!([{"labels": {}}])).await,
        (400, "\"an alert needs at least one label\"".to_owned())
    );
    let (status, reason) = post("/alerts", json!({"labels": {}})).await;
    assert!(status == 400 && reason.contains("bad request body"), "{reason}");
    let good = json!([{"labels": {"alertname": "Down", "severity": "critical", "empty": ""}}]);
    assert_eq!(post("/alerts", good).await.0, 200);
    alertmanager.notifier().notify(vec![alert(&[("alertname", "Down"), ("instance", "a")], true)]).await;
    let groups = get("/alerts/groups").await;
    let shown: Vec<String> =
        groups.as_array().unwrap().iter().map(|g| format!("{} {}", g["receiver"]["name"], g["labels"])).collect();
    assert_eq!(shown, [r#""hook" {"alertname":"Down"}"#, r#""pager" {"alertname":"Down"}"#]);
    assert_eq!(get("/receivers").await, json!([{"name": "hook"}, {"name": "pager"}]));
    assert_eq!(get("/alerts?receiver=pager").await[0]["labels"], json!({"alertname": "Down", "severity": "critical"}));
    assert_eq!(get("/alerts?receiver=pager&active=false").await, json!([]));
    assert_eq!(get("/silence/none").await, json!("silence none not found"));
    assert!(get("/alerts?filter=x").await.as_str().unwrap().contains("bad matcher"));
    alertmanager.shutdown().await;
}

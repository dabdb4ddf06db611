//! Two instances that tell everything once between them.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alert::{Alertmanager, Config, PairConfig, RawAlerting};
use axum::Router;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::bench::{Hook, alert, config, start_with, wait_for};

const DOWN: [(&str, &str); 2] = [("alertname", "Down"), ("instance", "a")];

/// An instance on a runtime of its own, so that it can die as a process does: with everything it was about to do.
struct Instance {
    runtime: Option<Runtime>,
    alertmanager: Arc<Alertmanager>,
    url: String,
    client: reqwest::Client,
}

fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

fn pair_of(peer: &str) -> PairConfig {
    let text = format!("local: {{config_file: am.yml, peers: ['{peer}']}}");
    let raw: RawAlerting = config::load(&text, "shard.yml").unwrap();
    let mut report = config::Report::new("shard.yml");
    let alerting = raw.validate(discovery::NameValidation::Utf8, &mut report);
    report.finish(alerting).unwrap().local.unwrap().pair
}

impl Instance {
    fn start(dir: &Path, listener: TcpListener, config: Config, peer: &str, start_id: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let alertmanager = {
            let _inside = runtime.enter();
            start_with(dir, config, &pair_of(peer), start_id)
        };
        let router = Router::new().nest("/api/v2", alertmanager.router());
        runtime.spawn(async move {
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
        });
        Instance { runtime: Some(runtime), alertmanager, url, client: reqwest::Client::new() }
    }

    async fn tell(&self, pairs: &[(&str, &str)], fires: bool) {
        self.alertmanager.notifier().notify(vec![alert(pairs, fires)]).await;
    }

    fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    async fn get(&self, path: &str) -> Value {
        self.client.get(format!("{}/api/v2{path}", self.url)).send().await.unwrap().json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &str) -> (u16, String) {
        let request = self.client.post(format!("{}/api/v2{path}", self.url)).body(body.to_owned());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Waits until the peer is there.
    async fn joined(&self) {
        wait_for("the peer", || async {
            (self.get("/status").await["cluster"]["peers"].as_array().unwrap().len() == 2).then_some(())
        })
        .await;
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Two folders and two ports.
struct Places {
    dir: tempfile::TempDir,
    urls: [String; 2],
}

impl Places {
    fn new() -> (Self, [TcpListener; 2]) {
        let listeners = [listener(), listener()];
        let urls = [0, 1].map(|n: usize| format!("http://{}", listeners[n].local_addr().unwrap()));
        (Places { dir: tempfile::tempdir().unwrap(), urls }, listeners)
    }

    fn folder(&self, number: usize) -> PathBuf {
        self.dir.path().join(number.to_string())
    }

    fn start(&self, number: usize, listener: TcpListener, config: Config, start_id: u64) -> Instance {
        Instance::start(&self.folder(number), listener, config, &self.urls[1 - number], start_id)
    }

    fn again(&self, number: usize, config: Config, start_id: u64) -> Instance {
        let address: SocketAddr = self.urls[number].trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.start(number, listener, config, start_id)
    }
}

async fn pair(url: &str, interval: &str) -> (Places, Instance, Instance) {
    let (places, [one, two]) = Places::new();
    let (a, b) = (places.start(0, one, config(url, interval), 10), places.start(1, two, config(url, interval), 20));
    a.joined().await;
    b.joined().await;
    (places, a, b)
}

fn statuses(hook: &Hook) -> Vec<String> {
    hook.so_far().iter().map(|r| format!("{} {}", r.body["groupLabels"]["alertname"], r.body["status"])).collect()
}

#[tokio::test]
async fn what_both_see_is_told_once_and_is_over_when_both_say_so() {
    let (hook, url) = Hook::start(&[]).await;
    let (_places, a, b) = pair(&url, "100ms").await;
    let [of_a, of_b] = ["a", "b"].map(|replica| [DOWN[0], DOWN[1], ("replica", replica)]);
    tokio::join!(a.tell(&of_a, true), b.tell(&of_b, true));
    let first = hook.requests(1).await.remove(0);
    assert_eq!(first.body["commonLabels"], json!({"alertname": "Down", "instance": "a"}));
    a.tell(&of_a, false).await;
    // Another group's notification is proof that time has passed for the first one, at each instance.
    a.tell(&[("alertname", "OnlyA")], true).await;
    b.tell(&[("alertname", "OnlyB")], true).await;
    hook.requests(3).await;
    assert_eq!(a.get("/alerts").await.as_array().unwrap().len(), 3, "b still sees it");
    b.tell(&of_b, false).await;
    hook.requests(4).await;
    a.tell(&[("alertname", "Later")], true).await;
    hook.requests(5).await;
    let mut told = statuses(&hook);
    told.sort();
    let want = ["Down firing", "Down resolved", "Later firing", "OnlyA firing", "OnlyB firing"];
    assert_eq!(told, want.map(|text| text.replace(' ', "\" \"")).map(|text| format!("\"{text}\"")));
    let resolved = hook.so_far().into_iter().find(|r| r.body["status"] == "resolved").unwrap();
    assert_ne!(resolved.headers["idempotency-key"], first.headers["idempotency-key"]);
}

#[tokio::test]
async fn a_hundred_groups_at_once_are_told_once() {
    let (hook, url) = Hook::start(&[]).await;
    let (_places, a, b) = pair(&url, "200ms").await;
    let names: Vec<String> = (0..100).map(|n| format!("Down{n}")).collect();
    let alerts: Vec<_> = names.iter().map(|name| alert(&[("alertname", name)], true)).collect();
    let (of_a, of_b) = (a.alertmanager.notifier(), b.alertmanager.notifier());
    tokio::join!(of_a.notify(alerts.clone()), of_b.notify(alerts));
    hook.requests(100).await;
    a.tell(&[("alertname", "Last")], true).await;
    b.tell(&[("alertname", "Last")], true).await;
    hook.requests(101).await;
    let mut told = statuses(&hook);
    told.sort();
    told.dedup();
    assert_eq!((told.len(), hook.so_far().len()), (101, 101));
}

#[tokio::test]
async fn the_other_takes_over_when_the_first_dies_between_intent_and_delivery() {
    let (hook, url) = Hook::start(&[]).await;
    let (_places, mut a, b) = pair(&url, "1h").await;
    hook.hang(1);
    // Only the first sees it; the second has it from there.
    a.tell(&DOWN, true).await;
    let first = hook.requests(1).await.remove(0);
    wait_for("the alert at the second", || async {
        (b.get("/alerts").await.as_array().unwrap().len() == 1).then_some(())
    })
    .await;
    a.kill();
    let second = hook.requests(2).await.remove(1);
    assert_eq!((second.status, &second.body["alerts"]), (StatusCode::OK, &first.body["alerts"]));
    assert_eq!(second.headers["idempotency-key"], first.headers["idempotency-key"], "the same notification");
}

#[tokio::test]
async fn the_other_may_have_more_luck() {
    let (hook, url) = Hook::start(&[]).await;
    let (places, [one, two]) = Places::new();
    // Nobody listens where the first sends to.
    let a = places.start(0, one, config("http://127.0.0.1:9/", "1h"), 10);
    let b = places.start(1, two, config(&url, "1h"), 20);
    a.joined().await;
    b.joined().await;
    a.tell(&DOWN, true).await;
    assert_eq!(hook.requests(1).await[0].body["status"], "firing");
    // The first stops trying: another group of it that fails is tried by the second as well, and nothing else comes.
    a.tell(&[("alertname", "Other")], true).await;
    hook.requests(2).await;
    assert_eq!(statuses(&hook), ["\"Down\" \"firing\"", "\"Other\" \"firing\""]);
}

#[tokio::test]
async fn a_silence_is_valid_at_both_at_once() {
    let (hook, url) = Hook::start(&[]).await;
    let (_places, a, b) = pair(&url, "100ms").await;
    let silence = json!({
        "matchers": [{"name": "instance", "value": "a", "isRegex": false}], "createdBy": "ops", "comment": "upgrade",
        "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2199-01-01T00:00:00Z",
    });
    let (status, created) = a.post("/silences", &silence.to_string()).await;
    assert_eq!(status, 200, "{created}");
    let id = serde_json::from_str::<Value>(&created).unwrap()["silenceID"].as_str().unwrap().to_owned();
    let state_at_b = |want: &'static str| {
        let (b, path) = (&b, format!("/silence/{id}"));
        async move {
            wait_for(want, || async { (b.get(&path).await["status"]["state"] == want).then_some(()) }).await;
        }
    };
    state_at_b("active").await;
    b.tell(&DOWN, true).await;
    b.tell(&[("alertname", "Other")], true).await;
    hook.requests(1).await;
    assert_eq!(statuses(&hook), ["\"Other\" \"firing\""]);
    // Ended at the other: it ends here.
    let ended = a.client.delete(format!("{}/api/v2/silence/{id}", a.url)).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::OK);
    state_at_b("expired").await;
    hook.requests(2).await;
    assert_eq!(statuses(&hook)[1], "\"Down\" \"firing\"");
}

#[tokio::test]
async fn who_was_away_learns_what_was_told_and_does_not_tell_it_again() {
    let (hook, url) = Hook::start(&[]).await;
    let (places, a, mut b) = pair(&url, "100ms").await;
    b.kill();
    a.tell(&DOWN, true).await;
    hook.requests(1).await;
    a.tell(&DOWN, false).await;
    hook.requests(2).await;
    a.tell(&DOWN, true).await;
    hook.requests(3).await;
    let b = places.again(1, config(&url, "100ms"), 21);
    b.tell(&DOWN, true).await;
    b.joined().await;
    // It keeps its name over restarts.
    let names = |status: &Value| {
        let peers = status["cluster"]["peers"].as_array().unwrap().clone();
        let mut names: Vec<String> = peers.iter().map(|p| p["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&b.get("/status").await), ["000000000000000a", "0000000000000014"]);
    b.tell(&[("alertname", "Other")], true).await;
    hook.requests(4).await;
    let keys: Vec<String> =
        hook.so_far().iter().map(|r| r.headers["idempotency-key"].to_str().unwrap().to_owned()).collect();
    assert_eq!(statuses(&hook)[3], "\"Other\" \"firing\"");
    assert!((1..4).all(|n| !keys[..n].contains(&keys[n])), "{keys:?}");
}

#[tokio::test]
async fn strangers_and_doubles_are_refused() {
    let (_, url) = Hook::start(&[]).await;
    let (_places, a, b) = pair(&url, "1h").await;
    let check = async |path: &str, body: &str, want: (u16, &str)| {
        let (status, reason) = a.post(path, body).await;
        assert_eq!(status, want.0, "{reason}");
        assert!(reason.contains(want.1), "{reason}");
    };
    let state = "/watershed/peer/state";
    check(state, "", (400, "line 1 is cut")).await;
    check(state, "00000000 {}\n", (400, "line 1 is cut, damaged")).await;
    check(state, "ade14503 {\"version\":2}\n", (400, "version 2 is not spoken: want 1")).await;
    let own = "bb346f8c {\"version\":1,\"name\":\"000000000000000a\",\"run\":7,\"holds\":[],\"records\":0}\n";
    check(state, own, (409, "the name 000000000000000a is ours already")).await;
    b.alertmanager.set_pair(&PairConfig::default());
    let (status, reason) = b.post(state, own).await;
    assert_eq!((status, reason.contains("no peers")), (403, true), "{reason}");
    assert_eq!(b.get("/status").await["cluster"], json!({"status": "disabled", "peers": []}));
}

//! A node serves, another pulls.

use std::sync::Arc;

use federation::{Federate, ReplicaState};
use model::{Clock, Labels, METRIC_NAME, STALE_NAN, SystemClock};
use prometheus_client::registry::Registry;
use storage::{Appendable, Newest};
use tsdb::{Db, Options};

use crate::memory::Memory;
use crate::nodes::{config, eventually, puller, serve, serving};

#[tokio::test]
async fn answers_as_prometheus_does() {
    let memory = Memory::default();
    let now = SystemClock.now();
    memory.put(&[("__name__", "b"), ("instance", "h:1")], now - 1000, 1.5);
    memory.put(&[("__name__", "b"), ("instance", "h:1")], now + 60_000, 9.0);
    memory.put(&[("__name__", "a"), ("job", "x")], now - 2000, f64::NAN);
    memory.put(&[("__name__", "ended")], now - 2000, STALE_NAN);
    memory.put(&[("__name__", "old")], now - 301_000, 1.0);
    memory.put(&[("__name__", "dotted.name")], now - 1, 2.0);
    let (url, _server) = serve(&memory, &[("cluster", "eu")]).await;
    let get = async |query: &str, accept: &str| {
        let response =
            reqwest::Client::new().get(format!("{url}/federate{query}")).header("accept", accept).send().await;
        let response = response.expect("an answer");
        let content_type = response.headers()["content-type"].to_str().expect("text").to_owned();
        (response.status().as_u16(), content_type, response.text().await.expect("text"))
    };
    let text = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
    let a = format!("# TYPE a untyped\na{{job=\"x\",cluster=\"eu\",instance=\"\"}} NaN {}\n", now - 2000);
    let b = format!("# TYPE b untyped\nb{{instance=\"h:1\",cluster=\"eu\"}} 1.5 {}\n", now - 1000);
    assert_eq!(get("?match[]=b&match%5B%5D=a&match[]=b", "*/*").await, (200, text.to_owned(), format!("{a}{b}")));
    let all = get("?match[]=all", "*/*").await.2;
    assert!(all.contains("\ndotted_name{") && !all.contains("ended") && !all.contains("old"), "{all}");
    let quoted = get("?match[]=dotted.name", "text/plain;version=1.0.0;escaping=allow-utf-8").await;
    assert!(quoted.1.contains("escaping=allow-utf-8"), "{quoted:?}");
    assert!(quoted.2.starts_with("# TYPE \"dotted.name\" untyped\n{\"dotted.name\",cluster="), "{quoted:?}");
    let plain = "text/plain; charset=utf-8";
    let refused = (400, plain.to_owned(), "1:3: parse error: a selector must not be empty\n".to_owned());
    assert_eq!(get("?match[]=a&match[]=%7B%7D", "*/*").await, refused);
    assert_eq!(get("", "*/*").await, (200, text.to_owned(), String::new()));
}

/// Long answers are made while they are sent, and something on the way may ask for more behind their end.
#[tokio::test]
async fn a_long_answer_is_whole() {
    let memory = Memory::default();
    let now = SystemClock.now();
    for i in 0..5_000 {
        memory.put(&[("__name__", "a"), ("i", &i.to_string())], now - 1000, f64::from(i));
    }
    let federate = serving(&memory, &[]);
    for compressed in [false, true] {
        let mut router = federation::router(federate.clone());
        if compressed {
            router = router.layer(tower_http::compression::CompressionLayer::new());
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/federate?match[]=all", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let answer = reqwest::Client::new().get(url).header("accept-encoding", "gzip").send().await.expect("an answer");
        let mut text = answer.bytes().await.expect("a whole body").to_vec();
        if compressed {
            let mut plain = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(text.as_slice()), &mut plain).expect("gzip");
            text = plain;
        }
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 5_001);
    }
}

/// What a database knows of its newest samples, written with what neighbours share, is what its chunks have.
#[tokio::test]
async fn newest_samples_are_told_alike_from_the_head_and_from_chunks() {
    let (dir, clock) = (tempfile::tempdir().expect("a folder"), Arc::new(SystemClock));
    let options = Options::new(dir.path());
    let db = Db::open(options, clock.clone(), &mut Registry::default()).expect("the directory opens");
    let now = clock.now();
    let mut appender = db.appender();
    for metric in ["b", "a.b", "a"] {
        for number in 0..300 {
            // Neighbours share much, or little, or all but the end; a few have labels that the outside has, too, or one before the name.
            let mut labels = vec![
                (METRIC_NAME, metric.to_owned()),
                ("cpu", (number / 8).to_string()),
                ("mode", format!("mode \"{}\"", number % 8)),
                (if number % 5 == 0 { "instance" } else { "job" }, "own".to_owned()),
            ];
            if number % 7 == 0 {
                labels.push(("Zone", "x\ny".to_owned()));
            }
            let labels = Labels::from_pairs(labels.iter().map(|(name, value)| (*name, value.as_str())));
            let value = if number % 50 == 9 { STALE_NAN } else { f64::from(number) / 4.0 };
            appender.append(&labels, now - i64::from(1000 + number / 10), value).expect("taken");
        }
    }
    appender.commit().expect("stored");
    let known = db.newest(&[vec![]], now - 300_000).await.expect("no history is missing");
    assert!(known.is_some(), "the head knows");

    let parse = |_: &str| Ok(vec![]);
    let external = Labels::from_pairs([("instance", "outside"), ("replica", "a\\")]);
    let from_head = Federate::of_database(db.clone(), clock.clone(), external.clone(), parse);
    let from_chunks = Federate::new(db.clone(), clock.clone(), external, parse);
    for accept in ["text/plain", "text/plain;version=1.0.0;escaping=allow-utf-8", "application/openmetrics-text"] {
        let mut told = Vec::new();
        for federate in [&from_head, &from_chunks] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let url = format!("http://{}/federate?match[]=all", listener.local_addr().expect("an address"));
            let router = federation::router(federate.clone());
            tokio::spawn(async move { axum::serve(listener, router).await });
            let answer = reqwest::Client::new().get(url).header("accept", accept).send().await.expect("an answer");
            let text = answer.text().await.expect("text");
            // In a metric each has its own order.
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            told.push(lines);
        }
        assert!(told[0].len() > 880, "{} lines", told[0].len());
        assert_eq!(told[0], told[1], "{accept}");
    }

    let mut appender = db.appender();
    appender.append(&Labels::from_pairs([(METRIC_NAME, "ahead")]), now + 60_000, 1.0).expect("taken");
    appender.commit().expect("stored");
    let known = db.newest(&[vec![]], now - 300_000).await.expect("no history is missing");
    assert!(known.is_none(), "of a series that is ahead of the clock only its chunks tell what is now");
}

#[tokio::test]
async fn what_is_served_arrives_and_ends() {
    let (shard, global) = (Memory::default(), Memory::default());
    let now = SystemClock.now();
    shard.put(&[("__name__", "up"), ("instance", "h:1"), ("job", "node")], now - 1500, 1.0);
    shard.put(&[("__name__", "job:rate"), ("replica", "own")], now - 500, 0.25);
    shard.put(&[("__name__", "not_asked_for")], now - 500, 1.0);
    let (url, server) = serve(&shard, &[("cluster", "eu"), ("replica", "a")]).await;
    let mut registry = Registry::default();
    let puller = puller(&global, &mut registry);
    let text = format!(
        "selectors: [up, 'job:rate']\nreplica_labels: [cluster]\nshards:\n- {{name: eu-1, replicas: ['{url}']}}\n- {{name: \
         gone, replicas: ['http://127.0.0.1:1']}}"
    );
    puller.apply(config(&text), 50, 5000).await;
    let up = r#"up{cluster="eu", instance="h:1", job="node", replica="a"}"#;
    let rate = r#"job:rate{cluster="eu", replica="own"}"#;
    eventually("the samples", async || (global.of(rate).len() == 1).then_some(())).await;
    assert_eq!(global.of(up), [((now - 1500).as_ms(), Some(1.0))]);
    assert_eq!(global.of(rate), [((now - 500).as_ms(), Some(0.25))]);
    assert_eq!(global.series(), [rate, up]);

    shard.put(&[("__name__", "up"), ("instance", "h:1"), ("job", "node")], SystemClock.now(), STALE_NAN);
    let ended =
        eventually("the end of the series", async || Some(global.of(up)).filter(|samples| samples.len() == 2)).await;
    assert!(ended[1].1.is_none() && ended[1].0 >= now.as_ms(), "{ended:?}");

    let status = eventually("both shards", async || {
        Some(puller.status()).filter(|shards| shards.iter().all(|s| s.replicas[0].state != ReplicaState::Unknown))
    })
    .await;
    let (eu, gone) = (&status[0].replicas[0], &status[1].replicas[0]);
    assert_eq!((status[0].name.as_str(), eu.url.as_str(), eu.replica.as_str()), ("eu-1", url.as_str(), "eu"));
    assert_eq!((eu.state, eu.newest_sample, eu.last_error.as_deref()), (ReplicaState::Up, Some(now - 500), None));
    assert_eq!(gone.state, ReplicaState::Down);
    assert!(gone.last_error.as_deref().is_some_and(|error| error.contains("onnection refused")), "{gone:?}");
    let instance = url.trim_start_matches("http://");
    let reports = |name: &str, instance: &str, shard: &str| {
        global.of(&format!(r#"{name}{{instance="{instance}", job="federation", shard="{shard}"}}"#))
    };
    assert!(reports("up", instance, "eu-1").iter().all(|(_, value)| *value == Some(1.0)));
    assert_eq!(reports("scrape_samples_scraped", instance, "eu-1")[0].1, Some(2.0));
    assert!(reports("up", "127.0.0.1:1", "gone").iter().all(|(_, value)| *value == Some(0.0)));

    server.abort();
    eventually("the shard's fall", async || (puller.status()[0].replicas[0].state == ReplicaState::Down).then_some(()))
        .await;
    assert_eq!(global.of(rate).len(), 1, "a pull that fails ends no series");

    puller.apply(config("{}"), 50, 5000).await;
    assert_eq!(puller.status(), []);
    assert_eq!(global.of(rate).last().map(|(_, value)| *value), Some(None), "a removed replica ends its series");
    assert_eq!(reports("up", instance, "eu-1").last().map(|(_, value)| *value), Some(None));
    let mut metrics = String::new();
    prometheus_client::encoding::text::encode(&mut metrics, &registry).expect("text");
    assert!(!metrics.contains("eu-1"), "{metrics}");
}

#[tokio::test]
async fn a_reload_goes_on_with_what_it_knows() {
    let (shard, global) = (Memory::default(), Memory::default());
    shard.put(&[("__name__", "a")], SystemClock.now(), 1.0);
    let (url, _server) = serve(&shard, &[]).await;
    let mut registry = Registry::default();
    let puller = puller(&global, &mut registry);
    let text = |timeout: &str| format!("selectors: [{timeout}]\nshards:\n- {{name: s, replicas: ['{url}']}}");
    let pulls = async || {
        let first = puller.status()[0].replicas[0].last_pull;
        eventually("a pull", async || Some(puller.status()[0].replicas[0].last_pull).filter(|last| *last > first))
            .await;
    };
    puller.apply(config(&text("a")), 50, 5000).await;
    pulls().await;
    puller.apply(config(&text("a")), 50, 5000).await;
    assert_eq!(puller.status()[0].replicas[0].state, ReplicaState::Up, "its state is kept");
    puller.apply(config(&text("b")), 50, 5000).await;
    assert_eq!(puller.status()[0].replicas[0].state, ReplicaState::Up, "it is the same replica");
    let ended = eventually("the end of the series", async || Some(global.of("a")).filter(|a| a.len() == 2)).await;
    assert_eq!(ended[1].1, None, "what is no longer asked for has ended");
    puller.apply(config(&text("a")), 50, 5000).await;
    pulls().await;
    puller.shutdown().await;
    assert_eq!(global.of("a").len(), 2, "a shutdown ends no series");
    let mut metrics = String::new();
    prometheus_client::encoding::text::encode(&mut metrics, &registry).expect("text");
    for name in [
        "pulls_total",
        "samples_total",
        "samples_skipped_total",
        "last_success_timestamp_seconds",
        "pull_duration_seconds_count",
    ] {
        assert!(metrics.contains(&format!("watershed_federation_{name}{{")), "{name}: {metrics}");
    }
    assert!(metrics.contains(r#"result="success""#), "{metrics}");
}

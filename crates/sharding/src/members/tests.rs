//! One shard's view, and many shards with a simulated network and clock between them.

use std::collections::BTreeMap;
use std::time::Duration;

use discovery::Sources;

use super::*;

const TAKEOVER: Duration = Duration::from_secs(5);

fn config(name: &str, peers: &[&str]) -> ShardingConfig {
    ShardingConfig {
        name: name.to_owned(),
        peers: peers.iter().map(|peer| (*peer).to_owned()).collect(),
        sources: Sources::default(),
        replication_factor: 2,
        takeover_after: TAKEOVER,
        unshared_jobs: Vec::new(),
        scheme: "http".to_owned(),
        path_prefix: String::new(),
        http: config::HttpClientConfig::default(),
    }
}

fn word(name: &str, state: State) -> Word {
    Word { name: name.to_owned(), state, replication_factor: 2, serving: Vec::new() }
}

#[test]
fn who_is_silent_for_too_long_takes_nothing() {
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    let mut members = Members::new(config("b:1", &["a:1", "b:1", "c:1"]));
    let mut last = Assignment::Alone;
    let mut check = |members: &Members, seconds: u64, want: &[&str]| {
        last = members.assignment(State::Serving, &last, at(seconds));
        assert_eq!(last.takers(), want, "after {seconds} s");
    };
    check(&members, 0, &["b:1"]);
    members.answered("a:1", Ok(word("a:1", State::Serving)), at(0));
    members.answered("c:1", Ok(word("c:1", State::Joining)), at(0));
    check(&members, 5, &["a:1", "b:1"]);
    members.answered("c:1", Ok(word("c:1", State::Serving)), at(5));
    members.answered("a:1", Err("refused".to_owned()), at(5));
    check(&members, 5, &["a:1", "b:1", "c:1"]);
    check(&members, 6, &["b:1", "c:1"]);
    // Who was away for a moment goes on.
    members.answered("c:1", Ok(word("c:1", State::Joining)), at(7));
    members.answered("a:1", Ok(word("a:1", State::Joining)), at(7));
    check(&members, 7, &["b:1", "c:1"]);
    members.answered("a:1", Ok(word("x:1", State::Serving)), at(7));
    check(&members, 8, &["b:1", "c:1"]);
    let status = members.statuses(State::Serving, at(8));
    assert_eq!(
        status[0].error,
        "it calls itself \"x:1\": sharding.self there and the name of the member must be equal"
    );
}

#[test]
fn members_that_are_found_come_and_go() {
    let now = Instant::now();
    let mut members = Members::new(config("b:1", &[]));
    assert!(members.found(vec!["a:1".to_owned(), "b:1".to_owned(), "c:1".to_owned()]));
    assert!(!members.found(vec!["c:1".to_owned(), "a:1".to_owned()]), "this shard belongs to them in any case");
    members.answered("c:1", Ok(word("c:1", State::Serving)), now);
    assert!(members.found(vec!["c:1".to_owned(), "d:1".to_owned()]));
    assert_eq!(members.assignment(State::Serving, &Assignment::Alone, now).takers(), ["b:1", "c:1"]);
    let mut fresh = Members::new(config("b:1", &["b:1", "c:1", "e:1"]));
    fresh.remember(members);
    assert_eq!(fresh.assignment(State::Serving, &Assignment::Alone, now).takers(), ["b:1", "c:1"]);
}

/// A shard as the others meet it.
struct Shard {
    members: Members,
    assignment: Assignment,
    state: State,
    /// Since when each target has been scraped, by its hash.
    scraped: BTreeMap<u64, Instant>,
}

const NAMES: [&str; 5] = ["a:1", "b:1", "c:1", "d:1", "e:1"];
const INTERVAL: Duration = Duration::from_secs(5);
const TARGETS: u64 = 60;

/// A step is a quarter of a second. Nothing is lost by rounding: whoever scrapes a target has it after one interval at the latest.
const STEP: Duration = Duration::from_millis(250);

struct Cluster {
    shards: BTreeMap<&'static str, Shard>,
    now: Instant,
    /// Links that are cut, in both directions.
    cut: Vec<(&'static str, &'static str)>,
}

impl Cluster {
    fn start(&mut self, name: &'static str) {
        let members = Members::new(config(name, &NAMES));
        let (assignment, state, scraped) =
            (Assignment::Waiting { unshared_jobs: Vec::new() }, State::Joining, BTreeMap::new());
        self.shards.insert(name, Shard { members, assignment, state, scraped });
    }

    /// Everybody asks everybody, and takes what follows from the answers.
    fn step(&mut self, asks: impl Fn(&str) -> bool) {
        let words: Vec<Word> = self.shards.values().map(|shard| shard.members.word(shard.state, self.now)).collect();
        let (now, cut) = (self.now, self.cut.clone());
        let is_cut = |a: &str, b: &str| cut.iter().any(|(x, y)| (*x == a && *y == b) || (*x == b && *y == a));
        for (name, shard) in &mut self.shards {
            if asks(name) {
                for other in NAMES.iter().filter(|other| *other != name) {
                    let word = words.iter().find(|word| word.name == **other && !is_cut(name, other)).cloned();
                    shard.members.answered(other, word.ok_or_else(|| "no answer".to_owned()), now);
                }
            }
            shard.assignment = shard.members.assignment(shard.state, &shard.assignment, now);
            let Assignment::Shared(shared) = &shard.assignment else { panic!("nothing is waited for here") };
            let mine: Vec<u64> = (0..TARGETS).filter(|key| shared.owners(*key).any(|at| at == shared.own)).collect();
            shard.scraped.retain(|key, _| mine.contains(key));
            for key in mine {
                shard.scraped.entry(key).or_insert(now);
            }
            if shard.scraped.values().all(|since| now - *since >= INTERVAL) {
                shard.state = State::Serving;
            }
        }
        self.now += STEP;
    }

    /// How many shards have scraped the target for an interval or more.
    fn watched(&self, key: u64) -> usize {
        let is_watching = |shard: &&Shard| shard.scraped.get(&key).is_some_and(|since| self.now - *since >= INTERVAL);
        self.shards.values().filter(is_watching).count()
    }
}

/// A sequence of numbers that a seed gives.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// One shard at a time dies, comes back or is cut off. Each target is watched at every moment by one shard or more, and by two or more
/// where one has only come; when all has been calm for the takeover and two intervals, by exactly two of those that live.
#[test]
fn no_target_is_left_alone() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let mut cluster = Cluster { shards: BTreeMap::new(), now: Instant::now(), cut: Vec::new() };
        NAMES[..4].iter().for_each(|name| cluster.start(name));
        let calm = ((TAKEOVER + INTERVAL * 2 + Duration::from_secs(2)).as_millis() / STEP.as_millis()) as u64;
        for _ in 0..calm {
            cluster.step(|_| true);
        }
        for round in 0..30 {
            let mut floor = 1;
            match random.below(4) {
                0 if cluster.shards.len() > 3 => {
                    let at = random.below(cluster.shards.len() as u64) as usize;
                    let name = *cluster.shards.keys().nth(at).expect("there is one");
                    cluster.shards.remove(name);
                }
                1 => {
                    // One that is there already is restarted, too fast for others to take its work.
                    let name = NAMES[random.below(5) as usize];
                    floor = if cluster.shards.contains_key(name) { 1 } else { 2 };
                    cluster.start(name);
                }
                2 => {
                    let one = NAMES[random.below(5) as usize];
                    cluster.cut = NAMES.iter().filter(|other| **other != one).map(|other| (one, *other)).collect();
                }
                _ => cluster.cut.clear(),
            }
            let slow = NAMES[random.below(5) as usize];
            for step in 0..calm {
                // Questions come once a second, and those of one shard are late now and then.
                cluster.step(|name| step % 4 == 0 && (name != slow || step % 8 == 0));
                for key in 0..TARGETS {
                    let watched = cluster.watched(key);
                    assert!(watched >= floor, "seed {seed}, round {round}, step {step}: {watched} watch target {key}");
                }
            }
            if cluster.cut.is_empty() {
                for key in 0..TARGETS {
                    assert_eq!(cluster.watched(key), 2, "seed {seed}, round {round}: target {key}");
                }
            }
        }
    }
}

//! Instances that lose messages and each other, on a clock of their own, thousands of times: nothing is lost, and as long as
//! nothing dies and nothing is cut nothing is told twice.
//!
//! `WATERSHED_PAIR_SEED` repeats a run, `WATERSHED_PAIR_RUNS` makes more of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use model::{Labels, Timestamp};

use super::{KEY, group};
use crate::alert::Alert;
use crate::fingerprint::Fingerprint;
use crate::notification_log::{Entry, NotificationLog};
use crate::pair::intents::*;

const REPEAT_MS: i64 = 3_600_000;
/// How many alerts there are in the end; they come one after the other.
const ALERTS: usize = 4;
/// When faults end, and when everything has to be told.
const CALM_AT: u64 = 20_000;
const END_AT: u64 = 60_000;
const HEARTBEAT: u64 = 1000;

#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

#[derive(Debug)]
enum Event {
    /// So many alerts fire, as the node sees it.
    Learn(usize),
    Flush,
    Asked {
        by: Member,
        from: usize,
        ask: u64,
        after: Option<Timestamp>,
    },
    Answered {
        ask: u64,
        answer: Answer,
        from: usize,
    },
    Impatient {
        ask: u64,
    },
    GivenBack {
        by: Member,
    },
    Beat,
    State {
        by: Member,
        holds: HashSet<String>,
        entry: Option<Entry>,
    },
    /// An attempt ends.
    Attempted {
        entry: Entry,
        taken: bool,
    },
    Kill,
    Restart,
}

/// What was asked, and who has said what.
struct Ask {
    number: u64,
    answers: Vec<(usize, Answer)>,
    entry: Entry,
}

struct Node {
    intents: Intents,
    /// Survives, as the journal does.
    log: NotificationLog,
    known: usize,
    alive: bool,
    run: u64,
    offset_ms: i64,
    ask: Option<Ask>,
    telling: bool,
}

struct World {
    random: Random,
    faults: bool,
    now: u64,
    number: u64,
    times: BinaryHeap<Reverse<(u64, u64)>>,
    /// Node, its run, and what happens, by number.
    events: BTreeMap<u64, (usize, u64, Event)>,
    nodes: Vec<Node>,
    /// What the receiver got.
    told: Vec<BTreeSet<Fingerprint>>,
}

fn firing(alerts: usize) -> Vec<(Fingerprint, Alert)> {
    let alert = |n: usize| Alert {
        labels: Labels::from_pairs([("n", n.to_string())]),
        annotations: Labels::empty(),
        starts_at: Timestamp::from_ms(0),
        ends_at: Timestamp::from_ms(i64::MAX),
        updated_at: Timestamp::from_ms(0),
        generator_url: String::new(),
        timeout: false,
    };
    (0..alerts).map(alert).map(|alert| (alert.fingerprint(), alert)).collect()
}

fn named(node: usize, run: u64) -> Member {
    Member { name: format!("node-{node}"), run }
}

impl World {
    fn new(seed: u64, faults: bool) -> Self {
        let mut random = Random(seed);
        let count = 2 + usize::from(random.below(4) == 0);
        let node = |node| Node {
            intents: Intents::new(named(node, 1)),
            log: NotificationLog::default(),
            known: 0,
            alive: true,
            run: 1,
            offset_ms: random.below(6000) as i64 - 3000,
            ask: None,
            telling: false,
        };
        let nodes = (0..count).map(node).collect();
        let (times, events) = (BinaryHeap::new(), BTreeMap::new());
        let mut world = World { random, faults, now: 0, number: 0, times, events, nodes, told: Vec::new() };
        for alerts in 1..=ALERTS {
            let at = 1 + world.random.below(15_000);
            for node in 0..count {
                let after = at + world.random.below(300);
                world.later(node, after, Event::Learn(alerts));
            }
        }
        for node in 0..count {
            let first = world.random.below(HEARTBEAT);
            world.later(node, first, Event::Beat);
            if faults && world.random.below(3) > 0 {
                let at = world.random.below(CALM_AT - 5000);
                world.later(node, at, Event::Kill);
            }
        }
        world
    }

    fn later(&mut self, node: usize, ms: u64, event: Event) {
        self.number += 1;
        self.times.push(Reverse((self.now + ms, self.number)));
        self.events.insert(self.number, (node, self.nodes[node].run, event));
    }

    fn send(&mut self, to: usize, event: Event) {
        let lost = self.faults && self.now < CALM_AT && self.random.below(3) == 0;
        if !lost {
            let delay = 1 + self.random.below(200);
            self.later(to, delay, event);
        }
    }

    fn at(&self) -> Duration {
        Duration::from_millis(self.now)
    }

    fn clock(&self, node: usize) -> Timestamp {
        Timestamp::from_ms(1_000_000 + self.now as i64 + self.nodes[node].offset_ms)
    }

    /// What the receiver got.
    fn run(mut self) -> Vec<BTreeSet<Fingerprint>> {
        while let Some(Reverse((at, number))) = self.times.pop() {
            let Some((node, run, event)) = self.events.remove(&number).filter(|_| at <= END_AT) else { break };
            self.now = at;
            let (alive, same_run) = (self.nodes[node].alive, run == self.nodes[node].run);
            let happens = match event {
                Event::Learn(_) | Event::Restart => true,
                // What another sent reaches whatever run there is.
                Event::Asked { .. } | Event::GivenBack { .. } | Event::State { .. } => alive,
                _ => alive && same_run,
            };
            if happens {
                self.happen(node, event);
            }
        }
        self.told
    }

    fn happen(&mut self, node: usize, event: Event) {
        let (at, now) = (self.at(), self.clock(node));
        match event {
            Event::Learn(alerts) => {
                self.nodes[node].known = self.nodes[node].known.max(alerts);
                self.later(node, 0, Event::Flush);
            }
            Event::Flush => self.flush(node),
            Event::Asked { by, from, ask, after } => {
                let newer = self.nodes[node].log.get(KEY, now).filter(|entry| Some(entry.at) > after).cloned();
                let answer = self.nodes[node].intents.asked(&by, KEY, newer.as_ref(), at);
                self.send(from, Event::Answered { ask, answer, from: node });
            }
            Event::Answered { ask, answer, from } => {
                let wanted = self.nodes.len() - 1;
                let Some(asked) = self.nodes[node].ask.as_mut().filter(|asked| asked.number == ask) else { return };
                asked.answers.push((from, answer));
                if asked.answers.len() == wanted {
                    self.decide(node);
                }
            }
            Event::Impatient { ask } => {
                if self.nodes[node].ask.as_ref().is_some_and(|asked| asked.number == ask) {
                    self.decide(node);
                }
            }
            Event::GivenBack { by } => {
                let freed = self.nodes[node].intents.given_back(&by, KEY);
                self.hurry(node, freed.is_some());
            }
            Event::Beat => {
                let entry = self.nodes[node].log.get(KEY, now).cloned();
                self.tell_peers(node, entry.as_ref());
                let freed = self.nodes[node].intents.lapse(at);
                self.hurry(node, !freed.is_empty());
                self.later(node, HEARTBEAT, Event::Beat);
            }
            Event::State { by, holds, entry } => {
                let freed = self.nodes[node].intents.alive(&by, &holds, at);
                let told = entry.is_some_and(|entry| self.adopt(node, entry));
                self.hurry(node, told || !freed.is_empty());
            }
            Event::Attempted { entry, taken } => self.attempted(node, &entry, taken),
            Event::Kill => {
                (self.nodes[node].alive, self.nodes[node].run) = (false, self.nodes[node].run + 1);
                let down = self.random.below(5000);
                self.later(node, down, Event::Restart);
            }
            Event::Restart => {
                let again = &mut self.nodes[node];
                again.intents = Intents::new(named(node, again.run));
                (again.alive, again.ask, again.telling) = (true, None, false);
                self.later(node, 0, Event::Beat);
                self.later(node, 0, Event::Flush);
            }
        }
    }

    fn peers(&self, node: usize) -> impl Iterator<Item = usize> + use<> {
        (0..self.nodes.len()).filter(move |peer| *peer != node)
    }

    fn tell_peers(&mut self, node: usize, entry: Option<&Entry>) {
        for peer in self.peers(node) {
            let intents = &self.nodes[node].intents;
            let (by, holds) = (intents.me().clone(), intents.holds());
            self.send(peer, Event::State { by, holds, entry: entry.cloned() });
        }
    }

    fn give_back(&mut self, node: usize, peers: impl IntoIterator<Item = usize>) {
        for peer in peers {
            let by = self.nodes[node].intents.me().clone();
            self.send(peer, Event::GivenBack { by });
        }
    }

    fn hurry(&mut self, node: usize, hurry: bool) {
        if hurry {
            self.later(node, 0, Event::Flush);
        }
    }

    fn adopt(&mut self, node: usize, entry: Entry) -> bool {
        self.nodes[node].log.record(entry) && self.nodes[node].intents.told(KEY).is_some()
    }

    /// What the engine does with a group that is due.
    fn flush(&mut self, node: usize) {
        let (at, now) = (self.at(), self.clock(node));
        let own = &mut self.nodes[node];
        if own.ask.is_some() || own.telling {
            return;
        }
        let alerts = firing(own.known);
        let last = own.log.get(KEY, now).map(|entry| entry.at);
        let entry = Entry::new(KEY.to_owned(), alerts.iter().map(|(f, a)| (f, a)), REPEAT_MS, last, now);
        if !own.log.needs_update(&entry, true, REPEAT_MS) {
            return;
        }
        if !own.intents.begin(KEY, at) {
            return self.wait(node);
        }
        let ask = self.number;
        own.ask = Some(Ask { number: ask, answers: Vec::new(), entry });
        let by = own.intents.me().clone();
        for peer in self.peers(node) {
            self.send(peer, Event::Asked { by: by.clone(), from: node, ask, after: last });
        }
        let patience = if node == 0 { 500 } else { 2000 };
        self.later(node, patience, Event::Impatient { ask });
    }

    fn wait(&mut self, node: usize) {
        let at = self.at();
        let wait = self.nodes[node].intents.wait(KEY, &group(), at);
        self.later(node, wait.as_millis() as u64 + 1, Event::Flush);
    }

    fn decide(&mut self, node: usize) {
        let at = self.at();
        let Some(Ask { answers, entry, .. }) = self.nodes[node].ask.take() else { return };
        let granted: Vec<usize> =
            answers.iter().filter(|(_, a)| *a == Answer::Granted).map(|(from, _)| *from).collect();
        let answers = answers.into_iter().map(|(_, answer)| answer).collect();
        match self.nodes[node].intents.answered(KEY, answers, at) {
            Verdict::Go => self.attempt(node, entry),
            verdict => {
                self.give_back(node, granted);
                if let Verdict::Told(entries) = verdict {
                    for entry in entries {
                        self.adopt(node, entry);
                    }
                }
                self.wait(node);
            }
        }
    }

    fn attempt(&mut self, node: usize, entry: Entry) {
        self.nodes[node].telling = true;
        let ms = 5 + self.random.below(6000);
        let dies = self.faults && self.now < CALM_AT && self.random.below(6) == 0;
        let taken = !self.faults || self.random.below(4) > 0;
        if taken {
            self.told.push(entry.firing.clone());
        }
        if dies {
            let after = self.random.below(ms);
            self.later(node, after, Event::Kill);
        }
        self.later(node, ms, Event::Attempted { entry, taken });
    }

    fn attempted(&mut self, node: usize, entry: &Entry, taken: bool) {
        self.nodes[node].telling = false;
        self.nodes[node].intents.end(KEY);
        if taken {
            self.nodes[node].log.record(entry.clone());
            self.tell_peers(node, Some(entry));
        } else {
            self.give_back(node, self.peers(node));
        }
        self.later(node, if taken { 0 } else { 500 }, Event::Flush);
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn everything() -> BTreeSet<Fingerprint> {
    firing(ALERTS).into_iter().map(|(fingerprint, _)| fingerprint).collect()
}

fn repeated(told: &[BTreeSet<Fingerprint>]) -> usize {
    told.len() - told.iter().collect::<BTreeSet<_>>().len()
}

#[test]
fn in_calm_times_everything_is_told_once() {
    let (from, runs) = (setting("WATERSHED_PAIR_SEED", 1), setting("WATERSHED_PAIR_RUNS", 3000));
    for seed in from..from + runs {
        let told = World::new(seed, false).run();
        assert!(told.contains(&everything()), "WATERSHED_PAIR_SEED={seed}: lost: {told:?}");
        assert_eq!(repeated(&told), 0, "WATERSHED_PAIR_SEED={seed}: told twice: {told:?}");
    }
}

#[test]
fn nothing_is_lost_whatever_dies_and_whatever_is_cut() {
    let (from, runs) = (setting("WATERSHED_PAIR_SEED", 1), setting("WATERSHED_PAIR_RUNS", 3000));
    let (mut messages, mut twice) = (0, 0);
    for seed in from..from + runs {
        let told = World::new(seed, true).run();
        assert!(told.contains(&everything()), "WATERSHED_PAIR_SEED={seed}: lost: {told:?}");
        messages += told.len();
        twice += repeated(&told);
    }
    println!("{runs} runs: {messages} notifications taken, {twice} of them repeat another");
}

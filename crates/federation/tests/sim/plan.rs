//! What goes wrong, and when: follows from a seed.

use crate::random::Random;

/// Who there is: four replicas, then two globals.
pub(crate) const HOSTS: [&str; 6] = ["eu-a", "eu-b", "us-a", "us-b", "global-0", "global-1"];
pub(crate) const REPLICAS: usize = 4;
/// For so long things go wrong, in milliseconds.
pub(crate) const FAULTS_MS: i64 = 420_000;

/// Something that happens to hosts, by their numbers, or to what is between them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// Connections from the one to the other are cut and carry wrong bits, or no longer do.
    Bad { from: usize, to: usize, is_bad: bool },
    /// Nothing gets through, and nothing says so.
    Partition { between: (usize, usize) },
    /// Nothing gets through in this direction.
    OneWay { from: usize, to: usize },
    /// What is sent waits.
    Hold { between: (usize, usize) },
    /// The link is as it should be; what waited comes now.
    Heal { between: (usize, usize) },
    /// Packets take up to so many milliseconds.
    Latency { between: (usize, usize), max_ms: u64 },
    /// kill -9. A power cut takes the end of the log besides.
    Kill { host: usize, takes_bytes: u64 },
    /// kill -9 of a global at one of its next commits.
    KillAtCommit { global: usize, commits: i64, is_before: bool },
    /// It is started again if it is down.
    Start { host: usize },
    /// Somebody sets the clock.
    Clock { host: usize, by_ms: i64 },
    /// A global is told of the last replica, which it didn't pull yet.
    Join { global: usize },
    /// Pulls of a global may take so long from now on.
    Timeout { global: usize, ms: i64 },
}

/// A seed's plan.
#[derive(Debug)]
pub(crate) struct Plan {
    /// By time, in milliseconds from the beginning.
    pub(crate) events: Vec<(i64, Event)>,
    /// How far the hosts' clocks are ahead at first.
    pub(crate) ahead_ms: [i64; HOSTS.len()],
    /// Whether the globals pull the last replica from the beginning.
    pub(crate) pulls_all: bool,
    pub(crate) has_threads: bool,
    /// Of the replicas' blocks.
    pub(crate) block_ms: i64,
    /// Of the replicas, 0 for ever.
    pub(crate) retention_ms: i64,
    pub(crate) segment_bytes: u64,
}

impl Plan {
    pub(crate) fn of(random: &mut Random) -> Self {
        let mut events = Vec::new();
        // Some runs are rough, some calm with long breaks.
        let calm_ms = random.pick(&[20_000, 60_000, 150_000]);
        for to in 0..HOSTS.len() {
            for global in REPLICAS..HOSTS.len() {
                if to < global {
                    link(global, to, calm_ms, random, &mut events);
                }
            }
            lives(to, calm_ms, random, &mut events);
        }
        let pulls_all = !random.one_in(4);
        for global in REPLICAS..HOSTS.len() {
            if !pulls_all {
                events.push((random.between(1, FAULTS_MS), Event::Join { global }));
            }
            if random.one_in(2) {
                let ms = random.pick(&[1_500, 3_000, 5_000]);
                events.push((random.between(1, FAULTS_MS), Event::Timeout { global, ms }));
            }
        }
        let skew_ms = random.pick(&[0, 300, 2_000, 30_000]);
        let ahead_ms = [(); HOSTS.len()].map(|()| random.between(-skew_ms, skew_ms));
        for host in 0..HOSTS.len() {
            if random.one_in(3) {
                events
                    .push((random.between(1, FAULTS_MS), Event::Clock { host, by_ms: random.between(-3_000, 3_000) }));
            }
        }
        events.sort_by_key(|(time, _)| *time);
        Plan {
            events,
            ahead_ms,
            pulls_all,
            has_threads: random.one_in(3),
            block_ms: random.pick(&[40_000, 120_000, 7_200_000]),
            // Who joins late would miss what is deleted by then, and isn't told of it.
            retention_ms: if pulls_all { random.pick(&[0, 300_000]) } else { 0 },
            segment_bytes: random.pick(&[64 << 10, 128 << 20]),
        }
    }
}

/// How long a fault lasts.
fn length(random: &mut Random) -> i64 {
    if random.one_in(10) { random.between(40_000, 120_000) } else { random.between(1_000, 25_000) }
}

/// A link's good and bad times.
fn link(global: usize, to: usize, calm_ms: i64, random: &mut Random, events: &mut Vec<(i64, Event)>) {
    let mut time = random.between(0, calm_ms);
    while time < FAULTS_MS {
        let end = time + length(random);
        let between = (global, to);
        let heal = Event::Heal { between };
        let (begins, ends) = match random.below(7) {
            0 => (Event::Partition { between }, heal),
            1 => (Event::OneWay { from: global, to }, heal),
            2 => (Event::OneWay { from: to, to: global }, heal),
            3 => (Event::Hold { between }, heal),
            4 => (
                Event::Latency { between, max_ms: random.pick(&[1_000, 3_000]) },
                Event::Latency { between, max_ms: 100 },
            ),
            _ => (Event::Bad { from: global, to, is_bad: true }, Event::Bad { from: global, to, is_bad: false }),
        };
        events.extend([(time, begins), (end, ends)]);
        time = end + random.between(1_000, calm_ms);
    }
}

/// A host's deaths and starts.
fn lives(host: usize, calm_ms: i64, random: &mut Random, events: &mut Vec<(i64, Event)>) {
    let mut time = random.between(5_000, 2 * calm_ms);
    while time < FAULTS_MS {
        let up_again = time + random.between(100, 20_000);
        let is_global = host >= REPLICAS;
        if is_global && random.one_in(2) {
            let commits = random.between(1, 12);
            events.push((time, Event::KillAtCommit { global: host, commits, is_before: random.one_in(2) }));
        } else {
            let takes_bytes = if !is_global && random.one_in(4) { 1 + random.below(20_000) } else { 0 };
            events.push((time, Event::Kill { host, takes_bytes }));
        }
        events.push((up_again.max(time + 15_000 * i64::from(is_global)), Event::Start { host }));
        time = up_again + random.between(20_000, 3 * calm_ms);
    }
}

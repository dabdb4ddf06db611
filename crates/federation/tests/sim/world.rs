//! A run: the hosts are put up, the plan happens to them, everything is healed, and what they hold is compared.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use federation::{RawConfig, ReplicaState, ReplicaStatus};
use storage::Queryable;
use tempfile::TempDir;
use tsdb::Options;
use turmoil::Sim;

use crate::checks;
use crate::clock::{HostClock, START_MS, Step};
use crate::network::{Counts, Link, SimNetwork};
use crate::nodes::{End, GlobalSite, Orders, ReplicaSite, Site, TIMEOUT_MS};
use crate::plan::{Event, FAULTS_MS, HOSTS, Plan, REPLICAS};
use crate::random::Random;
use crate::source::Source;
use crate::stored::{everything, read};

/// Simulated time goes on by so much at a time, in milliseconds; packets take at least one of these.
const TICK_MS: i64 = 100;
/// How long it may take until everything is where it belongs once all is well, in milliseconds.
const DRAIN_MS: i64 = 120_000;
/// Where a machine keeps files in memory.
const MEMORY: &str = "/dev/shm";

/// What a run came to.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Summary {
    pub(crate) samples: u64,
    pub(crate) kills: u64,
    pub(crate) connections: u64,
    pub(crate) cut: u64,
    pub(crate) changed: u64,
    pub(crate) late: u64,
    /// Samples that replicas lost in power cuts.
    pub(crate) lost: u64,
    pub(crate) gaps: u64,
}

impl Summary {
    pub(crate) fn add(&mut self, other: &Summary) {
        self.samples += other.samples;
        self.kills += other.kills;
        self.connections += other.connections;
        self.cut += other.cut;
        self.changed += other.changed;
        self.late += other.late;
        self.lost += other.lost;
        self.gaps += other.gaps;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} samples compared, {} kills, {} connections, {} cut, {} with changed bits, {} pulls late, {} samples lost by power cuts, \
             {} gaps told",
            self.samples, self.kills, self.connections, self.cut, self.changed, self.late, self.lost, self.gaps
        )
    }
}

/// Stretches of time that a global was told are missing of a replica, by the numbers of both.
pub(crate) type Gaps = BTreeMap<(usize, usize), Vec<(i64, i64)>>;

/// Everything that is simulated.
pub(crate) struct World {
    pub(crate) replicas: Vec<Arc<ReplicaSite>>,
    pub(crate) globals: Vec<Arc<GlobalSite>>,
    links: BTreeMap<(usize, usize), Arc<Link>>,
    counts: Arc<Counts>,
    step: Step,
    is_quiet: Arc<AtomicBool>,
    pub(crate) gaps: Gaps,
    kills: u64,
    _dir: TempDir,
}

/// Runs a seed. The error is what went wrong, with the plan.
pub(crate) fn run(seed: u64) -> Result<Summary, String> {
    let mut random = Random::new(seed);
    let plan = Plan::of(&mut random);
    simulate(seed, &plan, &mut random).map_err(|error| {
        let events = plan.events.iter().map(|(time, event)| format!("  {:>8.3} {event:?}\n", *time as f64 / 1000.0));
        format!(
            "seed {seed}: {error}\nclocks ahead {:?}, threads {}, blocks {} ms, retention {} ms, segments {} bytes; events, in seconds \
             from {START_MS} on:\n{}",
            plan.ahead_ms,
            plan.has_threads,
            plan.block_ms,
            plan.retention_ms,
            plan.segment_bytes,
            events.collect::<String>()
        )
    })
}

fn simulate(seed: u64, plan: &Plan, random: &mut Random) -> Result<Summary, String> {
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .tick_duration(Duration::from_millis(TICK_MS.unsigned_abs()))
        .simulation_duration(Duration::from_secs(3600))
        .tcp_capacity(1024)
        .build();
    let mut world = World::new(plan, random).map_err(|error| error.to_string())?;
    for replica in &world.replicas {
        let site = replica.clone();
        sim.host(replica.site.name, move || {
            let site = site.clone();
            async move { site.run().await }
        });
    }
    for global in &world.globals {
        let site = global.clone();
        sim.host(global.site.name, move || {
            let site = site.clone();
            async move { site.run().await }
        });
    }
    let mut events = plan.events.iter().peekable();
    while world.now() < FAULTS_MS {
        while let Some((_, event)) = events.next_if(|(time, _)| *time <= world.now()) {
            world.happens(event, &mut sim)?;
        }
        world.step(&mut sim)?;
    }
    world.heal(&mut sim)?;
    world.drain(&mut sim)?;
    let samples = checks::all(&world, random)?;
    // What was acknowledged is on the disk: both are killed, and say the same when they are started again.
    for host in &HOSTS[REPLICAS..] {
        sim.crash(*host);
    }
    let again = checks::after_restart(&world)?;
    if again != samples {
        return Err(format!("{samples} samples before a restart of the globals, {again} after it"));
    }
    Ok(world.summary(samples))
}

/// The section of a global, without the last replica where that isn't known yet.
fn orders(global: usize, pulls_all: bool) -> Orders {
    let last = if pulls_all { ", 'http://us-b:9090'" } else { "" };
    let text = format!(
        "selectors: ['{{__name__=~\"job:.*\"}}', 'up{{job=\"made\"}}']\nreplica_labels: [replica]\ninitial_lookback: 1h\nshards:\n\
         - {{name: eu, replicas: ['http://eu-a:9090', 'http://eu-b:9090']}}\n- {{name: us, replicas: ['http://us-a:9090'{last}]}}\n"
    );
    let raw: RawConfig = config::load(&text, "global.yml").expect("valid YAML");
    let mut report = config::Report::new("global.yml");
    let mut config = raw.validate(&mut report);
    config.name = format!("global-{global}");
    let peer = format!("http://global-{}:9090/", 1 - global);
    config.peer = Some(federation::PeerConfig { url: peer.parse().expect("a URL"), http: Default::default() });
    Orders { config: report.finish(config).expect("a valid section"), timeout_ms: TIMEOUT_MS }
}

impl World {
    fn new(plan: &Plan, random: &mut Random) -> std::io::Result<Self> {
        let memory = Path::new(MEMORY);
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
        let (step, is_quiet, counts) = (Arc::new(AtomicI64::new(0)), Arc::default(), Arc::<Counts>::default());
        let site = |host: usize| {
            let is_global = host >= REPLICAS;
            let options = Options {
                min_block_ms: plan.block_ms,
                max_block_ms: plan.block_ms * 4,
                retention_ms: if is_global { 0 } else { plan.retention_ms },
                wal_segment_bytes: plan.segment_bytes,
                max_exemplars: 0,
                // As where nobody says otherwise at a global; a replica takes what is late by a while.
                out_of_order_window_ms: if is_global { 15 * 86_400_000 } else { 600_000 },
                ..Options::new(dir.path().join(HOSTS[host]))
            };
            Site {
                name: HOSTS[host],
                options,
                clock: HostClock::new(step.clone(), plan.ahead_ms[host]),
                db: Mutex::new(Weak::new()),
                is_quiet: Arc::clone(&is_quiet),
                has_threads: plan.has_threads,
            }
        };
        let replica = |host: usize, source: Source| {
            let (cluster, replica) = HOSTS[host].split_once('-').expect("a cluster and a replica");
            Arc::new(ReplicaSite { site: site(host), cluster, replica, source: Mutex::new(source) })
        };
        let replicas: Vec<_> = (0..REPLICAS).map(|host| replica(host, Source::new(random.fork()))).collect();
        let mut links = BTreeMap::new();
        let mut globals = Vec::new();
        for host in REPLICAS..HOSTS.len() {
            let mut own = BTreeMap::new();
            for (to, name) in HOSTS.into_iter().enumerate().filter(|(to, _)| *to != host) {
                let link = Arc::new(Link::new(random.next()));
                links.insert((host, to), link.clone());
                own.insert(name, link);
            }
            globals.push(Arc::new(GlobalSite {
                site: site(host),
                network: SimNetwork { links: Arc::new(own), counts: counts.clone() },
                orders: tokio::sync::watch::Sender::new(orders(host - REPLICAS, plan.pulls_all)),
                puller: Mutex::new(Weak::new()),
                end: Arc::new(End::default()),
            }));
        }
        Ok(World { replicas, globals, links, counts, step, is_quiet, gaps: Gaps::new(), kills: 0, _dir: dir })
    }

    /// Milliseconds since the beginning.
    fn now(&self) -> i64 {
        self.step.load(Ordering::Relaxed)
    }

    fn step(&mut self, sim: &mut Sim<'_>) -> Result<(), String> {
        sim.step().map_err(|error| format!("a host broke off: {error}"))?;
        self.step.fetch_add(TICK_MS, Ordering::Relaxed);
        for at in 0..self.globals.len() {
            self.note_gaps(at);
            if self.globals[at].end.is_dead() && sim.is_host_running(HOSTS[REPLICAS + at]) {
                self.kills += 1;
                sim.crash(HOSTS[REPLICAS + at]);
            }
        }
        Ok(())
    }

    fn note_gaps(&mut self, global: usize) {
        for (replica, status) in self.statuses(global).iter().enumerate() {
            let Some((from, until)) = status.gap else { continue };
            let gap = (from.as_ms(), until.as_ms());
            let known = self.gaps.entry((global, replica)).or_default();
            if !known.contains(&gap) {
                known.push(gap);
            }
        }
    }

    /// How a global's pulls of the replicas are doing; none while it is down.
    pub(crate) fn statuses(&self, global: usize) -> Vec<ReplicaStatus> {
        let shards = self.globals[global].puller().map(|puller| puller.status()).unwrap_or_default();
        shards.into_iter().flat_map(|shard| shard.replicas).collect()
    }

    fn happens(&mut self, event: &Event, sim: &mut Sim<'_>) -> Result<(), String> {
        let pair = |(a, b): (usize, usize)| (HOSTS[a], HOSTS[b]);
        match *event {
            Event::Bad { from, to, is_bad } => self.links[&(from, to)].set_bad(is_bad),
            Event::Partition { between } => sim.partition(pair(between).0, pair(between).1),
            Event::OneWay { from, to } => sim.partition_oneway(HOSTS[from], HOSTS[to]),
            Event::Hold { between } => sim.hold(pair(between).0, pair(between).1),
            Event::Heal { between } => sim.release(pair(between).0, pair(between).1),
            Event::Latency { between: (a, b), max_ms } => {
                sim.set_link_max_message_latency(HOSTS[a], HOSTS[b], Duration::from_millis(max_ms));
            }
            Event::Kill { host, takes_bytes } if sim.is_host_running(HOSTS[host]) => {
                self.kills += 1;
                sim.crash(HOSTS[host]);
                if takes_bytes > 0 {
                    self.power_cut(host, takes_bytes)?;
                }
            }
            Event::Kill { .. } => {}
            Event::KillAtCommit { global, commits, is_before } => {
                self.globals[global - REPLICAS].end.at_commit(commits, is_before);
            }
            Event::Start { host } => {
                if let Some(global) = host.checked_sub(REPLICAS) {
                    self.globals[global].end.forget();
                }
                if !sim.is_host_running(HOSTS[host]) {
                    sim.bounce(HOSTS[host]);
                }
            }
            Event::Clock { host, by_ms } => self.site(host).clock.put(by_ms),
            Event::Join { global } => {
                let all = orders(global - REPLICAS, true).config;
                self.globals[global - REPLICAS].orders.send_modify(|orders| orders.config = all);
            }
            Event::Timeout { global, ms } => {
                self.globals[global - REPLICAS].orders.send_modify(|orders| orders.timeout_ms = ms);
            }
        }
        Ok(())
    }

    fn site(&self, host: usize) -> &Site {
        match host.checked_sub(REPLICAS) {
            Some(global) => &self.globals[global].site,
            None => &self.replicas[host].site,
        }
    }

    /// The end of the log never got to the disk. What the replica stored is what it still has.
    fn power_cut(&mut self, host: usize, bytes: u64) -> Result<(), String> {
        let replica = self.replicas[host].clone();
        let (dir, copy) = (replica.site.dir(), replica.site.dir().with_extension("before"));
        let read = |dir: &Path| {
            let db = replica.site.open_at(dir).map_err(|error| error.to_string())?;
            read(db.as_ref() as &dyn Queryable, everything(), model::TimeRange::ALL)
        };
        // Opening begins a segment, so what was there is read elsewhere.
        copy_tree(&dir, &copy).map_err(|error| error.to_string())?;
        let before = read(&copy)?;
        fs::remove_dir_all(&copy).map_err(|error| error.to_string())?;
        cut_log(&dir.join("wal"), bytes).map_err(|error| error.to_string())?;
        let after = read(&dir)?;
        replica.source.lock().expect("nobody panics here").lose(&before, &after);
        Ok(())
    }

    /// All is well from now on, and nothing new comes.
    fn heal(&mut self, sim: &mut Sim<'_>) -> Result<(), String> {
        for link in self.links.values() {
            link.set_bad(false);
        }
        for global in REPLICAS..HOSTS.len() {
            for other in (0..HOSTS.len()).filter(|other| *other != global) {
                self.happens(&Event::Heal { between: (global, other) }, sim)?;
                self.happens(&Event::Latency { between: (global, other), max_ms: 100 }, sim)?;
            }
        }
        for host in 0..HOSTS.len() {
            self.happens(&Event::Start { host }, sim)?;
        }
        self.is_quiet.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Goes on until both globals have been pulling for a while and nothing new comes.
    fn drain(&mut self, sim: &mut Sim<'_>) -> Result<(), String> {
        let end = self.now() + DRAIN_MS;
        // Everybody has been asked at least twice by then.
        let first = self.now() + 20_000;
        let mut why = String::new();
        while self.now() < end {
            self.step(sim)?;
            if self.now() >= first && self.now() % 1000 == 0 {
                match self.is_settled() {
                    Ok(()) => return Ok(()),
                    Err(reason) => why = reason,
                }
            }
        }
        Err(format!("not everything was pulled in {} s after all was well: {why}", DRAIN_MS / 1000))
    }

    /// Why not everything is where it belongs, if it isn't.
    fn is_settled(&self) -> Result<(), String> {
        let statuses = [self.statuses(0), self.statuses(1)];
        for (global, statuses) in statuses.iter().enumerate() {
            let peer = self.globals[global].puller().and_then(|puller| puller.peer_status());
            for status in statuses.iter().chain(&peer) {
                if status.state != ReplicaState::Up || status.draining {
                    return Err(format!("global-{global}: {status:?}"));
                }
            }
            if statuses.len() != REPLICAS {
                return Err(format!("global-{global} pulls {} replicas", statuses.len()));
            }
        }
        let [first, second] = statuses;
        for (one, other) in first.iter().zip(&second) {
            if one.cursor != other.cursor || one.cursor.is_empty() {
                return Err(format!("the cursors of {} are {} and {}", one.url, one.cursor, other.cursor));
            }
        }
        Ok(())
    }

    fn summary(&self, samples: u64) -> Summary {
        let of = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Summary {
            samples,
            kills: self.kills,
            connections: of(&self.counts.connections),
            cut: of(&self.counts.cut),
            changed: of(&self.counts.changed),
            late: of(&self.counts.late),
            lost: self.replicas.iter().map(|replica| replica.lost_samples()).sum(),
            gaps: self.gaps.values().map(|gaps| gaps.len() as u64).sum(),
        }
    }
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Takes bytes from the end of the newest segment.
fn cut_log(dir: &Path, bytes: u64) -> std::io::Result<()> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_file() {
            segments.push(path);
        }
    }
    let Some(newest) = segments.iter().max() else { return Ok(()) };
    let file = fs::OpenOptions::new().write(true).open(newest)?;
    file.set_len(file.metadata()?.len().saturating_sub(bytes))
}

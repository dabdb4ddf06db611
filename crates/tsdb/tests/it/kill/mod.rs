//! A process is killed again and again while it appends, cuts, compacts, shortens its log, or opens or closes its directory; each
//! time what it had acknowledged is compared with what is read afterwards. Some end by themselves.
//!
//! Half of the deaths are at failpoints, which the process finds by itself; the rest are SIGKILL at a moment that depends on
//! how far it has come. Everything that is random comes from a seed, `$WATERSHED_KILL_SEED`; `$WATERSHED_KILLS` says how many
//! deaths there are. What the threads do beside each other is left to the machine.

mod contents;
mod ledger;
mod victim;
mod workload;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use tsdb::failpoint;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use self::ledger::Ledger;
use self::victim::{Orders, VARIABLE};
use self::workload::Profile;
use crate::fixture::{open, scratch};

/// So many deaths unless `$WATERSHED_KILLS` says otherwise.
const KILLS: u64 = 240;
/// A directory is used for so many deaths.
const KILLS_PER_ROUND: u64 = 15;
/// The longest silence of a living process.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A seeded source of numbers.
struct Dice(u64);

impl Dice {
    /// Below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = xxh3_64_with_seed(&self.0.to_be_bytes(), 1);
        self.0 % sides
    }
}

fn number_from(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{variable}: {text:?}")))
}

/// Only does something in the process that is killed.
#[test]
fn victim_of_the_kill_loop() {
    if let Some(orders) = Orders::of_this_process() {
        victim::run(orders);
    }
}

/// A running victim and what it says.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

/// How a victim ended.
struct Ended {
    status: ExitStatus,
    /// The failpoint that it died at.
    at: Option<String>,
    /// What it said that is neither of the ledger nor of a failpoint.
    said: Vec<String>,
}

impl Running {
    fn start(orders: &Orders, failpoints: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "kill::victim_of_the_kill_loop", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, orders.to_text())
            .env(failpoint::VARIABLE, failpoints)
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the victim starts");
        let pipe = BufReader::new(child.stderr.take().expect("a pipe"));
        let (send, lines) = channel();
        std::thread::spawn(move || pipe.lines().map_while(Result::ok).all(|line| send.send(line).is_ok()));
        Running { child, lines }
    }

    /// Hears it out. After `lines_max` lines it is killed, and what it said until then is still heard.
    fn hear(mut self, lines_max: u64, mut take: impl FnMut(&str) -> bool) -> Ended {
        let mut ended = Ended { status: ExitStatus::default(), at: None, said: Vec::new() };
        let mut heard = 0;
        loop {
            match self.lines.recv_timeout(SILENCE_MAX) {
                Ok(line) => {
                    heard += 1;
                    if heard == lines_max {
                        self.child.kill().expect("killed");
                    }
                    if let Some(point) = line.strip_prefix("failpoint ") {
                        ended.at = Some(point.to_owned());
                    } else if !line.is_empty() && !["opening", "open"].contains(&&*line) && !take(&line) {
                        ended.said.push(line);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.child.kill().expect("killed");
                    ended.said.push(format!("nothing was heard for {SILENCE_MAX:?}"));
                }
            }
        }
        ended.status = self.child.wait().expect("waited for");
        ended
    }
}

impl Ended {
    /// Whether it came to its end by itself and had nothing to complain about.
    fn has_stopped(&self) -> bool {
        self.status.success() && self.said.is_empty()
    }

    /// Whether it died by a signal and had nothing to complain about.
    fn is_dead_of_us(&self) -> bool {
        self.status.signal().is_some() && self.said.is_empty()
    }
}

/// All rounds together.
struct Campaign {
    seed: u64,
    kills: u64,
    points: Vec<String>,
    begun: AtomicU64,
    died_at: Mutex<BTreeSet<String>>,
}

/// One directory and its deaths.
struct Round<'a> {
    campaign: &'a Campaign,
    number: u64,
    dir: tempfile::TempDir,
    dice: Dice,
    ledger: Ledger,
    orders: Orders,
    story: Vec<String>,
}

impl<'a> Round<'a> {
    fn new(campaign: &'a Campaign, number: u64) -> Self {
        let profile = Profile { seed: campaign.seed.wrapping_add(number) };
        let dir = scratch();
        let orders = Orders {
            dir: dir.path().to_owned(),
            profile,
            first_step: 0,
            stop_at: 0,
            open_only: false,
            may_fail: false,
        };
        let dice = Dice(profile.seed);
        Round { campaign, number, dir, dice, ledger: Ledger::new(profile), orders, story: Vec::new() }
    }

    /// One life and death of a process, and the comparison.
    fn kill(&mut self, point: &str) {
        let is_of_snapshot = point.starts_with("snapshot.");
        let passings = match point {
            _ if is_of_snapshot => 1,
            _ if point.starts_with("wal.write") => 300,
            _ => 4,
        };
        let passing = 1 + self.dice.roll(passings);
        let lines_max = 100 + self.dice.roll(1500);
        let (failpoints, lines_max) = match self.dice.roll(10) {
            0..8 => (format!("{point}=abort@{passing}"), 4000),
            // A directory that can't be read or repaired can't be opened, and says so; the disk is full while it is open.
            8 if point != "replay.segment" && point != "repair.cut.before" => {
                (format!("{point}=full@{passing}x{}", 1 + self.dice.roll(20)), lines_max)
            }
            _ => (String::new(), lines_max),
        };
        self.orders.first_step = self.ledger.next_step;
        let stops = is_of_snapshot || self.dice.roll(6) == 0;
        self.orders.stop_at = if stops { self.ledger.next_step + 1 + self.dice.roll(60) } else { 0 };
        self.orders.may_fail = failpoints.contains("full");
        let died_at = self.live(&failpoints, lines_max);
        if died_at.as_deref() == Some("wal.write.in") {
            self.die_opening("repair.cut.before");
        } else if point == "snapshot.forget" {
            self.die_opening(point);
        } else if self.dice.roll(3) == 0 {
            let points = ["replay.segment", "wal.write.in", "head_chunks.write.in", "snapshot.forget", ""];
            let point = points[self.dice.roll(points.len() as u64) as usize];
            self.die_opening(point);
        }
        self.compare("after the death");
    }

    /// The answer is the failpoint that it died at.
    fn live(&mut self, failpoints: &str, lines_max: u64) -> Option<String> {
        let ended = Running::start(&self.orders, failpoints).hear(lines_max, |line| self.ledger.take(line).is_some());
        self.story.push(format!("from step {} with {failpoints:?}, died at {:?}", self.orders.first_step, ended.at));
        let is_fine = ended.is_dead_of_us() || (self.orders.stop_at > 0 && ended.has_stopped());
        assert!(is_fine, "{}: {:?}: {}", self.told(), ended.status, ended.said.join("\n"));
        self.campaign.died_at.lock().expect("no panic").extend(ended.at.clone());
        ended.at
    }

    /// A process that dies while it opens the directory.
    fn die_opening(&mut self, point: &str) {
        let failpoints = match point {
            "" => String::new(),
            "replay.segment" => format!("{point}=abort@{}", 1 + self.dice.roll(3)),
            point => format!("{point}=abort"),
        };
        let orders = Orders { open_only: true, ..self.orders.clone() };
        let lines_max = if point.is_empty() { 1 } else { u64::MAX };
        let ended = Running::start(&orders, &failpoints).hear(lines_max, |_| false);
        self.story.push(format!("opened with {failpoints:?}, died at {:?}", ended.at));
        let is_fine = ended.said.is_empty() && (ended.status.success() || ended.status.signal().is_some());
        assert!(is_fine, "{}: {:?}: {}", self.told(), ended.status, ended.said.join("\n"));
        self.campaign.died_at.lock().expect("no panic").extend(ended.at);
    }

    fn compare(&mut self, when: &str) {
        let (db, _registry) = open(self.orders.profile.options(self.dir.path()));
        let wrong = self.ledger.compare(&contents::read(&db, self.orders.profile));
        assert!(wrong.is_empty(), "{}{when}:\n{}", self.told(), wrong.join("\n"));
        if self.dice.roll(4) == 0 {
            db.maintain().expect("maintained");
            while db.compact().expect("compacted").is_some() {}
            let wrong = self.ledger.compare(&contents::read(&db, self.orders.profile));
            assert!(wrong.is_empty(), "{}{when} and maintenance:\n{}", self.told(), wrong.join("\n"));
        }
        assert_eq!(db.blocks_set_aside(), [""; 0].map(std::path::PathBuf::from), "{}", self.told());
    }

    /// How to come here again, and how it came.
    fn told(&mut self) -> String {
        let kept = std::mem::replace(&mut self.dir, scratch()).keep();
        let (seed, number) = (self.campaign.seed, self.number);
        format!(
            "seed {seed}, round {number}, directory {} is left as it is\n  {}\n",
            kept.display(),
            self.story.join("\n  ")
        )
    }
}

impl Campaign {
    fn never_died_at(&self) -> Vec<String> {
        let died_at = self.died_at.lock().expect("no panic");
        self.points.iter().filter(|point| !died_at.contains(*point)).cloned().collect()
    }

    /// A few more deaths where chance has not come by a point: first with deletions, then with late samples.
    fn come_by_all(&self) {
        for number in (1000..1030).filter(|_| !self.never_died_at().is_empty()) {
            let mut round = Round::new(self, number);
            for point in self.never_died_at() {
                round.kill(&point);
            }
        }
    }

    #[expect(clippy::print_stdout, reason = "what a round came to is told with the test's output")]
    fn work(&self) {
        let rounds = self.kills.div_ceil(KILLS_PER_ROUND);
        loop {
            let number = self.begun.fetch_add(1, Ordering::SeqCst);
            if number >= rounds {
                return;
            }
            let mut round = Round::new(self, number);
            for kill in 0..KILLS_PER_ROUND {
                let at = number * KILLS_PER_ROUND + kill;
                round.kill(&self.points[at as usize % self.points.len()]);
            }
            println!(
                "round {number}: {} commits acknowledged, {} failed, {} deletions, {} samples there",
                round.ledger.acknowledged,
                round.ledger.failures,
                round.ledger.deletions,
                round.ledger.len()
            );
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_comes_twice() {
    let start = Instant::now();
    let campaign = Campaign {
        seed: number_from("WATERSHED_KILL_SEED", 1),
        kills: number_from("WATERSHED_KILLS", KILLS),
        points: failpoint::points(),
        begun: AtomicU64::new(0),
        died_at: Mutex::default(),
    };
    println!("seed {}", campaign.seed);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| campaign.work());
        }
    });
    campaign.come_by_all();
    let never = campaign.never_died_at();
    println!("{} deaths in {:?}, never died at {never:?}", campaign.kills, start.elapsed());
    assert!(never.is_empty(), "nobody died at {never:?}");
}

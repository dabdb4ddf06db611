//! The process that is killed: appends from several threads, keeps the database in order beside, and tells what it does.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};

use model::{TimeRange, Timestamp};
use storage::{AppendError, Appendable};
use tsdb::Db;

use super::workload::{Profile, THREADS, Written, deletion, transaction};
use crate::fixture::{ms, open};

/// What it is told, in the environment.
pub(crate) const VARIABLE: &str = "WATERSHED_KILL_VICTIM";

/// What to do.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    pub(crate) dir: PathBuf,
    pub(crate) profile: Profile,
    pub(crate) first_step: u64,
    /// The step before which it closes the directory and ends, 0 for never.
    pub(crate) stop_at: u64,
    /// Only open the directory.
    pub(crate) open_only: bool,
    /// The disk will be full at times: failures are told, and life goes on.
    pub(crate) may_fail: bool,
}

impl Orders {
    pub(crate) fn to_text(&self) -> String {
        let Orders { dir, profile, first_step, stop_at, open_only, may_fail } = self;
        format!("{} {first_step} {stop_at} {open_only} {may_fail} {}", profile.seed, dir.display())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(6, ' ');
        let mut word = || words.next();
        Some(Orders {
            profile: Profile { seed: word()?.parse().ok()? },
            first_step: word()?.parse().ok()?,
            stop_at: word()?.parse().ok()?,
            open_only: word()?.parse().ok()?,
            may_fail: word()?.parse().ok()?,
            dir: word()?.into(),
        })
    }

    /// What this process was told; `None` where it is no victim.
    pub(crate) fn of_this_process() -> Option<Self> {
        let text = std::env::var(VARIABLE).ok()?;
        Some(Orders::parse(&text).expect("orders that were written by `to_text`"))
    }
}

/// No thread is further ahead of the slowest than this, or its samples would be too old for the others' head.
const AHEAD_MAX: u64 = 6;
/// Nobody is further ahead of maintenance than this.
const UNKEPT_MAX: u64 = 80;
/// Maintenance comes every so many steps.
const KEEP_EVERY: u64 = 8;

struct Progress {
    steps: [u64; THREADS as usize],
    kept: u64,
}

struct Victim {
    db: std::sync::Arc<Db>,
    orders: Orders,
    progress: Mutex<Progress>,
    moved: Condvar,
    over: AtomicBool,
}

/// One line in one write: the other end sees it whole or not at all.
fn tell(line: &str) {
    let told = std::io::stderr().write_all(format!("{line}\n").as_bytes());
    if told.is_err() {
        std::process::exit(0); // nobody listens any more
    }
}

/// Never comes back, unless it is only to open the directory or to close it at some step.
pub(crate) fn run(orders: Orders) {
    tell("opening");
    let mut options = orders.profile.options(&orders.dir);
    options.dir.clone_from(&orders.dir);
    let (db, _registry) = open(options);
    tell("open");
    if orders.open_only {
        return;
    }
    let steps = [orders.first_step; THREADS as usize];
    let progress = Mutex::new(Progress { steps, kept: orders.first_step });
    let victim = Victim { db, orders, progress, moved: Condvar::new(), over: AtomicBool::new(false) };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let victim = &victim;
                    move || victim.append(thread)
                })
            })
            .collect();
        scope.spawn(|| victim.keep());
        for thread in threads {
            if thread.join().is_err() {
                std::process::exit(101);
            }
        }
        victim.over.store(true, Ordering::Relaxed);
        drop(victim.progress.lock().expect("no panic"));
        victim.moved.notify_all();
    });
    victim.check("closing", victim.db.close());
}

impl Victim {
    fn append(&self, thread: u64) {
        for step in
            (self.orders.first_step..).take_while(|step| self.orders.stop_at == 0 || *step < self.orders.stop_at)
        {
            self.wait(|progress| {
                let slowest = progress.steps.iter().min().copied().unwrap_or(0);
                step <= slowest + AHEAD_MAX && step <= progress.kept + UNKEPT_MAX
            });
            self.commit(thread, step);
            let mut progress = self.progress.lock().expect("no panic");
            progress.steps[thread as usize] = step + 1;
            self.moved.notify_all();
        }
    }

    fn commit(&self, thread: u64, step: u64) {
        let mut appender = self.db.appender();
        let mut refused = 0_u64;
        for (at, sent) in transaction(self.orders.profile, thread, step).into_iter().enumerate() {
            let time = Timestamp::from_ms(sent.time);
            let result = match sent.written {
                Written::Float(value) => appender.append(&sent.labels, time, value).map(drop),
                Written::Histogram(histogram) => appender.append_histogram(&sent.labels, time, histogram).map(drop),
            };
            if let Err(error) = result {
                let is_fine = sent.late || matches!(error, AppendError::Unsupported(_));
                assert!(is_fine, "{} at {time} was refused: {error}", sent.labels);
                refused |= 1 << at;
            }
        }
        tell(&format!("send {thread} {step} {refused}"));
        match appender.commit() {
            Ok(()) => tell(&format!("stored {thread} {step}")),
            Err(error) if self.orders.may_fail => {
                let _ = error;
                tell(&format!("failed {thread} {step}"));
            }
            Err(error) => panic!("{error}: {:?}", error.source),
        }
    }

    fn wait(&self, mut until: impl FnMut(&Progress) -> bool) {
        let progress = self.progress.lock().expect("no panic");
        drop(self.moved.wait_while(progress, |progress| !until(progress)).expect("no panic"));
    }

    fn keep(&self) {
        let mut step = self.orders.first_step;
        while !self.over.load(Ordering::Relaxed) {
            step += KEEP_EVERY;
            let is_over = || self.over.load(Ordering::Relaxed);
            self.wait(|progress| is_over() || progress.steps.iter().all(|other| *other >= step));
            if is_over() {
                return;
            }
            self.maintain(step);
            let mut progress = self.progress.lock().expect("no panic");
            progress.kept = step;
            self.moved.notify_all();
        }
    }

    fn maintain(&self, step: u64) {
        let result = self.db.maintain();
        self.check("maintenance", result.map(drop));
        if step.is_multiple_of(2 * KEEP_EVERY)
            && let Some(deletion) = deletion(self.orders.profile, step)
        {
            tell(&format!("delete {step}"));
            let range = TimeRange::new(ms(deletion.from), ms(deletion.to));
            match self.db.delete_series(&deletion.matchers(), range) {
                Ok(()) => tell(&format!("deleted {step}")),
                failed => self.check("deletion", failed),
            }
        }
        if step.is_multiple_of(9 * KEEP_EVERY) {
            let cleaned = self.db.clean_tombstones();
            self.check("cleaning", cleaned);
        }
        if step.is_multiple_of(3 * KEEP_EVERY) {
            loop {
                let result = self.db.compact();
                let done = !matches!(result, Ok(Some(_)));
                self.check("compaction", result.map(drop));
                if done {
                    break;
                }
            }
        }
    }

    fn check<E: std::fmt::Display>(&self, what: &str, result: Result<(), E>) {
        if let Err(error) = result {
            assert!(self.orders.may_fail, "{what} failed: {error}");
        }
    }
}

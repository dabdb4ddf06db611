//! Acting as told.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::OnceLock;

use parking_lot::Mutex;

use super::points::{STEPS, WRITES};

/// The environment variable that tells what happens, in all threads.
pub const VARIABLE: &str = "WATERSHED_FAILPOINTS";

static PROCESS: OnceLock<Mutex<Vec<Arm>>> = OnceLock::new();

thread_local! {
    static THREAD: RefCell<Vec<Arm>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// The process dies.
    Abort,
    /// There is no room on the disk.
    Full,
}

/// What happens at a point, and when.
#[derive(Debug)]
struct Arm {
    point: String,
    action: Action,
    /// How often the point is passed before it acts.
    skip: u64,
    /// How often it acts.
    times: u64,
}

impl Arm {
    /// Reads `point=action@nxm`; `@n` is the first passing that it acts at, `xm` how often, both 1 where they are left out.
    fn parse(text: &str) -> Option<Self> {
        let (point, rest) = text.split_once('=')?;
        let (action, rest) = rest.split_once('@').unwrap_or((rest, "1"));
        let (first, times) = rest.split_once('x').unwrap_or((rest, "1"));
        let action = match action {
            "abort" => Action::Abort,
            "full" => Action::Full,
            _ => return None,
        };
        let known = |names: &[&str], name: &str| names.contains(&name);
        let is_part = point
            .rsplit_once('.')
            .is_some_and(|(write, part)| known(WRITES, write) && ["before", "in", "after"].contains(&part));
        let skip = first.parse::<u64>().ok()?.checked_sub(1)?;
        (is_part || known(STEPS, point)).then_some(Arm {
            point: point.to_owned(),
            action,
            skip,
            times: times.parse().ok()?,
        })
    }

    /// Counts a passing; tells what happens at it.
    fn come_by(&mut self) -> Option<Action> {
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times = self.times.checked_sub(1)?;
        Some(self.action)
    }
}

fn parse(text: &str) -> Vec<Arm> {
    let arms = text.split(',').filter(|arm| !arm.is_empty());
    arms.map(|arm| Arm::parse(arm).unwrap_or_else(|| panic!("no failpoint: {arm:?}"))).collect()
}

/// Lets something happen in the calling thread for as long as the answer lives. Panics where the text says nothing known.
pub fn arm(text: &str) -> Armed {
    THREAD.with_borrow_mut(|arms| *arms = parse(text));
    Armed(())
}

/// Points of the calling thread that are armed; dropping it disarms them.
#[derive(Debug)]
#[must_use]
pub struct Armed(());

impl Drop for Armed {
    fn drop(&mut self) {
        THREAD.with_borrow_mut(Vec::clear);
    }
}

/// What happens at the point `base` followed by `part`.
fn due(base: &str, part: &str) -> Option<Action> {
    let come_by = |arms: &mut Vec<Arm>| {
        let meant = arms.iter_mut().filter(|arm| arm.point.strip_prefix(base) == Some(part));
        meant.filter_map(Arm::come_by).next()
    };
    let of_process = PROCESS.get_or_init(|| Mutex::new(parse(&std::env::var(VARIABLE).unwrap_or_default())));
    THREAD.with_borrow_mut(come_by).or_else(|| come_by(&mut of_process.lock()))
}

fn act(action: Action, base: &str, part: &str) -> io::Error {
    if action == Action::Abort {
        // Whoever waits for the end of this process wants to know that it was this.
        let _ = io::stderr().write_all(format!("\nfailpoint {base}{part}\n").as_bytes());
        std::process::abort();
    }
    io::Error::new(io::ErrorKind::StorageFull, format!("failpoint {base}{part}"))
}

fn pass_part(base: &'static str, part: &str) -> io::Result<()> {
    due(base, part).map_or(Ok(()), |action| Err(act(action, base, part)))
}

/// Comes by a step.
pub(crate) fn pass(step: &'static str) -> io::Result<()> {
    debug_assert!(STEPS.contains(&step), "{step} is not in the list");
    pass_part(step, "")
}

/// Writes `bytes` by `write`, which may be called for a part of them alone.
pub(crate) fn write(
    point: &'static str,
    bytes: &[u8],
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    debug_assert!(WRITES.contains(&point), "{point} is not in the list");
    pass_part(point, ".before")?;
    if let Some(action) = due(point, ".in") {
        write(&bytes[..bytes.len() / 2])?;
        return Err(act(action, point, ".in"));
    }
    write(bytes)?;
    pass_part(point, ".after")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_at_the_passings_it_was_told() {
        let armed = arm("checkpoint.begin=full@2x2,wal.write.in=full");
        let results: Vec<bool> = (0..5).map(|_| pass("checkpoint.begin").is_ok()).collect();
        assert_eq!(results, [true, false, false, true, true]);
        let mut out = Vec::new();
        let mut put = |part: &[u8]| {
            out.extend_from_slice(part);
            Ok(())
        };
        let error = write("wal.write", b"abcd", &mut put).expect_err("told to fail");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        write("wal.write", b"efgh", &mut put).expect("only once");
        assert_eq!(out, b"abefgh");
        drop(armed);
        pass("checkpoint.begin").expect("disarmed");
    }

    #[test]
    fn refuses_points_that_are_not_there() {
        for text in ["wal.write=abort", "wal.write.in=die", "wal.write.in=abort@0", "none=full", "wal.write.in"] {
            assert!(Arm::parse(text).is_none(), "{text}");
        }
    }
}

//! The clocks of the hosts: simulated time, each with a mistake of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model::{Clock, Timestamp};

/// When a simulation begins, a multiple of a minute.
pub(crate) const START_MS: i64 = 1_700_000_040_000;

/// The time of the step that is on, in milliseconds since the beginning. Threads that do a host's work don't know of the simulation, and
/// read this.
pub(crate) type Step = Arc<AtomicI64>;

#[derive(Debug)]
pub(crate) struct HostClock {
    step: Step,
    ahead_ms: AtomicI64,
}

impl HostClock {
    pub(crate) fn new(step: Step, ahead_ms: i64) -> Arc<Self> {
        Arc::new(HostClock { step, ahead_ms: AtomicI64::new(ahead_ms) })
    }

    /// Somebody puts the clock forward, or back.
    pub(crate) fn put(&self, by_ms: i64) {
        self.ahead_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for HostClock {
    fn now(&self) -> Timestamp {
        let simulated = turmoil::sim_elapsed().and_then(|elapsed| i64::try_from(elapsed.as_millis()).ok());
        let elapsed = simulated.unwrap_or_else(|| self.step.load(Ordering::Relaxed));
        Timestamp::from_ms(START_MS + elapsed + self.ahead_ms.load(Ordering::Relaxed))
    }
}

//! What each node of an expression costs, noted only where a query is to be explained.
//!
//! Nodes hand series upwards through sinks, so a node and the one that asked it take turns on one thread. Exactly one of them works at a
//! time: whenever another one goes on, the time since the last such change is counted for the one that stops. The times of the nodes
//! therefore add up to that of the whole.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use hashbrown::HashMap;

use crate::syntax::Expr;

/// Names a node by its place in memory; parentheses are no node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct NodeKey(usize);

impl NodeKey {
    fn of(expr: &Expr) -> Self {
        NodeKey(std::ptr::from_ref(expr.unparen()).addr())
    }
}

/// What a node cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Series that it gave; a scalar counts as one.
    pub(crate) series: u64,
    /// Samples that it read from the storage.
    pub(crate) samples: u64,
    /// Values that it gave, of all its series together.
    pub(crate) points: u64,
    /// How long it worked itself.
    pub(crate) time: Duration,
}

/// The costs of all nodes, and who works at present.
pub(crate) struct Profile {
    now: fn() -> Instant,
    costs: RefCell<HashMap<NodeKey, Cost, foldhash::fast::RandomState>>,
    working: Cell<Option<NodeKey>>,
    since: Cell<Instant>,
}

impl Profile {
    /// Nothing has been done yet.
    pub(crate) fn new(now: fn() -> Instant) -> Self {
        Profile { now, costs: RefCell::default(), working: Cell::new(None), since: Cell::new(now()) }
    }

    /// A node goes to work, for the one that works at present.
    pub(crate) fn enter(&self, expr: &Expr) -> AtWork<'_> {
        let node = NodeKey::of(expr);
        AtWork { profile: self, node, caller: self.switch(Some(node)) }
    }

    /// The node that works has read a series of so many samples.
    pub(crate) fn read(&self, samples: usize) {
        if let Some(node) = self.working.get() {
            self.costs.borrow_mut().entry(node).or_default().samples += samples as u64;
        }
    }

    /// What a node cost so far.
    pub(crate) fn cost(&self, expr: &Expr) -> Cost {
        self.costs.borrow().get(&NodeKey::of(expr)).copied().unwrap_or_default()
    }

    /// Lets another one work, and gives who did.
    fn switch(&self, next: Option<NodeKey>) -> Option<NodeKey> {
        let now = (self.now)();
        let since = self.since.replace(now);
        let last = self.working.replace(next);
        if let Some(node) = last {
            self.costs.borrow_mut().entry(node).or_default().time += now - since;
        }
        last
    }
}

/// A node at work, until this is dropped.
pub(crate) struct AtWork<'a> {
    profile: &'a Profile,
    node: NodeKey,
    caller: Option<NodeKey>,
}

impl AtWork<'_> {
    /// A series of so many points is given; what is done with it is the work of the one that asked for it.
    pub(crate) fn gives<T>(&self, points: usize, done_with_it: impl FnOnce() -> T) -> T {
        self.profile.switch(self.caller);
        let done = done_with_it();
        self.profile.switch(Some(self.node));
        let mut costs = self.profile.costs.borrow_mut();
        let cost = costs.entry(self.node).or_default();
        cost.series += 1;
        cost.points += points as u64;
        done
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.profile.switch(self.caller);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::syntax::parse;

    thread_local! {
        static MS: Cell<u64> = const { Cell::new(0) };
    }
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    fn now() -> Instant {
        *START + Duration::from_millis(MS.get())
    }

    fn work(ms: u64) {
        MS.set(MS.get() + ms);
    }

    #[test]
    fn who_works_is_charged_and_nobody_else() {
        let sum = parse("sum((up))").expect("valid");
        let up = sum.children()[0];
        let profile = Profile::new(now);
        work(1_000_000);
        {
            let outer = profile.enter(&sum);
            work(1);
            {
                let inner = profile.enter(up);
                work(20);
                profile.read(7);
                inner.gives(3, || work(300));
                work(20);
                inner.gives(2, || work(300));
            }
            work(1);
            assert_eq!(outer.gives(5, || work(1_000_000)), ());
            work(1);
        }
        work(1_000_000);
        let cost = |series, samples, points, ms| Cost { series, samples, points, time: Duration::from_millis(ms) };
        assert_eq!(profile.cost(&sum), cost(1, 0, 5, 603));
        assert_eq!(profile.cost(up), cost(2, 7, 5, 40));
        assert_eq!(profile.cost(up.unparen()), profile.cost(up));
    }
}

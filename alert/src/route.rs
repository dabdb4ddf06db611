//! The route tree: which receiver an alert goes to, and how it is grouped on the way.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Labels, Matcher};

/// The place of a route in its tree; 0 is the root.
pub(crate) type RouteId = usize;

/// By which labels alerts are put together into one notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupBy {
    /// `['...']`: by all of them, which means no grouping.
    All,
    /// By these.
    Names(BTreeSet<String>),
}

impl GroupBy {
    /// The labels of an alert that name its group.
    pub(crate) fn group_labels(&self, labels: &Labels) -> Labels {
        match self {
            GroupBy::All => labels.clone(),
            GroupBy::Names(names) => labels.filtered(|name| names.contains(name)),
        }
    }
}

/// One route with everything in place that it inherits.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// The receiver's name, which exists.
    pub(crate) receiver: String,
    /// Which labels make a group.
    pub(crate) group_by: GroupBy,
    /// How long a new group waits for more alerts, in milliseconds.
    pub(crate) group_wait_ms: i64,
    /// The least time between two notifications of a group, in milliseconds.
    pub(crate) group_interval_ms: i64,
    /// After how long an unchanged group is told again, in milliseconds.
    pub(crate) repeat_interval_ms: i64,
    /// Which alerts it takes from its parent: those that all of these match.
    pub(crate) matchers: Vec<Matcher>,
    /// Whether the siblings behind it are asked as well.
    pub(crate) continues: bool,
    /// The matchers from the root down to here, Alertmanager's form: `{}/{severity="critical"}`.
    pub(crate) key: String,
    /// The key made unique in its tree: two routes with equal matchers are two routes.
    pub(crate) id: Arc<str>,
    /// Its sub-routes in the order of the file.
    pub(crate) children: Vec<RouteId>,
}

/// A route tree; it has a root.
#[derive(Debug, Clone)]
pub(crate) struct Routes(Vec<Route>);

impl Routes {
    /// A tree from its routes; the first is the root, and children lie behind their parents.
    pub(crate) fn new(routes: Vec<Route>) -> Self {
        Routes(routes)
    }

    /// A route of this tree.
    pub(crate) fn get(&self, id: RouteId) -> &Route {
        &self.0[id]
    }

    /// The routes that take an alert: the deepest that match, more than one where a route says `continue`.
    pub(crate) fn matching(&self, labels: &Labels) -> Vec<RouteId> {
        let mut found = Vec::new();
        self.descend(0, labels, &mut found);
        found
    }

    fn descend(&self, id: RouteId, labels: &Labels, found: &mut Vec<RouteId>) -> bool {
        let route = self.get(id);
        if !route.matchers.iter().all(|m| m.matches_labels(labels)) {
            return false;
        }
        let before = found.len();
        for child in &route.children {
            if self.descend(*child, labels, found) && !self.get(*child).continues {
                break;
            }
        }
        if found.len() == before {
            found.push(id);
        }
        true
    }
}

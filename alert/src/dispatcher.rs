//! Groups of alerts and when each is due. A pure state machine: it is told the time and asked what has to go out.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use model::{Labels, Timestamp};

use crate::alert::Alert;
use crate::fingerprint::Fingerprint;
use crate::route::{RouteId, Routes};

/// What names a group: its route and the labels it has in common. It stays the same over a reload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupId {
    /// The route.
    pub route: Arc<str>,
    /// The values of the labels the route groups by.
    pub labels: Labels,
}

/// Alerts of one route that are told together.
#[derive(Debug)]
struct Group {
    route: RouteId,
    alerts: BTreeMap<Fingerprint, Alert>,
    created: Timestamp,
    last_flush: Option<Timestamp>,
    next_flush: Timestamp,
    in_flight: bool,
}

/// A group whose time has come, as it is at that moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flush {
    /// The group.
    pub group: GroupId,
    /// Its route.
    pub route: RouteId,
    /// Its alerts in the order of a message.
    pub alerts: Vec<(Fingerprint, Alert)>,
    /// The moment.
    pub at: Timestamp,
}

/// One group as a person sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GroupView {
    /// The labels the group has in common.
    pub labels: Labels,
    /// Its route.
    pub route: RouteId,
    /// Its alerts.
    pub alerts: Vec<Fingerprint>,
}

/// All groups.
#[derive(Debug, Default)]
pub(crate) struct Dispatcher {
    groups: BTreeMap<GroupId, Group>,
}

impl Dispatcher {
    /// Puts an alert into the groups it belongs to. A new group is due after `group_wait`, or at once if the alert has fired
    /// for longer than that already.
    pub(crate) fn insert(&mut self, routes: &Routes, alert: &Alert, now: Timestamp) {
        for id in routes.matching(&alert.labels) {
            let route = routes.get(id);
            let group_id = GroupId { route: route.id.clone(), labels: route.group_by.group_labels(&alert.labels) };
            let group = self.groups.entry(group_id).or_insert_with(|| Group {
                route: id,
                alerts: BTreeMap::new(),
                created: now,
                last_flush: None,
                next_flush: now.saturating_add(route.group_wait_ms),
                in_flight: false,
            });
            if group.last_flush.is_none() && alert.starts_at.saturating_add(route.group_wait_ms) <= now {
                group.next_flush = now;
            }
            group.alerts.insert(alert.fingerprint(), alert.clone());
        }
    }

    /// When the next group is due. Groups that are being told are not counted: their end is an event of its own.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.groups.values().filter(|g| !g.in_flight).map(|g| g.next_flush).min()
    }

    /// The groups that are due at `now`. Each counts as being told until [`Dispatcher::finish`] is called for it.
    pub(crate) fn take_due(&mut self, routes: &Routes, now: Timestamp) -> Vec<Flush> {
        let due = self.groups.iter_mut().filter(|(_, group)| !group.in_flight && group.next_flush <= now);
        due.map(|(id, group)| {
            group.in_flight = true;
            group.last_flush = Some(now);
            group.next_flush = now.saturating_add(routes.get(group.route).group_interval_ms);
            let mut alerts: Vec<_> = group.alerts.iter().map(|(f, a)| (*f, a.clone())).collect();
            alerts.sort_by(|a, b| a.1.message_order(&b.1));
            Flush { group: id.clone(), route: group.route, alerts, at: now }
        })
        .collect()
    }

    /// Says how telling a group went. Resolved alerts that were told and haven't changed since leave the group, and an empty
    /// group is forgotten.
    pub(crate) fn finish(&mut self, flush: &Flush, delivered: bool) {
        let Some(group) = self.groups.get_mut(&flush.group) else { return };
        group.in_flight = false;
        for (fingerprint, told) in flush.alerts.iter().filter(|(_, told)| delivered && told.is_resolved(flush.at)) {
            if group.alerts.get(fingerprint) == Some(told) {
                group.alerts.remove(fingerprint);
            }
        }
        if group.alerts.is_empty() {
            self.groups.remove(&flush.group);
        }
    }

    /// Makes a group due at a moment, unless it is being told.
    pub(crate) fn put_off(&mut self, id: &GroupId, until: Timestamp) {
        if let Some(group) = self.groups.get_mut(id).filter(|group| !group.in_flight) {
            group.next_flush = until;
        }
    }

    /// Sorts all alerts anew after the routes have changed. Groups that still exist keep their pace.
    pub(crate) fn rebuild<'a>(&mut self, routes: &Routes, alerts: impl Iterator<Item = &'a Alert>, now: Timestamp) {
        let old = std::mem::take(&mut self.groups);
        for alert in alerts {
            self.insert(routes, alert, now);
        }
        for (id, group) in &mut self.groups {
            let Some(before) = old.get(id) else { continue };
            let route = routes.get(group.route);
            group.created = before.created;
            group.last_flush = before.last_flush;
            group.in_flight = before.in_flight;
            group.next_flush = match before.last_flush {
                Some(last) => last.saturating_add(route.group_interval_ms),
                None => group.next_flush.min(before.created.saturating_add(route.group_wait_ms)),
            };
        }
    }

    /// The alerts that are in a group.
    pub(crate) fn held(&self) -> HashSet<Fingerprint> {
        self.groups.values().flat_map(|group| group.alerts.keys().copied()).collect()
    }

    /// All groups, for a person.
    pub(crate) fn views(&self) -> Vec<GroupView> {
        let view = |(id, group): (&GroupId, &Group)| GroupView {
            labels: id.labels.clone(),
            route: group.route,
            alerts: group.alerts.keys().copied().collect(),
        };
        self.groups.iter().map(view).collect()
    }

    /// How many groups there are.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }
}

#[cfg(test)]
mod tests;

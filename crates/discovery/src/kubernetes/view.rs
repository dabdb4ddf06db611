//! The groups of targets of one role in one namespace or in all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::board::Part;
use crate::group::TargetGroup;
use crate::kubernetes::dirt::{Dirt, Name};
use crate::kubernetes::kind::Kind;
use crate::kubernetes::meta::namespace_of;
use crate::kubernetes::object::record::{Body, Record};
use crate::kubernetes::role::joins::Joins;
use crate::kubernetes::role::{addresses, ingress, node, pod, service};
use crate::kubernetes::store::Store;

/// Makes groups from stores and keeps them right while these change.
#[derive(Debug)]
pub(crate) struct View {
    /// The kind of objects whose targets these are.
    role: Kind,
    stores: BTreeMap<Kind, Arc<Store>>,
    has_job_names: bool,
    dirt: Arc<Dirt>,
    /// What the groups of an object were made of beside it.
    uses: HashMap<Arc<str>, Vec<Name>>,
    /// The objects whose groups were made with another one.
    users: HashMap<Name, BTreeSet<Arc<str>>>,
}

impl View {
    /// A view of `stores`, of which that of `role` has the objects with targets and the others what is joined to them.
    pub(crate) fn new(role: Kind, stores: BTreeMap<Kind, Arc<Store>>, has_job_names: bool, dirt: Arc<Dirt>) -> Self {
        stores.values().for_each(|store| store.tell(&dirt));
        View { role, stores, has_job_names, dirt, uses: HashMap::new(), users: HashMap::new() }
    }

    /// Whether all it is made of has been listed once. Before that it has no groups.
    pub(crate) fn is_ready(&self) -> bool {
        self.stores.values().all(|store| store.is_listed())
    }

    /// The groups that may have changed since the last call.
    pub(crate) fn refresh(&mut self) -> Vec<Part> {
        if !self.is_ready() {
            return Vec::new();
        }
        let mut keys = BTreeSet::new();
        for name in self.dirt.take() {
            keys.extend(self.users.get(&name).into_iter().flatten().cloned());
            if name.0 == self.role {
                keys.insert(name.1);
            }
        }
        keys.into_iter().map(|key| self.make(key)).collect()
    }

    fn make(&mut self, key: Arc<str>) -> Part {
        let mut joins = Joins::new(&self.stores, self.has_job_names);
        let record = self.stores.get(&self.role).and_then(|store| store.get(&key));
        let groups = record.map(|record| targets(self.role, &key, &record, &mut joins));
        let used = joins.used();
        for name in self.uses.remove(&key).into_iter().flatten() {
            if let Some(users) = self.users.get_mut(&name) {
                users.remove(&key);
                if users.is_empty() {
                    self.users.remove(&name);
                }
            }
        }
        for name in &used {
            self.users.entry(name.clone()).or_default().insert(key.clone());
        }
        let source = source(self.role, &key);
        if !used.is_empty() {
            self.uses.insert(key, used);
        }
        (source, groups.unwrap_or_default())
    }
}

fn targets(role: Kind, key: &str, record: &Record, joins: &mut Joins<'_>) -> Vec<TargetGroup> {
    let namespace = namespace_of(key);
    match &record.body {
        Body::Node(node) => node::targets(&record.labels, node),
        Body::Pod(pod) => pod::targets(namespace, record, pod, joins),
        Body::Service(service) => service::targets(namespace, record, service, joins),
        Body::Addresses(list) => addresses::targets(namespace, record, list, joins),
        Body::Ingress(rules) => ingress::targets(namespace, record, rules, joins),
        Body::Namespace | Body::Owned(_) => {
            debug_assert!(false, "{role:?} has no targets");
            Vec::new()
        }
    }
}

/// The name of the groups of an object, as Prometheus calls them.
fn source(role: Kind, key: &str) -> Arc<str> {
    let role = if role == Kind::Service { "svc" } else { role.role().unwrap_or_default() };
    format!("{role}/{key}").into()
}

#[cfg(test)]
mod tests;

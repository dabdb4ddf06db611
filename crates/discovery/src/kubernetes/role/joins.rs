//! Looking up what else belongs to a target, and remembering what was looked up.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kubernetes::dirt::Name;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::meta::key;
use crate::kubernetes::object::record::{Body, Record};
use crate::kubernetes::store::Store;
use crate::meta_labels::MetaLabels;

/// What is looked up while the targets of one object are made.
#[derive(Debug)]
pub(crate) struct Joins<'a> {
    stores: &'a BTreeMap<Kind, Arc<Store>>,
    /// What the targets depend on, whether it was there or not.
    used: Vec<Name>,
    has_job_names: bool,
}

impl<'a> Joins<'a> {
    /// Looks up in `stores`; a kind without one isn't joined. `has_job_names` says whether pods get the names of their jobs.
    pub(crate) fn new(stores: &'a BTreeMap<Kind, Arc<Store>>, has_job_names: bool) -> Self {
        Joins { stores, used: Vec::new(), has_job_names }
    }

    /// What was looked up, without repetition.
    pub(crate) fn used(mut self) -> Vec<Name> {
        self.used.sort_unstable();
        self.used.dedup();
        self.used
    }

    /// Whether objects of this kind are joined.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.stores.contains_key(&kind)
    }

    /// The object with this key.
    pub(crate) fn find(&mut self, kind: Kind, key: &str) -> Option<Arc<Record>> {
        let store = self.stores.get(&kind)?;
        self.used.push((kind, key.into()));
        store.get(key)
    }

    /// Adds the labels of an object, where it is there.
    pub(crate) fn join(&mut self, labels: &mut MetaLabels, kind: Kind, key: &str) {
        if let Some(record) = self.find(kind, key) {
            labels.join(&record.labels);
        }
    }

    /// Adds the labels of a pod, with the names of what made it.
    pub(crate) fn join_pod(&mut self, labels: &mut MetaLabels, namespace: &str, record: &Record) {
        labels.join(&record.labels);
        let Body::Pod(pod) = &record.body else { return };
        let Some(owner) = &pod.controller else { return };
        match &*owner.kind {
            "ReplicaSet" => self.join_owner(labels, Kind::ReplicaSet, &key(namespace, &owner.name)),
            "Job" => {
                if self.has_job_names {
                    labels.set("pod_job_name", &owner.name);
                }
                self.join_owner(labels, Kind::Job, &key(namespace, &owner.name));
            }
            _ => {}
        }
    }

    fn join_owner(&mut self, labels: &mut MetaLabels, kind: Kind, key: &str) {
        let Some(record) = self.find(kind, key) else { return };
        let Body::Owned(Some(owner)) = &record.body else { return };
        match (kind, &*owner.kind) {
            (Kind::ReplicaSet, "Deployment") => labels.set("pod_deployment_name", &owner.name),
            (Kind::Job, "CronJob") => labels.set("pod_cronjob_name", &owner.name),
            _ => labels,
        };
    }
}

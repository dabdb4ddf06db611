//! Who scrapes what, as one shard sees it at one moment.

use std::sync::Arc;

use scrape::{Place, Placement};
use url::{Host, Url};

use crate::ring::Ring;

/// Who scrapes what. It doesn't change: another view of the members makes another assignment.
#[derive(Debug, PartialEq)]
pub enum Assignment {
    /// There is no sharing: every target is scraped here.
    Alone,
    /// Who else is there isn't known yet: nothing that is shared is scraped, for two seconds at most.
    Waiting {
        /// Jobs whose targets are scraped by every member.
        unshared_jobs: Vec<String>,
    },
    /// Targets are shared.
    Shared(Shared),
}

impl Assignment {
    /// Whether it isn't known yet who is there.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self, Assignment::Waiting { .. })
    }

    /// The members that take targets; none where nothing is shared.
    pub(crate) fn takers(&self) -> Vec<&str> {
        match self {
            Assignment::Shared(shared) => shared.takers().collect(),
            Assignment::Alone | Assignment::Waiting { .. } => Vec::new(),
        }
    }
}

/// Members and those of them that take targets.
#[derive(Debug, PartialEq)]
pub struct Shared {
    pub(crate) ring: Arc<Ring>,
    /// The members' names, in the order the ring knows them by.
    pub(crate) names: Arc<[Arc<str>]>,
    /// Parallel to `names`: whether the member takes targets.
    pub(crate) takes: Vec<bool>,
    /// Where this shard is in `names`.
    pub(crate) own: usize,
    pub(crate) replication_factor: usize,
    pub(crate) unshared_jobs: Vec<String>,
}

impl Shared {
    /// The members that scrape what has this hash.
    pub fn owners(&self, key: u64) -> impl Iterator<Item = usize> + '_ {
        self.ring.candidates(key).filter(|member| self.takes[*member]).take(self.replication_factor)
    }

    fn takers(&self) -> impl Iterator<Item = &str> {
        self.names.iter().zip(&self.takes).filter(|(_, takes)| **takes).map(|(name, _)| &**name)
    }
}

impl Placement for Assignment {
    fn place(&self, job: &str, url: &Url, key: u64) -> Place {
        let is_unshared = |jobs: &[String]| jobs.iter().any(|name| name == job) || is_loopback(url);
        match self {
            Assignment::Alone => Place::Unshared,
            Assignment::Waiting { unshared_jobs } if is_unshared(unshared_jobs) => Place::Unshared,
            Assignment::Shared(shared) if is_unshared(&shared.unshared_jobs) => Place::Unshared,
            Assignment::Waiting { .. } => Place::Shared { owners: Vec::new(), is_here: false },
            Assignment::Shared(shared) => {
                let owners: Vec<usize> = shared.owners(key).collect();
                Place::Shared {
                    is_here: owners.contains(&shared.own),
                    owners: owners.into_iter().map(|member| Arc::clone(&shared.names[member])).collect(),
                }
            }
        }
    }
}

/// An address that is another machine's wherever it is asked for can't be shared.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

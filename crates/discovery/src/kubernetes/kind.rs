//! The kinds of objects that are asked for, and where the API has them.

/// A kind of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Node,
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    Ingress,
    Namespace,
    ReplicaSet,
    Job,
}

/// Where the API has a kind.
struct Place {
    /// The API group, nothing for the core.
    group: &'static str,
    /// The resource, as roles of access control call it too.
    plural: &'static str,
    is_namespaced: bool,
    /// The role of Prometheus that has this kind for targets.
    role: Option<&'static str>,
}

impl Kind {
    fn place(self) -> Place {
        let place = |group, plural, is_namespaced, role| Place { group, plural, is_namespaced, role };
        match self {
            Kind::Node => place("", "nodes", false, Some("node")),
            Kind::Pod => place("", "pods", true, Some("pod")),
            Kind::Service => place("", "services", true, Some("service")),
            Kind::Endpoints => place("", "endpoints", true, Some("endpoints")),
            Kind::EndpointSlice => place("discovery.k8s.io", "endpointslices", true, Some("endpointslice")),
            Kind::Ingress => place("networking.k8s.io", "ingresses", true, Some("ingress")),
            Kind::Namespace => place("", "namespaces", false, None),
            Kind::ReplicaSet => place("apps", "replicasets", true, None),
            Kind::Job => place("batch", "jobs", true, None),
        }
    }

    /// The API group, nothing for the core.
    pub(crate) fn group(self) -> &'static str {
        self.place().group
    }

    /// The resource, as `pods`.
    pub(crate) fn plural(self) -> &'static str {
        self.place().plural
    }

    /// Whether its objects are in namespaces.
    pub(crate) fn is_namespaced(self) -> bool {
        self.place().is_namespaced
    }

    /// The role that has this kind for targets.
    pub(crate) fn role(self) -> Option<&'static str> {
        self.place().role
    }

    /// The parts of the path that lists the objects, of one namespace or of all.
    pub(crate) fn path(self, namespace: Option<&str>) -> Vec<&str> {
        let place = self.place();
        let mut path = if place.group.is_empty() { vec!["api", "v1"] } else { vec!["apis", place.group, "v1"] };
        if let Some(namespace) = namespace.filter(|_| place.is_namespaced) {
            path.extend(["namespaces", namespace]);
        }
        path.push(place.plural);
        path
    }
}

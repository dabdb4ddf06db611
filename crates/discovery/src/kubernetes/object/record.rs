//! An object of any kind, and what the API's lists and watches say of it.

use model::Labels;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::kubernetes::kind::Kind;
use crate::kubernetes::meta::{ObjectMeta, Owner, meta_labels};
use crate::kubernetes::object::address_list::AddressList;
use crate::kubernetes::object::endpoints::{self, EndpointsWire};
use crate::kubernetes::object::endpointslice::{self, EndpointSliceWire};
use crate::kubernetes::object::ingress::{self, IngressWire, Rule};
use crate::kubernetes::object::node::{self, Node, NodeWire};
use crate::kubernetes::object::pod::{self, Pod, PodWire};
use crate::kubernetes::object::service::{self, Service, ServiceWire};

/// An object as it is kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The labels it gives to all targets that it is part of.
    pub(crate) labels: Labels,
    pub(crate) body: Body,
}

/// What is special to a kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Node(Node),
    Pod(Pod),
    Service(Service),
    /// Endpoints or a slice of them.
    Addresses(AddressList),
    Ingress(Box<[Rule]>),
    Namespace,
    /// What is only there to name its own controller: a replica set or a job.
    Owned(Option<Owner>),
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) objects: Vec<(String, Record)>,
    /// The version of the list as a whole.
    pub(crate) version: String,
    /// What to ask for the next page with; nothing after the last.
    pub(crate) next: String,
}

/// A line of a watch.
#[derive(Debug)]
pub(crate) enum Event {
    /// The object is this now.
    Put { version: String, key: String, record: Box<Record> },
    /// The object is gone.
    Gone { version: String, key: String },
    /// Nothing has changed up to this version.
    Bookmark { version: String },
    /// The watch is over.
    Error(Status),
}

/// Why the API server does not do what it was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Other {
    metadata: ObjectMeta,
}

#[derive(Debug, Deserialize)]
struct ListWire<T> {
    #[serde(default)]
    metadata: ListMeta,
    items: Option<Vec<T>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    next: String,
}

#[derive(Debug, Deserialize)]
struct EventKind {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, rename = "object")]
    _object: IgnoredAny,
}

#[derive(Debug, Deserialize)]
struct EventObject<T> {
    object: T,
}

/// Key, version and record of an object.
type Read = (String, String, Record);

fn read<T>(wire: T, meta: impl Fn(&T) -> &ObjectMeta, body: impl Fn(T) -> (Labels, Body)) -> Read {
    let (key, version) = (meta(&wire).key(), meta(&wire).resource_version.clone());
    let (labels, body) = body(wire);
    (key, version, Record { labels, body })
}

fn read_node(wire: NodeWire) -> Read {
    read(wire, |wire| &wire.metadata, |wire| with(node::read(wire), Body::Node))
}

fn read_pod(wire: PodWire) -> Read {
    read(wire, |wire| &wire.metadata, |wire| with(pod::read(wire), Body::Pod))
}

fn read_service(wire: ServiceWire) -> Read {
    read(wire, |wire| &wire.metadata, |wire| with(service::read(wire), Body::Service))
}

fn read_endpoints(wire: EndpointsWire) -> Read {
    read(wire, |wire| &wire.metadata, |wire| with(endpoints::read(wire), Body::Addresses))
}

fn read_slice(wire: EndpointSliceWire) -> Read {
    read(wire, |wire| &wire.metadata, |wire| with(endpointslice::read(wire), Body::Addresses))
}

fn read_ingress(wire: IngressWire) -> Read {
    read(wire, |wire| &wire.metadata, |wire| with(ingress::read(wire), Body::Ingress))
}

fn read_namespace(wire: Other) -> Read {
    let labels = |wire: Other| meta_labels().describe_unnamed("namespace", &wire.metadata).build();
    read(wire, |wire| &wire.metadata, |wire| (labels(wire), Body::Namespace))
}

fn read_owned(wire: Other) -> Read {
    read(wire, |wire| &wire.metadata, |wire| (Labels::empty(), Body::Owned(wire.metadata.controller())))
}

fn with<T>((labels, object): (Labels, T), body: impl Fn(T) -> Body) -> (Labels, Body) {
    (labels, body(object))
}

/// Reads a page of a list of objects of a kind.
pub(crate) fn page(kind: Kind, text: &[u8]) -> Result<Page, serde_json::Error> {
    fn read<T: DeserializeOwned>(text: &[u8], read: fn(T) -> Read) -> Result<Page, serde_json::Error> {
        let list: ListWire<T> = serde_json::from_slice(text)?;
        let objects = list.items.into_iter().flatten().map(read).map(|(key, _, record)| (key, record)).collect();
        Ok(Page { objects, version: list.metadata.resource_version, next: list.metadata.next })
    }
    match kind {
        Kind::Node => read(text, read_node),
        Kind::Pod => read(text, read_pod),
        Kind::Service => read(text, read_service),
        Kind::Endpoints => read(text, read_endpoints),
        Kind::EndpointSlice => read(text, read_slice),
        Kind::Ingress => read(text, read_ingress),
        Kind::Namespace => read(text, read_namespace),
        Kind::ReplicaSet | Kind::Job => read(text, read_owned),
    }
}

/// Reads a line of a watch of objects of a kind; `None` for a type of event that isn't known.
pub(crate) fn event(kind: Kind, line: &[u8]) -> Result<Option<Event>, serde_json::Error> {
    fn object<T: DeserializeOwned>(line: &[u8]) -> Result<T, serde_json::Error> {
        serde_json::from_slice::<EventObject<T>>(line).map(|event| event.object)
    }
    let what: EventKind = serde_json::from_slice(line)?;
    match what.kind.as_str() {
        "ADDED" | "MODIFIED" => {
            let (key, version, record) = match kind {
                Kind::Node => read_node(object(line)?),
                Kind::Pod => read_pod(object(line)?),
                Kind::Service => read_service(object(line)?),
                Kind::Endpoints => read_endpoints(object(line)?),
                Kind::EndpointSlice => read_slice(object(line)?),
                Kind::Ingress => read_ingress(object(line)?),
                Kind::Namespace => read_namespace(object(line)?),
                Kind::ReplicaSet | Kind::Job => read_owned(object(line)?),
            };
            Ok(Some(Event::Put { version, key, record: Box::new(record) }))
        }
        "DELETED" => {
            let meta = object::<Other>(line)?.metadata;
            Ok(Some(Event::Gone { key: meta.key(), version: meta.resource_version }))
        }
        "BOOKMARK" => Ok(Some(Event::Bookmark { version: object::<Other>(line)?.metadata.resource_version })),
        "ERROR" => Ok(Some(Event::Error(object(line)?))),
        _ => Ok(None),
    }
}

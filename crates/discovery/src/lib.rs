//! Finding things by name: what is scraped, and which shards are pulled.
//!
//! A [`Discovery`] follows [`Sources`]: lists in the configuration, files, the DNS, HTTP servers that tell lists, Kubernetes clusters,
//! Consul, Nomad, Docker with its swarms, and the machines of EC2, Google Compute Engine and Azure. It gives groups of targets, labels
//! with an `__address__` among them, as they are now, and says when they change. [`relabel`] decides what becomes of them. What a
//! target or a replica is, is known only by those who ask.
//!
//! It is Prometheus's discovery with its words, labels and metrics. A source that fails keeps what it found last.

mod answer;
mod azure;
mod board;
mod cloud;
mod consul;
mod discovery;
mod dns;
mod docker;
mod ec2;
mod environment;
mod file;
mod file_watch;
mod gce;
mod group;
mod http;
mod kubernetes;
mod meta_labels;
mod metrics;
mod names;
mod nomad;
mod patience;
mod refresh;
pub mod relabel;
mod resolver;
mod server;
mod sharing;
mod sources;
mod sources_raw;

pub use azure::config::{AzureAuthentication, AzureCloud, AzureSdConfig, RawAzureSdConfig};
pub use cloud::surroundings::Surroundings;
pub use consul::config::{ConsulSdConfig, RawConsulSdConfig};
pub use discovery::{Answers, Changes, Discovery};
pub use dns::{DnsSdConfig, RawDnsSdConfig, RecordKind};
pub use docker::config::{
    DockerSdConfig, DockerSwarmSdConfig, Filters, RawDockerSdConfig, RawDockerSwarmSdConfig,
    RawFilter as RawDockerFilter, SwarmRole,
};
pub use ec2::config::{Ec2SdConfig, Filter, RawEc2SdConfig, RawFilter};
pub use environment::Environment;
pub use file::{FileSdConfig, RawFileSdConfig};
pub use gce::config::{GceSdConfig, RawGceSdConfig};
pub use group::{RawTargetGroup, TargetGroup, check_address};
pub use http::{HttpSdConfig, RawHttpSdConfig};
pub use kubernetes::access::{ApiServer, InCluster};
pub use kubernetes::config::{
    AttachMetadata, KubernetesSdConfig, RawKubernetesSdConfig, RawNamespaces, RawSelector, Role, Selector,
};
pub use names::NameValidation;
pub use nomad::{NomadSdConfig, RawNomadSdConfig};
pub use resolver::Dns;
pub use server::Server;
pub use sources::{Source, Sources};
pub use sources_raw::RawSources;

#[doc(hidden)]
pub use config; // for `with_sources`

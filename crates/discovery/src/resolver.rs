//! Asking the DNS.

use std::net::SocketAddr;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ProtocolConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};

/// Whom to ask.
#[derive(Debug, Clone)]
pub struct Dns {
    /// `None` for those in `/etc/resolv.conf`.
    server: Option<SocketAddr>,
}

/// Why a name is not resolved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("cannot use the machine's resolver settings")]
    Settings(#[source] NetError),
    #[error("cannot look up {name:?}")]
    Lookup {
        name: String,
        #[source]
        source: NetError,
    },
}

impl Dns {
    /// The servers of the machine. Their list is read for each round of lookups, so a change of it is taken up.
    pub fn system() -> Self {
        Dns { server: None }
    }

    /// One server, by UDP, and by TCP where an answer is too long.
    pub fn of_server(server: SocketAddr) -> Self {
        Dns { server: Some(server) }
    }

    /// What asks, for one round of lookups. Nothing is remembered from one to the next: who asks again wants to know.
    pub(crate) fn resolver(&self) -> Result<Lookups, ResolveError> {
        let mut builder = match self.server {
            Some(server) => {
                let connection = |protocol| {
                    let mut connection = ConnectionConfig::new(protocol);
                    connection.port = server.port();
                    connection
                };
                let connections = vec![connection(ProtocolConfig::Udp), connection(ProtocolConfig::Tcp)];
                let config = NameServerConfig::new(server.ip(), true, connections);
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![config]);
                Resolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
            None => TokioResolver::builder_tokio().map_err(ResolveError::Settings)?,
        };
        builder.options_mut().cache_size = 0;
        Ok(Lookups { resolver: builder.build().map_err(ResolveError::Settings)? })
    }
}

/// One round of lookups.
pub(crate) struct Lookups {
    resolver: TokioResolver,
}

impl Lookups {
    /// The records of this kind that a name has, none where the name doesn't exist. Names without a dot at the end are looked for in the
    /// machine's search domains, too.
    pub(crate) async fn records(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, ResolveError> {
        match self.resolver.lookup(name, kind).await {
            Ok(lookup) => {
                let answers = lookup.answers().iter();
                Ok(answers.filter(|record| record.record_type() == kind).map(|record| record.data.clone()).collect())
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(nothing)))
                if matches!(nothing.response_code, ResponseCode::NXDomain | ResponseCode::NoError) =>
            {
                Ok(Vec::new())
            }
            Err(source) => Err(ResolveError::Lookup { name: name.to_owned(), source }),
        }
    }
}

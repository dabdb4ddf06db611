//! Connections as the configuration says: the proxy, TLS, the protocol.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{HttpClientConfig, HttpClientError, Proxy, ProxyConfig, ProxyScheme};
use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tower_service::Service;
use url::Url;

use crate::stream::{Leg, Stream};
use crate::tls::{Made, Tls};
use crate::tunnel::{self, TunnelError};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Certificates or keys can't be used, or the name of the server.
    #[error(transparent)]
    Config(#[from] HttpClientError),
    /// It isn't an address.
    #[error("{0:?} is not an address")]
    Address(String),
    /// Nobody answers there.
    #[error(transparent)]
    Dial(Box<dyn std::error::Error + Send + Sync>),
    /// There is no trust or no common language.
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
    /// The proxy can't be reached.
    #[error("the proxy {proxy} can't be reached")]
    ProxyDial {
        /// Host and port of the proxy.
        proxy: String,
        /// Why.
        source: Box<ConnectError>,
    },
    /// The proxy doesn't let it through.
    #[error("no way through the proxy {proxy}")]
    Proxy {
        /// Host and port of the proxy.
        proxy: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Connects to servers.
#[derive(Debug)]
pub struct Connector {
    http: HttpConnector,
    tls: Tls,
    proxies: ProxyConfig,
    /// Where all connections lead, where that is a socket in the file system.
    socket: Option<PathBuf>,
}

impl Connector {
    /// A connector for one configuration. Certificates and keys are read now where they are named, so that a mistake shows at
    /// once, and again whenever their files have changed.
    ///
    /// # Errors
    /// They can't be used.
    pub fn new(config: &HttpClientConfig) -> Result<Self, HttpClientError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let tls = Tls::new(config.tls.clone(), config.enable_http2);
        if config.tls.ca.is_some() || config.tls.identity.is_some() {
            tls.now()?;
        }
        Ok(Connector { http, tls, proxies: config.proxy.clone(), socket: None })
    }

    /// A connector whose connections all lead to a socket in the file system, without TLS and without a proxy.
    pub(crate) fn over_socket(config: &HttpClientConfig, socket: &Path) -> Result<Self, HttpClientError> {
        let direct = HttpClientConfig { proxy: ProxyConfig::default(), ..config.clone() };
        Ok(Connector { socket: Some(socket.to_owned()), ..Connector::new(&direct)? })
    }

    /// The proxy that reads the requests to a URL and sends them on.
    pub fn forwarding(&self, url: &Url) -> Option<&Proxy> {
        if url.scheme() == "https" {
            return None;
        }
        self.proxies.of(url).filter(|proxy| proxy.scheme() != ProxyScheme::Socks5)
    }

    /// Whether a connection that was made before is one that would be made now: keys and certificates may have been replaced.
    ///
    /// # Errors
    /// What has replaced them can't be used.
    pub fn is_current(&self, generation: Option<u64>) -> Result<bool, HttpClientError> {
        match generation {
            Some(generation) if self.tls.has_files() => Ok(self.tls.now()?.generation == generation),
            _ => Ok(true),
        }
    }

    /// What counts the TLS configurations of connections to a URL; none where it never changes.
    pub(crate) fn generation(&self, url: &Url) -> Result<Option<u64>, HttpClientError> {
        let proxy = || self.proxies.of(url).is_some_and(|proxy| proxy.scheme() == ProxyScheme::Https);
        match self.tls.has_files() && (url.scheme() == "https" || proxy()) {
            true => Ok(Some(self.tls.now()?.generation)),
            false => Ok(None),
        }
    }

    /// A connection to the server of a URL.
    pub async fn connect(&self, url: &Url) -> Result<Stream, ConnectError> {
        if let Some(socket) = &self.socket {
            let stream = UnixStream::connect(socket).await.map_err(|error| ConnectError::Dial(error.into()))?;
            return Ok(Stream::plain(Leg::Unix(stream), false, None));
        }
        let is_secured = url.scheme() == "https";
        let Some(proxy) = self.proxies.of(url) else {
            let leg = Leg::Tcp(self.dial(&address(url)?).await?);
            return if is_secured { self.secure(leg, url).await } else { Ok(Stream::plain(leg, false, None)) };
        };
        let named = format!("{}:{}", proxy.host(), proxy.port());
        if proxy.scheme() == ProxyScheme::Socks5 {
            let leg = self.dial_by_socks(proxy, &named, url).await?;
            return if is_secured { self.secure(leg, url).await } else { Ok(Stream::plain(leg, false, None)) };
        }
        let reached = self.dial_proxy(proxy, &named).await;
        let (mut leg, generation) =
            reached.map_err(|source| ConnectError::ProxyDial { proxy: named.clone(), source: Box::new(source) })?;
        if !is_secured {
            return Ok(Stream::plain(leg, true, generation));
        }
        let opened = tunnel::open(&mut leg, &address(url)?, proxy, self.proxies.connect_headers()).await;
        opened.map_err(|source: TunnelError| ConnectError::Proxy { proxy: named, source: source.into() })?;
        self.secure(leg, url).await
    }

    async fn dial(&self, address: &str) -> Result<TcpStream, ConnectError> {
        let stream = self.http.clone().call(uri(address)?).await;
        stream.map(TokioIo::into_inner).map_err(|error| ConnectError::Dial(error.into()))
    }

    /// To a proxy that is spoken to in HTTP, and the count of TLS configurations if that is over TLS.
    async fn dial_proxy(&self, proxy: &Proxy, named: &str) -> Result<(Leg, Option<u64>), ConnectError> {
        let stream = self.dial(named).await?;
        if proxy.scheme() == ProxyScheme::Http {
            return Ok((Leg::Tcp(stream), None));
        }
        let made = self.tls.now()?;
        let name = proxy.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|_| ConnectError::Address(named.to_owned()))?;
        let connecting = TlsConnector::from(Arc::clone(&made.to_proxy)).connect(name, stream);
        let stream = connecting.await.map_err(ConnectError::Handshake)?;
        Ok((Leg::Tls(Box::new(stream)), Some(made.generation)))
    }

    async fn dial_by_socks(&self, proxy: &Proxy, named: &str, url: &Url) -> Result<Leg, ConnectError> {
        let mut socks = SocksV5::new(uri(named)?, self.http.clone());
        if let Some((user, password)) = proxy.credentials() {
            socks = socks.with_auth(user.to_owned(), password.expose().to_owned());
        }
        let stream = socks.call(uri(&address(url)?)?).await;
        let stream = stream
            .map_err(|error| ConnectError::Proxy { proxy: named.to_owned(), source: error.to_string().into() })?;
        Ok(Leg::Tcp(stream.into_inner()))
    }

    async fn secure(&self, leg: Leg, url: &Url) -> Result<Stream, ConnectError> {
        let made: Arc<Made> = self.tls.now()?;
        let connecting = TlsConnector::from(Arc::clone(&made.to_server)).connect(self.tls.server_name(url)?, leg);
        let stream = connecting.await.map_err(ConnectError::Handshake)?;
        Ok(Stream::secured(stream, made.generation))
    }
}

/// Host and port of a URL.
fn address(url: &Url) -> Result<String, ConnectError> {
    match (url.host_str(), url.port_or_known_default()) {
        (Some(host), Some(port)) => Ok(format!("{host}:{port}")),
        _ => Err(ConnectError::Address(url.host_str().unwrap_or_default().to_owned())),
    }
}

fn uri(address: &str) -> Result<Uri, ConnectError> {
    let parts = Uri::builder().scheme("http").authority(address).path_and_query("/").build();
    parts.map_err(|_| ConnectError::Address(address.to_owned()))
}

//! Proxies: HTTP in absolute form and by `CONNECT`, plain or over TLS, and SOCKS 5.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, copy_bidirectional, split};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::shared::Shared;
use crate::socks;

/// A proxy that remembers the heads of all requests it gets.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// An HTTP proxy, over TLS if there is one, that knows where `hosts` (with their ports) are.
    pub async fn http(tls: Option<Arc<ServerConfig>>, hosts: &[(&str, SocketAddr)]) -> Proxy {
        Proxy::start(tls, hosts, None, false).await
    }

    /// A SOCKS 5 proxy. It notes user, password and host of each request.
    pub async fn socks(hosts: &[(&str, SocketAddr)]) -> Proxy {
        Proxy::start(None, hosts, None, true).await
    }

    /// A proxy that answers each request with these bytes and hangs up.
    pub async fn refusing(answer: &[u8]) -> Proxy {
        Proxy::start(None, &[], Some(answer.to_vec()), false).await
    }

    async fn start(
        tls: Option<Arc<ServerConfig>>,
        hosts: &[(&str, SocketAddr)],
        refusal: Option<Vec<u8>>,
        is_socks: bool,
    ) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let hosts = hosts.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        let shared = Arc::new(Shared { hosts, refusal, heads: Mutex::default() });
        let own = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, tls) = (Arc::clone(&own), tls.clone());
                serving.spawn(async move {
                    match tls {
                        Some(tls) => serve(TlsAcceptor::from(tls).accept(stream).await?, &shared).await,
                        None if is_socks => socks::serve(stream, &shared).await,
                        None => serve(stream, &shared).await,
                    }
                });
            }
        });
        Proxy { address, shared, task }
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.shared.heads.lock().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut client: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) -> io::Result<()> {
    let head = read_head(&mut client).await?;
    shared.note(&head);
    if let Some(refusal) = &shared.refusal {
        client.write_all(refusal).await?;
        return client.shutdown().await;
    }
    if let Some(host) = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()) {
        let mut server = shared.dial(host).await?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\nX-By: test\r\n\r\n").await?;
        return copy_bidirectional(&mut client, &mut server).await.map(|_| ());
    }
    pass_on(client, head, shared).await
}

/// Passes on requests in absolute form, one after the other, all to the host of the first.
async fn pass_on(client: impl AsyncRead + AsyncWrite + Unpin, head: String, shared: &Shared) -> io::Result<()> {
    let Some((host, first)) = in_origin_form(&head) else {
        return Err(io::Error::other("not in absolute form"));
    };
    let (mut answers, mut requests) = shared.dial(&host).await?.into_split();
    let (mut from_client, mut to_client) = split(client);
    requests.write_all(first.as_bytes()).await?;
    let asking = async {
        loop {
            let head = read_head(&mut from_client).await?;
            shared.note(&head);
            let Some((_, request)) = in_origin_form(&head) else {
                return Err(io::Error::other("not in absolute form"));
            };
            requests.write_all(request.as_bytes()).await?;
        }
    };
    let answering = copy(&mut answers, &mut to_client);
    tokio::select! {
        ended = asking => ended,
        ended = answering => ended.map(|_| ()),
    }
}

/// The host that a request in absolute form goes to, and the request without what is for the proxy.
fn in_origin_form(head: &str) -> Option<(String, String)> {
    let (method, rest) = head.split_once(' ')?;
    let (host, path) = rest.strip_prefix("http://")?.split_once('/')?;
    let kept = path.split_inclusive("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("proxy-"));
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    Some((host, format!("{method} /{}", kept.collect::<String>())))
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    String::from_utf8(head).map_err(io::Error::other)
}

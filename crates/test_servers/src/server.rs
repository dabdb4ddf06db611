//! An HTTP server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which connection it came over, from 1.
    pub connection: usize,
    /// The version of HTTP.
    pub version: Version,
    /// The method.
    pub method: Method,
    /// The path, or the whole URL where the client wrote it.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The name that was asked for in the TLS handshake.
    pub server_name: Option<String>,
    /// The certificate that the client showed.
    pub certificate: Option<Vec<u8>>,
}

impl Seen {
    /// A header as text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

type Answer = dyn Fn(&Seen) -> Response<Full<Bytes>> + Send + Sync;

struct Shared {
    answer: Box<Answer>,
    tls: Mutex<Option<Arc<ServerConfig>>>,
    requests: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
}

/// A server that answers as it is told.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens, with TLS if there is one.
    pub async fn start(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Seen) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            tls: Mutex::new(tls),
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Server { address, shared, task }
    }

    /// Takes another certificate for the connections to come.
    pub fn secure(&self, tls: Arc<ServerConfig>) {
        *self.shared.tls.lock() = Some(tls);
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.requests.lock().clone()
    }

    /// The last request.
    pub fn last(&self) -> Seen {
        self.shared.requests.lock().last().expect("a request").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut serving = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        serving.spawn(serve(stream, Arc::clone(&shared)));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let connection = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
    let tls = shared.tls.lock().clone();
    let Some(tls) = tls else {
        return exchange(stream, shared, connection, None, None, false).await;
    };
    let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await else { return };
    let session = stream.get_ref().1;
    let is_http2 = session.alpn_protocol() == Some(b"h2");
    let name = session.server_name().map(str::to_owned);
    let certificate = session.peer_certificates().and_then(|chain| chain.first()).map(|own| own.to_vec());
    exchange(stream, shared, connection, name, certificate, is_http2).await;
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shared: Arc<Shared>,
    connection: usize,
    server_name: Option<String>,
    certificate: Option<Vec<u8>>,
    is_http2: bool,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (shared, server_name, certificate) = (Arc::clone(&shared), server_name.clone(), certificate.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let seen = Seen {
                connection,
                version: head.version,
                method: head.method,
                uri: head.uri,
                headers: head.headers,
                body,
                server_name,
                certificate,
            };
            let answer = (shared.answer)(&seen);
            shared.requests.lock().push(seen);
            Ok::<_, Infallible>(answer)
        }
    });
    let stream = TokioIo::new(stream);
    // A client that hangs up is none of the server's errors.
    let _ = match is_http2 {
        true => http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await,
        false => http1::Builder::new().serve_connection(stream, service).await,
    };
}

/// An answer of plain text.
pub fn text(body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let answer = Response::builder().header("content-type", "text/plain; version=0.0.4");
    answer.body(Full::new(body.into())).expect("an answer")
}

//! The connection to a target: kept from scrape to scrape, and moved on by the one who waits for its answer.
//!
//! A pooled client has a task of its own for each connection, so that a request goes to that task, its answer comes back, and
//! each piece of the body comes back, with a turn of the scheduler each time. Here the scrape is the only task.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use config::chain;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;
use url::Url;

/// So much is read at once. The buffer is there only while a scrape is under way.
const READ_BYTES: usize = 64 << 10;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A connection between two scrapes: no buffers, only the stream.
#[derive(Debug)]
pub(crate) struct Resting {
    /// Where it leads: scheme, host and port.
    origin: Url,
    stream: Stream,
}

/// A connection that is in use.
#[derive(Debug)]
pub(crate) struct Connection {
    origin: Url,
    sender: http1::SendRequest<Empty<Bytes>>,
    driver: Driver,
}

#[derive(Debug)]
struct Driver {
    connection: http1::Connection<Stream, Empty<Bytes>>,
    is_over: bool,
}

impl Driver {
    /// Waits for `future`, which needs the connection to move.
    async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            if !self.is_over {
                // Its errors reach the future, too.
                self.is_over = Pin::new(&mut self.connection).poll(context).is_ready();
            }
            future.as_mut().poll(context)
        })
        .await
    }
}

impl Connection {
    /// Connects to the host of `url`.
    pub(crate) async fn open(connector: &HttpsConnector<HttpConnector>, url: &Url) -> Result<Self, String> {
        let uri: Uri = url.as_str().parse().map_err(|e| format!("not a URI: {e}"))?;
        let mut connector = connector.clone();
        poll_fn(|context| connector.poll_ready(context)).await.map_err(|e| chain(&*e))?;
        let stream = connector.call(uri).await.map_err(|e| chain(&*e))?;
        Connection::begin(url.clone(), stream).await.map_err(|e| chain(&e))
    }

    /// Takes up a connection again, if it still leads to the host of `url`: the other side may have closed it meanwhile.
    pub(crate) async fn resume(resting: Resting, url: &Url) -> Option<Self> {
        if !is_same_origin(&resting.origin, url) {
            return None;
        }
        let mut connection = Connection::begin(resting.origin, resting.stream).await.ok()?;
        connection.is_usable().await.then_some(connection)
    }

    async fn begin(origin: Url, stream: Stream) -> hyper::Result<Self> {
        let mut builder = http1::Builder::new();
        let (sender, connection) = builder.read_buf_exact_size(Some(READ_BYTES)).handshake(stream).await?;
        Ok(Connection { origin, sender, driver: Driver { connection, is_over: false } })
    }

    /// Puts the connection to rest after an answer that was read to its end, if it leads to the host of `url` and the other
    /// side wants to keep it.
    pub(crate) async fn rest(mut self, url: &Url) -> Option<Resting> {
        if !is_same_origin(&self.origin, url) || !self.is_usable().await {
            return None;
        }
        let parts = self.driver.connection.into_parts();
        parts.read_buf.is_empty().then_some(Resting { origin: self.origin, stream: parts.io })
    }

    /// Whether another request can be sent.
    async fn is_usable(&mut self) -> bool {
        poll_fn(|context| {
            if !self.driver.is_over {
                self.driver.is_over = Pin::new(&mut self.driver.connection).poll(context).is_ready();
            }
            Poll::Ready(!self.driver.is_over && self.sender.is_ready())
        })
        .await
    }

    /// Sends a request and waits for the head of the answer.
    pub(crate) async fn send(&mut self, request: Request<Empty<Bytes>>) -> hyper::Result<Response<Incoming>> {
        let Connection { sender, driver, .. } = self;
        driver
            .drive(async {
                sender.ready().await?;
                sender.send_request(request).await
            })
            .await
    }

    /// Waits for `reading`, which reads the body of an answer.
    pub(crate) async fn read<F: Future>(&mut self, reading: F) -> F::Output {
        self.driver.drive(reading).await
    }
}

/// Whether two URLs have scheme, host and port in common.
pub(crate) fn is_same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.port_or_known_default() == b.port_or_known_default() && a.host_str() == b.host_str()
}

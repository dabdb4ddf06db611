//! The connection to a target: kept from scrape to scrape, and moved on by the one who waits for its answer.
//!
//! A pooled client has a task of its own for each connection, so that a request goes to that task, its answer comes back, and
//! each piece of the body comes back, with a turn of the scheduler each time. Here the scrape is the only task.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
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

use crate::cause::chain;

/// A connection keeps its buffer while it waits for the next scrape; by default that grows to 400 KiB.
const READ_BUFFER_BYTES_MAX: usize = 32 << 10;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A connection over which nothing is under way.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Where it leads: scheme, host and port.
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
        let mut builder = http1::Builder::new();
        let handshake = builder.max_buf_size(READ_BUFFER_BYTES_MAX).handshake(stream);
        let (sender, connection) = handshake.await.map_err(|e| chain(&e))?;
        Ok(Connection { origin: url.clone(), sender, driver: Driver { connection, is_over: false } })
    }

    /// Whether it leads to the host of `url`.
    pub(crate) fn leads_to(&self, url: &Url) -> bool {
        self.origin.scheme() == url.scheme()
            && self.origin.port_or_known_default() == url.port_or_known_default()
            && self.origin.host_str() == url.host_str()
    }

    /// Whether a request can be sent: the other side may have closed it meanwhile.
    pub(crate) async fn is_usable(&mut self) -> bool {
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
